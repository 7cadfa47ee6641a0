"""The card of a training: from what, how, how well, under which licence; as JSON and as a page.

Source: the headings follow Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from ecotone.bundle.card import versions
from ecotone.bundle.card_text import table
from ecotone.export.atomic import replaced

CARD, CARD_TEXT = "card.json", "CARD.md"
LIBRARIES = ("torch", "timm", "pytorch-metric-learning")
USE = (
    "To tell individual animals apart by their pictures: embeddings of one individual are nearer "
    "to each other than to those of others. Whether a match holds is for a person to say."
)


def write_card(
    folder: Path, card: Mapping[str, Any], page: Callable[[dict[str, Any]], str] | None = None
) -> dict[str, Any]:
    """Write `card.json` and `CARD.md`; the card with date and versions. page: default
    `card_page`."""
    full = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "intended_use": USE, **card, "versions": {**versions(), **_libraries()},
    }
    with replaced(folder / CARD) as file:
        file.write(json.dumps(full, indent=1, ensure_ascii=False) + "\n")
    with replaced(folder / CARD_TEXT) as file:
        file.write((page or card_page)(full))
    return full


def card_page(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    start, counts = card["start"], card["counts"]
    parts = [
        [f"# Re-identification network {card['name']}", "",
         f"Made {card['created']} by ecotone {card['versions']['ecotone']}.", "",
         card["intended_use"]],
        ["## Starting weights", "", f"{start['source']}. Licence: {start['licence']}.", "",
         "The network inherits what that licence asks for."],
        ["## Data", "", *table(("what", "number"), list(counts.items()))],
        ["### Species", "", *table(("species", "individuals", "pictures"), card["species"])],
        _curve(card["curve"]),
        ["## Settings", "", *table(("setting", "value"), list(card["settings"].items()))],
        ["## Notes", "", *(f"- {note}" for note in card["notes"])] if card["notes"] else [],
        ["## Pictures that could not be read", "",
         *(f"- {line}" for line in card["failed"])] if card["failed"] else [],
        ["## Versions", "", ", ".join(f"{k} {v}" for k, v in card["versions"].items())],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _curve(curve: list[Mapping[str, float]]) -> list[str]:
    names = ("epoch", "lr", "loss", "top1", "map")
    shown = [n for n in names if any(n in row for row in curve)]
    rows = [[row.get(n, "") for n in shown] for row in curve]
    said = "top1 and map: on held-out pictures, one against all others of its species and " \
        "viewpoint (0..1)."
    return ["## Curve", "", said, "", *table(shown, rows)]


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


__all__ = ["CARD", "CARD_TEXT", "card_page", "write_card"]
