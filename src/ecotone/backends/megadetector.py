"""MegaDetector through its own package, an extra: `--model megadetector`, or a .pt file.

The package `megadetector` is MIT; the YOLOv5 code that it needs comes from a project under
AGPL-3.0, which is why it is never a default: an ONNX export of the same weights needs none of it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import check_options
from ecotone.backends.detector import TYPICAL, Prepared
from ecotone.backends.session import first_line
from ecotone.detection.boxes import Boxes
from ecotone.errors import BackendError, InputError, MissingExtraError
from ecotone.media.decode import load_picture

DEFAULT = "MDV5A"
LOWEST = 0.05  # boxes below are not written
CATEGORY = {"1": "animal", "2": "human", "3": "vehicle"}
MOST = 300
LICENCE = "MegaDetector's package (its YOLOv5 code is AGPL-3.0, see docs/detection.md)"
WEIGHTS = (".pt", ".pth", ".pb")


def open_megadetector(
    argument: str, declaration: Any = None, **options: Any
) -> MegaDetector:
    """Open MegaDetector: weights on the disk, or the name of a version ("MDV5A", "")."""
    if declaration is not None:
        raise InputError(
            f"megadetector:{argument}: a declaration is for .onnx files; leave it out."
        )
    given = check_options(MegaDetector, options, "megadetector")
    return MegaDetector(argument or DEFAULT, **given)


class MegaDetector:
    """MegaDetector as its own package runs it.

    weights: a .pt file, or a version that the package knows and downloads. device: "cpu" keeps off
    a graphics card.

    Raises MissingExtraError without the package, BackendError when the weights cannot be had.
    """

    lowest = LOWEST

    def __init__(self, weights: str, device: str = "", threads: int | None = None) -> None:
        run = _package()
        self.file = weights if Path(weights).suffix.lower() in WEIGHTS else ""
        if self.file and not Path(self.file).is_file():
            raise BackendError(f"{weights}: no such model file; check the path.")
        if threads:
            import torch

            torch.set_num_threads(threads)
        try:
            with _quiet():
                path = run.try_download_known_detector(weights)
                self._detector = run.load_detector(path, force_cpu=device == "cpu")
        # The package and its libraries raise whatever they meet, on the net and in the file.
        except (Exception, SystemExit) as error:
            raise BackendError(_cannot(weights, self.file, error)) from error
        self.file = str(path)
        self.name = Path(path).stem
        metadata = self._metadata(run)
        self.version = str(metadata.get("megadetector_version") or "")
        self.threshold = float(metadata.get("typical_detection_threshold") or TYPICAL)

    def prepare(self, path: Path) -> Prepared:
        """The picture, upright; the package scales it itself."""
        picture = load_picture(path)
        return Prepared(picture, picture.width, picture.height)

    def detect(self, prepared: Sequence[Prepared]) -> list[Boxes | str]:
        """The boxes of prepared pictures."""
        names = [str(i) for i in range(len(prepared))]
        pictures = [p.input for p in prepared]
        try:
            with _quiet():
                if hasattr(self._detector, "generate_detections_one_batch"):
                    found = self._detector.generate_detections_one_batch(
                        pictures, names, detection_threshold=LOWEST)
                else:
                    found = [self._detector.generate_detections_one_image(
                        picture, name, detection_threshold=LOWEST)
                        for picture, name in zip(pictures, names, strict=True)]
        except Exception as error:
            raise BackendError(f"{self.name}: the model failed ({first_line(error)}).") from error
        return [read_entry(entry) for entry in found]

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {"spec": self.name, "file": self.file, "package": "megadetector",
                "version": self.version}

    def _metadata(self, run: Any) -> dict[str, Any]:
        with contextlib.suppress(Exception), _quiet():
            version = run.get_detector_version_from_model_file(self.file)
            return dict(run.get_detector_metadata_from_version_string(version))
        return {}


def read_entry(entry: dict[str, Any]) -> Boxes | str:
    """The boxes in what the package says of one picture, or why it failed."""
    if entry.get("failure") or entry.get("detections") is None:
        return str(entry.get("failure") or "no detections")
    rows = [d for d in entry["detections"] if str(d["category"]) in CATEGORY]
    rows.sort(key=lambda d: -float(d["conf"]))
    bbox = np.array([d["bbox"] for d in rows], dtype=np.float64).reshape(-1, 4)
    sure = np.array([d["conf"] for d in rows], dtype=np.float64)
    if not (np.isfinite(bbox).all() and np.isfinite(sure).all()):
        return "boxes of the model are NaN or infinite"
    kinds = np.array([CATEGORY[str(d["category"])] for d in rows], dtype=object)
    return Boxes(bbox[:MOST], kinds[:MOST], sure[:MOST], max(0, len(rows) - MOST))


def _package() -> Any:
    """The module of the package that runs detectors."""
    os.environ.setdefault("YOLO_VERBOSE", "False")
    try:
        import torch  # noqa: F401  # `megadetector-utils` has the modules but not what they need

        with _quiet():
            from megadetector.detection import pytorch_detector, run_detector
    except ImportError as error:
        raise MissingExtraError(LICENCE, "megadetector") from error
    del pytorch_detector
    return run_detector


@contextlib.contextmanager
def _quiet() -> Any:
    """What the package prints goes to stderr: stdout is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _cannot(weights: str, file: str, error: BaseException) -> str:
    if file:
        return f"{weights}: MegaDetector's package cannot load it ({first_line(error)})."
    return (
        f"megadetector: the weights of {weights} cannot be had ({first_line(error)}); "
        "fetch the .pt file on a computer with a connection, copy it, and give its path: "
        "--model /path/md_v5a.0.1.pt"
    )


__all__ = ["MegaDetector", "open_megadetector", "read_entry"]
