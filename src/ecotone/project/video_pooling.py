"""Frames of videos pooled at the end of a fusion: its posteriors, and what it foretold of labels.

N detections, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.hierarchy.videos import pool_frames
from ecotone.project.records import held_scores
from ecotone.types import Detections

BLOCK = 16384


class PooledView:
    """Posteriors (N, K) of which those of videos are pooled, worked out block by block.

    Rows of one video stand together, as the catalogue gives them.
    """

    def __init__(self, values: Any, detections: Detections) -> None:
        self._values = values
        framed = detections.frame_number >= 0
        self.videos = np.where(framed, detections.media_id, "")
        changes = np.flatnonzero(detections.media_id[1:] != detections.media_id[:-1]) + 1
        self._starts = np.r_[0, changes, len(detections)]
        self.prior = self._mean(np.flatnonzero(framed))

    def _mean(self, rows: np.ndarray) -> np.ndarray | None:
        if not len(rows):
            return None
        parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        return sum(np.asarray(self._values[part], float).sum(axis=0) for part in parts) / len(rows)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Rows of a slice without a step, (n, K) float32."""
        start, stop, _ = part.indices(len(self))
        if stop <= start or not (self.videos[start:stop] != "").any():
            return np.asarray(self._values[part], dtype=np.float32)
        first = self._starts[np.searchsorted(self._starts, start, side="right") - 1]
        last = self._starts[np.searchsorted(self._starts, stop, side="left")]
        wide = pool_frames(self._values[slice(first, last)], self.videos[first:last], self.prior)
        return wide[start - first : stop - first].astype(np.float32)


def pool_videos(values: Any, detections: Detections, record: dict[str, Any]) -> Any:
    """Posteriors (N, K) with videos pooled; the values themselves where there are none.

    What the record foretold of labelled frames is pooled in the same way, and its scores renewed.
    """
    if not (detections.frame_number >= 0).any():
        return values
    pooled = PooledView(values, detections)
    held = record["out_of_fold"]
    video_of = dict(zip(detections.id.tolist(), pooled.videos.tolist(), strict=True))
    videos = [video_of.get(name, "") for name in held["ids"]]
    if any(videos):
        proba = pool_frames(np.asarray(held["proba"], dtype=np.float64), videos, pooled.prior)
        held["proba"] = np.round(proba, 5).tolist()
        record["scores"] = held_scores(held["labels"], proba, record["classes"], held["weight"])
        if record["scores_unweighted"]:
            record["scores_unweighted"] = held_scores(held["labels"], proba, record["classes"])
    record["notes"].append(
        f"the frames of {len(set(pooled.videos.tolist()) - {''}):,} videos are decided together"
    )
    return pooled


__all__ = ["PooledView", "pool_videos"]
