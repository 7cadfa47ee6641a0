"""Values that no reader expects, and what every reader owes to whoever gives them to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ecotone.errors import FormatError

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=6),
    st.sampled_from([
        "../../etc/passwd", "/etc/passwd", "C:\\Windows\\x.jpg", "..", "a\0b.jpg", "\ud800", "NaN",
        "1e999", "-1", "9" * 400, "=1+1", "true", "machine", "", " ", "2024-13-45 99:99:99",
    ]),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=3)), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: Any, at: tuple = ()) -> list[tuple]:
    """The way to every value inside a json value, but to the whole."""
    items = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ()
    )
    return [way for name, inner in items for way in ((*at, name), *places(inner, (*at, name)))]


@st.composite
def spoiled(draw: Any, good: Any) -> Any:
    """A json value with a few of its parts replaced by odd ones, or taken out."""
    value = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 4))):
        ways = places(value)
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        inner = value
        for name in way:
            inner = inner[name]
        if draw(st.booleans()) and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = draw(ODD)
    return value


def reads_or_says(read: Callable[[Path], Any], path: Path) -> Any:
    """What a reader gives, or None where it says in one line that names the file why not."""
    try:
        return read(path)
    except FormatError as error:
        assert "\n" not in str(error) and path.name in str(error)
        return None
