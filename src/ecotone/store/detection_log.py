"""What a detector has said so far, picture by picture: a file that only grows, one json line each.

A line that a kill cut off counts as not written. Of several lines of one picture the last counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ecotone.errors import InputError
from ecotone.ingest.results import FoundBox, ImageResult

KIND = "ecotone detections 1"


class DetectionLog:
    """The lines of one detector in one file, opened or begun; use it as a context manager.

    done: keys of the pictures that it has looked at; failed ones are no part of it. begun_anew:
    whether a file of other settings stood there, which is set aside as `<name>.old`.
    fingerprint: of the detector and its settings.

    Raises InputError when the file is another one or cannot be written.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path, self.begun_anew = path, False
        self._place: dict[str, int] = {}
        self.done: set[str] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size and not self._matches(fingerprint):
                os.replace(path, path.with_name(path.name + ".old"))
                self.begun_anew = True
            self._file = path.open("a+b")
            self._end = self._read(fingerprint)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error

    def __enter__(self) -> DetectionLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def append(self, rows: Iterable[tuple[str, ImageResult]]) -> None:
        """Add what was found; it is on the disk when this returns."""
        for key, image in rows:
            line = json.dumps(_row(key, image), separators=(",", ":")).encode() + b"\n"
            self._file.write(line)
            self._note(key, not image.failure, self._end)
            self._end += len(line)
        self._file.flush()
        os.fsync(self._file.fileno())

    def images(self, keys: Iterable[str]) -> Iterator[tuple[str, ImageResult]]:
        """What was found on these pictures, those that are known, in the order given."""
        for key in keys:
            place = self._place.get(key)
            if place is not None:
                self._file.seek(place)
                yield key, _image(json.loads(self._file.readline()))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _matches(self, fingerprint: str) -> bool:
        with self.path.open("rb") as file:
            try:
                head = json.loads(file.readline())
                kind, found = head["kind"], head["fingerprint"]
            except (ValueError, KeyError, TypeError):
                kind = found = ""
        if kind != KIND:
            raise InputError(f"{self.path}: is no file of detections of ecotone; move it away.")
        return found == fingerprint

    def _read(self, fingerprint: str) -> int:
        """Note where each picture's line is; the length of the whole lines. What follows goes."""
        self._file.seek(0)
        end = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            if number:
                try:
                    row = json.loads(line)
                    self._note(row["key"], not row["failure"], end)
                except (ValueError, KeyError, TypeError):
                    break  # torn by a kill or a full disk: looked at again
            end += len(line)
        self._file.truncate(end)
        if not end:
            head = json.dumps({"kind": KIND, "fingerprint": fingerprint}).encode() + b"\n"
            self._file.write(head)
            self._file.flush()
            os.fsync(self._file.fileno())
            end = len(head)
        return end

    def _note(self, key: str, good: bool, place: int) -> None:
        self._place[key] = place
        self.done.add(key) if good else self.done.discard(key)


def _row(key: str, image: ImageResult) -> dict[str, Any]:
    row: dict[str, Any] = {"key": key, "file": image.file, "width": image.width,
                           "height": image.height, "failure": image.failure, "boxes": None}
    if image.boxes is not None:
        row["boxes"] = [[b.category, b.confidence, *b.bbox, b.frame_number] for b in image.boxes]
    if image.frames_processed is not None:
        row["frames"], row["rate"] = image.frames_processed, image.frame_rate
    return row


def _image(row: dict[str, Any]) -> ImageResult:
    listed = row["boxes"]
    boxes = None if listed is None else tuple(
        FoundBox(tuple(b[2:6]), b[0], b[1], frame_number=b[6]) for b in listed)
    frames = row.get("frames")
    return ImageResult(
        row["file"], boxes, failure=row["failure"], width=row["width"], height=row["height"],
        frame_rate=row.get("rate"), frames_processed=None if frames is None else tuple(frames))


__all__ = ["DetectionLog"]
