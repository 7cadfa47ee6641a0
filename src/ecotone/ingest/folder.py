"""A folder of pictures and videos: which files there are, and what each says of itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from ecotone.errors import EcotoneError, InputError, MissingExtraError
from ecotone.ingest.events import iso_time
from ecotone.ingest.text import some
from ecotone.media.location import is_url, location, open_seekable
from ecotone.media.patience import each_within, within
from ecotone.media.video import ENDINGS as VIDEOS
from ecotone.media.video import have_video, is_video

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = VIDEOS | frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"}
)
OTHER = frozenset(
    {".wmv", ".mpg", ".mpeg", ".flv", ".asf", ".heic", ".heif", ".cr2", ".nef", ".arw", ".dng"}
)
SKIPPED_FOLDERS = frozenset({"@eadir", "__macosx", "$recycle.bin", "system volume information"})
# Folders that cameras make by themselves (DCF standard): DCIM/100RECNX says nothing of the place.
CAMERA_FOLDER = re.compile(r"DCIM|\d{3}[A-Z0-9_]{5}", re.IGNORECASE)
# 20240501_063000.mp4, PICT 2024-05-01 06-30-00.AVI: what videos often have in place of metadata
NAME_TIME = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_ T.]{1,2}(\d\d)[-_.h]?(\d\d)[-_.m]?(\d\d)(?!\d)"
)
SAMPLING = "rate:1"  # frames of a video, see `media.sampling`
PART = 65536  # bytes read at the start, in the middle and at the end of a file


@dataclass(frozen=True)
class Listing:
    """The pictures and videos below a folder: paths relative to it (posix, sorted), and what was
    left out."""

    files: list[str]
    problems: list[str]


@dataclass(frozen=True)
class Picture:
    """What a file says of itself; `failure` is why it cannot be read, "" when it can.

    Of a video, frame_rate (None for a picture), the number of its frames, and the `chosen` ones.
    """

    timestamp: str = ""
    camera: str = ""
    width: int = 0
    height: int = 0
    content_hash: str = ""
    size: int = 0
    modified: int = 0
    failure: str = ""
    frame_rate: float | None = None
    frames: int = 0
    chosen: tuple[int, ...] = ()


def list_pictures(folder: Path) -> Listing:
    """All pictures and videos below a folder, links followed once, hidden files left out; without
    PyAV no videos, and a word on it.

    Raises InputError when the folder is missing or no folder, MediaError when one does not answer.
    """
    if not within(folder.is_dir, folder):
        what = "is a file, expected a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}.")
    files: list[str] = []
    other: Counter[str] = Counter()
    videos, blind = 0, not have_video()
    unreadable: list[str] = []
    for place, names in each_within(_walk(folder, unreadable), folder):
        relative = PurePosixPath(Path(place).relative_to(folder).as_posix())
        for name in names:
            ending = os.path.splitext(name)[1].casefold()
            if name.startswith("."):
                continue
            if blind and ending in VIDEOS:
                videos += 1
            elif ending in ENDINGS:
                files.append((relative / name).as_posix())
            elif ending in OTHER:
                other[ending] += 1
    problems = [f"{place}: cannot be opened, its pictures are left out." for place in unreadable]
    if other:
        kinds = some([f"{n:,} {ending}" for ending, n in sorted(other.items())], 6)
        problems.append(f"{folder}: files that are no pictures ecotone reads, left out: {kinds}.")
    if videos:
        wanted = MissingExtraError(f"{folder}: {videos:,} videos are left out; reading them",
                                   "video")
        problems.append(str(wanted))
    return Listing(sorted(files), problems)


def _walk(folder: Path, unreadable: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each folder with the names in it."""
    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(
        folder, followlinks=True, onerror=lambda e: unreadable.append(str(e.filename))
    ):
        folders[:] = sorted(f for f in folders if _enter(Path(place, f), seen))
        yield place, names


def _enter(path: Path, seen: set[str]) -> bool:
    if path.name.startswith(".") or path.name.casefold() in SKIPPED_FOLDERS:
        return False
    real = os.path.realpath(path)
    if real in seen:  # a link back up would never end
        return False
    seen.add(real)
    return True


def deployment_of(file_path: str, root_name: str) -> tuple[str, str]:
    """(deployment, what said so) of a picture by its folder, without the camera's own folders.

    A picture that lies in the root itself belongs to the deployment of the root's name ("root").
    """
    parts = list(PurePosixPath(file_path).parts[:-1])
    while parts and CAMERA_FOLDER.fullmatch(parts[-1]):
        parts.pop()
    return ("/".join(parts), "folder") if parts else (root_name, "root")


def media_id(file_path: str, root: str = "") -> str:
    """A stable id of a picture from its path relative to the root (and the root, if need be)."""
    return hashlib.blake2b(f"{root}\n{file_path}".encode(), digest_size=8).hexdigest()


