"""Media, deployments and detections in the catalogue: bulk in, columns out."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ecotone.store.person_boxes import boxed_media, hold_boxes
from ecotone.store.tables import (
    Box,
    DeploymentTable,
    KnownFile,
    MediaTable,
    NewMedium,
    PlaceTable,
    absolute,
    columns,
)
from ecotone.store.times import shifted
from ecotone.types import Detections

WHOLE = (0.0, 0.0, 1.0, 1.0)
BLOCK = 16384  # rows fetched at once
PARAMETERS = 900  # of one statement; every SQLite takes 999
SAME_BOX = 2e-4  # boxes nearer than this are one box: files round to 3 or 4 decimals

_MEDIA = """SELECT m.id, m.root, m.file_path, m.deployment_id, m.deployment_from, m.timestamp,
    m.event_id, m.content_hash, m.width, m.height, m.camera, m.detector,
    coalesce(f.reasons, ''), coalesce(s.seconds, 0.0),
    coalesce(nullif(s.time_zone, ''), d.time_zone, ''), m.frame_rate, m.frames, m.frames_processed
    FROM medium m LEFT JOIN
    (SELECT media_id, group_concat(reason, '; ') reasons FROM failure GROUP BY media_id) f
    ON f.media_id = m.id LEFT JOIN deployment d ON d.id = m.deployment_id LEFT JOIN
    (SELECT deployment_id, seconds, time_zone, max(n) FROM time_shift GROUP BY deployment_id) s
    ON s.deployment_id = m.deployment_id WHERE m.n > ? AND m.n <= ? ORDER BY m.n"""
EVERY = (0, 2**62)  # numbers of media


_PLACES = """SELECT m.id, m.deployment_id, m.event_id, m.content_hash, m.timestamp,
    coalesce(s.seconds, 0.0) FROM medium m LEFT JOIN
    (SELECT deployment_id, seconds, max(n) FROM time_shift GROUP BY deployment_id) s
    ON s.deployment_id = m.deployment_id ORDER BY m.n"""


_DETECTIONS = """SELECT m.id || ':' || d.number, m.id, d.x, d.y, d.width, d.height, d.category,
    d.confidence, coalesce(d.frame_number, -1) FROM detection d JOIN medium m ON m.n = d.medium
    WHERE d.retired = 0 AND d.medium > ? AND d.medium <= ? ORDER BY d.medium, d.number"""


_BOXES = """SELECT medium, number, x, y, width, height, category, confidence, frame_number, retired
    FROM detection WHERE medium IN"""


def read_blocks(
    connection: sqlite3.Connection, size: int = BLOCK
) -> Iterator[tuple[Detections, MediaTable]]:
    """The detections in use of `size` media after others, with these media."""
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM medium").fetchone()
    for first in range(0, last, size):
        some = (first, first + size)
        yield read_detections(connection, some), read_media(connection, some)


def read_media(
    connection: sqlite3.Connection, numbers: tuple[int, int] = EVERY
) -> MediaTable:
    """Media in the order they were added: all, or those after the first number up to the second."""
    (ids, root, file_path, deployment, deployment_from, timestamp, event, content, width, height,
     camera, detector, failure, seconds, zone, rate, frames, processed) = read_columns(
        connection, _MEDIA, 18, numbers)
    path = np.empty(len(ids), dtype=object)
    path[:] = [absolute(r, f) for r, f in zip(root, file_path, strict=True)]
    return MediaTable(
        ids, root, file_path, path, deployment, deployment_from, shifted(timestamp, seconds), event,
        content, width.astype(np.int64), height.astype(np.int64), camera, detector, failure,
        timestamp, zone, rate.astype(np.float64), frames.astype(np.int64), _numbers(processed),
    )


def read_places(connection: sqlite3.Connection) -> PlaceTable:
    """Where and when all media were taken: a fifth of what `read_media` holds."""
    *texts, time, seconds = read_columns(connection, _PLACES, 6)
    return PlaceTable(*texts, shifted(time, seconds))


def _numbers(texts: np.ndarray) -> np.ndarray:
    """Json lists of numbers as tuples."""
    out = np.empty(len(texts), dtype=object)
    out[:] = [()] * len(texts)
    for row in np.flatnonzero(texts != ""):
        out[row] = tuple(json.loads(texts[row]))
    return out


def read_deployments(connection: sqlite3.Connection) -> DeploymentTable:
    """All deployments by name, with the number of their pictures."""
    rows = connection.execute(
        """SELECT d.id, d.location_name, d.latitude, d.longitude, count(m.n), d.start, d.end,
           d.time_zone FROM deployment d LEFT JOIN medium m ON m.deployment_id = d.id
           GROUP BY d.id ORDER BY d.id"""
    ).fetchall()
    ids, name, latitude, longitude, media, *times = columns(rows, 8)
    return DeploymentTable(
        ids, name, latitude.astype(np.float64), longitude.astype(np.float64),
        media.astype(np.int64), *times,
    )


def read_detections(
    connection: sqlite3.Connection, numbers: tuple[int, int] = EVERY
) -> Detections:
    """Detections in use, by medium as added, then by number: all, or those of some media."""
    ids, media, x, y, width, height, category, confidence, frame = read_columns(
        connection, _DETECTIONS, 9, numbers)
    bbox = np.column_stack([c.astype(np.float32) for c in (x, y, width, height)])
    return Detections(ids, media, bbox, category, confidence.astype(np.float32), frame)


def read_columns(
    connection: sqlite3.Connection, query: str, count: int, values: Sequence[Any] = ()
) -> list[np.ndarray]:
    """The `count` columns of a query as object arrays, in blocks: a million rows of tuples at once
    would take gigabytes, and most of the time would go to the garbage collector."""
    cursor = connection.execute(query, values)
    blocks = []
    seen: list[dict | None] = [{} for _ in range(count)]
    while rows := cursor.fetchmany(BLOCK):
        blocks.append(columns(rows, count, seen))
    if not blocks:
        return columns([], count)
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def insert_media(connection: sqlite3.Connection, media: Sequence[NewMedium], created: str) -> None:
    """Register media, each with its whole-picture detection; call within a transaction."""
    connection.executemany(
        """INSERT INTO medium (id, root, file_path, deployment_id, deployment_from, timestamp,
           content_hash, width, height, camera, size, modified, frame_rate, frames)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [(m.id, m.root, m.file_path, m.deployment_id, m.deployment_from, m.timestamp,
          m.content_hash, m.width, m.height, m.camera, m.size, m.modified, m.frame_rate, m.frames)
         for m in media],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO deployment (id) VALUES (?)",
        [(d,) for d in sorted({m.deployment_id for m in media} - {""})],
    )
    connection.executemany(
        """INSERT INTO detection (medium, number, x, y, width, height, category, confidence)
           SELECT n, 0, 0, 0, 1, 1, 'animal', 1 FROM medium WHERE id = ?""",
        [(m.id,) for m in media],
    )
    _set_frames(connection, media)
    _set_read_failures(connection, media, created)


