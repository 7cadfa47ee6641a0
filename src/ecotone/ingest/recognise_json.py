"""What the beginning of a json file shows of it: its outline, however the file goes on.

An outline is the value itself with lists cut to their first entries, and whatever stood after the
end of the text left out. No part is read twice, and deep nesting ends the reading, not the program.
"""

from __future__ import annotations

import re
from typing import Any

ENTRIES = 20  # of a list
KEYS = 400  # of an object
DEEPEST = 60
_TOKEN = re.compile(
    r'\s*(?:([{}\[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|([^\s{}\[\],:"]+))', re.DOTALL
)
_WORD = re.compile(r"-?[0-9][0-9.eE+-]*|-?Infinity|NaN|true|false|null")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class NotJson(ValueError):
    """The text stops being json at `place`."""

    def __init__(self, place: int) -> None:
        super().__init__(f"character {place + 1:,}")
        self.place = place


class _Inside:
    """An object or list that is being read. `kept`: it is part of the outline."""

    def __init__(self, value: dict | list, kept: bool) -> None:
        self.value, self.kept = value, kept
        self.key: str | None = None
        self.count = 0

    def takes(self, value: Any) -> bool:
        """Puts a value in; whether it is kept."""
        self.count += 1
        if isinstance(self.value, dict):
            key, self.key = self.key, None
            kept = self.kept and key is not None and (key in self.value or len(self.value) < KEYS)
            if kept:
                self.value[key] = value
        else:
            kept = self.kept and len(self.value) < ENTRIES
            if kept:
                self.value.append(value)
        return kept


def outline(text: str) -> tuple[Any, bool, int]:
    """The outline, whether the text held the whole value, and the entries of a list seen.

    Raises NotJson where it is none.
    """
    place, end = 0, len(text)
    inside: list[_Inside] = []
    root: Any = None
    while place < end:
        found = _TOKEN.match(text, place)
        if not found:
            rest = text[place:].lstrip()
            if rest and not rest.startswith('"'):
                raise NotJson(place)
            break
        sign, string, word = found.groups()
        at, place = place, found.end()
        if not inside and root is not None:
            raise NotJson(at)
        if sign in ("{", "["):
            value: dict | list = {} if sign == "{" else []
            kept = inside[-1].takes(value) if inside else True
            root = value if not inside else root
            inside.append(_Inside(value, kept))
            if len(inside) > DEEPEST:
                break
        elif sign in ("}", "]"):
            if not inside or isinstance(inside[-1].value, dict) != (sign == "}"):
                raise NotJson(at)
            last = inside.pop()
            if not inside:
                return root, not text[place:].strip(), last.count
        elif sign is None:
            _scalar(inside, string, word, at, place == end)
    if root is None:
        raise NotJson(0)
    return root, False, inside[0].count if inside else 0


def _scalar(
    inside: list[_Inside], string: str | None, word: str | None, at: int, last: bool
) -> None:
    if not inside:
        raise NotJson(at)
    top = inside[-1]
    if string is not None:
        text = _unescaped(string[1:-1])
        if isinstance(top.value, dict) and top.key is None:
            top.key = text
        else:
            top.takes(text)
    elif isinstance(top.value, dict) and top.key is None:
        raise NotJson(at)
    elif word is not None and _WORD.fullmatch(word):
        top.takes(_number(word))
    elif not last:  # a word that the end of the text cuts is no fault
        raise NotJson(at)


def _number(word: str) -> Any:
    named = {"true": True, "false": False, "null": None}
    if word in named:
        return named[word]
    try:
        return float(word) if re.search(r"[.eENI]", word) else int(word[:400])
    except ValueError:
        return 0.0


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(
        lambda m: chr(int(m.group(1), 16)) if m.group(1) else _MEANT.get(m.group(2), m.group(2)),
        text,
    )
    # Characters beyond 16 bits are written as two escapes.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
