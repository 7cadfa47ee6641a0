"""What the page is told of a detection, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.review import videos
from ecotone.review.table import HUMAN
from ecotone.review.view import View
from ecotone.review.voices import Voice
from ecotone.taxonomy.names import parse_label

LEAST = 0.005  # probability of a class that is shown
MOST_BURST = 200  # pictures of a burst that are listed


def card(view: View, row: int, reason: str = "") -> dict[str, Any]:
    """One detection. Hold the view's lock."""
    table = view.table
    medium = int(table.medium[row])
    identity = str(table.id[row])
    standing = view.voices.of.get(identity)
    return {
        "id": identity, "media": table.media_id[medium], "file": table.file_path[medium],
        "site": _name(table.sites, table.site[medium]), "time": table.timestamp[medium],
        "bbox": [round(float(v), 6) for v in table.bbox[row]], "category": table.category[row],
        "used": bool(table.used[row]), "top": top(view, row), "global": world(view, row),
        "label": None if standing is None else _voice(standing.counts),
        "others": [] if standing is None else [_voice(v) for v in standing.others],
        "human": is_person(view, row), "reason": reason,
        "event": _name(table.events, table.event[medium]), **videos.about(view, row),
    }


def top(view: View, row: int) -> list[dict[str, Any]]:
    """The most probable classes by the newest fusion; where there is none, the global answer."""
    columns, p = view.answers.top[row], view.answers.p[row]
    out = [
        {"label": view.answers.classes[k], "p": round(float(v), 4)}
        for i, (k, v) in enumerate(zip(columns, p, strict=True)) if k >= 0 and (v >= LEAST or not i)
    ]
    if not out and view.machines.name[row] >= 0:
        said = world(view, row) or {}
        out = [{"label": said["label"], "p": said["p"]}]
    return out


def world(view: View, row: int) -> dict[str, Any] | None:
    """The surest answer of the global models."""
    machines = view.machines
    if machines.name[row] < 0:
        return None
    return {"label": machines.names[machines.name[row]], "p": round(float(machines.score[row]), 4)}


def is_person(view: View, row: int) -> bool:
    """Whether a detection may show a person: people's label decides where there is one."""
    standing = view.voices.of.get(str(view.table.id[row]))
    if standing is not None:
        return parse_label(standing.counts.label).special == "human"
    return bool(
        view.table.category[row] == "human" or view.answers.human[row] >= HUMAN
        or view.machines.human[row]
    )


def people_in(view: View, row: int) -> list[list[float]]:
    """The boxes on the picture or frame of a row that may show a person. Boxes that a detector
    called human stay among them whatever else is said."""
    rows = seen_with(view, row)
    return [view.table.bbox[r].tolist() for r in rows
            if is_person(view, r) or view.table.category[r] == "human"]


def details(view: View, identity: str) -> dict[str, Any]:
    """A card with all that is shown of one detection alone: boxes of its picture, its burst, its
    site. Hold the view's lock. Raises InputError when there is no such detection."""
    row = row_of(view, identity)
    table = view.table
    medium = int(table.medium[row])
    video = table.media_id[medium] in table.videos
    burst = table.burst(medium)
    if len(burst) > MOST_BURST:
        at = int(np.flatnonzero(burst == medium)[0])
        start = min(max(at - MOST_BURST // 2, 0), len(burst) - MOST_BURST)
        burst = burst[start : start + MOST_BURST]
    return {
        "card": card(view, row),
        "boxes": [card(view, r) for r in seen_with(view, row)],
        "burst": _frames(view, row) if video else [_shot(view, m) for m in burst],
        "video": video,
        "place": _place(view, medium),
    }


def seen_with(view: View, row: int) -> np.ndarray:
    """Rows of the detections on the same picture, or on the same frame of a video."""
    rows = view.table.rows_of_media(int(view.table.medium[row]))
    return rows[view.table.frame[rows] == view.table.frame[row]]


def row_of(view: View, identity: str) -> int:
    """The row of a detection. Raises InputError when there is none of this id."""
    row = view.table.row_of.get(identity)
    if row is None:
        raise InputError("no such detection here.")
    return row


def _shot(view: View, medium: int) -> dict[str, Any]:
    """One picture of a burst with its detections."""
    table = view.table
    rows = table.rows_of_media(medium)
    if table.media_id[medium] in table.videos:  # another video of the burst, by its best frame
        rows = videos.one_card_a_video(view, rows)[:1]
    return {
        "media": table.media_id[medium], "shot": table.media_id[medium],
        "time": table.timestamp[medium], "file": table.file_path[medium],
        "cards": [card(view, r) for r in rows],
    }


def _frames(view: View, row: int) -> list[dict[str, Any]]:
    """The frames of a video that were looked at, around the one of a row."""
    table, medium = view.table, int(view.table.medium[row])
    shots = videos.shots_of(view, medium)
    at = next((n for n, shot in enumerate(shots) if shot[0] == table.frame[row]), 0)
    start = max(0, min(at - MOST_BURST // 2, len(shots) - MOST_BURST))
    return [
        {"media": table.media_id[medium], "shot": f"{table.media_id[medium]} frame {frame}",
         "time": time, "frame": max(frame, 0), "file": table.file_path[medium],
         "cards": [card(view, r) for r in rows]}
        for frame, time, rows in shots[start : start + MOST_BURST]
    ]


def _place(view: View, medium: int) -> dict[str, Any]:
    return {"site": _name(view.table.sites, view.table.site[medium]),
            "time": view.table.timestamp[medium]}


def sites(view: View) -> list[dict[str, Any]]:
    """All sites with their coordinates, None where nobody gave any. Hold the view's lock."""
    places = view.catalog.deployments()
    rows = zip(places.id, places.location_name, places.latitude, places.longitude, places.media,
               strict=True)
    return [{"site": s, "name": name, "latitude": _number(lat), "longitude": _number(lon),
             "pictures": int(n)} for s, name, lat, lon, n in rows if n]


def _number(value: float) -> float | None:
    return None if value != value else float(value)


def _voice(voice: Voice) -> dict[str, Any]:
    return {"label": voice.label, "author": voice.author, "created": voice.created,
            "number": voice.number}


def _name(names: Sequence[str], code: int) -> str:
    return names[code] if code >= 0 else ""
