"""What the report shows of a refinement: from "animal" to species, and how often that is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecotone.report import svg
from ecotone.report.data import Picture
from ecotone.report.refinement_chart import Point, coverage_chart, points_of
from ecotone.report.refinement_flow import Flow, refinement_flow

METHOD_WORDS = {
    "climb": "posteriors summed up the tree, climbed until an answer is sure enough",
    "five-stage": "the five-stage reference pipeline",
}
STAGE_WORDS = {
    "climb": "named by climbing", "bird override": "birds, by the global model's own scores",
    "centroid": "nearest class", "metric head": "nearest class, in a learned space",
    "trusted": "sure already, learned from", "people": "labelled by people",
    "unchanged": "left as it was",
}
ABLATION_WORDS = {
    "all stages": "five stages", "without trusted": "without the global model's sure species",
    "without birds": "without the bird override", "without centroids": "without centroids",
    "without metric head": "without the learned space",
    "without scoring": "without thresholds: always the nearest class",
    "climb": "climbing (what is shown here)",
}
FEW = 50  # hidden labels below which the figures are called rough


@dataclass(frozen=True)
class RefinedPicture(Picture):
    """A detection with the label before (`global_label`) and after (`prediction`). rank: of the
    label after; stage: what decided; sure: whether `probability` is one."""

    rank: str = ""
    stage: str = ""
    sure: bool = True
    changed: bool = True


@dataclass(frozen=True)
class StageRow:
    """One stage: how many detections it decided, and how many of them at species level."""

    stage: str
    detections: int
    species: int

    @property
    def words(self) -> str:
        """The stage as people read it."""
        return STAGE_WORDS.get(self.stage, self.stage)


@dataclass(frozen=True)
class RefinedGallery:
    """Pictures under one heading. text: why these, in a sentence."""

    key: str
    title: str
    text: str
    pictures: tuple[RefinedPicture, ...] = ()


@dataclass(frozen=True)
class RefinementData:
    """A refinement as the page shows it; every part but the run may be missing.

    counts: as in its record. flows: what detections above species are called before and after.
    stages: rows by number. figures: see `project.refining_figures.measure`. present: what occurs
    here, {} when no list was given.
    """

    run: str
    created: str = ""
    method: str = "climb"
    alpha: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    present: Mapping[str, Any] = field(default_factory=dict)
    galleries: tuple[RefinedGallery, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RefinementView:
    """The parts of the section, ready for the template. lead: a sentence or two. tiles: (value,
    name, note). flow, chart: SVG, "" when there is nothing to draw."""

    lead: str
    tiles: tuple[tuple[str, str, str], ...]
    flow: str
    chart: str
    points: tuple[Point, ...]
    ablation: tuple[dict[str, Any], ...]


def view_of(data: RefinementData) -> RefinementView:
    """What the section shows of a refinement."""
    points = points_of(data.figures.get("curve", ()))
    alpha = data.alpha if data.method == "climb" else None
    return RefinementView(
        lead_of(data), tuple(_tiles(data)), refinement_flow(data.flows),
        coverage_chart(points, data.figures.get("scores"), alpha), tuple(points),
        tuple(_ablation(data.figures.get("ablation", ()))),
    )


def lead_of(data: RefinementData) -> str:
    """What was done, in a sentence or two."""
    c = data.counts
    changed, before = c.get("changed", 0), c.get("species_before", 0)
    after, every = c.get("species_after", 0), c.get("detections", 0)
    if not changed:
        return ("No detection got a finer label: what is known does not carry one. "
                "The notes below say what it lacks.")
    then, now = (svg.percent(n / max(every, 1)) for n in (before, after))
    return (
        f"{changed:,} detections that the global model left at a group, at “animal” or at “blank” "
        f"have a finer label now. Of all {every:,} detections, {then} were at species level "
        f"before, {now} are now."
    )


def _tiles(data: RefinementData) -> list[tuple[str, str, str]]:
    c, scores = data.counts, data.figures.get("scores")
    tiles = [(f"{c.get('changed', 0):,}", "detections with a finer label",
              f"of {c.get('detections', 0):,}; {c.get('labelled', 0):,} are labelled by people")]
    if scores:
        rough = "; rough with so few labels" if data.figures["labels"] < FEW else ""
        tiles.append((svg.percent(scores["coverage"]), "refined, of labels it had not seen",
                      f"{data.figures['labels']:,} labels whose label before is above species"
                      f"{rough}"))
    if scores and scores["changed"]:
        tiles.append((svg.percent(scores["hierarchical_accuracy"]), "of these right",
                      "the truth or a group that holds it; 95 % interval "
                      f"{svg.percent(scores['low'])} to {svg.percent(scores['high'])}"))
        tiles.append((svg.percent(scores["species_share"]), "of these at species level",
                      f"{svg.percent(scores['wrong_species_rate'])} name a wrong species"))
    return tiles


def _ablation(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "words": ABLATION_WORDS.get(str(row["name"]), row["name"])} for row in rows]
