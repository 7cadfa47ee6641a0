"""`ecotone individuals match` and `catalogue`: who the animals of a project are.

N animals with an embedding. Machine rows name their run; people's word is never overridden.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.engine.runners import Engine, open_runner
from ecotone.errors import ProjectError
from ecotone.project.animals import Animals, chosen, gather_animals
from ecotone.project.engine_runs import chosen_engine
from ecotone.project.individual_decisions import pairs_among
from ecotone.project.individual_heads import HEAD_NOTE
from ecotone.project.individual_runs import Identifications
from ecotone.project.pair_scores import scorers
from ecotone.project.records import recorded_run, versions, write_json
from ecotone.reid.naming import keep_names, name_groups
from ecotone.store import individuals as store

Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class MatchResult:
    """What a match did. counts: gallery (pictures), individuals, queries, encounters, known, new,
    new_individuals, cannot_tell, decided (by people). head: its name. open_set: the threshold
    between known and new, and baks, baus and geometric_mean there. notes: what to know."""

    run: str
    counts: dict[str, int]
    model: str
    head: str
    open_set: dict[str, float]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CatalogueResult:
    """What a catalogue made from nothing holds. counts: pictures, individuals, alone (with one
    picture), largest."""

    run: str
    counts: dict[str, int]
    model: str
    method: str
    threshold: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """Which animals, and how. species, deployments, folder: see `animals.chosen`. encounters:
    pictures of one event are one encounter."""

    embedding_model: str | None = None
    species: Sequence[str] = ()
    deployments: Sequence[str] = ()
    folder: str | Path | None = None
    encounters: bool = True
    seed: int | None = None


def match_individuals(
    project: Any, head: str | None = None, precision: float | None = 0.9, local: bool = False,
    scores: str | Path | None = None, shortlist: int = 25, rerank: bool | str = False,
    expand: bool | str = False, progress: Progress | None = None,
    engine: str | Engine | None = None, address: str | None = None, workers: int | None = None,
    gpus: float | None = None, **wanted: Any,
) -> MatchResult:
    """Match animals without an individualID with those that people named.

    The gallery is every animal with an individualID by people; queries are the others of the
    gallery's species, or of the species, deployments or folder asked for (fields of `Wanted`).
    head, precision, shortlist, rerank, expand: see `ReIdentifier`; default the head that the
    newest `individuals train` chose. local: also compare points of the pictures (extra `local`),
    see `point_scores`. scores: a csv of scores of pairs by another program; see `pair_scores`.
    engine, address, workers: who searches the gallery, part by part; see `engine.runners`.
    Raises ProjectError when there is nothing to match, InputError when decisions contradict,
    MissingExtraError.
    """
    say = progress or (lambda done, total, text: None)
    options = {"precision": precision, "shortlist": shortlist, "rerank": rerank, "expand": expand}
    work = _work(project, Wanted(**wanted), head, local=local, scores=str(scores or ""), **options)
    queries = _queries(work)
    by_engine = chosen_engine(project, engine, address, workers, gpus=gpus)
    with (_run(project, "individuals match", work) as (run, summary),
          open_runner(by_engine and by_engine.engine) as runner):
        gallery, asking = work.animals.take(work.named), work.animals.take(queries)
        say(0, None, f"learning from {len(gallery):,} pictures of known individuals")
        by = scorers(project, local, scores, progress)
        reid = _fitted(work, {k: s.between(gallery.id, gallery.id) for k, s in by.items()},
                       **options)
        if by_engine is not None and not by_engine.engine.here:
            reid.runner = runner
        say(0, None, f"matching {len(asking):,} pictures")
        before = Identifications(project)
        same, different = pairs_among(project, np.concatenate([asking.id, gallery.id]))
        found = reid.predict(
            asking.embeddings, same=same, different=different, ids=list(asking.id),
            taken=_elsewhere(before, asking), **work.columns(queries),
            scores={k: s.between(asking.id, gallery.id) for k, s in by.items()},
            scores_between={k: s.between(asking.id, asking.id) for k, s in by.items()})
        names = keep_names(found.individualID, found.decision == "new",
                           [before.by_machine.get(i, "") for i in asking.id])
        _insert(project, run, _table(asking, gallery, found, names))
        result = MatchResult(
            run, _match_counts(gallery, found, names), work.animals.model, reid.head_name_,
            _open_set(reid), _notes(work, reid.notes_, found.notes))
        _record(project, work, result, "individuals match", reid)
        summary.update(counts=result.counts)
    return result


@dataclass(frozen=True, eq=False)
class _Work:
    """What a run starts from. named: (N,) bool. kept: its settings."""

    animals: Animals
    named: np.ndarray
    asked: Wanted
    head: str
    seed: int
    kept: dict[str, Any]
    started: float

    def columns(self, rows: np.ndarray) -> dict[str, Any]:
        """species, viewpoint and encounter of some rows, None where nobody knows any; a picture
        of unknown species counts as of the only one."""
        columns = self.animals.columns
        kinds = sorted(set(self.animals.species[self.named]) - {""})
        if len(kinds) == 1 and columns["species"] is not None:
            columns["species"] = np.where(self.animals.species == "", kinds[0],
                                          self.animals.species)
        return {k: None if v is None else v[rows] for k, v in columns.items()}


def _work(project: Any, asked: Wanted, head: str | None, **kept: Any) -> _Work:
    animals = gather_animals(project, asked.embedding_model, asked.encounters)
    head = head or (project.catalog.note(HEAD_NOTE) or {}).get("head") or "auto"
    kept = {**kept, "head": head, "embedding_model": animals.model, "species": list(asked.species),
            "deployments": list(asked.deployments), "folder": str(asked.folder or ""),
            "encounters": asked.encounters}
    seed = project.config.random_state if asked.seed is None else asked.seed
    return _Work(animals, animals.individual != "", asked, head, seed, kept, time.perf_counter())


@contextmanager
def _run(
    project: Any, command: str, work: _Work
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A recorded run; rows of runs that never came to their end go first."""
    with project.catalog.transaction() as connection:
        store.drop_unfinished(connection)
    with recorded_run(project.catalog, command, work.kept, work.seed) as (run, summary):
        yield run, summary


