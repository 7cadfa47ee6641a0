"""The project as results of a detector and a classifier: pictures, boxes and local classes on them.

What the writers of MegaDetector, Timelapse and SpeciesNet json take. People's labels are no part of
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from ecotone.ingest.results import FoundBox, ImageResult, Scores
from ecotone.project.answers import Answerer, type_of
from ecotone.project.own_rows import relative_paths
from ecotone.store.media import WHOLE

PIECE = 20_000  # detections looked at at once


class ImageResults:
    """All pictures with what is known of them, in their order, made anew in every loop.

    A picture that a detector found empty has no box; one that could not be read is a failure. One
    that no detector has seen has scores of its own, or, where a format knows boxes alone (boxed),
    one box of its whole, whose confidence is the probability that it is not blank.
    progress: called with (done, total, text). root: the folder of all pictures, None when there are
    several. notes: what to tell.
    """

    def __init__(
        self, project: Any, answers: Answerer | None, boxed: bool = True,
        progress: Callable[[int, int | None, str], None] | None = None,
    ) -> None:
        self.media, self.boxed = project.catalog.media(), boxed
        roots = set(self.media.root)
        self.root = roots.pop() if len(roots) == 1 else None
        self.detections = project.catalog.detections()
        self.answers = answers
        self._say = progress or (lambda done, total, text: None)
        self._paths = relative_paths(self.media)
        table = project.catalog.deployments()
        self._place_of = {
            d: (float(a), float(o))
            for d, a, o in zip(table.id, table.latitude, table.longitude, strict=True) if a == a
        }

    @property
    def notes(self) -> list[str]:
        """What to tell of pictures that no detector has seen, and of several roots."""
        out = []
        unseen = int(((self.media.detector == "") & (self.media.failure == "")).sum())
        if unseen and self.boxed:
            out.append(
                f"{unseen:,} pictures that no detector has seen are one box of the whole; its "
                "confidence is the probability that it is not blank"
            )
        if self.root is None and len(self.media):
            out.append("the pictures lie in several folders; paths start where these meet")
        return out

    def __len__(self) -> int:
        return len(self.media)

    def __iter__(self) -> Iterator[ImageResult]:
        rows = {m: row for row, m in enumerate(self.media.id)}
        for done, (medium, found) in enumerate(groupby(self._found(), key=lambda f: f[0])):
            if done % 1000 == 0:
                self._say(done, len(self), "writing")
            yield self._image(rows[medium], [(n, scores, blank) for _, n, scores, blank in found])

    def _found(self) -> Iterator[tuple[str, int, Scores, float]]:
        """(media id, detection row, its scores, the probability that it is blank)."""
        ids, media = self.detections.id, self.detections.media_id
        for start in range(0, len(ids), PIECE):
            part = slice(start, start + PIECE)
            if self.answers is None:
                scores, blank = [()] * len(ids[part]), np.zeros(len(ids[part]))
            else:
                scores = self.answers.scores(ids[part])
                blank = self.answers.mass(ids[part], "blank")
            for i, medium in enumerate(media[part]):
                yield medium, start + i, scores[i], float(blank[i])

    def _image(self, row: int, found: list[tuple[int, Scores, float]]) -> ImageResult:
        media = self.media
        latitude, longitude = self._place_of.get(media.deployment_id[row], (None, None))
        more = {
            "width": int(media.width[row]) or None, "height": int(media.height[row]) or None,
            "datetime": media.timestamp[row].replace("T", " "),
            "latitude": latitude, "longitude": longitude,
        }
        path, failure = self._paths[row], media.failure[row]
        if media.is_video[row]:
            more["frame_rate"] = float(media.frame_rate[row]) or None
            more["frames_processed"] = media.frames_processed[row] or None
        looked_at = bool(media.frames_processed[row])  # a video that is cut off
        if failure and not looked_at and not any(scores for _, scores, _ in found):
            return ImageResult(path, None, (), failure, **more)
        if not self.boxed and not media.detector[row]:
            return ImageResult(path, None, next((s for _, s, _ in found if s), ()), **more)
        boxes = [self._box(row, *one) for one in found]
        return ImageResult(path, tuple(b for b in boxes if b is not None), **more)

    def _box(self, row: int, n: int, scores: Scores, blank: float) -> FoundBox | None:
        category = self.detections.category[n]
        box = tuple(round(float(v), 6) for v in self.detections.bbox[n])
        number = int(self.detections.frame_number[n])
        frame = number if number >= 0 else None
        if self.media.detector[row]:
            if category == "blank":
                return None
            sure = round(float(self.detections.confidence[n]), 6)
            return FoundBox(box, category, sure, scores, None, frame)
        if blank != blank:  # the run has not seen it
            return FoundBox(WHOLE, "animal", 1.0, scores, None, frame)
        kind = type_of(scores[0][0]) if scores else "animal"
        category = kind if kind in ("human", "vehicle") else "animal"
        return FoundBox(WHOLE, category, round(1.0 - blank, 6), scores, None, frame)


def descriptions_of(answers: Answerer | None, lines: tuple[str, ...] = ()) -> dict[str, str]:
    """Local class -> "uuid;class;order;family;genus;species;common name", of those whose ranks or
    names are known.

    lines: SpeciesNet's own labels, of which the taxon's uuid is taken.
    """
    known = {tuple(line.split(";")[1:6]): line.split(";")[0] for line in lines
             if line.count(";") == 6}
    out = {}
    for row in answers.classes if answers is not None else ():
        latin, common = row["scientificName"].lower(), row["vernacularName"].lower()
        ranks = [row.get(r, "") for r in ("class", "order", "family", "genus", "species")]
        if not any(ranks) and len(latin.split()) > 1:
            ranks[3:] = latin.split()[0], latin
        genus = ranks[3]
        if genus and ranks[4].startswith(f"{genus} "):  # the last token is the epithet alone
            ranks[4] = ranks[4][len(genus) + 1 :]
        if any(ranks) or common:
            out[row["label"]] = ";".join([known.get(tuple(ranks), ""), *ranks, common])
    return out
