"""What a detector is, and how one is found by its name.

n pictures in a batch, M boxes of one. A detector has a `name`, a `threshold` (the confidence from
which on its boxes are believed), `prepare(path)` and `detect(prepared) -> n results`; `prepare` is
called in several threads. One in a few lines:

    class Middle:
        name, threshold = "middle", 0.2

        def prepare(self, path):
            return Prepared(None, *load_picture(path).size)

        def detect(self, prepared):
            box = Boxes(np.array([[0.25, 0.25, 0.5, 0.5]]), np.array(["animal"]), np.array([0.9]))
            return [box for _ in prepared]

    def open_middle(argument, declaration=None, **options):
        return Middle()

with, in the package that has it, the entry point `middle = "mypackage:open_middle"` in the group
`ecotone.detectors`; then `ecotone detect --model middle`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ecotone.backends.registry import Registry
from ecotone.detection.boxes import Boxes

TYPICAL = 0.2  # where neither model nor user says from which confidence on a box is believed
MEGADETECTOR = "ecotone.backends.megadetector:open_megadetector"
DETECTORS = Registry(
    "ecotone.detectors",
    {".onnx": "ecotone.backends.onnx_detector:open_onnx_detector", ".pt": MEGADETECTOR,
     ".pth": MEGADETECTOR},
    {"megadetector": MEGADETECTOR},
    "a detector's file (.onnx, .pt) nor a known one",
    "a detector's file ends in .onnx, or in .pt (MegaDetector)",
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture ready for a detector. input: what its `detect` takes. width, height: in pixels, of
    the whole upright picture."""

    input: Any
    width: int
    height: int


@runtime_checkable
class Detector(Protocol):
    """Finds animals, people and vehicles. `detect` gives, for each picture, its `Boxes`, or in one
    line why the model failed on it."""

    name: str
    threshold: float

    def prepare(self, path: Path) -> Prepared: ...

    def detect(self, prepared: Sequence[Prepared]) -> list[Boxes | str]: ...


def open_detector(spec: str | Path, declaration: Any = None, **options: Any) -> Any:
    """Open a detector by its file (.onnx; .pt by MegaDetector's package) or name ("megadetector").

    declaration: how an .onnx file is read: a file or a mapping, see `detector_declare`; by default
    what stands beside or in the model. options: `threads`, `device`.

    Raises BackendError (MissingExtraError when a package is missing), InputError on bad options.
    """
    text = str(spec).strip()
    factory, argument = DETECTORS.find(text)
    return factory(argument, declaration=declaration, **options)


def detector_info(detector: Any) -> dict[str, Any]:
    """What must be written down to run a detector again: plain values for JSON."""
    info = {"detector": detector.name, "file": "", "threshold": detector.threshold}
    return {**info, **(detector.info() if hasattr(detector, "info") else {})}


def detector_fingerprint(detector: Any) -> str:
    """A hash of all that decides its boxes: the file's content and the settings, not its place.

    The threshold is no part of it: boxes below it are kept, too.
    """
    info = detector_info(detector)
    file = info.pop("file", "")
    for name in ("threshold", "spec"):
        info.pop(name, None)
    digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    if file:
        with Path(file).open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


__all__ = ["Detector", "Prepared", "detector_fingerprint", "detector_info", "open_detector"]
