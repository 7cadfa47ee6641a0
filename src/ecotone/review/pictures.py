"""Pictures for the page: decoded, cut and written anew, kept in a bounded folder of the project.

No file is ever sent as it lies on the disk: what goes out are pixels, without the place that a
camera wrote into the file, and people unrecognisable unless the sharp picture is asked for.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from ecotone.errors import MediaError
from ecotone.media.crop import is_whole, pixel_box
from ecotone.media.decode import load_picture
from ecotone.media.video import FrameOf
from ecotone.report.pictures import blur
from ecotone.store.tables import absolute

FOLDER = "cache/review"
LIMIT = 512 * 2**20  # bytes on the disk
CROP, STRIP, WHOLE = 320, 160, 1600  # pixels of the longer side
SIDES = {"crop": CROP, "strip": STRIP, "whole": WHOLE}
CONTEXT = 0.12  # around a box, share of its longer side
QUALITY = 84


def media_file(root: str, file_path: str) -> Path:
    """The file of a medium, links followed.

    Raises MediaError when it is missing, or does not lie below its root: no link and no path in the
    catalogue may lead to another file of this computer.
    """
    try:
        base = Path(root).resolve(strict=True)
        path = Path(absolute(root, file_path)).resolve(strict=True)
    except OSError as error:
        raise MediaError(f"{file_path}: the file is missing") from error
    if not path.is_relative_to(base) or not path.is_file():
        raise MediaError(f"{file_path}: not a file below the folder of its pictures")
    return path


class Pictures:
    """Makes pictures once. folder: where they are kept; limit: bytes there; the longest unused
    go first."""

    def __init__(self, folder: Path, limit: int = LIMIT, makers: int = 2) -> None:
        self.folder, self.limit = folder, limit
        self._slots = threading.BoundedSemaphore(makers)
        self._lock = threading.Lock()
        self._size = -1  # bytes in the folder; not yet looked at

    def get(
        self, root: str, file_path: str, version: str, bbox: Sequence[float], kind: str,
        people: Sequence[Sequence[float]] = (), frame: int | None = None,
    ) -> bytes:
        """JPEG bytes: kind "crop" (the box with some of its surroundings), "strip" (small, the
        whole) or "whole". people: boxes to make unrecognisable. version: changes with the file.
        frame: the number of a video's frame, None for a picture.

        Raises MediaError when the file cannot be read or lies outside its root.
        """
        source = media_file(root, file_path)
        parts = [str(source), version, str(source.stat().st_mtime_ns), kind, _key(bbox, kind)]
        parts += [_key(p, "crop") for p in people]
        parts += [] if frame is None else [f"frame {frame}"]
        name = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
        path = self.folder / name[:2] / f"{name}.jpg"
        try:
            data = path.read_bytes()
            os.utime(path)
            return data
        except OSError:
            pass
        with self._slots:
            picture = source if frame is None else FrameOf(source, frame)
            data = make(picture, bbox, kind, people)
        self._keep(path, data)
        return data

    def _keep(self, path: Path, data: bytes) -> None:
        """A picture that cannot be kept (no space, no permission) is made again next time."""
        temporary = path.with_suffix(f".{threading.get_ident()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except OSError:
            return
        with self._lock:
            self._size += len(data) if self._size >= 0 else 0
            if self._size < 0 or self._size > self.limit:
                self._trim()

    def _trim(self) -> None:
        files = []
        for path in self.folder.glob("*/*"):
            try:
                found = path.stat()
            except OSError:
                continue
            files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        if total > self.limit:
            for _, size, path in sorted(files):
                path.unlink(missing_ok=True)
                total -= size
                if total <= 0.8 * self.limit:
                    break
        self._size = total


def make(
    path: Path | FrameOf, bbox: Sequence[float], kind: str,
    people: Sequence[Sequence[float]] = (),
) -> bytes:
    """JPEG bytes of one picture; see `Pictures.get`."""
    side = SIDES[kind]
    cut = kind == "crop" and not is_whole(bbox)

    def wanted(width: int, height: int) -> tuple[int, int]:
        left, top, right, low = (
            pixel_box(bbox, width, height, CONTEXT) if cut else (0, 0, width, height)
        )
        scale = min(1.0, side / max(right - left, low - top))
        # `load_picture` decodes at twice what is asked for at least: enough at half.
        return max(1, int(width * scale * 0.6)), max(1, int(height * scale * 0.6))

    picture = load_picture(path, wanted)
    for box in people:
        picture = blur(picture, box)
    if cut:
        picture = picture.crop(pixel_box(bbox, picture.width, picture.height, CONTEXT))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _key(box: Sequence[float], kind: str) -> str:
    return ",".join(f"{v:.5f}" for v in box) if kind == "crop" else ""
