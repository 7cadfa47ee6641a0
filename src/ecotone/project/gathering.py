"""Collect from a project what the fusion takes: arrays of one length, in one order.

N detections with an embedding, D embedding dimensions, S global and K local classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ecotone.errors import InputError, ProjectError
from ecotone.evaluation.splits import MIN_LOCATIONS, make_units
from ecotone.project.networks import network_note, unasked
from ecotone.types import CATEGORIES, Detections, GlobalScores

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

DETECTOR = "detector"
UNKNOWN = "unknown"  # the label of what a person cannot tell


@dataclass(frozen=True, eq=False)
class Gathered:
    """The input of the fusion.

    detections: N rows. embeddings: (N, D) float32, an array or a `RowView`. scores: one
    GlobalScores or `ScoreView` (N, S) a global model. labels: (N,) local class or None. groups:
    (N,) str, equal for rows that must not be separated. local_classes: K names. taxonomy: None when
    the project has none. notes: what to tell the user. names: (scientific, vernacular) name of
    classes, "" where nobody gave one.
    """

    detections: Detections
    embeddings: np.ndarray
    scores: dict[str, GlobalScores]
    labels: np.ndarray
    groups: np.ndarray
    local_classes: tuple[str, ...]
    taxonomy: Taxonomy | None
    embedding_model: str
    notes: list[str] = field(default_factory=list)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def aliases(self) -> dict[str, str]:
        """Local class -> a fuller name of it, "Latin name (common name)", where people gave both.

        Only for the resolving of names: a class that is called by its common name is found by its
        scientific name too.
        """
        return {
            label: f"{scientific} ({vernacular})"
            for label, (scientific, vernacular) in self.names.items()
            if scientific and vernacular and label in self.local_classes
        }

    def __len__(self) -> int:
        return len(self.detections)


def gather(
    project: Any,
    classes: Sequence[str] | None = None,
    embedding_model: str | None = None,
    score_models: Sequence[str] | None = None,
    *,
    cold: bool = False,
    stored: bool = False,
    networks: bool = False,
) -> Gathered:
    """Everything the fusion needs, for the detections that have an embedding.

    classes, embedding_model and score_models override the project's settings. cold: neither labels
    nor classes are needed; there are then no local classes. stored: embeddings and scores stay on
    the disk, as views. networks: with those of the project's own network that a round kept.
    Raises ProjectError when there are no pictures, no embeddings, or no labels and no classes.
    """
    from ecotone.store.vectors import open_embeddings

    catalog, folder, notes = project.catalog, project.path / "vectors", []
    everything = catalog.detections()
    if not len(everything):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    model = choose_embeddings(project, embedding_model, networks)
    values = open_embeddings(catalog, folder, model, everything.id)
    known = catalog.current_labels()
    nothing = cold and not (classes or project.config.classes or known)
    local = () if nothing else local_classes(project, everything, known, classes)
    rows, dropped = _usable(everything, values.present, known, local)
    if not rows.any():
        raise ProjectError(
            f"no detection has an embedding of {model!r}; run: ecotone embed --model {model}"
        )
    notes += [f"{n} detections left out: {why}" for why, n in dropped.items() if n]
    detections = take(everything, rows)
    labels, unknown = _labels(detections.id, known, local)
    if unknown:
        notes.append(f"labels that are none of the local classes, not used: {', '.join(unknown)}")
    scores = scores_of(project, detections, score_models, stored, networks)
    values = values.subset(rows)
    notes += _seen(catalog, scores, model)
    if project.config.use_detector and has_detector(everything):
        scores[DETECTOR] = detector_scores(detections)
    return Gathered(
        detections, values if stored else values[:], scores, labels,
        groups_of(catalog.places(), detections, labels, project.config.group_by),
        local, taxonomy_of(catalog, scores), model, notes, catalog.label_names(),
    )


def _seen(catalog: Any, scores: dict[str, GlobalScores], model: str) -> list[str]:
    """What to tell of networks that have seen the labels and were asked for all the same."""
    return [
        f"{name} is a network that learned from these labels, so held-out figures are too good; "
        "ecotone train --rounds 1 tells honestly whether it helps"
        for name in sorted({*scores, model}) if network_note(catalog, name).get("accepted") is False
    ]


def with_scores_read(gathered: Gathered) -> Gathered:
    """The same with scores in memory: top lists are small beside embeddings."""
    return replace(gathered, scores={
        name: s if isinstance(s, GlobalScores) else s.take(slice(None))
        for name, s in gathered.scores.items()
    })


def choose_embeddings(project: Any, wanted: str | None = None, networks: bool = False) -> str:
    """The name of the embeddings to learn on: the one wanted here or in the settings, else the
    newest that is of no network trained on this project's labels (see `networks.unasked`).

    Raises ProjectError when there are none, InputError when another is wanted.
    """
    from ecotone.store.vectors import embedding_models

    names = list(embedding_models(project.catalog))
    wanted = wanted or project.config.embedding_model
    if not names:
        raise ProjectError("no embeddings in this project yet; run: ecotone embed --model MODEL")
    if wanted and wanted not in names:
        raise InputError(f"no embeddings of {wanted!r} here; there are: {', '.join(names)}.")
    return wanted or (unasked(project, names, True, networks) or names)[-1]


def scores_of(
    project: Any, detections: Detections, models: Sequence[str] | None = None,
    stored: bool = False, networks: bool = False,
) -> dict[str, GlobalScores]:
    """Scores of these detections by global model: those named here or in the settings, else all
    but those of networks that have seen the labels (see `networks.unasked`).

    stored: views of scores that stay on the disk.

    Raises InputError when a model has no scores here.
    """
    from ecotone.store.vectors import open_scores, read_scores

    there = score_names(project.catalog)
    wanted = list(models or project.config.score_models) or unasked(
        project, there, networks=networks)
    for name in wanted:
        if name not in there:
            raise InputError(
                f"no scores of a model {name!r} here; there are: {', '.join(there) or 'none'}."
            )
    folder, read = project.path / "vectors", open_scores if stored else read_scores
    return {name: read(project.catalog, folder, name, detections.id) for name in wanted}


def score_names(catalog: Any) -> list[str]:
    """Names of the global models whose scores the catalogue holds."""
    from ecotone.store.vectors import score_models

    return list(score_models(catalog))


def local_classes(
    project: Any, detections: Detections, known: dict[str, str], classes: Sequence[str] | None
) -> tuple[str, ...]:
    """The local classes: those given, else those in the settings, else every label in use.

    In the last case the categories that a detector found (human, vehicle, blank) are added where no
    label stands for them: pictures without an animal need a class too.
    """
    given = tuple(classes or project.config.classes)
    if given:
        return tuple(dict.fromkeys(given))
    need_classes(project, known, None)
    # "I cannot tell" is an answer, not a class to learn.
    used = sorted(set(known.values()) - {UNKNOWN})
    from ecotone.taxonomy.names import parse_label

    stands_for = {parse_label(name).special for name in used}
    found = [c for c in CATEGORIES[1:] if c in set(detections.category) and c not in stands_for]
    return (*used, *found)


def need_classes(project: Any, known: dict[str, str], classes: Sequence[str] | None) -> None:
    """Raise ProjectError when neither labels nor a list say what the local classes are."""
    if not (classes or project.config.classes or known):
        raise ProjectError(
            "no labels and no local classes yet; add labels: ecotone add labels labels.csv "
            "(or list the classes in ecotone.toml)"
        )


def _usable(
    detections: Detections, present: np.ndarray, known: dict[str, str], local: Sequence[str]
) -> tuple[np.ndarray, dict[str, int]]:
    """Rows to learn from, and how many others there are, by reason."""
    from ecotone.taxonomy.names import parse_label

    kinds = {parse_label(name).special for name in local}
    labelled = np.fromiter((i in known for i in detections.id), dtype=bool, count=len(detections))
    homeless = np.isin(detections.category, [c for c in CATEGORIES[1:] if c not in kinds])
    homeless &= ~labelled
    rows = present & ~homeless
    return rows, {
        "they have no embedding (see `ecotone status`)": int((~present).sum()),
        "human, vehicle or blank, with no local class for it": int((present & homeless).sum()),
    }


def _labels(
    ids: np.ndarray, known: dict[str, str], local: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    labels = np.full(len(ids), None, dtype=object)
    unknown: set[str] = set()
    allowed = set(local)
    for row, detection in enumerate(ids):
        name = known.get(detection)
        if name in allowed:
            labels[row] = name
        elif name is not None:
            unknown.add(name)
    return labels, sorted(unknown)


def has_detector(detections: Detections) -> bool:
    """Whether a detector's output was added: boxes, or categories other than animal."""
    whole = np.array([0, 0, 1, 1], dtype=np.float32)
    return bool(
        (detections.category != "animal").any() or (detections.bbox != whole).any()
        or (detections.confidence < 1).any()
    )