def update_media(connection: sqlite3.Connection, media: Sequence[NewMedium], created: str) -> None:
    """Renew what a changed or moved file says: place, time, size, content."""
    connection.executemany(
        """UPDATE medium SET root = ?, file_path = ?, timestamp = ?, content_hash = ?, width = ?,
           height = ?, camera = ?, size = ?, modified = ?,
           frame_rate = coalesce(?, frame_rate), frames = max(?, 0) WHERE id = ?""",
        [(m.root, m.file_path, m.timestamp, m.content_hash, m.width, m.height, m.camera, m.size,
          m.modified, m.frame_rate, m.frames, m.id) for m in media],
    )
    _set_frames(connection, media)
    connection.executemany(
        "DELETE FROM failure WHERE media_id = ?", [(m.id,) for m in media if not m.failure]
    )
    _set_read_failures(connection, media, created)


def _set_frames(connection: sqlite3.Connection, media: Iterable[NewMedium]) -> None:
    """Make the chosen frames of videos that no detector has seen their detections."""
    chosen = {m.id: m for m in media if m.chosen}
    rows = _among(connection, "SELECT id FROM medium WHERE detector = '' AND id IN", list(chosen))
    unseen = [chosen[row[0]] for row in rows]
    replace_boxes(connection, {
        m.id: [Box(WHOLE, "animal", 1.0, number) for number in m.chosen] for m in unseen
    }, "")
    set_videos(connection, {m.id: (m.frame_rate, m.chosen) for m in unseen})
    connection.executemany(
        "UPDATE medium SET sampling = ? WHERE id = ?", [(m.sampling, m.id) for m in unseen]
    )


