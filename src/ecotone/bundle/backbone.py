"""The encoder inside the folder of a local model: joined, copied or named; and opened again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.bundle import files
from ecotone.bundle.card import licence_of
from ecotone.bundle.graph import EMBEDDING, merged_graph
from ecotone.bundle.onnx_proto import external_files, load_model, save_model
from ecotone.errors import BackendError

if TYPE_CHECKING:
    from ecotone.fusion.local_model import LocalModel

BACKBONE = "backbone"
NO_BACKBONE = "this local model takes embeddings, not pictures: no encoder was saved with it."
NETWORKS = (".onnx", ".tflite")


def store_backbone(
    work: Path, model: LocalModel, info: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Put the encoder into the folder `work`; returns how to open it and the files it needs.

    An .onnx file is joined with the head, or copied where that cannot be; other files and local
    weights are copied; a model known by its name alone is named. No path of this machine is kept.
    """
    if not info:
        return {}, []
    path = Path(str(info.get("file") or info.get("checkpoint") or ""))
    saved: dict[str, Any] = {
        "spec": path.name if path.suffix.lower() in NETWORKS else str(info.get("spec") or ""),
        "file": "",
        "source": path.name,
        "embedding": str(info.get("embedding") or ""),
        "tensor": str(info.get("embedding") or ""),
        "preprocessing": dict(info.get("preprocessing") or {}),
        "licence": licence_of(info, {}),
    }
    if not path.name:
        if saved["spec"] != "handcrafted":
            saved["note"] = "the weights are not in this folder; they are fetched by this name"
        return saved, []
    if not path.exists():
        saved["note"] = f"the model file {path.name} was missing when this folder was made"
        return saved, []
    if path.suffix.lower() == ".onnx":
        return _store_onnx(work, model, path, saved, info)
    return saved, _copy(work, path, saved)


def _store_onnx(
    work: Path, model: LocalModel, path: Path, saved: dict[str, Any], info: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    backbone = load_model(path)
    metadata = {entry.key: entry.value for entry in backbone.metadata_props}
    saved["licence"] = licence_of(info, metadata)
    declared = {"preprocessing": json.dumps(saved["preprocessing"])}
    try:
        joined = merged_graph(backbone, model, saved["embedding"], path.parent, declared)
    except BackendError as error:
        saved["note"] = f"backbone and head stand in two files: {error}"
        weights = _copy_beside(work, path, external_files(backbone))
        return saved, [*_copy(work, path, saved), *weights]
    save_model(joined, work / files.MODEL)
    saved.update(file=files.MODEL, embedding=EMBEDDING, output="probabilities")
    return saved, [files.MODEL, *_copy_beside(work, path, external_files(joined))]


def _copy(work: Path, path: Path, saved: dict[str, Any]) -> list[str]:
    saved["file"] = BACKBONE + ("" if path.is_dir() else path.suffix.lower())
    if path.is_dir():
        shutil.copytree(path, work / BACKBONE)
        inner = sorted(p for p in (work / BACKBONE).rglob("*") if p.is_file())
        return [p.relative_to(work).as_posix() for p in inner]
    shutil.copyfile(path, work / saved["file"])
    return [saved["file"]]


def _copy_beside(work: Path, model: Path, names: list[str]) -> list[str]:
    """Copy the files that hold a model's weights, under the names by which it finds them."""
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise BackendError(f"{model}: its weights are at {name!r}, outside its own folder.")
        if not (model.parent / name).is_file():
            raise BackendError(f"{model.parent / name}: weights of {model.name} are missing.")
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model.parent / name, work / name)
    return names


def open_saved(
    folder: Path, info: Mapping[str, Any], dimension: int, options: Mapping[str, Any]
) -> Any:
    """The encoder of a saved local model, checked to give embeddings of its length.

    Raises BackendError when there is none, or it is another one than that of the training.
    """
    from ecotone.backends.base import can_encode, open_backend

    if not info.get("spec"):
        raise BackendError(f"{folder}: {NO_BACKBONE}")
    file, given = str(info.get("file") or ""), dict(options)
    if not file and info.get("source"):
        raise BackendError(f"{folder}: {info.get('note') or NO_BACKBONE} {files.MEND}")
    if Path(file).suffix.lower() in NETWORKS:
        given["preprocessing"] = info["preprocessing"]
        given["embedding"] = info.get("embedding") or ""
        backend = open_backend(folder / file, **given)
    else:
        if file:
            given["checkpoint"] = folder / file
        if info["spec"] != "handcrafted":
            given["preprocessing"] = info["preprocessing"]
        backend = open_backend(info["spec"], **given)
    if not can_encode(backend):
        raise BackendError(f"{folder}: its encoder {info['spec']!r} gives no embeddings.")
    _check(folder, backend, info, dimension)
    return backend


def _check(folder: Path, backend: Any, info: Mapping[str, Any], dimension: int) -> None:
    found = backend.preprocessing.to_dict()
    stated = info.get("preprocessing") or {}
    wrong = [k for k, v in stated.items() if found.get(k) != v]
    if wrong:
        raise BackendError(
            f"{folder}: its encoder prepares pictures with {wrong[0]} = {found.get(wrong[0])!r}, "
            f"the training with {stated[wrong[0]]!r}; use the ecotone of the training (CARD.md)."
        )
    size = getattr(backend, "dimension", None)
    if size is None:
        prepared = backend.preprocessing
        blank = np.zeros((1, *prepared.shape), dtype=prepared.dtype)
        size = backend.encode(blank).shape[1]
    if size != dimension:
        raise BackendError(
            f"{folder}: its encoder gives {size} dimensions, the local model takes {dimension}; "
            f"{files.MEND}"
        )
