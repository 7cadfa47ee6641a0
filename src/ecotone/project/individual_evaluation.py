"""`ecotone individuals evaluate`: the protocol on the project's own IDs, or on a split file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import FormatError, InputError
from ecotone.project.animals import Animals, gather_animals
from ecotone.project.individual_heads import labelled_animals

Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class IndividualsEvaluation:
    """pictures, individuals: how many count. ranking: of the embeddings as they are, by
    `evaluate_reid`. identifier: see `evaluate_identifier` (with a split: of one identifier that
    learned from the train part).
    """

    model: str
    pictures: int
    individuals: int
    ranking: dict[str, Any]
    identifier: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def evaluate_individuals(
    project: Any, split: Path | None = None, embedding_model: str | None = None,
    head: str = "auto", repeats: int = 3, max_pictures: int | None = 10,
    database_pictures: int | None = None, between_events: bool = False, seed: int | None = None,
    rerank: bool | str = False, expand: bool | str = False, progress: Progress | None = None,
) -> IndividualsEvaluation:
    """Measure matching on labelled individuals.

    split: a csv with identity, path and split (train or test), whose pictures are in the project;
    then ranks and decisions of the test part in the gallery of the train part. Without it one-vs-
    all by the project's own IDs, heads on individuals they have not seen, and repeated splits with
    a third of the individuals unknown. max_pictures, database_pictures: see `evaluate_reid`.
    between_events: pictures of one event are not ranked among each other. rerank, expand: of the
    identifier, see `ReIdentifier`; ranking is that of the embeddings.
    Raises ProjectError or InputError when there is nothing to measure.
    """
    say = progress or (lambda done, total, text: None)
    seed = project.config.random_state if seed is None else seed
    if split is not None:
        return _on_split(project, Path(split), embedding_model, head, seed, database_pictures, say,
                         rerank=rerank, expand=expand)
    from ecotone.reid.evaluate import evaluate_reid
    from ecotone.reid.trial import evaluate_identifier

    animals = labelled_animals(project, embedding_model)
    columns = animals.columns
    say(0, None, f"ranking {len(animals):,} pictures one against all")
    met = columns["encounter"] if between_events else None
    ranking = evaluate_reid(
        animals.embeddings, animals.individual, columns["species"], columns["viewpoint"],
        encounter=met, max_pictures=max_pictures, database_pictures=database_pictures,
        random_state=seed)
    notes = [*animals.notes, *ranking.notes]
    if met is None and columns["encounter"] is not None:
        notes.append("ranked by the protocol, pictures of one event among each other as well: near "
                     "copies flatter; --between-events leaves them out")
    figures: dict[str, float] = {}
    try:
        say(0, None, "holding a third of the individuals out")
        figures = evaluate_identifier(
            animals.embeddings, animals.individual, head=head, repeats=repeats,
            random_state=seed, rerank=rerank, expand=expand, **columns)
    except InputError as error:
        notes.append(f"known or new is not measured: {error}")
    return IndividualsEvaluation(
        animals.model, len(animals), len(set(animals.individual)), ranking.as_dict(), figures,
        list(dict.fromkeys(notes)))


def _on_split(
    project: Any, file: Path, embedding_model: str | None, head: str, seed: int,
    database_pictures: int | None, say: Progress, **options: Any,
) -> IndividualsEvaluation:
    from ecotone.reid.evaluate import evaluate_reid
    from ecotone.reid.identifier import ReIdentifier
    from ecotone.reid.metrics import open_set, probability_ece

    animals = gather_animals(project, embedding_model)
    animals, part, notes = _placed(animals, project, file)
    query = np.array([p in ("test", "query", "val", "validation") for p in part])
    columns = animals.columns
    say(0, None, f"ranking {int(query.sum()):,} pictures among {int((~query).sum()):,}")
    ranking = evaluate_reid(
        animals.embeddings, animals.individual, columns["species"], columns["viewpoint"],
        split=part, database_pictures=database_pictures, random_state=seed)
    reid = ReIdentifier(head, random_state=seed, **options)

    def rows(mask: np.ndarray) -> dict[str, Any]:
        return {k: None if v is None else v[mask] for k, v in columns.items()}

    say(0, None, "learning from the train part")
    reid.fit(animals.embeddings[~query], animals.individual[~query], **rows(~query))
    found = reid.predict(animals.embeddings[query], **rows(query))
    truth = animals.individual[query]
    said = open_set(truth, found.answer, reid.classes_)
    right, known = found.candidates[:, 0] == truth, np.isin(truth, reid.classes_)
    figures = {
        "top1": float(right[known].mean()) if known.any() else float("nan"), **said,
        "ece": probability_ece(found.candidate_probability[:, 0], right),
        "cannot_tell": float((found.decision == "cannot tell").mean()),
    }
    return IndividualsEvaluation(
        animals.model, len(animals), len(set(animals.individual)), ranking.as_dict(), figures,
        list(dict.fromkeys([*notes, *animals.notes, *reid.notes_, *ranking.notes])))


def _placed(
    animals: Animals, project: Any, file: Path
) -> tuple[Animals, np.ndarray, list[str]]:
    """The animals that a split file names, as it names them, and the part each is of."""
    from ecotone.ingest.individuals import read_individuals
    from ecotone.ingest.matching import MediaIndex

    read = read_individuals(file)
    if not any(row.split for row in read.rows):
        raise FormatError(f"{file}: no column says which part a picture is of; expected columns "
                          "identity, path and split.")
    media = project.catalog.media()
    matches = MediaIndex(media.path, media.file_path).find(
        [str(row.path) for row in read.rows], file.parent)
    of_medium: dict[str, list[int]] = {}
    for n, medium in enumerate(animals.media_id):
        of_medium.setdefault(medium, []).append(n)
    here = [of_medium.get(media.id[m], []) if m >= 0 else [] for m in matches.rows]
    used = [(row, found[0]) for row, found in zip(read.rows, here, strict=True)
            if len(found) == 1 and row.split]
    if not used:
        raise InputError(f"{file}: none of its pictures is an animal of this project with an "
                         "embedding; add them: ecotone add images FOLDER, ecotone embed")
    notes = [*read.problems, *_left_out(file.name, here)]
    view = _objects([row.viewpoint for row, _ in used])
    # Without event: a published split is compared as it was published.
    none = _objects([""] * len(used))
    placed = replace(
        animals.take(np.array([n for _, n in used])), encounter=none,
        individual=_objects([row.individual for row, _ in used]),
        viewpoint=view if (view != "").any() else none)
    return placed, np.array([row.split.casefold() for row, _ in used]), notes


def _left_out(name: str, here: list[list[int]]) -> list[str]:
    lost, crowded = sum(not h for h in here), sum(len(h) > 1 for h in here)
    notes = []
    if lost:
        notes.append(f"{lost:,} pictures of {name} are not in this project, or have no embedding")
    if crowded:
        notes.append(f"{crowded:,} pictures of {name} show several animals, left out")
    return notes


def _objects(values: Sequence[str]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = list(values)
    return out


def evaluation_lines(result: IndividualsEvaluation) -> list[str]:
    """An evaluation for people."""
    r = result.ranking
    top = ", ".join(f"top-{k} {v:.1%}" for k, v in r["top"].items())
    lines = [
        f"{result.pictures:,} pictures of {result.individuals:,} individuals, {result.model}",
        f"ranked: {top}, mAP {r['map']:.1%} ({r['queries']:,} queries, mean of "
        f"{len(r['groups']):,} groups)",
    ]
    lines += [f"  {' '.join(p for p in (g['species'], g['viewpoint']) if p) or 'all'}: "
              f"{g['queries']:,} queries, top-1 {g['top'][1]:.1%}, mAP {g['map']:.1%}"
              for g in _shown(r["groups"])]
    tar = ", ".join(f"TAR {v:.1%} at FAR {f:g}" for f, v in r["tar"].items() if v == v)
    lines += [f"verified: {tar}"] if tar else []
    f = result.identifier
    if f:
        lines.append(
            f"known or new: top-1 {_share(f['top1'])}, BAKS {_share(f['baks'])}, BAUS "
            f"{_share(f['baus'])}, geometric mean {_share(f['geometric_mean'])}, normalised "
            f"{_share(f['normalised'])}, cannot tell {_share(f['cannot_tell'])}, ECE {f['ece']:.3f}"
        )
        if "bcubed_f1" in f:
            lines.append(f"catalogue of unseen individuals: B-cubed F1 {_share(f['bcubed_f1'])}, "
                         f"ARI {f['ari']:.2f}")
    return lines


def _shown(groups: Sequence[dict[str, Any]], most: int = 8) -> Sequence[dict[str, Any]]:
    return groups[:most] if len(groups) > 1 else ()


def _share(value: float) -> str:
    return f"{value:.1%}" if value == value else "-"
