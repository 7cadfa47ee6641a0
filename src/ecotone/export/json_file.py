"""A json object with one long list, written entry by entry and put in place at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ecotone.export.atomic import replaced

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class JsonList:
    """A list in a file that grows. entries: how many it has. behind: what stands behind it in the
    object."""

    def __init__(self, file: TextIO) -> None:
        self.entries = 0
        self.behind: dict[str, Any] = {}
        self._file = file

    def append(self, entry: Any) -> None:
        """Add an entry."""
        self._file.write((",\n" if self.entries else "\n") + _text(entry))
        self.entries += 1


@contextmanager
def json_file(path: str | Path, key: str, before: Mapping[str, Any]) -> Iterator[JsonList]:
    """A json file with a long list under `key`; it appears under its name when the block ends well.

        with json_file("md.json", "images", {"info": {...}}) as images:
            images.append({"file": "a.jpg", "detections": []})
            images.behind["classification_categories"] = {...}

    before: what stands before the list. Readers see the old file or the whole new one; memory holds
    one entry. Raises InputError when the file cannot be written.
    """
    with replaced(path) as file:
        start = "".join(f"{_text(k)}: {_text(v)},\n" for k, v in before.items())
        file.write("{\n" + start + f"{_text(key)}: [")
        listed = JsonList(file)
        yield listed
        rest = "".join(f",\n{_text(k)}: {_text(v)}" for k, v in listed.behind.items())
        file.write("\n]" + rest + "\n}\n")


def _text(value: Any) -> str:
    # Readable names; half characters, which UTF-8 has no place for, as json escapes.
    text = _ENCODER.encode(value)
    return text if text.isascii() or text.isprintable() else json.dumps(value)


__all__ = ["JsonList", "json_file"]