def set_videos(
    connection: sqlite3.Connection, facts: Mapping[str, tuple[float | None, Sequence[int] | None]]
) -> None:
    """Set which frames of videos were looked at (None: not known), and the frame rate of those
    that could not say it themselves; by media id."""
    connection.executemany(
        """UPDATE medium SET frame_rate = coalesce(nullif(frame_rate, 0), ?, 0),
           frames_processed = coalesce(?, frames_processed) WHERE id = ?""",
        [(rate, None if numbers is None else json.dumps(sorted(set(numbers))), medium)
         for medium, (rate, numbers) in facts.items()],
    )


def _set_read_failures(
    connection: sqlite3.Connection, media: Iterable[NewMedium], created: str
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO failure (media_id, step, reason, created) VALUES (?, 'read', ?, ?)",
        [(m.id, m.failure, created) for m in media if m.failure],
    )


def set_deployments(
    connection: sqlite3.Connection, deployment_of: Mapping[str, str], said_by: str
) -> None:
    """Set the deployment of media (by media id), and forget deployments that no picture has and of
    which nothing else is known."""
    connection.executemany(
        "INSERT OR IGNORE INTO deployment (id) VALUES (?)",
        [(d,) for d in sorted(set(deployment_of.values()) - {""})],
    )
    connection.executemany(
        "UPDATE medium SET deployment_id = ?, deployment_from = ? WHERE id = ?",
        [(d, said_by, m) for m, d in deployment_of.items()],
    )
    connection.execute(
        """DELETE FROM deployment WHERE id NOT IN (SELECT deployment_id FROM medium)
           AND latitude IS NULL AND location_name || start || "end" || time_zone = ''"""
    )


def set_timestamps(connection: sqlite3.Connection, time_of: Mapping[str, str]) -> None:
    """Set the time of media (by media id)."""
    connection.executemany(
        "UPDATE medium SET timestamp = ? WHERE id = ?", [(t, m) for m, t in time_of.items()]
    )


def read_files(connection: sqlite3.Connection) -> list[KnownFile]:
    """The files of all media, as they were when last looked at."""
    rows = connection.execute(
        """SELECT m.id, m.root, m.file_path, m.size, m.modified, m.content_hash, EXISTS
           (SELECT 1 FROM failure f WHERE f.media_id = m.id AND f.step = 'read'), m.sampling,
           m.detector FROM medium m ORDER BY m.n"""
    )
    return [KnownFile(*row[:6], bool(row[6]), *row[7:]) for row in rows]


def set_events(connection: sqlite3.Connection, event_of: Mapping[str, str]) -> None:
    """Set the event of media (by media id)."""
    connection.executemany(
        "UPDATE medium SET event_id = ? WHERE id = ?", [(e, m) for m, e in event_of.items()]
    )


