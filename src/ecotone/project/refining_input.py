"""Collect from a project what a refinement takes: arrays of one length, in one order.

N detections in use, n of them with an embedding, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.hierarchy.before import Before
from ecotone.project.gathering import (
    DETECTOR,
    choose_embeddings,
    detector_scores,
    groups_of,
    has_detector,
    scores_of,
    take,
)
from ecotone.project.occurring import Occurring, occurring
from ecotone.project.refining_before import Decide, labels_before
from ecotone.project.refining_settings import RefineSettings
from ecotone.project.refining_tree import tree_of
from ecotone.project.trusting import Trusted, trust
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import Detections, GlobalScores

if TYPE_CHECKING:
    from ecotone.store.views import RowView

Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True, eq=False)
class RefineInput:
    """The input of a refinement.

    ids, labels (what people said, None elsewhere), before, was_score: of all N detections, as is
    usable (N,) bool, has an embedding. The others are of the n usable ones, in the same order:
    embeddings (n, D) float32, an array or a `RowView`; scores by model, the detector's included;
    confidence (n,); trusted; bursts (n,) numbers from 1, groups (n,) str. aliases: label -> a
    fuller name. classes: those of the settings. present: what occurs here, or None.
    """

    ids: np.ndarray
    labels: np.ndarray
    before: Before
    was_score: np.ndarray
    usable: np.ndarray
    embeddings: np.ndarray
    scores: dict[str, GlobalScores]
    confidence: np.ndarray
    trusted: Trusted
    bursts: np.ndarray
    groups: np.ndarray
    taxonomy: Taxonomy
    aliases: dict[str, str]
    classes: tuple[str, ...]
    present: Occurring | None
    embedding_model: str
    score_models: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> np.ndarray:
        """The numbers (n,) of the usable detections among all N."""
        return np.flatnonzero(self.usable)

    @property
    def was(self) -> np.ndarray:
        """The labels before of the usable detections, (n,) str."""
        return self.before.label[self.usable]

    @property
    def said(self) -> np.ndarray:
        """What people said of the usable detections, (n,) str or None."""
        return self.labels[self.usable]

    @property
    def before_usable(self) -> Before:
        """`before` of the usable detections."""
        return part_of(self.before, self.usable)

    def narrow(self, rows: np.ndarray) -> RefineInput:
        """Only some usable detections, by number."""
        every = self.rows[rows]
        return replace(
            self, ids=self.ids[every], labels=self.labels[every],
            before=part_of(self.before, every), was_score=self.was_score[every],
            usable=np.ones(len(every), dtype=bool), embeddings=self.embeddings[rows],
            scores={m: s.take(rows) for m, s in self.scores.items()},
            confidence=self.confidence[rows], trusted=self.trusted.part(rows),
            bursts=self.bursts[rows], groups=self.groups[rows],
        )

    def __len__(self) -> int:
        return len(self.embeddings)


def gather_refinement(project: Any, settings: RefineSettings, say: Progress) -> RefineInput:
    """Everything that a refinement needs.

    Raises ProjectError when there are no pictures, no embeddings, no tree, or nothing to learn
    from; InputError when a model, a list or a label is not as it should be.
    """
    catalog = project.catalog
    everything = catalog.detections()
    if not len(everything):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    model = choose_embeddings(project, settings.embedding_model)
    say(0, None, "reading scores and embeddings")
    scores = scores_of(project, everything, settings.score_models)
    known, names = catalog.current_labels(), catalog.label_names()
    labels = _column([known.get(i) for i in everything.id])
    local = tuple(dict.fromkeys(project.config.classes))
    taxonomy = tree_of(project, scores, [*sorted(set(known.values())), *local], names)
    present = occurring(settings.species, sorted(set(known.values())), taxonomy)
    media = catalog.media()
    say(0, None, "deciding what each detection is called before")
    decide = Decide(settings.thresholds, settings.geofence, settings.country,
                    settings.admin1_region, catalog.note("taxonomy") or ())
    found = labels_before(everything, _looked(media, everything), scores, taxonomy, decide)
    values = _embeddings(project, model, everything)
    usable = values.present
    before = Before.read(found.label, taxonomy, len(everything))
    aliases = _aliases(names)
    trusted = trust(labels[usable], part_of(before, usable), found.score[usable], taxonomy,
                    settings.five, aliases)
    use = take(everything, usable)
    given = {name: s if usable.all() else s.take(usable) for name, s in scores.items()}
    if project.config.use_detector and has_detector(everything):
        given[DETECTOR] = detector_scores(use)
    return RefineInput(
        everything.id, labels, before, found.score, usable,
        values if usable.all() else values.subset(usable), given, use.confidence, trusted,
        _bursts(media, use), groups_of(media, use, trusted.names, project.config.group_by),
        taxonomy, aliases, local, present, model, tuple(scores),
        tuple(_notes(found.notes, taxonomy, present, usable)) + trusted.notes,
    )


def _embeddings(project: Any, model: str, detections: Detections) -> RowView:
    from ecotone.store.vectors import open_embeddings

    values = open_embeddings(project.catalog, project.path / "vectors", model, detections.id)
    if not values.present.any():
        raise ProjectError(
            f"no detection has an embedding of {model!r}; run: ecotone embed --model {model}"
        )
    return values


def _looked(media: Any, detections: Detections) -> np.ndarray:
    seen = {m for m, d in zip(media.id, media.detector, strict=True) if d}
    return np.fromiter((m in seen for m in detections.media_id), dtype=bool, count=len(detections))


def _bursts(media: Any, detections: Detections) -> np.ndarray:
    """A number from 1 for the event of each detection, or for its picture where that has none:
    boxes of one picture are decided together too."""
    event = dict(zip(media.id, media.event_id, strict=True))
    number: dict[tuple[bool, str], int] = {}
    return np.fromiter(
        (number.setdefault((bool(event.get(m)), event.get(m) or m), len(number) + 1)
         for m in detections.media_id), dtype=np.int64, count=len(detections),
    )


def _aliases(names: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Label -> "Latin name (common name)", where people gave a scientific name."""
    return {
        label: f"{latin} ({common or label})" for label, (latin, common) in names.items()
        if latin and latin != label and not parse_label(label).special
    }


def part_of(before: Before, rows: np.ndarray) -> Before:
    """Labels before of some detections: numbers or a mask."""
    return Before(before.label[rows], before.code[rows], before.names, before.special,
                  before.taxon, before.rank, before.species)


def _notes(
    said: tuple[str, ...], taxonomy: Taxonomy, present: Occurring | None, usable: np.ndarray
) -> list[str]:
    notes = [*said, *taxonomy.notes, *(present.notes() if present else ())]
    missing = int((~usable).sum())
    if missing:
        notes.append(f"{missing:,} detections have no embedding and keep their label "
                     "(see `ecotone status`)")
    return notes


def _column(values: list[str | None]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
