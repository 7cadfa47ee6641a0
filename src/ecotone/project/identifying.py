"""`ecotone individuals match` and `catalogue`: who the animals of a project are.

N animals with an embedding. Machine rows name their run; people's word is never overridden.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.animals import Animals, chosen, gather_animals
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
    scores: str | Path | None = None, shortlist: int = 25, progress: Progress | None = None,
    **wanted: Any,
) -> MatchResult:
    """Match animals without an individualID with those that people named.

    The gallery is every animal with an individualID by people; queries are the others of the
    gallery's species, or of the species, deployments or folder asked for (fields of `Wanted`).
    head, precision and shortlist: see `ReIdentifier`; default the head that the newest `individuals
    train` chose. local: also compare points of the pictures (extra `local`). scores: a csv of
    scores of pairs by another program; see `pair_scores`. Raises ProjectError when there is
    nothing to match, InputError when decisions contradict, MissingExtraError.
    """
    from ecotone.reid.identifier import ReIdentifier

    say = progress or (lambda done, total, text: None)
    asked = Wanted(**wanted)
    animals = gather_animals(project, asked.embedding_model, asked.encounters)
    named = animals.individual != ""
    queries = _queries(animals, named, asked)
    seed = project.config.random_state if asked.seed is None else asked.seed
    head = head or (project.catalog.note(HEAD_NOTE) or {}).get("head") or "auto"
    kept = {"head": head, "precision": precision, "embedding_model": animals.model,
            "local": local, "scores": str(scores or ""), "shortlist": shortlist,
            "species": list(asked.species), "deployments": list(asked.deployments),
            "folder": str(asked.folder or ""), "encounters": asked.encounters}
    start, catalog = time.perf_counter(), project.catalog
    with catalog.transaction() as connection:
        store.drop_unfinished(connection)
    with recorded_run(catalog, "individuals match", kept, seed) as (run, summary):
        gallery, asking = animals.take(named), animals.take(queries)
        say(0, None, f"learning from {len(gallery):,} pictures of known individuals")
        reid = ReIdentifier(head, precision=precision, shortlist=shortlist, random_state=seed)
        columns, by = _columns(animals), scorers(project, local, scores, progress)
        reid.fit(gallery.embeddings, gallery.individual, scores={
            k: s.between(gallery.id, gallery.id) for k, s in by.items()}, **_rows(columns, named))
        say(0, None, f"matching {len(asking):,} pictures")
        before = Identifications(project)
        same, different = pairs_among(project, np.concatenate([asking.id, gallery.id]))
        found = reid.predict(
            asking.embeddings, same=same, different=different, ids=list(asking.id),
            taken=_elsewhere(before, asking), **_rows(columns, queries),
            scores={k: s.between(asking.id, gallery.id) for k, s in by.items()})
        names = keep_names(found.individualID, found.decision == "new",
                           [before.by_machine.get(i, "") for i in asking.id])
        table = _table(asking, gallery, found, names)
        with catalog.transaction() as connection:
            store.insert_rows(connection, run, table)
        result = MatchResult(
            run, _match_counts(gallery, found, names), animals.model, reid.head_name_,
            _open_set(reid), list(dict.fromkeys([*animals.notes, *reid.notes_, *found.notes])))
        write_json(project.path / "runs" / f"{run}.json",
                   _record(run, "individuals match", kept, seed, start, result, reid))
        summary.update(counts=result.counts)
    return result


def _queries(animals: Animals, named: np.ndarray, asked: Wanted) -> np.ndarray:
    rows = chosen(animals, asked.species, asked.deployments, asked.folder) & ~named
    if not asked.species and named.any():
        kinds = sorted(set(animals.species[named]))
        rows &= np.isin(animals.species, [*kinds, *([""] if len(kinds) == 1 else [])])
    if not rows.any():
        raise ProjectError(
            "nothing to match: every animal asked for has an individualID by people." if
            named.any() else "nothing to match: no animal is here; see: ecotone status")
    return rows


def _columns(animals: Animals) -> dict[str, np.ndarray | None]:
    """species, viewpoint and encounter; a picture of unknown species counts as the only one."""
    columns = animals.columns
    kinds = sorted(set(animals.species[animals.individual != ""]) - {""})
    if len(kinds) == 1 and columns["species"] is not None:
        columns["species"] = np.where(animals.species == "", kinds[0], animals.species)
    return columns


def _rows(columns: dict[str, np.ndarray | None], rows: np.ndarray) -> dict[str, Any]:
    return {k: None if v is None else v[rows] for k, v in columns.items()}


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
    run: str, command: str, kept: dict[str, Any], seed: int, start: float, result: Any,
    reid: Any = None,
) -> dict[str, Any]:
    record = {
        "run": run, "command": command, "seed": seed, "settings": kept, "versions": versions(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "counts": result.counts, "notes": result.notes,
        "seconds": round(time.perf_counter() - start, 2),
    }
    if reid is not None:
        curve = reid.curve_
        record |= {
            "head": reid.head_name_, "heads": reid.head_precision_, "open_set": result.open_set,
            "curve": {} if curve is None else {
                k: np.round(v, 4).tolist() for k, v in vars(curve).items()},
        }
    return record


def catalogue_individuals(
    project: Any, method: str = "average", threshold: float | None = None,
    head: str | None = None, progress: Progress | None = None, **wanted: Any,
) -> CatalogueResult:
    """Group animals into individuals: a first catalogue, from nothing or around people's names.

    Animals that people gave one individualID stay together, with two apart; a group that holds a
    name is called so, others get a new ID. method: "average" or "hdbscan". threshold: see
    `ReIdentifier.catalogue`; labelled individuals calibrate it where there are any. Raises
    ProjectError without animals, InputError when decisions contradict.
    """
    from ecotone.reid.identifier import ReIdentifier

    say = progress or (lambda done, total, text: None)
    asked = Wanted(**wanted)
    animals = gather_animals(project, asked.embedding_model, asked.encounters)
    named = animals.individual != ""
    rows = chosen(animals, asked.species, asked.deployments, asked.folder)
    seed = project.config.random_state if asked.seed is None else asked.seed
    head = head or (project.catalog.note(HEAD_NOTE) or {}).get("head") or "auto"
    kept = {"method": method, "embedding_model": animals.model, "head": head,
            "species": list(asked.species), "deployments": list(asked.deployments),
            "folder": str(asked.folder or ""), "encounters": asked.encounters}
    start, catalog = time.perf_counter(), project.catalog
    with catalog.transaction() as connection:
        store.drop_unfinished(connection)
    with recorded_run(catalog, "individuals catalogue", kept, seed) as (run, summary):
        columns = _columns(animals)
        reid = ReIdentifier(head, random_state=seed).fit(
            animals.embeddings[named], animals.individual[named], **_rows(columns, named))
        group = animals.take(rows)
        say(0, None, f"grouping {len(group):,} pictures")
        same, different = pairs_among(project, group.id)
        found = reid.catalogue(
            group.embeddings, same=same, different=different, method=method, threshold=threshold,
            ids=list(group.id), individuals=group.individual, **_rows(columns, rows))
        before = Identifications(project)
        owner = dict(zip(found.cluster[group.individual != ""],
                         group.individual[group.individual != ""], strict=True))
        fresh = np.array([c not in owner for c in found.cluster], dtype=bool)
        taken = [*set(animals.individual[named]), *_elsewhere(before, group)]
        names = name_groups(np.where(fresh, found.cluster, -1), list(group.id), taken)
        names[~fresh] = [owner[c] for c in found.cluster[~fresh]]
        names = keep_names(names, fresh, [before.by_machine.get(i, "") for i in group.id])
        with catalog.transaction() as connection:
            store.insert_rows(connection, run, store.IdentificationTable(
                group.id, names, np.full(len(group), "cluster", dtype=object), found.probability,
                np.full(len(group), np.nan), store.candidates_json([[] for _ in group.id])))
        sizes = Counter(names.tolist())
        counts = {"pictures": len(group), "individuals": len(sizes),
                  "alone": sum(n == 1 for n in sizes.values()), "largest": max(sizes.values())}
        result = CatalogueResult(
            run, counts, animals.model, method, found.threshold,
            list(dict.fromkeys([*animals.notes, *_of_catalogue(reid), *found.notes])))
        write_json(project.path / "runs" / f"{run}.json",
                   _record(run, "individuals catalogue", kept, seed, start, result))
        summary.update(counts=counts)
    return result


def _of_catalogue(reid: Any) -> list[str]:
    """The notes of an identifier that bear on a catalogue: not those on known or new."""
    left_out = {*reid.thresholds_.notes, *(reid.notes_[:1] if not len(reid.classes_) else ())}
    return [note for note in reid.notes_ if note not in left_out]
