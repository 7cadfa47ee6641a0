"""The local model of a run as a folder to keep, with what is known of its classes and encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.project.gathering import Gathered

if TYPE_CHECKING:
    from ecotone.fusion.local_model import LocalModel


def save_model(
    project: Any, run: str, model: LocalModel, gathered: Gathered, record: dict[str, Any]
) -> Path:
    """Write `models/<run>` and return it; it is not yet the newest (see `bundle.point_latest`)."""
    from ecotone.bundle.folder import save_bundle

    info = encoder_info(project.catalog, gathered.embedding_model)
    rows = class_rows(model.classes, project.catalog.label_names())
    return save_bundle(project.path / "models" / run, model, info, rows, record)


def encoder_info(catalog: Any, name: str) -> dict[str, Any] | None:
    """How the encoder that made embeddings was opened, None when they came from elsewhere."""
    for run in reversed(catalog.runs()):
        if run.settings.get("model") == name and "backend" in run.settings:
            return run.settings["backend"]
    return None


def class_rows(
    classes: Iterable[str], names: Mapping[str, tuple[str, str]]
) -> list[dict[str, str]]:
    """One row a local class: its label and its names as people gave them."""
    rows = []
    for label in classes:
        scientific, vernacular = names.get(label, ("", ""))
        rows.append({"label": label, "scientificName": scientific, "vernacularName": vernacular})
    return rows
