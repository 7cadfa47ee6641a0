"""A large json object, its long list read entry by entry, so that memory stays bounded.

MegaDetector's and SpeciesNet's files are one object with one long list in it and small values
before and after that list. `open_json` keeps the small values: those before the list from the start
of the file, those behind it from its last megabyte. Where that cannot be told it goes through the
whole file. `Document.entries` then reads the list, and checks all of the file while it does.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ecotone.errors import FormatError
from ecotone.ingest.text import read_json
from ecotone.media.patience import patient_open

BLOCK = 1 << 20  # bytes read at once; far more than one entry has
TAIL = 1 << 20  # bytes in which the values behind a long list are looked for
NEAR = 32  # an error this near to the end of what was read may only mean that the rest is missing
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)
_SCAN = json.JSONDecoder().scan_once
_SPACE = re.compile(r"[ \t\n\r]*").match
_BETWEEN = re.compile(r"[ \t\n\r]*,[ \t\n\r]*").match
_LIST_END = re.compile(r'\][ \t\n\r]*(?:,(?=[ \t\n\r]*")|(?=\}[ \t\n\r]*\Z))')


@dataclass(frozen=True, eq=False)
class Document:
    """A json file of which the small values are known.

    outline: its value, in which every list of a top-level key is cut to its first entry; a value
    that is no object is whole. Use `open_json`.
    """

    path: Path
    outline: Any
    encoding: str = ""

    def entries(self, key: str) -> Iterator[Any]:
        """The entries of the list under a top-level key, read from the file as they are needed.

        Raises FormatError where the file stops being json: at the latest after the last entry.
        """
        with _opened(self.path) as handle:
            scanner = _Scanner(self.path, handle, self.encoding)
            seen: set[str] = set()
            for name in scanner.names():
                _only_once(scanner, name, seen)
                seen.add(name)
                if name not in self.outline:
                    raise FormatError(
                        f"{self.path}: the key {name!r} was not expected {scanner.place()}, behind "
                        f"two long lists; put {key!r} last."
                    )
                if name == key:
                    yield from scanner.entries(name)
                else:
                    scanner.value_or_outline(name)
            scanner.expect_end()


def open_json(path: Path) -> Document:
    """The small values of a json file.

    UTF-8 and UTF-16, else Windows Latin. Raises FormatError, naming the place, when it is no json,
    cut off, or has a top-level key twice; errors within a long list may show only while its entries
    are read.
    """
    with _opened(path) as handle:
        start = handle.read(4096)
    if not start.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"{"):
        # Small, or not this kind of file at all: what it is else is known there.
        return Document(path, read_json(path))
    encoding = _encoding(path, start)
    outline = _quick_outline(path, encoding) if encoding.startswith("utf-8") else None
    return Document(path, _outline(path, encoding) if outline is None else outline, encoding)


def _opened(path: Path) -> BinaryIO:
    try:
        return patient_open(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from error


def _encoding(path: Path, start: bytes) -> str:
    candidates: tuple[str, ...] = ("utf-8", "cp1252", "latin-1")
    for mark, encoding in MARKS:
        if start.startswith(mark):
            candidates = (encoding,)
    if start[:4].count(0) >= 2 and len(candidates) > 1:  # "{" and a quote, two bytes each
        candidates = ("utf-16-be",) if start[0] == 0 else ("utf-16-le",)
    for encoding in candidates:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with _opened(path) as handle:
                while block := handle.read(BLOCK):
                    decoder.decode(block)
        except UnicodeDecodeError:
            continue
        return encoding
    raise FormatError(
        f"{path}: begins as {candidates[0].upper()} text, but is not; save it as UTF-8."
    )


def _outline(path: Path, encoding: str) -> dict[str, Any]:
    """The outline from all of the file."""
    outline: dict[str, Any] = {}
    with _opened(path) as handle:
        scanner = _Scanner(path, handle, encoding)
        for name in scanner.names():
            _only_once(scanner, name, outline)
            outline[name] = scanner.value_or_outline(name)
        scanner.expect_end()
    return outline


def _only_once(scanner: _Scanner, name: str, seen: Collection[str]) -> None:
    if name in seen:
        raise FormatError(
            f"{scanner.path}: the key {name!r} stands there twice, again {scanner.place()}; "
            "expected once: join what belongs together, or make the file again."
        )


def _quick_outline(path: Path, encoding: str) -> dict[str, Any] | None:
    """The outline from the start and the end of a large file; None where they do not tell it."""
    if os.path.getsize(path) <= 2 * TAIL:
        return None
    outline: dict[str, Any] = {}
    with _opened(path) as handle:
        scanner = _Scanner(path, handle, encoding)
        for name in scanner.names():
            _only_once(scanner, name, outline)
            if not scanner.at_list():
                outline[name] = scanner.value_or_outline(name)
                continue
            outline[name] = list(islice(scanner.entries(name), 1))
            if scanner.before + scanner.at > TAIL:
                return None
            behind = _behind(handle)
            if behind is None or behind.keys() & outline.keys():
                return None
            return {**outline, **behind}
    return None


def _behind(handle: BinaryIO) -> dict[str, Any] | None:
    """What follows the last long list of an object, from the end of the file.

    A "]" closes a list of the object itself, and not one within it, exactly when what follows up to
    the end of the file is an object less its first brace. That holds in a file that is json, which
    is checked when the entries are read.
    """
    handle.seek(-TAIL, os.SEEK_END)
    text = handle.read().decode("utf-8", errors="ignore")
    for found in _LIST_END.finditer(text):
        try:
            value = _rest_of_object(text, found.end())
        except (StopIteration, IndexError, ValueError, RecursionError):
            continue
        if value is not None:
            return value
    return None


def _rest_of_object(text: str, at: int) -> dict[str, Any] | None:
    """The keys and values from a place to the end of an object, when the text ends with it."""
    value: dict[str, Any] = {}
    while text[at] != "}":
        name, at = _SCAN(text, _SPACE(text, at).end())
        at = _SPACE(text, at).end()
        if not isinstance(name, str) or text[at : at + 1] != ":":
            return None
        found, at = _SCAN(text, _SPACE(text, at + 1).end())
        value[name] = found[:1] if isinstance(found, list) else found
        at = _SPACE(text, at).end()
        if text[at : at + 1] not in (",", "}"):
            return None
        at += text[at] == ","
    return value if _SPACE(text, at + 1).end() == len(text) else None


class _Scanner:
    """Goes through the text of one json object with a window that moves along."""

    def __init__(self, path: Path, handle: BinaryIO, encoding: str) -> None:
        self.path, self.handle = path, handle
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.text, self.at = "", 0
        self.ended = False
        self.before, self.lines, self.line_start = 0, 0, 0  # of what has left the window
        self.inside = ""

    # The object

    def names(self) -> Iterator[str]:
        """The top-level keys; the caller takes the value after each."""
        self._expect("{", "the start of an object")
        if self._peek() == "}":
            self.at += 1
            return
        while True:
            if self._peek() != '"':
                raise self._missing("a key in double quotes")
            name = self.value()
            self._expect(":", "':' after a key")
            self._peek()
            yield name
            if self._peek() == "}":
                self.at += 1
                return
            self._expect(",", "',' or '}'")

    def at_list(self) -> bool:
        """Whether the value at the window's place is a list."""
        return self._peek() == "["

    def value_or_outline(self, name: str) -> Any:
        """The value at the window's place; of a list only its first entry."""
        if self.at_list():
            first = []
            for entry in self.entries(name):
                first = first or [entry]
            return first
        self.inside = repr(name)
        value = self.value()
        self.inside = ""
        return value

    def entries(self, name: str) -> Iterator[Any]:
        """The entries of the list at the window's place."""
        if not self.at_list():
            return
        self.at += 1
        count = 0
        while self._peek() != "]" or count:
            self.inside = f"{name!r}, entry {count + 1:,}"
            yield self.value()
            count += 1
            found = _BETWEEN(self.text, self.at)
            if found and found.end() < len(self.text):
                self.at = found.end()
            elif self._peek() == "]":
                break
            else:
                self._expect(",", "',' or ']'")
                self._peek()
        self.at += 1
        self.inside = ""

    def expect_end(self) -> None:
        """Raise FormatError when something follows the object."""
        if self._peek():
            raise self._error(self.at, "something follows the end of the object")

    # Single values

    def value(self) -> Any:
        """The json value at the window's place, which moves behind it."""
        while True:
            try:
                value, end = _SCAN(self.text, self.at)
            except StopIteration as stop:
                where, what = stop.value, "a value was expected"
            except json.JSONDecodeError as error:
                where, what = error.pos, error.msg.lower()
            except RecursionError:
                raise self._error(self.at, "nested too deeply") from None
            except ValueError:  # whole numbers of thousands of digits
                raise self._error(self.at, "a number with too many digits") from None
            else:
                # A number near the end may go on in what was not read yet: "1" in "1.5e+20".
                near = NEAR if isinstance(value, (int, float)) else 1
                if len(self.text) - end < near and self._more():
                    continue
                self.at = end
                return value
            open_end = len(self.text) - where < NEAR or what.startswith("unterminated string")
            if not (open_end and self._more()):
                raise self._error(where, what, cut=open_end)

    def _peek(self) -> str:
        """The next character that is no white space, "" at the end."""
        while True:
            self.at = _SPACE(self.text, self.at).end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def _expect(self, character: str, what: str) -> None:
        if self._peek() != character:
            raise self._missing(what)
        self.at += 1

    def _more(self) -> bool:
        """Read on; False at the end of the file. What lies behind leaves the window."""
        # Twice as much each time, so that one huge entry is not tried over and over.
        block = self.handle.read(max(BLOCK, len(self.text) - self.at))
        if not block:
            self.ended = True
            return False
        gone = self.text[: self.at]
        breaks = gone.count("\n")
        if breaks:
            self.lines += breaks
            self.line_start = self.before + gone.rindex("\n") + 1
        self.before += self.at
        # Without `final`: a file that is cut within a character is told as cut.
        self.text = self.text[self.at :] + self.decoder.decode(block)
        self.at = 0
        return True

    def place(self, where: int | None = None) -> str:
        """Line, column and character of a place in the window."""
        where = self.at if where is None else where
        before = self.text[:where]
        line = self.lines + before.count("\n") + 1
        start = self.before + before.rindex("\n") + 1 if "\n" in before else self.line_start
        column = self.before + where - start + 1
        return f"at line {line:,}, column {column:,} (character {self.before + where:,})"

    def _missing(self, what: str) -> FormatError:
        return self._error(self.at, f"{what} was expected", cut=self.at >= len(self.text))

    def _error(self, where: int, what: str, cut: bool = False) -> FormatError:
        cut = cut and self.ended
        advice = "the file is cut off there: copy or make it again" if cut else "mend it there"
        inside = f" in {self.inside}" if self.inside else ""
        return FormatError(
            f"{self.path}: not valid json: {what} {self.place(where)}{inside}; {advice}."
        )
