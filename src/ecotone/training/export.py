"""A trained network as an ONNX file that says itself how pictures are prepared for it."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ecotone.bundle.onnx_proto import load_model, save_model
from ecotone.errors import BackendError
from ecotone.media.preprocess import BYTE, Preprocessing
from ecotone.training.feed import normalised

TOLERANCE = 1e-3  # between ONNX Runtime and torch, of every number of an embedding
OPSET = 17
INPUT, EMBEDDING, SCORES = "picture", "embedding", "scores"


class Exportable(Protocol):
    """A network that can be written: pictures (n, 3, H, W) -> one tensor a name of `outputs`."""

    name: str
    image_size: int
    outputs: tuple[str, ...]


def preprocessing_of(size: int, mean: list[float], std: list[float]) -> Preprocessing:
    """How pictures are prepared for a network of ours, in training and afterwards."""
    return Preprocessing(size, size, "float32", "NCHW", interpolation="bilinear", scale=BYTE,
                         mean=tuple(mean), std=tuple(std))


def export_onnx(
    network: Exportable, path: Path, mean: list[float], std: list[float],
    about: Mapping[str, str] | None = None, pictures: np.ndarray | None = None,
) -> float:
    """Write the network; the largest difference of a number of its outputs from torch's, as a part
    of the largest number where that is above 1.

    about: texts for the file's metadata. pictures: (n, H, W, 3) uint8 to compare on, default noise.
    The file is written when it agrees, in the place of an older one at once.
    Raises BackendError when it cannot be exported, or differs by more than 1e-3.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    size = network.image_size
    if pictures is None or not len(pictures):
        pictures = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    batch = normalised(torch.from_numpy(np.ascontiguousarray(pictures)), mean, std)
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.stem}-unfinished.onnx")
    try:
        _write(network, batch[:2] if len(batch) > 1 else batch.repeat(2, 1, 1, 1), work)
        model = load_model(work)
        way = preprocessing_of(size, mean, std).to_dict()
        texts = {"preprocessing": json.dumps(way), "architecture": network.name, **(about or {})}
        for key, value in texts.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, str(value)
        save_model(model, work)
        difference = _difference(network, batch, work)
        if not difference <= TOLERANCE:
            raise BackendError(
                f"{path}: ONNX differs from torch by {difference:.2g}, expected at most "
                f"{TOLERANCE}; the checkpoint is kept, update torch and onnxruntime."
            )
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
    return difference


def _write(network: Exportable, batch: torch.Tensor, path: Path) -> None:
    """By the exporter that traces, which every version of torch so far has; else by the other."""
    options: dict[str, Any] = {"input_names": [INPUT], "output_names": list(network.outputs)}
    axes = {name: {0: "n"} for name in (INPUT, *network.outputs)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(network, (batch,), str(path), dynamic_axes=axes, dynamo=False,
                              opset_version=OPSET, **options)
            return
        # It raises its own types, and those of whatever network it meets.
        except Exception as error:
            first = error
        try:
            torch.onnx.export(network, (batch,), str(path), dynamo=True, external_data=False,
                              dynamic_shapes=({0: torch.export.Dim("n", min=1)},), **options)
        except Exception as error:
            text = str(first).splitlines()[0][:150]
            raise BackendError(f"{network.name}: cannot be exported to ONNX ({text}).") from error


def _difference(network: Exportable, batch: torch.Tensor, path: Path) -> float:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    found = session.run(list(network.outputs), {INPUT: batch.numpy()})
    with torch.inference_mode():
        wanted = network(batch)
    wanted = (wanted,) if isinstance(wanted, torch.Tensor) else wanted
    pairs = [(one, two.numpy()) for one, two in zip(found, wanted, strict=True)]
    return max(float(np.abs(one - two).max() / max(1.0, np.abs(two).max())) for one, two in pairs)


__all__ = ["EMBEDDING", "INPUT", "SCORES", "TOLERANCE", "export_onnx", "preprocessing_of"]
