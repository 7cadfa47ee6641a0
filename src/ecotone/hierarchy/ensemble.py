"""SpeciesNet's own decision: detector and classifier of one box made into one label.

It needs no model, so that kept scores can be decided again with other thresholds or another
geofence. N rows, S classes. Source of the rules: google/cameratrapai 5.0.6 (Apache-2.0),
ensemble_prediction_combiner.py, geofence_utils.py and ensemble.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real

import numpy as np

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble_rows import (
    UNDECIDED,
    Decision,
    Decisions,
    as_written,
    best_of,
    box_of,
    boxes_of,
    column_of,
)
from ecotone.taxonomy.geofence import Geofence, Rules
from ecotone.taxonomy.rollup import (
    ANIMAL,
    BLANK,
    HUMAN,
    UNKNOWN,
    VEHICLE,
    LabelMap,
    RolledUp,
    label_map,
    roll_up,
    taxon_key,
)
from ecotone.types import GlobalScores

ROLL_UP_LEVELS = ("genus", "family", "order", "class", "kingdom")
FENCED_LEVELS = ("family", "order", "class", "kingdom")  # a fenced species' genus is not tried
FENCED_SLACK = 1e-10  # what a fenced label is rolled up to must be at least as sure as it was
Blocked = Callable[[str], bool] | None


@dataclass(frozen=True)
class EnsembleThresholds:
    """The cascade's thresholds; a value must be exceeded, for `blank_box` it must not be reached.

    Numbers in front are those of the rules in SpeciesNet's code; `_box` is the detector's
    confidence, the rest are scores of the classifier. A value above 1 switches a rule off.

    1a human_box. 1b human_by_class_box and human_by_class. 2a vehicle_as_human_box and
    vehicle_as_human. 2b vehicle_box. 2c vehicle_by_class_box and vehicle_by_class. 3a blank_box and
    blank. 3b blank_alone. 4a animal_alone. 4b animal_box and animal. 5a roll_up. 5b any_animal_box.
    Raises InputError when one is not a number.
    """

    human_box: float = 0.7
    human_by_class_box: float = 0.2
    human_by_class: float = 0.5
    vehicle_as_human_box: float = 0.2
    vehicle_as_human: float = 0.5
    vehicle_box: float = 0.7
    vehicle_by_class_box: float = 0.2
    vehicle_by_class: float = 0.4
    blank_box: float = 0.2
    blank: float = 0.5
    blank_alone: float = 0.99
    animal_alone: float = 0.8
    animal_box: float = 0.2
    animal: float = 0.65
    roll_up: float = 0.65
    any_animal_box: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, Real) or math.isnan(value):
                raise InputError(
                    f"thresholds: {field.name} is {value!r}, expected a number, usually in 0..1."
                )


class SpeciesNetEnsemble:
    """The decision, for one taxonomy, geofence and set of thresholds.

    labels: lines of SpeciesNet's taxonomy_release.txt, or what `label_map` makes of them. geofence:
    a Geofence or its rules, None for none. top: how many of the best classes count, None for all
    that are given.

    Raises InputError for a line, rule or threshold of another form.
    """

    def __init__(
        self,
        labels: Iterable[str] | Mapping[str, str],
        geofence: Geofence | Rules | None = None,
        thresholds: EnsembleThresholds | None = None,
        top: int | None = 5,
    ) -> None:
        if top is not None and top < 1:
            raise InputError(f"top is {top}, expected at least one class, or None for all.")
        if not isinstance(labels, LabelMap):
            labels = LabelMap(labels) if isinstance(labels, Mapping) else label_map(labels)
        fenced = geofence is None or isinstance(geofence, Geofence)
        self.labels = labels
        self.fence = geofence if fenced else Geofence(geofence)
        self.thresholds = thresholds or EnsembleThresholds()
        self.top = top

    def decide(
        self,
        classes: Sequence[str],
        scores: Sequence[float],
        detection_label: str | None = "",
        detection_confidence: float = 0.0,
        country: str | None = None,
        admin1_region: str | None = None,
    ) -> Decision:
        """The answer for one box, or for a picture and its surest box.

        classes, scores: the classifier's, best first. detection_label: animal, human or vehicle;
        "" when the detector found nothing, None when it did not look or failed. `UNDECIDED` then,
        and without classes. country, admin1_region: see `Geofence.blocks`. Numbers of float32 are
        read as the decimals they were written as, see `as_written`.

        Raises InputError for labels that are not SpeciesNet's, a kind of box that there is not, a
        value that is no number, or codes of places of another form.
        """
        blocked = self._blocked(country, admin1_region)
        if detection_label is None or not len(classes):
            return UNDECIDED
        if len(classes) != len(scores):
            raise InputError(
                f"decide: {len(classes)} classes, {len(scores)} scores; give one score a class."
            )
        labels = list(classes[: self.top])
        for label in labels:
            self.labels.ancestors(label)  # raises for a label that is not SpeciesNet's
        values = as_written(scores[: self.top]).tolist()
        box, confidence = box_of(detection_label, as_written(detection_confidence).item())
        if not all(map(math.isfinite, (confidence, *values))):
            raise InputError(
                f"decide: scores {values}, confidence {confidence}: expected numbers in 0..1."
            )
        return self._decide(labels, values, box, confidence, blocked)

    def decide_rows(
        self,
        scores: GlobalScores,
        categories: Sequence[str | None],
        confidences: Sequence[float],
        countries: Sequence[str | None] | str | None = None,
        admin1_regions: Sequence[str | None] | str | None = None,
    ) -> Decisions:
        """`decide` for N rows; a row without scores is undecided.

        categories, confidences: (N,), of the boxes; a row of category "blank" is a picture whose
        boxes were all left out, its confidence one minus that of the surest. countries,
        admin1_regions: (N,) or one for all. Of equal scores the class that comes first in the
        model goes first. Raises InputError as `decide` does, naming the row.
        """
        n = len(scores)
        names, notes = list(scores.classes), self._notes(scores.classes)
        boxes = boxes_of(categories, confidences, n)
        fences = self._fences(column_of(countries, n, "countries"),
                              column_of(admin1_regions, n, "admin1_regions"))
        found = Decisions(
            np.full(n, "", dtype=object), np.full(n, np.nan), np.full(n, "", dtype=object), notes
        )
        for start, columns, values, lengths in best_of(scores.values, self.top):
            for i, (column, row, length) in enumerate(
                zip(columns.tolist(), values.tolist(), lengths.tolist(), strict=True), start
            ):
                box, confidence = boxes[i]
                if not length or box is None:
                    continue
                labels = [names[c] for c in column[:length]]
                found.label[i], found.score[i], found.source[i] = self._decide(
                    labels, row[:length], box, confidence, fences[i]
                )
        return found

    def roll_up(
        self,
        labels: Sequence[str],
        scores: Sequence[float],
        country: str | None = None,
        admin1_region: str | None = None,
        levels: Sequence[str] = ROLL_UP_LEVELS,
        threshold: float | None = None,
    ) -> Decision | None:
        """The first taxon above the threshold that is not fenced; None where there is none.

        All labels count, in the order given. levels: of `taxonomy.rollup.LEVELS`. threshold:
        None for the ensemble's own. Raises InputError as `decide` does.
        """
        least = self.thresholds.roll_up if threshold is None else threshold
        blocked = self._blocked(country, admin1_region)
        values = as_written(scores).tolist()
        rolled = roll_up(labels, values, levels, least, self.labels, blocked)
        return rolled and _rolled_up(rolled)

    def geofence(
        self,
        labels: Sequence[str],
        scores: Sequence[float],
        country: str | None = None,
        admin1_region: str | None = None,
    ) -> Decision:
        """The first label where it is not fenced there; else what it rolls up to, from the family
        on, at no lower score. Raises InputError as `decide` does."""
        if not len(labels):
            return UNDECIDED
        taxon_key(labels[0])
        values = as_written(scores).tolist()
        return self._fenced(labels, values, self._blocked(country, admin1_region))

    def _decide(
        self, labels: list[str], scores: list[float], box: str, confidence: float, blocked: Blocked
    ) -> Decision:
        limit, first, score = self.thresholds, labels[0], scores[0]
        if box == "human" or box == "vehicle":
            found = self._human_or_vehicle(first, score, box, confidence)
            if found is not None:
                return found
        if first == BLANK:
            empty = confidence < limit.blank_box and score > limit.blank
            if empty or score > limit.blank_alone:
                return Decision(BLANK, score, "classifier")
        elif first != HUMAN and first != VEHICLE:
            seen = box == "animal" and confidence > limit.animal_box
            if score > limit.animal_alone or (seen and score > limit.animal):
                return self._fenced(labels, scores, blocked)
        rolled = roll_up(labels, scores, ROLL_UP_LEVELS, limit.roll_up, self.labels, blocked)
        if rolled is not None:
            return _rolled_up(rolled)
        if box == "animal" and confidence > limit.any_animal_box:
            return Decision(ANIMAL, confidence, "detector")
        return Decision(UNKNOWN, score, "classifier")

    def _human_or_vehicle(
        self, first: str, score: float, box: str, confidence: float
    ) -> Decision | None:
        limit = self.thresholds
        if box == "human":
            if confidence > limit.human_box:
                return Decision(HUMAN, confidence, "detector")
            seen = confidence > limit.human_by_class_box and first in (HUMAN, VEHICLE)
            if seen and score > limit.human_by_class:
                return Decision(HUMAN, score, "classifier")
            return None
        seen = confidence > limit.vehicle_as_human_box and first == HUMAN
        if seen and score > limit.vehicle_as_human:
            return Decision(HUMAN, score, "classifier")
        if confidence > limit.vehicle_box:
            return Decision(VEHICLE, confidence, "detector")
        seen = confidence > limit.vehicle_by_class_box and first == VEHICLE
        if seen and score > limit.vehicle_by_class:
            return Decision(VEHICLE, score, "classifier")
        return None

    def _fenced(
        self, labels: Sequence[str], scores: Sequence[float], blocked: Blocked
    ) -> Decision:
        if blocked is None or not blocked(labels[0]):
            return Decision(labels[0], scores[0], "classifier")
        least = scores[0] - FENCED_SLACK
        rolled = roll_up(labels, scores, FENCED_LEVELS, least, self.labels, blocked)
        if rolled is None:
            return Decision(UNKNOWN, scores[0], "classifier+geofence+rollup_failed")
        return _rolled_up(rolled, "classifier+geofence")

    def _blocked(self, country: str | None, admin1_region: str | None) -> Blocked:
        return None if self.fence is None else self.fence.at(country, admin1_region)

    def _fences(
        self, countries: list[str | None], regions: list[str | None]
    ) -> list[Blocked]:
        known: dict[tuple[str | None, str | None], Blocked] = {}
        for row, place in enumerate(zip(countries, regions, strict=True)):
            if place not in known:
                try:
                    known[place] = self._blocked(*place)
                except InputError as error:
                    raise InputError(f"row {row}: {error}") from error
        return [known[place] for place in zip(countries, regions, strict=True)]

    def _notes(self, classes: Sequence[str]) -> tuple[str, ...]:
        """What is odd; raises InputError for a class that is not a label of SpeciesNet's form."""
        lost = [
            label for label in classes
            if not any(self.labels.ancestors(label)[:5]) and any(taxon_key(label).split(";"))
        ]
        if not lost:
            return self.labels.notes
        return (
            *self.labels.notes,
            f"{len(lost):,} of {len(classes):,} classes have no taxon of this taxonomy above them "
            f"(such as {lost[0]}) and roll up to animal alone",
        )


def _rolled_up(rolled: RolledUp, source: str = "classifier") -> Decision:
    return Decision(rolled.label, rolled.score, f"{source}+rollup_to_{rolled.level}")
