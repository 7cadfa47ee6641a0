"""Class names as people read them; the full names stay in titles and tables."""

from __future__ import annotations


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
    "merged": "several of its names",
    "split": "one name shared with other classes",
    "genus": "its genus or group",
    "relative": "only a relative",
    "special": "its own name",
    "unknown": "unknown to it",
}


def kind_words(kind: str) -> str:
    """What a kind of relation means: which name the global model has for a local class."""
    return KIND_WORDS.get(kind, kind)
