"""Class names as people read them; the full names stay in titles and tables."""

from __future__ import annotations

from collections.abc import Iterable


def short_name(text: str) -> str:
    """A global class without what machines need: "uuid;...;puma concolor;cougar" gives "cougar".

    Labels of other conventions are given back as they are.
    """
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != 7:
        return text
    common = parts[-1]
    if common:
        return common
    *ranks, genus, species = parts[1:6]
    if species:
        return f"{genus} {species}".strip().capitalize()
    return next((r for r in (genus, *reversed(ranks)) if r), text).capitalize()


KIND_WORDS = {
    "exact": "its own name",
    "special": "its own name",
    "merged": "several names for it",
    "split": "a name that others share",
    "genus": "its genus or group",
    "relative": "only a relative",
    "unknown": "no name for it",
}


def closest_kind(kinds: Iterable[str]) -> str:
    """Of several relations, one a global model, the closest; "" for none."""
    order = list(KIND_WORDS)
    return min(kinds, key=lambda k: order.index(k) if k in order else -1, default="")


def kind_words(kind: str) -> str:
    """What a kind of relation means: what a global model has for a local class."""
    return KIND_WORDS.get(kind, kind)
