"""Text and json of unknown origin: encodings, byte order marks, files that are cut off."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.media.patience import read_whole

LONGEST = 200  # characters of a value that a message shows
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "a zip or Excel file; save the table as csv"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; save the table as csv"),
    (b"PAR1", "a parquet file; give it the ending .parquet"),
    (b"SQLite format 3", "an SQLite file"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"\xff\xd8\xff", "a JPEG picture"), (b"\x89PNG", "a PNG picture"), (b"%PDF", "a PDF file"),
)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, UTF-16 (marked) or, where that fails, Windows Latin.

    Raises FormatError when the file is missing, empty, or no text, and says what it looks like;
    MediaError when it does not answer.
    """
    try:
        data = read_whole(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from error
    if not data.strip():
        raise FormatError(f"{path}: is empty; copy it again or make it again.")
    what = binary_kind(data)
    if what:
        raise FormatError(f"{path}: not a text file but {what}.")
    text = decode(data)
    if "\x00" in text:
        raise FormatError(f"{path}: not a text file (it holds bytes of value 0).")
    return text


def binary_kind(data: bytes) -> str:
    """What a file that begins with these bytes is, and what to do with it; "" for text."""
    return next((what for start, what in _NOT_TEXT if data.startswith(start)), "")


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8, UTF-16 with a mark, else Windows Latin. The end may be cut off."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            # A file cut in the middle of a character should still be read up to there.
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return data[: error.start].decode("utf-8")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_json(path: Path, twice: list[str] | None = None) -> Any:
    """The value in a json file. twice: gets the keys that stand twice in one object.

    Raises FormatError with line and column where it stops being json.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=None if twice is None else _pairs(twice))
    except json.JSONDecodeError as error:
        left = len(text.rstrip()) - error.pos
        cut = left <= 1 or error.msg.startswith("Unterminated string")
        advice = "the file is cut off there: copy or make it again" if cut else "mend it there"
        raise FormatError(
            f"{path}: not valid json: {error.msg.lower()} at line {error.lineno}, column "
            f"{error.colno} (character {error.pos:,} of {len(text):,}); {advice}."
        ) from error
    except RecursionError as error:
        raise FormatError(f"{path}: not valid json: nested too deeply.") from error
    except ValueError as error:  # more digits than Python turns into a number
        raise FormatError(f"{path}: not valid json: a number of too many digits.") from error


def _pairs(twice: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) < len(items):
            counts = Counter(name for name, _ in items)
            twice.extend(name for name, count in counts.items() if count > 1)
        return out

    return pairs


def looks_like(data: Any) -> str:
    """What kind of file a json value seems to be, in words for an error message."""
    if isinstance(data, list):
        return "a list" if not data else f"a list of {type(data[0]).__name__}"
    if not isinstance(data, dict):
        return f"a single {type(data).__name__}"
    keys = set(data)
    if "instances" in keys:
        return "SpeciesNet's input (instances.json); give the predictions it made"
    if {"images", "annotations"} <= keys or {"images", "categories"} <= keys:
        return "COCO Camera Traps json"
    if "resources" in keys and "profile" in keys:
        return "a Camtrap DP datapackage.json; give one of its csv files"
    return "json with the keys " + (", ".join(sorted(map(str, keys))[:6]) or "(none)")


def some(values: list[str], limit: int = 3) -> str:
    """The first few of many, in one line, and how many more."""
    shown = ", ".join(_one_line(v) for v in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit:,} more"


def _one_line(value: str) -> str:
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."
