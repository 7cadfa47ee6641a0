"""Videos in a prediction: the frames that are looked at, and one row for each video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecotone.bundle.pictures import WHOLE, Picture
from ecotone.errors import MediaError, MissingExtraError
from ecotone.hierarchy.videos import best_frame, pool_frames
from ecotone.media.sampling import choose_frames, parse_sampling
from ecotone.media.video import is_video
from ecotone.taxonomy.names import parse_label


def with_frames(items: Sequence[Picture], sampling: str) -> tuple[list[Picture], list[str]]:
    """The pictures, videos with whole frames chosen by `sampling` (see `media.sampling`) as their
    boxes, and what to tell. A video that cannot be read stays as it is, and fails alone.

    Raises InputError when sampling is none.
    """
    how, out, notes = parse_sampling(sampling, "frames"), [], []
    for item in items:
        if not is_video(item.path) or item.frame_numbers is not None:
            out.append(item)
            continue
        try:
            video, chosen = choose_frames(item.path, how)
        except (MediaError, MissingExtraError):  # told when it is to be classified
            out.append(replace(item, frame_numbers=np.array([0])))
            continue
        if video.problem:
            notes.append(f"{item.file_path}: {video.problem}; what can be read of it is used")
        n = len(chosen)
        out.append(replace(
            item, boxes=np.repeat(WHOLE, n, axis=0), numbers=tuple(range(1, n + 1)),
            category=("animal",) * n, confidence=np.ones(n, dtype=np.float32),
            frame_numbers=np.array(chosen, dtype=np.int64),
        ))
    return out, notes


def pooled(
    item: Picture, found: np.ndarray | str, mask: np.ndarray, classes: Sequence[str],
    every_frame: bool,
) -> tuple[Picture, np.ndarray | str]:
    """A video with its frames decided together, as one row (by its best frame) or as all of them;
    a picture as it is. found: (m, K) probabilities of the boxes of `mask` (n,), or the reason."""
    if item.frame_numbers is None:
        return item, found
    if isinstance(found, str):
        return (item if every_frame else item.take(np.array([0]))), found
    values = pool_frames(found, [item.file_path] * len(found)).astype(np.float32)
    if every_frame:
        return item, values
    blank = np.array([parse_label(c).special == "blank" for c in classes], dtype=bool)
    best = best_frame(values, blank)
    if best < 0:  # a person, a vehicle, or nothing: no box is one to classify
        return item.take(np.array([0])), values[:0]
    return item.take(np.flatnonzero(mask)[[best]]), values[[best]]


__all__ = ["pooled", "with_frames"]
