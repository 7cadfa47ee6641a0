"""Videos on the page: one card for each animal of a video, by its best frame.

The frames of a video that the newest fusion calls the same are one group. N detections.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ecotone.review.view import View
from ecotone.taxonomy.names import parse_label

HIDDEN = -1  # an empty frame of a video that shows something in others


def groups_of(view: View) -> tuple[np.ndarray, dict[int, int]]:
    """The group (N,) of each row, and the row of the best frame of each group; rows of pictures are
    groups of their own. Hold the view's lock."""
    table = view.table
    key = (len(table), int(table.used.sum()), view.answers.run, view.epoch)
    kept = view.orders.get("videos")
    if kept is not None and kept[0] == key:
        return kept[1]
    group, best = np.arange(len(table)), {}
    video = np.isin(table.medium, [table.media_row[m] for m in table.videos])
    rows = np.flatnonzero(video & table.used)
    if len(rows):
        order = rows[np.argsort(table.medium[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(table.medium[order], prepend=-1))
        blank = {k for k, name in enumerate(view.answers.classes)
                 if parse_label(name).special == "blank"}
        for part in np.split(order, starts[1:]):
            _group(view, part, blank, group, best)
    view.orders["videos"] = key, (group, best)
    return group, best


def _group(
    view: View, rows: np.ndarray, blank: set[int], group: np.ndarray, best: dict[int, int]
) -> None:
    """Group the rows of one video by what they are called."""
    top, sure = view.answers.top[rows, 0], view.answers.p[rows, 0]
    shown = np.array([k >= 0 and int(k) not in blank for k in top], dtype=bool)
    for k in sorted(set(top.tolist())):
        inside = rows[top == k]
        leader = int(inside[int(np.argmax(sure[top == k]))])
        hidden = shown.any() and k in blank
        group[inside] = HIDDEN if hidden else leader
        if not hidden:
            best[leader] = leader


def one_card_a_video(view: View, rows: np.ndarray) -> np.ndarray:
    """Rows of a queue with one a group of a video: its best frame, where the first of them stood.
    Hold the view's lock."""
    if not view.table.videos or not len(rows):
        return rows
    group, _ = groups_of(view)
    own = group[rows]
    seen: set[int] = set()
    here, out = set(rows.tolist()), []
    for row, leader in zip(rows.tolist(), own.tolist(), strict=True):
        if leader == HIDDEN or leader in seen:
            continue
        seen.add(leader)
        out.append(leader if leader in here else row)
    return np.array(out, dtype=np.int64)


def frames_of_animal(view: View, row: int) -> tuple[list[int], bool]:
    """The rows of a video that are called as a row is, and whether these are all of its frames;
    ([row], False) for a picture. Hold the view's lock."""
    table = view.table
    medium = int(table.medium[row])
    if table.media_id[medium] not in table.videos:
        return [row], False
    group, _ = groups_of(view)
    every = table.rows_of_media(medium)
    alike = [int(r) for r in every if group[r] == group[row]] or [row]
    # Empty frames of a video that shows one animal get no name of their own.
    named = [int(r) for r in every if group[r] != HIDDEN]
    return alike, len(alike) == len(named)


def shots_of(view: View, medium: int) -> list[tuple[int, str, np.ndarray]]:
    """(frame number, its time, rows of its detections) of a video, in order."""
    table = view.table
    rows = table.rows_of_media(medium)
    return [(int(frame), time_of(view, medium, int(frame)), rows[table.frame[rows] == frame])
            for frame in np.unique(table.frame[rows])]


def time_of(view: View, medium: int, frame: int) -> str:
    """The time of a frame: that of the video, and the frame's number by the frame rate."""
    start, rate = str(view.table.timestamp[medium]), float(view.table.frame_rate[medium])
    if not start or frame <= 0 or not rate > 0:
        return start
    return (datetime.fromisoformat(start) + timedelta(seconds=int(frame / rate))).isoformat()


def about(view: View, row: int) -> dict[str, Any]:
    """What a card tells of the frame that it shows; frame -1 for a picture."""
    table = view.table
    medium, frame = int(table.medium[row]), int(table.frame[row])
    media = str(table.media_id[medium])
    if media not in table.videos:
        return {"frame": -1, "shot": media}
    return {"frame": max(frame, 0), "shot": f"{media} frame {frame}"}


__all__ = ["about", "frames_of_animal", "groups_of", "one_card_a_video", "shots_of", "time_of"]