def detector_scores(detections: Detections) -> GlobalScores:
    """The detector's category and confidence as scores (N, 4) of one more global model."""
    columns = [CATEGORIES.index(c) for c in detections.category]
    values = sparse.csr_matrix(
        (detections.confidence, (np.arange(len(columns)), columns)),
        shape=(len(columns), len(CATEGORIES)),
    )
    return GlobalScores(values, CATEGORIES, complete=False)


def media_rows(media: Any, detections: Detections) -> np.ndarray:
    """The row (N,) of each detection's medium in a table of all media."""
    from ecotone.store.locate import as_bytes, locate

    return locate(as_bytes(detections.media_id), as_bytes(media.id))


def groups_of(media: Any, detections: Detections, labels: np.ndarray, by: str) -> np.ndarray:
    """Group names (N,) str: deployment or event, joined over pictures with the same content.

    by: "deployment", "event", or "auto": deployment when labels come from at least 5 of them.
    """
    rows = media_rows(media, detections)
    labelled = np.zeros(len(media.id), dtype=bool)
    labelled[rows[[label is not None for label in labels]]] = True
    units, _ = make_units(
        len(media.id),
        locations=None if by == "event" else media.deployment_id,
        events=media.event_id,
        duplicates=[media.content_hash],
        labelled=labelled,
        min_locations=1 if by == "deployment" else MIN_LOCATIONS,
    )
    names = np.array([f"group {unit}" for unit in range(units.max(initial=-1) + 1)], dtype=object)
    return names[units[rows]]


def taxonomy_of(catalog: Any, scores: dict[str, GlobalScores]) -> Taxonomy | None:
    """The project's taxonomy, else the one inside SpeciesNet's labels, else None."""
    from ecotone.taxonomy.tree import Taxonomy

    rows = catalog.note("taxonomy")
    if rows:
        return Taxonomy.from_rows(rows)
    lines = [c for s in scores.values() for c in s.classes if c.count(";") == 6]
    return Taxonomy.from_speciesnet(lines) if lines else None


def take(detections: Detections, rows: np.ndarray) -> Detections:
    """Some rows of Detections: indices or a boolean mask."""
    return detections.take(rows)
