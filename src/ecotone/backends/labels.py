"""The names of a classifier's outputs, in the ways people write them down."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ecotone.errors import FormatError

NUMBERED = re.compile(r"^\s*(\d+)\s*[\s:,;\t]\s*(\S.*)$")


def read_classes(path: str | Path) -> tuple[str, ...]:
    """The class names in a file, in the order of the outputs.

    One name a line (any text, also SpeciesNet's seven tokens); or "index name" on every line with
    each index of 0..n-1 or 1..n once; or a JSON list; or a JSON object of index to name or name to
    index. Byte order marks and empty lines at the end are ignored.

    Raises FormatError when the file is missing, empty, or none of these.
    """
    path = Path(path)
    try:
        text = decode_text(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from None
    names = parse_classes(text, str(path))
    if not names:
        raise FormatError(f"{path}: no class names in it; expected one name a line.")
    return names


def decode_text(data: bytes) -> str:
    """Bytes as UTF-8, with or without a byte order mark, else as Latin-1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_classes(text: str, where: str = "classes") -> tuple[str, ...]:
    """`read_classes` on the text of the file."""
    if text.lstrip().startswith(("[", "{")):
        return _from_json(text, where)
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        return ()
    for row, line in enumerate(lines, 1):
        if not line:
            raise FormatError(
                f"{where}, line {row}: empty, so that the classes below would shift; "
                "write the name of the class (or any text that stands for it)."
            )
    return _numbered(lines) or tuple(lines)


def check_count(classes: tuple[str, ...], outputs: int, model: str, where: str) -> None:
    """Raise FormatError unless there is one class name an output, saying how to mend it."""
    found = len(classes)
    if found == outputs:
        return
    hint = "give the label file that came with this model."
    if outputs - found == 1:
        hint = (
            "one name is missing; many models have a 'background' output before the first class "
            "or after the last: add the line 'background' there."
        )
    elif found - outputs == 1:
        hint = "one name too many; remove the 'background' line (or a heading) if there is one."
    raise FormatError(f"{where}: {found:,} class names, {model} has {outputs:,} outputs; {hint}")


def _numbered(lines: list[str]) -> tuple[str, ...] | None:
    """Names of "index name" lines in the order of the indices, None if they are not such lines."""
    matches = [NUMBERED.match(line) for line in lines]
    if len(lines) < 2 or not all(matches):
        return None
    pairs = sorted((int(m[1]), m[2].strip()) for m in matches if m)
    first = pairs[0][0]
    if first not in (0, 1) or [p[0] for p in pairs] != list(range(first, first + len(pairs))):
        return None
    return tuple(_unquoted(name) for _, name in pairs)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _from_json(text: str, where: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"{where}, line {error.lineno}: not valid JSON ({error.msg}).") from None
    if isinstance(value, dict):
        for key in ("classes", "labels", "names", "id2label"):
            if isinstance(value.get(key), (list, dict)):
                value = value[key]
                break
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if isinstance(value, dict):
        if all(isinstance(v, int) for v in value.values()):
            value = {str(index): name for name, index in value.items()}
        if all(str(k).isdigit() and isinstance(v, str) for k, v in value.items()):
            pairs = sorted((int(k), v) for k, v in value.items())
            if [p[0] for p in pairs] in (list(range(len(pairs))), list(range(1, len(pairs) + 1))):
                return tuple(name for _, name in pairs)
    raise FormatError(
        f"{where}: expected a JSON list of names, or an object of every index to its name."
    )