def replace_boxes(
    connection: sqlite3.Connection, boxes_of: Mapping[str, Sequence[Box]], detector: str
) -> dict[str, int]:
    """Make these the detections in use of each medium; how many media were new, changed, same.

    Boxes keep their number when the same box was there before; the others get numbers that were
    never used. A box that covers the whole picture is number 0. Frame numbers count for videos
    alone. Call within a transaction.
    """
    found = {"new": 0, "changed": 0, "same": 0}
    media = {
        row[0]: row[1:] for row in _among(
            connection, "SELECT id, n, detector, frame_rate FROM medium WHERE id IN",
            list(boxes_of),
        )
    }
    old: dict[int, list[tuple]] = defaultdict(list)
    for row in _among(connection, _BOXES, [n for n, _, _ in media.values()]):
        old[row[0]].append(row[1:])
    retired: list[tuple] = []
    fresh: list[tuple] = []
    renewed: list[tuple] = []
    marked: list[tuple] = []
    for media_id, boxes in boxes_of.items():
        if media_id not in media:
            continue
        n, before, rate = media[media_id]
        cells = [
            (*b.bbox, b.category, b.confidence, None if rate is None else b.frame_number)
            for b in boxes
        ]
        changed = _replace(n, cells, old[n], retired, fresh, renewed)
        found["new" if not before else "changed" if changed else "same"] += 1
        if changed or before != detector:
            marked.append((detector, n))
    connection.executemany("UPDATE medium SET detector = ? WHERE n = ?", marked)
    _store_boxes(connection, retired, fresh, renewed)
    hold_boxes(connection, sorted(boxed_media(connection) & {n for n, _, _ in media.values()}))
    return found


def _store_boxes(
    connection: sqlite3.Connection, retired: list[tuple], fresh: list[tuple], renewed: list[tuple]
) -> None:
    connection.executemany(
        "UPDATE detection SET retired = 1 WHERE medium = ? AND number = ?", retired
    )
    connection.executemany(
        """UPDATE detection SET x = ?, y = ?, width = ?, height = ?, category = ?, confidence = ?,
           frame_number = ?, retired = 0 WHERE medium = ? AND number = ?""", renewed
    )
    connection.executemany(
        """INSERT INTO detection (medium, number, x, y, width, height, category, confidence,
           frame_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        sorted(fresh),  # in the order of the table
    )


def _among(
    connection: sqlite3.Connection, query: str, keys: Sequence[str | int]
) -> Iterable[tuple]:
    """The rows of a query that ends in "IN" for many keys, some at a time."""
    for start in range(0, len(keys), PARAMETERS):
        part = keys[start : start + PARAMETERS]
        yield from connection.execute(f"{query} ({','.join('?' * len(part))})", part)


def _replace(
    n: int, boxes: Sequence[tuple], old: Sequence[tuple], retired: list[tuple],
    fresh: list[tuple], renewed: list[tuple],
) -> bool:
    """Whether the boxes of medium n change; adds what is to be done to the three lists.

    boxes: x, y, width, height, category, confidence, frame. old: its rows number, the same seven,
    retired.
    """
    if len(old) == 1 and old[0][0] == 0 and boxes and not any(map(_is_picture, boxes)):
        # No detector was here before: none of its boxes can be one of these.
        if not old[0][8]:
            retired.append((n, 0))
        fresh += [(n, k, *box) for k, box in enumerate(boxes, start=1)]
        return True
    free: dict[int | None, dict[int, tuple]] = defaultdict(dict)  # frame -> number -> row
    for row in sorted(old, key=lambda r: (r[8], r[0])):
        free[row[7]][row[0]] = row
    known = {row[0] for row in old}
    following = max(known, default=0) + 1
    after: dict[int, tuple] = {}
    for box in boxes:
        here = free[box[6]]
        number = 0 if _is_picture(box) else _same_box(box, here)
        if number is None:
            number, following = following, following + 1
        here.pop(number, None)
        after[number] = box
    before = {r[0]: r[1:8] for r in old if not r[8]}
    if before == after:
        return False
    retired += [(n, number) for number in before if number not in after]
    for number, values in after.items():
        if number not in known:
            fresh.append((n, number, *values))
        elif before.get(number) != values:
            renewed.append((*values, n, number))
    return True


def _is_picture(box: tuple) -> bool:
    """Whether a box is a whole picture, which is number 0; a whole frame of a video is not."""
    return box[:4] == WHOLE and box[6] is None


def _same_box(box: tuple, free: Mapping[int, tuple]) -> int | None:
    for number, row in free.items():
        near = all(abs(a - b) <= SAME_BOX for a, b in zip(box[:4], row[1:5], strict=True))
        if number and near:
            return number
    return None
