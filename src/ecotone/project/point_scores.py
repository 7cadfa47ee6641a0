"""Matched points between pictures of a project: each picture read once, each pair compared once.

A pair's score is kept in the project, so that a stopped run, or the next one, goes on from there.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import MediaError
from ecotone.fusion.threads import one_blas_thread, side_by_side
from ecotone.store.pair_scores import KeptScores

Progress = Callable[[int, "int | None", str], None]
PairScore = Callable[[np.ndarray, np.ndarray], np.ndarray]
Pair = tuple[str, str]
KEPT = 768  # pictures whose key points are held in memory; those of others wait on the disk
STEP = 192  # pairs between two words about progress, and kept at once
CACHE = "cache/points.sqlite"


class PointScores:
    """Matched points between pictures (extra `local`).

    A picture that cannot be read has no score (NaN). Works on as many threads as there are
    processors, which changes no score. Raises MissingExtraError without OpenCV.
    """

    def __init__(self, project: Any, progress: Progress | None = None) -> None:
        from ecotone.reid.local_features import LocalSettings, opencv

        catalog = project.catalog
        media, detections = catalog.media(), catalog.detections()
        row = {m: n for n, m in enumerate(media.id)}
        self._where: dict[str, tuple[Any, np.ndarray]] = {}
        self._print: dict[str, str] = {}
        for d, m, box, frame in zip(detections.id, detections.media_id, detections.bbox,
                                    detections.frame_number.tolist(), strict=True):
            self._where[d] = (media.picture(row[m], frame), box)
            content = media.content_hash[row[m]] or media.path[row[m]]
            of = f" frame {frame}" if frame >= 0 else ""
            self._print[d] = f"{content}{of} {box.tolist()}"
        self._say = progress or (lambda done, total, text: None)
        self._side = LocalSettings().side
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._aside: Path | None = None
        self._known: dict[Pair, float] = {}
        self._asked = 0
        made_by = f"{astuple(LocalSettings())} opencv {opencv().__version__}"
        self._kept = KeptScores(project.path / CACHE, made_by)

    def between(self, left: np.ndarray, right: np.ndarray) -> PairScore:
        """The score of rows of two columns of detection ids."""
        return lambda a, b: self._scores(left[a], right[b])

    def _scores(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        pairs = [(a, b) if a <= b else (b, a) for a, b in zip(left, right, strict=True)]
        fresh = sorted(set(pairs) - self._known.keys())
        kept = self._kept.find([self._prints(p) for p in fresh])
        self._known.update({p: v for p, v in zip(fresh, kept, strict=True) if v is not None})
        todo = [p for p, v in zip(fresh, kept, strict=True) if v is None]
        if todo:
            self._asked += 1
            self._compare(todo, len(fresh))
        return np.array([self._known[p] for p in pairs], dtype=np.float64)

    def _compare(self, todo: Sequence[Pair], total: int) -> None:
        from ecotone.reid.local_features import local_score

        text = f"comparing points of pairs of pictures, part {self._asked}"
        work = one_blas_thread(side_by_side)
        for start in range(0, len(todo), STEP):
            self._say(total - len(todo) + start, total, text)
            part = todo[start:start + STEP]
            points = self._points(sorted({d for p in part for d in p}))

            def score(pair: Pair, points: dict[str, Any] = points) -> float:
                first, second = points[pair[0]], points[pair[1]]
                none = first is None or second is None
                return float("nan") if none else local_score(first, second)

            values = work(score, part)
            self._known.update(zip(part, values, strict=True))
            made = [(self._prints(p), v) for p, v in zip(part, values, strict=True) if v == v]
            self._kept.add([p for p, _ in made], [v for _, v in made])
        self._say(total, total, text)

    def _prints(self, pair: Pair) -> Pair:
        return self._print[pair[0]], self._print[pair[1]]

    def _points(self, detections: Sequence[str]) -> dict[str, Any]:
        """Key points by detection; None where its picture cannot be read."""
        missing = [d for d in detections if d not in self._held]
        found = dict(zip(missing, side_by_side(self._read, missing), strict=True))
        for d in detections:
            self._held[d] = found[d] if d in found else self._held[d]
            self._held.move_to_end(d)
        out = {d: self._held[d] for d in detections}
        while len(self._held) > KEPT:
            self._put_aside(*self._held.popitem(last=False))
        return out

    def _read(self, detection: str) -> Any:
        from ecotone.media.crop import crop
        from ecotone.media.decode import load_picture
        from ecotone.reid.local_features import LocalFeatures, extract_local_features

        aside = self._file(detection)
        if aside is not None and aside.is_file():
            with np.load(aside) as file:
                return LocalFeatures(file["points"], file["descriptors"])
        path, box = self._where[detection]
        share = max(float(box[2:].max()), 0.02)
        side = round(self._side / share)
        try:
            grey = crop(load_picture(path, (side, side)), box).convert("L")
        except MediaError:
            return None
        return extract_local_features(np.asarray(grey))

    def _put_aside(self, detection: str, points: Any) -> None:
        if self._aside is None:
            self._aside = Path(tempfile.mkdtemp(prefix="ecotone-points-"))
            weakref.finalize(self, shutil.rmtree, self._aside, True)
        file = self._file(detection)
        if points is not None and file is not None and not file.is_file():
            np.savez(file, points=points.points, descriptors=points.descriptors)

    def _file(self, detection: str) -> Path | None:
        if self._aside is None:
            return None
        name = hashlib.blake2b(detection.encode(), digest_size=16).hexdigest()
        return self._aside / f"{name}.npz"
