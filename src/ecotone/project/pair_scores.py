"""Similarities of pairs beside the embedding: matched points of the pictures, scores from a file.

What is asked are rows of detections; a pair without a score is NaN, and the embedding decides.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import FormatError, MediaError
from ecotone.ingest.tables import number, read_table
from ecotone.ingest.text import some
from ecotone.project.individual_decisions import FIRST, SECOND, detections_of

Progress = Callable[[int, "int | None", str], None]
PairScore = Callable[[np.ndarray, np.ndarray], np.ndarray]
SCORE = ("score", "similarity", "matches", "value")
KEPT = 1024  # pictures whose key points are held
STEP = 200  # pairs between two words about progress


class PointScores:
    """Matched points between pictures (extra `local`), each pair compared once.

    Raises MissingExtraError without OpenCV.
    """

    def __init__(self, project: Any, progress: Progress | None = None) -> None:
        from ecotone.reid.local_features import LocalSettings, extract_local_features

        catalog = project.catalog
        media, detections = catalog.media(), catalog.detections()
        path = dict(zip(media.id, media.path, strict=True))
        self._where = {d: (str(path[m]), box) for d, m, box in zip(
            detections.id, detections.media_id, detections.bbox, strict=True)}
        self._say = progress or (lambda done, total, text: None)
        self._extract, self._side = extract_local_features, LocalSettings().side
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._known: dict[tuple[str, str], float] = {}
        extract_local_features(np.zeros((8, 8), dtype=np.uint8))  # the missing extra shows now

    def between(self, left: np.ndarray, right: np.ndarray) -> PairScore:
        """The score of rows of two columns of detection ids."""
        return lambda a, b: self._scores(left[a], right[b])

    def _scores(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        from ecotone.reid.local_features import local_score

        pairs = [tuple(sorted(p)) for p in zip(left, right, strict=True)]
        fresh = sorted(set(pairs) - self._known.keys())
        for done, (a, b) in enumerate(fresh):
            if done % STEP == 0:
                self._say(done, len(fresh), "comparing points of pictures")
            first, second = self._points(a), self._points(b)
            none = first is None or second is None
            self._known[(a, b)] = float("nan") if none else local_score(first, second)
        return np.array([self._known[p] for p in pairs], dtype=np.float64)

    def _points(self, detection: str) -> Any:
        """Key points of a detection; None when its picture cannot be read."""
        from ecotone.media.crop import crop
        from ecotone.media.decode import load_picture

        if detection in self._held:
            self._held.move_to_end(detection)
            return self._held[detection]
        path, box = self._where[detection]
        share = max(float(box[2:].max()), 0.02)
        side = round(self._side / share)
        try:
            grey = crop(load_picture(path, (side, side)), box).convert("L")
            found = self._extract(np.asarray(grey))
        except MediaError:
            found = None
        self._held[detection] = found
        if len(self._held) > KEPT:
            self._held.popitem(last=False)
        return found


class FileScores:
    """Scores of pairs that another program made: a csv with first, second (paths or detectionIDs)
    and score, higher is more alike. name: of the file.

    Raises FormatError when it is no such table, or a score is no number.
    """

    def __init__(self, project: Any, file: Path) -> None:
        table = read_table(file)
        columns = [table.find(names) for names in (FIRST, SECOND, SCORE)]
        if any(c is None for c in columns):
            raise FormatError(f"{file}, row 1: expected columns first, second and score (found: "
                              f"{some(table.header, 8)}).")
        first, second, score = (table.column(c) for c in columns)
        values = [number(v) if v else float("nan") for v in score]
        bad = [f"{line} ({s})" for line, s, v in zip(table.lines, score, values, strict=True)
               if s and not np.isfinite(v)]
        if bad:
            raise FormatError(f"{file}: score is no number: row {some(bad)}.")
        names = detections_of(project, [*first, *second], file.parent)
        self.name = file.stem
        self._known = {
            tuple(sorted((a, b))): v for a, b, v in zip(
                names[:len(first)], names[len(first):], values, strict=True) if a and b}
        if not self._known:
            raise FormatError(f"{file}: no row names two animals of this project.")

    def between(self, left: np.ndarray, right: np.ndarray) -> PairScore:
        """The score of rows of two columns of detection ids."""
        nan = float("nan")
        return lambda a, b: np.array(
            [self._known.get(tuple(sorted(p)), nan)
             for p in zip(left[a], right[b], strict=True)], dtype=np.float64)


def scorers(
    project: Any, local: bool, file: Path | None, progress: Progress | None
) -> dict[str, Any]:
    """Name -> scorer, of those that are asked for."""
    out: dict[str, Any] = {}
    if local:
        out["points"] = PointScores(project, progress)
    if file is not None:
        found = FileScores(project, Path(file))
        out[found.name] = found
    return out
