"""Animal words of other languages, from `foreign.txt`."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from ecotone.taxonomy.words import joined, key


@lru_cache(maxsize=1)
def _dictionary() -> dict[str, str]:
    text = files("ecotone.taxonomy").joinpath("foreign.txt").read_text(encoding="utf-8")
    pairs = (line.split(":") for line in text.splitlines() if line and not line.startswith("#"))
    return {joined(key(word)): meaning.strip() for word, meaning in pairs}


def english(name: str) -> str:
    """The English word for a French, Spanish, Portuguese, German, Dutch or Italian one, or ""."""
    return _dictionary().get(joined(key(name)), "")
