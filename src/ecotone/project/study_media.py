"""Which pictures the media rows of a study mean: those beside it, and those the project knows.

Nothing is opened outside the study's folder and the project's own roots, whatever a row says.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ecotone.ingest.folder import ENDINGS, list_pictures
from ecotone.ingest.matching import MediaIndex, is_absolute, normal
from ecotone.ingest.text import some
from ecotone.store.tables import MediaTable
from ecotone.study import Row


class Medium(NamedTuple):
    """A media row, as far as it says which picture it means."""

    id: str
    path: str
    name: str
    deployment: str
    timestamp: str
    kind: str


def read_media(rows: Iterable[Row]) -> list[Medium]:
    """The media rows of a study."""
    return [
        Medium(
            row.get("mediaID", ""), _local(row.get("filePath", "")), row.get("fileName", ""),
            row.get("deploymentID", ""), row.get("timestamp", ""), row.get("fileMediatype", ""),
        )
        for row in rows
    ]


def _local(path: str) -> str:
    """A path of this computer, "" for an address on the web."""
    clean = path.strip()
    return "" if "://" in clean and not clean.casefold().startswith("file://") else normal(clean)


def places_of(deployments: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """Deployment -> the names that a folder of its pictures may have."""
    columns = ("deploymentID", "locationName", "locationID")
    return {
        row.get("deploymentID", ""): tuple(dict.fromkeys(row[c] for c in columns if row.get(c)))
        for row in deployments
    }


@dataclass(frozen=True)
class Beside:
    """Pictures in a study's folder that its rows mean: paths relative to it, and what to tell."""

    files: list[str]
    problems: list[str]


def pictures_beside(
    base: Path, media: Sequence[Medium], places: Mapping[str, tuple[str, ...]], listed: bool
) -> Beside:
    """The pictures of a study that lie in its folder.

    By filePath; where that leads nowhere and the folder may be `listed`, by file name, alone or
    with the deployment's folder. Paths that lead out of the folder are told and not followed.
    """
    real = os.path.realpath(base)
    found: dict[str, None] = {}
    outside, missing = [], []
    for medium in media:
        path = medium.path
        if path and (is_absolute(path) or path.split("/")[0] == ".."):
            outside.append(path)
        elif path and _is_picture(base / path):
            if _inside(base / path, real):
                found[path] = None
            else:
                outside.append(path)
        elif medium.name:
            missing.append(medium)
    if missing and listed:
        found.update(_by_name(base, real, missing, places))
    return Beside(sorted(found), _told(base, outside))


def _told(base: Path, outside: list[str]) -> list[str]:
    if not outside:
        return []
    return [
        f"{len(outside):,} file paths lead outside {base} and were not followed: {some(outside)}; "
        "pictures elsewhere are found once their folder is added: ecotone add images FOLDER"
    ]


def _is_picture(path: Path) -> bool:
    if path.suffix.casefold() not in ENDINGS:
        return False
    try:
        return path.is_file()
    except OSError:
        return False


def _inside(path: Path, real: str) -> bool:
    return os.path.commonpath([real, os.path.realpath(path)]) == real


def _by_name(
    base: Path, real: str, media: Iterable[Medium], places: Mapping[str, tuple[str, ...]]
) -> dict[str, None]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for file in list_pictures(base).files:
        by_name[file.rpartition("/")[2]].append(file)
    found: dict[str, None] = {}
    for medium in media:
        here = by_name.get(normal(medium.name).rpartition("/")[2], [])
        if len(here) > 1:
            own = set(places.get(medium.deployment, ())) | {medium.deployment}
            here = [f for f in here if own & set(f.split("/")[:-1])]
        if len(here) == 1 and _inside(base / here[0], real):
            found[here[0]] = None
    return found


@dataclass(frozen=True)
class Placed:
    """Study's mediaID -> row of the media table, and what to tell of the others."""

    row_of: dict[str, int]
    problems: list[str]


def place_media(
    table: MediaTable, media: Sequence[Medium], base: Path,
    places: Mapping[str, tuple[str, ...]],
) -> Placed:
    """The project's picture of each media row.

    Tried in this order: filePath, deployment and file name, the file name where only one row of the
    study has it. No picture is given to two rows.
    """
    index = MediaIndex(table.path, table.file_path)
    count = Counter(m.name for m in media if m.name)
    row_of: dict[str, int] = {}
    taken: set[int] = set()
    ambiguous: set[str] = set()
    for texts in _ways(media, places, count):
        if len(row_of) == len(media):
            break
        matches = index.find(texts, base)
        several = set(matches.ambiguous)
        for medium, text, row in zip(media, texts, matches.rows, strict=True):
            if text in several:
                ambiguous.add(medium.id)
            if row >= 0 and medium.id not in row_of and row not in taken:
                row_of[medium.id] = row
                taken.add(row)
    return Placed(row_of, _unplaced(media, row_of, ambiguous))


def _ways(
    media: Sequence[Medium], places: Mapping[str, tuple[str, ...]], count: Mapping[str, int]
) -> Iterable[list[str]]:
    yield [m.path for m in media]
    for place in range(max((len(p) for p in places.values()), default=0)):
        names = [places.get(m.deployment, ()) for m in media]
        yield [
            f"{own[place]}/{m.name}" if m.name and place < len(own) else ""
            for m, own in zip(media, names, strict=True)
        ]
    yield [m.name if count.get(m.name) == 1 else "" for m in media]


def _unplaced(
    media: Sequence[Medium], row_of: Mapping[str, int], ambiguous: set[str]
) -> list[str]:
    lost = [m for m in media if m.id not in row_of]
    other = [m for m in lost if m.kind and not m.kind.startswith("image/")]
    lost = [m for m in lost if not m.kind or m.kind.startswith("image/")]
    unclear = [m.name or m.path for m in lost if m.id in ambiguous]
    gone = [m.name or m.path or m.id for m in lost if m.id not in ambiguous]
    problems = []
    if gone:
        problems.append(
            f"{len(gone):,} of {len(media):,} media have no picture here, kept as rows: "
            f"{some(gone)}; when their folder is added, add the study again"
        )
    if unclear:
        problems.append(
            f"{len(unclear):,} of {len(media):,} media fit several pictures, kept as rows: "
            f"{some(unclear)}"
        )
    if other:
        problems.append(f"{len(other):,} media are no pictures (video, sound), kept as rows")
    return problems
