"""A json object with one long list, written entry by entry and put in place at the end."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import InputError


class JsonFile:
    """A json file that grows; it appears under its name when the block ends well.

        with JsonFile("md.json", "images", {"info": {...}}) as file:
            file.append({"file": "a.jpg", "detections": []})
            file.behind["classification_categories"] = {...}

    key: of the list. before, behind: what stands before and behind the list. entries: how many were
    written. Readers see the old file or the whole new one; memory holds one entry.

    Raises InputError when the file cannot be written.
    """

    def __init__(self, path: str | Path, key: str, before: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.entries = 0
        self.behind: dict[str, Any] = {}
        self._key, self._before = key, before
        self._temporary: Path | None = None

    def __enter__(self) -> JsonFile:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.name}-", suffix=".tmp", dir=self.path.parent
            )
        except OSError as error:
            raise self._refused(error) from error
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "w", encoding="utf-8", newline="\n")
        start = "".join(f"{_text(k)}: {_text(v)},\n" for k, v in self._before.items())
        self._write("{\n" + start + f"{_text(self._key)}: [")
        return self

    def append(self, entry: Any) -> None:
        """Add an entry to the list."""
        self._write((",\n" if self.entries else "\n") + _text(entry))
        self.entries += 1

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                rest = "".join(f",\n{_text(k)}: {_text(v)}" for k, v in self.behind.items())
                self._write("\n]" + rest + "\n}\n")
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
            if kind is None:
                umask = os.umask(0)
                os.umask(umask)
                self._temporary.chmod(0o666 & ~umask)  # mkstemp's files are for one user alone
                os.replace(self._temporary, self.path)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self._temporary.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> InputError:
        return InputError(f"{self.path}: cannot be written ({error.strerror}).")


def _text(value: Any) -> str:
    # Readable names; half characters, which UTF-8 has no place for, as json escapes.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isascii() or text.isprintable() else json.dumps(value)


__all__ = ["JsonFile"]
