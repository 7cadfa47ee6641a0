"""What a backend is, and how one is found by its name.

n pictures in a batch, S global classes, D embedding dimensions. A backend has `preprocessing` and
`encode(batch) -> (n, D)`, or `classify(batch) -> (n, S)` with `classes`, or both. One in ten lines:

    class Greenness:
        preprocessing = Preprocessing(64, 64, "uint8", "NHWC")

        def encode(self, batch):
            return batch.mean(axis=(1, 2)).astype("float32")

    def open_greenness(argument, classes=None, **options):
        return Greenness()

with, in the package that has it, the entry point `greenness = "mypackage:open_greenness"` in the
group `ecotone.backends`; then `ecotone embed --model greenness`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ecotone.backends.registry import Registry
from ecotone.errors import BackendError, InputError
from ecotone.media.preprocess import Preprocessing

SUFFIXES = {
    ".onnx": "ecotone.backends.onnx:open_onnx",
    ".tflite": "ecotone.backends.tflite:open_tflite",
}
BACKENDS = Registry("ecotone.backends", SUFFIXES, {
    "handcrafted": "ecotone.backends.base:open_handcrafted",
    "timm": "ecotone.backends.timm:open_timm",
    "openclip": "ecotone.backends.openclip:open_openclip",
    "speciesnet": "ecotone.backends.speciesnet:open_speciesnet",
}, "a .onnx or .tflite file nor a known model", "a model file ends in .onnx or .tflite")


@runtime_checkable
class Encoder(Protocol):
    """Turns prepared pictures (n, *preprocessing.shape) into embeddings (n, D) float32."""

    preprocessing: Preprocessing

    def encode(self, batch: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Classifier(Protocol):
    """Turns prepared pictures into probabilities (n, S) float32 of its S `classes`."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]

    def classify(self, batch: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a backend says of a batch: scores (n, S) and embeddings (n, D), None where not asked
    for or not had."""

    scores: np.ndarray | None = None
    embeddings: np.ndarray | None = None


def can_classify(backend: Any) -> bool:
    """Whether a backend gives scores: it has classes and a way to them."""
    return bool(getattr(backend, "classes", None)) and hasattr(backend, "classify")


def can_encode(backend: Any) -> bool:
    """Whether a backend gives embeddings. A network without a pooled layer has `dimension` None."""
    return hasattr(backend, "encode") and getattr(backend, "dimension", 0) is not None


def run_backend(
    backend: Any, batch: np.ndarray, scores: bool = True, embeddings: bool = True
) -> Outputs:
    """What is asked for and had, in one pass through the network where the backend has `run`."""
    scores = scores and can_classify(backend)
    embeddings = embeddings and can_encode(backend)
    if hasattr(backend, "run"):
        return backend.run(batch, scores=scores, embeddings=embeddings)
    return Outputs(
        backend.classify(batch) if scores else None, backend.encode(batch) if embeddings else None
    )


def backend_info(backend: Any) -> dict[str, Any]:
    """What must be written down to run a backend again: plain values for JSON.

    spec, file ("" when it is not a file), preprocessing, and what the backend's own `info` adds,
    such as the embedding tensor and whether the outputs were logits.
    """
    info: dict[str, Any] = {"spec": "", "file": ""}
    info["preprocessing"] = backend.preprocessing.to_dict()
    info.update(backend.info() if hasattr(backend, "info") else {})
    return info


def model_name(spec: str) -> str:
    """The name under which a model's scores and embeddings are kept: the file's, or the spec."""
    spec = str(spec).strip()
    return Path(spec).stem if Path(spec).suffix.lower() in SUFFIXES else spec


def open_backend(spec: str | Path, classes: Path | None = None, **options: Any) -> Any:
    """Open a model by its file (.onnx, .tflite) or by name, such as "timm:resnet50".

    classes: a file with the names of the outputs, see `backends.labels.read_classes`; where the
    model knows them itself it is not needed. options: `preprocessing` (a preset name, a JSON file,
    a dict or a Preprocessing), `output` ("probabilities", "logits" or "independent"), `embedding`
    (name of the tensor), `threads`; for the optional packages `checkpoint`, `cache_dir`, `device`.

    Raises BackendError (MissingExtraError when a package is missing), InputError on bad options.
    """
    text = str(spec).strip()
    factory, argument = BACKENDS.find(text)
    backend = factory(argument, classes=classes, **options)
    if not can_classify(backend) and not can_encode(backend):
        raise BackendError(
            f"{text}: it gives neither scores nor embeddings; give the names of its outputs with "
            "--classes, or name a tensor to use as embedding."
        )
    return backend


def check_options(backend: type, options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options that were given (None and "" mean not given), if the backend's class takes them.

    Raises InputError naming one that it does not take.
    """
    given = {key: value for key, value in options.items() if value is not None and value != ""}
    taken = set(signature(backend).parameters)
    for key in given:
        if key not in taken:
            known = ", ".join(sorted(taken - {"path", "name", "classes", "names"}))
            raise InputError(f"{name}: it has no option {key!r}; it takes: {known}.")
    return given


def open_handcrafted(argument: str, classes: Path | None = None, **options: Any) -> Any:
    """The weight-free encoder; it has no settings, and of `options` only `threads` is let pass."""
    from ecotone.backends.handcrafted import HandcraftedEncoder

    given = sorted(k for k, v in options.items() if k != "threads" and v)
    if argument or classes or given:
        what = argument or (given + ["classes"])[0]
        raise InputError(f"handcrafted: it takes no settings, found {what!r}; leave it out.")
    return HandcraftedEncoder()
