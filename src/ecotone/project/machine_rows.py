"""Machine observations: one row a detection of a run; on demand one row an event and species."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ecotone.ingest.camtrapdp_times import instant
from ecotone.project.answers import Answerer, Answers
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
        self.shot = self.detections.shot
        media = own.media
        self.videos = {m: float(rate) for m, rate in zip(media.id, media.frame_rate, strict=True)
                       if rate == rate}
        self.seen = {m for m, d in zip(own.media.id, own.media.detector, strict=True) if d}

    @property
    def without(self) -> int:
        """Detections in use that the run does not have."""
        return sum(d not in self.answers.row_of for d in self.detections.id)

    def media_level(self) -> Iterator[Row]:
        """One row a detection of the run, in the order of the pictures; of a video one row a
        species that it shows, of the frame that is surest of it, with the most boxes in one frame
        as count."""
        d, videos = self.detections, self.videos
        open_video: tuple[str, dict[str, _Tally]] = ("", {})
        for start in range(0, len(d), PIECE):
            part = slice(start, start + PIECE)
            found = self.answers.of(d.id[part])
            for i, n in enumerate(range(start, min(start + PIECE, len(d)))):
                medium = d.media_id[n]
                if open_video[0] != medium:
                    yield from self._of_video(open_video[1])
                    open_video = (medium, {})
                if not found.known[i]:
                    continue
                if medium in videos:
                    self._add_frame(open_video[1], n, found, i)
                else:
                    yield self._of_detection(n, found, i)
        yield from self._of_video(open_video[1])

    def _of_detection(self, n: int, found: Answers, i: int) -> Row:
        """The row of detection n, whose answer is number i of those found."""
        d = self.detections
        place = self.own.place(d.media_id[n])
        row = self._row(place, unused(d.id[n], self.own.known.observations))
        row.update(
            observationLevel="media", mediaID=place.medium, label=found.label[i],
            observationType=found.type[i], scientificName=found.scientific_name[i],
            vernacularName=found.vernacular_name[i],
            classificationProbability=_probability(found.probability[i]),
            observationTags=found.alternatives[i],
        )
        boxed = d.category[n] != "blank" and d.media_id[n] in self.seen
        if boxed and d.media_id[n] not in self.videos:  # a video's box is one of a frame alone
            row.update(box_cells(d.bbox[n]))
            row["detectionConfidence"] = f"{d.confidence[n]:.4g}"
        if row["label"] == row["scientificName"]:
            row["label"] = ""
        if self.more is not None:
            self.more(row, d.id[n])
        return row

    def _add_frame(self, tallies: dict[str, _Tally], n: int, found: Answers, i: int) -> None:
        tally = tallies.get(found.label[i])
        probability = float(found.probability[i])
        if tally is None:
            tally = tallies[found.label[i]] = _Tally({})
        if probability > tally.best:
            tally.best = probability
            tally.row = self._of_detection(n, found, i)
            frame, rate = int(self.detections.frame_number[n]), self.videos[
                self.detections.media_id[n]]
            more = [f"frameNumber:{frame}"] if frame >= 0 else []
            more += [f"frameRate:{rate:.6g}"] if rate > 0 else []
            tally.row["observationTags"] = " | ".join(
                filter(None, [tally.row["observationTags"], *more]))
        tally.add(self.shot[n], probability)

    def _of_video(self, tallies: dict[str, _Tally]) -> Iterator[Row]:
        """The rows of one video; it is blank only when all its frames are."""
        shown = {k: t for k, t in tallies.items() if t.row["observationType"] != "blank"}
        for tally in (shown or tallies).values():
            if tally.row["observationType"] != "blank" and not tally.row.get("count"):
                tally.row["count"] = str(tally.most)
            yield tally.row

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
            tally.add(self.shot[part.start + i], float(found.probability[i]))


class _Tally:
    """Boxes of one species in one event or video. most: in one picture or frame. best: the highest
    probability so far."""

    def __init__(self, row: Row) -> None:
        self.row, self.boxes, self.total, self.most = row, 0, 0.0, 0
        self._in: dict[str, int] = {}
        self.best = -1.0

    def add(self, shot: str, probability: float) -> None:
        """One more box of a picture or frame."""
        self._in[shot] = self._in.get(shot, 0) + 1
        self.most = max(self.most, self._in[shot])
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