def _fitted(work: _Work, scores: dict[str, Any], **options: Any) -> Any:
    from ecotone.reid.identifier import ReIdentifier

    gallery = work.animals.take(work.named)
    return ReIdentifier(work.head, random_state=work.seed, **options).fit(
        gallery.embeddings, gallery.individual, scores=scores, **work.columns(work.named))


def _insert(project: Any, run: str, table: store.IdentificationTable) -> None:
    with project.catalog.transaction() as connection:
        store.insert_rows(connection, run, table)


def _notes(work: _Work, *more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*work.animals.notes, *(n for notes in more for n in notes)]))


def _queries(work: _Work) -> np.ndarray:
    animals, named, asked = work.animals, work.named, work.asked
    rows = chosen(animals, asked.species, asked.deployments, asked.folder) & ~named
    if not asked.species and named.any():
        kinds = sorted(set(animals.species[named]))
        rows &= np.isin(animals.species, [*kinds, *([""] if len(kinds) == 1 else [])])
    if not rows.any():
        raise ProjectError(
            "nothing to match: every animal asked for has an individualID by people." if
            named.any() else "nothing to match: no animal is here; see: ecotone status")
    return rows


def _elsewhere(before: Identifications, asking: Animals) -> list[str]:
    """IDs that animals outside these queries carry."""
    here = set(asking.id)
    return sorted({name for d, name in before.by_machine.items() if d not in here})


def _table(
    asking: Animals, gallery: Animals, found: Any, names: np.ndarray
) -> store.IdentificationTable:
    best = []
    for n in range(len(asking)):
        best.append([
            (str(c), float(p), str(gallery.id[r]) if r >= 0 else "")
            for c, p, r in zip(found.candidates[n], found.candidate_probability[n],
                               found.candidate_row[n], strict=True) if c])
    return store.IdentificationTable(
        asking.id, names, found.decision, found.probability, found.known,
        store.candidates_json(best))


def _match_counts(gallery: Animals, found: Any, names: np.ndarray) -> dict[str, int]:
    new = found.decision == "new"
    return {
        "gallery": len(gallery), "individuals": len(set(gallery.individual)),
        "queries": len(found), "encounters": int(found.encounter.max(initial=-1)) + 1,
        "known": int((found.decision == "known").sum()), "new": int(new.sum()),
        "new_individuals": len(set(names[new])),
        "cannot_tell": int((found.decision == "cannot tell").sum()),
        "decided": int(found.decided.sum()),
    }


def _open_set(reid: Any) -> dict[str, float]:
    """The threshold, and what it does to labelled pictures that were left out."""
    curve, at = reid.curve_, reid.threshold_
    if curve is None:
        return {"threshold": at}
    row = int(np.argmin(np.abs(curve.threshold - at)))
    return {"threshold": at, "baks": float(curve.baks[row]), "baus": float(curve.baus[row]),
            "geometric_mean": float(curve.geometric_mean[row])}


