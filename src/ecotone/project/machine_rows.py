"""Machine observations: one row a detection of a run; on demand one row an event and species."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ecotone.ingest.camtrapdp_times import instant
from ecotone.project.answers import Answerer
from ecotone.project.own_rows import OBSERVATIONS, OwnRows, Place, box_cells
from ecotone.study import Row, blank_row
from ecotone.types import Detections

PIECE = 20_000  # detections looked at at once


class MachineRows:
    """Maker of the rows of one run; ids that people's or studies' rows have are not given again.

    without: detections in use that the run does not have. more: adds to the row of a detection.
    """

    def __init__(
        self, own: OwnRows, answers: Answerer, more: Callable[[Row, str], None] | None = None
    ) -> None:
        self.own, self.answers, self.more = own, answers, more
        self.detections: Detections = own.catalog.detections()
        self.seen = {m for m, d in zip(own.media.id, own.media.detector, strict=True) if d}

    @property
    def without(self) -> int:
        """Detections in use that the run does not have."""
        return sum(d not in self.answers.row_of for d in self.detections.id)

    def media_level(self) -> Iterator[Row]:
        """One row a detection of the run, in the order of the pictures."""
        d, taken = self.detections, self.own.known.observations
        for start in range(0, len(d), PIECE):
            part = slice(start, start + PIECE)
            found = self.answers.of(d.id[part])
            for i, n in enumerate(range(start, min(start + PIECE, len(d)))):
                if not found.known[i]:
                    continue
                place = self.own.place(d.media_id[n])
                row = self._row(place, unused(d.id[n], taken))
                row.update(
                    observationLevel="media", mediaID=place.medium, label=found.label[i],
                    observationType=found.type[i], scientificName=found.scientific_name[i],
                    vernacularName=found.vernacular_name[i],
                    classificationProbability=_probability(found.probability[i]),
                    observationTags=found.alternatives[i],
                )
                if d.category[n] != "blank" and d.media_id[n] in self.seen:
                    row.update(box_cells(d.bbox[n]))
                    row["detectionConfidence"] = f"{d.confidence[n]:.4g}"
                if row["label"] == row["scientificName"]:
                    row["label"] = ""
                if self.more is not None:
                    self.more(row, d.id[n])
                yield row

    def _row(self, place: Place, identity: str) -> Row:
        return blank_row(
            OBSERVATIONS, observationID=identity, deploymentID=place.deployment,
            eventID=place.event, eventStart=place.start, eventEnd=place.end,
            classificationMethod="machine", classifiedBy=self.answers.by,
            classificationTimestamp=self.answers.created,
        )

    def event_level(self) -> Iterator[Row]:
        """One row an event and species, exclusive of each other.

        count: the most boxes of the species in one picture of the event. An event is blank when no
        picture of it shows anything. classificationProbability: the mean over its boxes.
        """
        tallies: dict[tuple[str, str], dict[str, _Tally]] = {}
        places: dict[tuple[str, str], Place] = {}
        for start in range(0, len(self.detections), PIECE):
            self._count(slice(start, start + PIECE), tallies, places)
        for key, by_label in tallies.items():
            shown = {k: t for k, t in by_label.items() if t.row["observationType"] != "blank"}
            for number, tally in enumerate((shown or by_label).values(), start=1):
                name = f"{key[0]}:{key[1]}:{number}"
                row = self._row(places[key], unused(name, self.own.known.observations))
                row.update(tally.row)
                row.update(
                    observationLevel="event",
                    count=str(tally.most) if row["observationType"] != "blank" else "",
                    classificationProbability=_probability(tally.total / tally.boxes),
                )
                yield row

    def _count(
        self, part: slice, tallies: dict[tuple[str, str], dict[str, _Tally]],
        places: dict[tuple[str, str], Place],
    ) -> None:
        found = self.answers.of(self.detections.id[part])
        for i, medium in enumerate(self.detections.media_id[part]):
            if not found.known[i]:
                continue
            place = self.own.place(medium)
            if not place.event:
                continue
            key = (place.deployment, place.event)
            places[key] = _joined(places.get(key, place), place)
            label = found.label[i]
            tally = tallies.setdefault(key, {}).get(label)
            if tally is None:
                latin = found.scientific_name[i]
                tally = tallies[key][label] = _Tally({
                    "label": "" if label == latin else label, "scientificName": latin,
                    "vernacularName": found.vernacular_name[i], "observationType": found.type[i],
                })
            tally.add(medium, float(found.probability[i]))


class _Tally:
    """Boxes of one species in one event. most: in one picture."""

    def __init__(self, row: Row) -> None:
        self.row, self.boxes, self.total, self.most = row, 0, 0.0, 0
        self._medium, self._here = "", 0

    def add(self, medium: str, probability: float) -> None:
        """One more box; those of a picture come after each other."""
        self._here = self._here + 1 if medium == self._medium else 1
        self._medium = medium
        self.most = max(self.most, self._here)
        self.boxes += 1
        self.total += probability


def unused(name: str, taken: Collection[str]) -> str:
    """A name that no other row has: what was exported before may have come back in a study."""
    while name in taken:
        name += ":ecotone"
    return name


def _joined(a: Place, b: Place) -> Place:
    """The first place with the span of both."""
    starts = [(instant(p.start), p.start) for p in (a, b)]
    ends = [(instant(p.end), p.end) for p in (a, b)]
    first = min(((m, t) for m, t in starts if m is not None), default=(0.0, a.start))[1]
    last = max(((m, t) for m, t in ends if m is not None), default=(0.0, a.end))[1]
    return a._replace(start=first, end=last)


def _probability(value: float) -> str:
    return f"{value:.4f}" if value == value else ""
