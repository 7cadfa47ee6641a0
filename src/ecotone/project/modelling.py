"""The local model of a run as a folder to keep, with what is known of its classes and encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.project.gathering import Gathered

if TYPE_CHECKING:
    from ecotone.fusion.local_model import LocalModel
    from ecotone.taxonomy.tree import Taxonomy

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def save_model(
    project: Any, run: str, model: LocalModel, gathered: Gathered, record: dict[str, Any]
) -> Path:
    """Write `models/<run>` and return it; it is not yet the newest (see `bundle.point_latest`)."""
    from ecotone.bundle.folder import save_bundle

    info = encoder_info(project.catalog, gathered.embedding_model)
    rows = class_rows(model.classes, gathered.names, gathered.taxonomy)
    return save_bundle(project.path / "models" / run, model, info, rows, record)


def encoder_info(catalog: Any, name: str) -> dict[str, Any] | None:
    """How the encoder that made embeddings was opened, None when they came from elsewhere."""
    for run in reversed(catalog.runs()):
        if run.settings.get("model") == name and "backend" in run.settings:
            return run.settings["backend"]
    return None


def class_rows(
    classes: Iterable[str], names: Mapping[str, tuple[str, str]], taxonomy: Taxonomy | None
) -> list[dict[str, str]]:
    """One row a local class: its label, its names, and its ranks where they are known.

    Names are those that people gave, else those that the label itself says, else, of the scientific
    one, what the taxonomy calls it, if it knows one taxon of that name.
    """
    from ecotone.taxonomy.names import parse_label

    rows = []
    for label in classes:
        parsed = parse_label(label)
        scientific, vernacular = names.get(label, ("", ""))
        vernacular = vernacular or next(iter(parsed.vernacular), "")
        scientific = scientific or parsed.scientific or _latin(vernacular, parsed.special, taxonomy)
        row = {"label": label, "scientificName": scientific, "vernacularName": vernacular}
        rows.append({**row, **_ranks(scientific or vernacular, taxonomy)})
    return rows


def _latin(vernacular: str, special: str, taxonomy: Taxonomy | None) -> str:
    """The scientific name of a common one, "" when the taxonomy does not know it, or several."""
    if taxonomy is None or not vernacular or special:
        return ""
    found = taxonomy.find(vernacular)
    return found[0][:1].upper() + found[0][1:] if len(found) == 1 else ""


def _ranks(name: str, taxonomy: Taxonomy | None) -> dict[str, str]:
    """Rank -> taxon of a name; empty ranks when the taxonomy does not know it, or several."""
    found = taxonomy.find(name) if taxonomy is not None and name else []
    lineage = taxonomy.lineage(found[0]) if taxonomy is not None and len(found) == 1 else {}
    return {rank: lineage.get(rank, "") for rank in RANKS}