def _record(
    project: Any, work: _Work, result: Any, command: str, reid: Any = None
) -> None:
    record = {
        "run": result.run, "command": command, "seed": work.seed, "settings": work.kept,
        "versions": versions(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "counts": result.counts, "notes": result.notes,
        "seconds": round(time.perf_counter() - work.started, 2),
    }
    if reid is not None:
        curve = reid.curve_
        record |= {
            "head": reid.head_name_, "order": reid.order_.name, "heads": reid.head_precision_,
            "open_set": result.open_set,
            "curve": {} if curve is None else {
                k: np.round(v, 4).tolist() for k, v in vars(curve).items()},
        }
    write_json(project.path / "runs" / f"{result.run}.json", record)


def catalogue_individuals(
    project: Any, method: str = "average", threshold: float | None = None,
    head: str | None = None, local: bool = False, scores: str | Path | None = None,
    shortlist: int = 25, progress: Progress | None = None, **wanted: Any,
) -> CatalogueResult:
    """Group animals into individuals: a first catalogue, from nothing or around people's names.

    Animals that people gave one individualID stay together, with two apart; a group that holds a
    name is called so, others get a new ID. method: "average" or "hdbscan". threshold: see
    `ReIdentifier.catalogue`; labelled individuals calibrate it where there are any. local, scores,
    shortlist: as in `match_individuals`; without labelled individuals the embedding alone decides.
    Raises ProjectError without animals, InputError when decisions contradict.
    """
    say = progress or (lambda done, total, text: None)
    work = _work(project, Wanted(**wanted), head, method=method, threshold=threshold, local=local,
                 scores=str(scores or ""), shortlist=shortlist)
    asked = work.asked
    rows = chosen(work.animals, asked.species, asked.deployments, asked.folder)
    with _run(project, "individuals catalogue", work) as (run, summary):
        gallery, group = work.animals.take(work.named), work.animals.take(rows)
        by = scorers(project, local, scores, progress)
        reid = _fitted(work, {k: s.between(gallery.id, gallery.id) for k, s in by.items()},
                       shortlist=shortlist)
        say(0, None, f"grouping {len(group):,} pictures")
        same, different = pairs_among(project, group.id)
        found = reid.catalogue(
            group.embeddings, same=same, different=different, method=method, threshold=threshold,
            ids=list(group.id), individuals=group.individual, **work.columns(rows),
            scores={k: s.between(group.id, group.id) for k, s in by.items()})
        names = _cluster_names(project, work, group, found.cluster)
        n = len(group)
        _insert(project, run, store.IdentificationTable(
            group.id, names, np.full(n, "cluster", dtype=object), found.probability,
            np.full(n, np.nan), store.candidates_json([[]] * n)))
        sizes = Counter(names.tolist())
        counts = {"pictures": n, "individuals": len(sizes),
                  "alone": sum(k == 1 for k in sizes.values()), "largest": max(sizes.values())}
        result = CatalogueResult(run, counts, work.animals.model, method, found.threshold,
                                 _notes(work, _of_catalogue(reid), found.notes))
        _record(project, work, result, "individuals catalogue")
        summary.update(counts=counts)
    return result


def _cluster_names(
    project: Any, work: _Work, group: Animals, cluster: np.ndarray
) -> np.ndarray:
    """(n,) the individualID of each picture: people's where its cluster holds one, else a new one,
    kept from the run before where most of its pictures had it."""
    named = group.individual != ""
    before = Identifications(project)
    owner = dict(zip(cluster[named], group.individual[named], strict=True))
    fresh = np.array([c not in owner for c in cluster], dtype=bool)
    taken = [*set(work.animals.individual[work.named]), *_elsewhere(before, group)]
    names = name_groups(np.where(fresh, cluster, -1), list(group.id), taken)
    names[~fresh] = [owner[c] for c in cluster[~fresh]]
    return keep_names(names, fresh, [before.by_machine.get(i, "") for i in group.id])


def _of_catalogue(reid: Any) -> list[str]:
    """The notes of an identifier that bear on a catalogue: not those on known or new."""
    left_out = {*reid.thresholds_.notes, *(reid.notes_[:1] if not len(reid.classes_) else ())}
    return [note for note in reid.notes_ if note not in left_out]