def describe(path: Path, sampling: str = SAMPLING) -> Picture:
    """Time, camera, size in pixels and content of a picture, from its header alone; of a video also
    its frames, those of interest chosen by `sampling`.

    Never raises: what is wrong stands in `failure`. A video of which some frames can be read has
    these and a failure.
    """
    try:
        status = path.stat()
        if not status.st_size:
            return _empty(path, status.st_mtime_ns)
        with path.open("rb") as handle:
            return _described(handle, status.st_size, status.st_mtime_ns, path, sampling)
    except OSError as error:
        return Picture(failure=f"cannot be read ({error.strerror})")


def describe_url(url: str, modified: int = 0, sampling: str = SAMPLING) -> Picture:
    """The same of a picture behind a URL, of which only parts are fetched where that can be.

    modified: when it was changed last, in ns, as its storage says; 0 where it does not.
    """
    try:
        with open_seekable(url) as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(0)
            if not size:
                return _empty(url, modified)
            return _described(handle, size, modified, url, sampling)
    except Exception as error:  # object storages fail in any way there is
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error
        return Picture(failure=f"cannot be read ({why})", modified=modified)


def _empty(where: str | Path, modified: int) -> Picture:
    rate = 0.0 if is_video(where) else None
    return Picture(failure="the file is empty (0 bytes)", modified=modified, frame_rate=rate)


def _described(
    handle: BinaryIO, size: int, modified: int, where: str | Path, sampling: str
) -> Picture:
    found = {"content_hash": _hash(handle, size), "size": size, "modified": modified}
    if is_video(where):
        return Picture(**_video(where, sampling), **found)
    handle.seek(0)
    try:
        return Picture(**_header(handle), **found)
    # Damaged headers make the decoders of the many formats fail in any way there is.
    except Exception as error:
        kind = type(error).__name__
        reason = "not a picture" if kind == "UnidentifiedImageError" else f"damaged ({error})"
        return Picture(failure=reason, **found)


def _video(where: str | Path, sampling: str) -> dict[str, Any]:
    from ecotone.media.sampling import choose_frames, parse_sampling

    named = NAME_TIME.search(PurePosixPath(str(where).replace("\\", "/")).name)
    time = iso_time("{}-{}-{} {}:{}:{}".format(*named.groups())) if named else ""
    try:
        video, chosen = choose_frames(where, parse_sampling(sampling, "video_frames"))
    except EcotoneError as error:
        reason = str(error).removeprefix(f"{where}: ")
        return {"failure": reason, "frame_rate": 0.0, "timestamp": time}
    # Broken files make decoders fail in any way there is, and one may not stop the others.
    except Exception as error:
        return {"failure": f"damaged ({error})", "frame_rate": 0.0, "timestamp": time}
    return {
        "timestamp": video.created or time, "camera": video.camera, "width": video.width,
        "height": video.height, "frame_rate": video.frame_rate, "frames": video.frames,
        "chosen": tuple(chosen), "failure": video.problem,
    }


def content_hash(path: Path, size: int) -> str:
    """A hash of the length and of start, middle and end: equal files have equal hashes.

    Three parts tell camera pictures apart as surely as the whole, at a fortieth of the reading.
    """
    with path.open("rb") as handle:
        return _hash(handle, size)


def content_hash_at(where: str) -> str:
    """`content_hash` of a file or URL, "" where it cannot be read."""
    try:
        if not is_url(where):
            return content_hash(Path(location(where)), os.path.getsize(location(where)))
        with open_seekable(where) as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(0)
            return _hash(handle, size)
    except Exception:  # object storages fail in any way there is
        return ""


def _hash(handle: BinaryIO, size: int) -> str:
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    if size <= 3 * PART:
        digest.update(handle.read())
    else:
        for start in (0, size // 2 - PART // 2, size - PART):
            handle.seek(start)
            digest.update(handle.read(PART))
    return digest.hexdigest()


def _header(handle: BinaryIO) -> dict[str, Any]:
    from PIL import Image

    with Image.open(handle) as picture:
        width, height = picture.size
        exif = _exif(picture)
    if exif.get(274, 1) in (5, 6, 7, 8):  # Orientation: the sensor lay on its side
        width, height = height, width
    times = (iso_time(str(exif.get(tag, ""))) for tag in (36867, 36868, 306))
    words = [str(exif.get(tag, "")).strip("\x00 ") for tag in (271, 272, 42033)]
    camera = " ".join(dict.fromkeys(" ".join(w.split()) for w in words if w))
    return {
        "timestamp": next((t for t in times if t), ""), "camera": camera,
        "width": int(width), "height": int(height),
    }


def _exif(picture: Image.Image) -> dict[int, Any]:
    """EXIF tags by number, those of the Exif block too; {} when it is broken."""
    try:
        exif = picture.getexif()
        return {**exif, **exif.get_ifd(0x8769)}
    except Exception:  # broken EXIF says nothing about the pixels, which may be fine
        return {}
