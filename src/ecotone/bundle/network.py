"""A trained network as a model to predict with, beside the local models of `bundle.folder`.

n pictures, K classes. The folder is one that `ecotone train` wrote, or its model.onnx alone: the
file says its classes and how pictures are prepared for it.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, can_classify, open_backend
from ecotone.bundle import files
from ecotone.bundle.folder import Bundle, load_bundle
from ecotone.bundle.naming import Named
from ecotone.bundle.onnx_proto import load_model
from ecotone.errors import BackendError

SCORES = "scores"  # the output that holds the probabilities
ABOUT = "training.json"
# What counts when it is finished; last.pt and the like are only to go on with.
SEALED = (files.MODEL, "model.pt", files.CARD, files.CARD_TEXT, files.TAXONOMY, ABOUT,
          "cross_fit.npz", "round.json", "curves.csv", "curves.svg")
MEND = "copy the whole folder again, or train again: ecotone train."


@dataclass(frozen=True, eq=False)
class NetworkModel(Named):
    """A network. classes: K names. info: file, preprocessing, licence, and output, the tensor of
    the probabilities. card: the training card. taxonomy: rows of taxonomy.csv. threshold: of boxes
    in training, None where not told."""

    folder: Path
    file: str
    classes: tuple[str, ...]
    info: dict[str, Any]
    card: dict[str, Any]
    taxonomy: tuple[dict[str, str], ...]
    threshold: float | None
    needs_scores = True

    def backend(self, **options: Any) -> Any:
        """The network itself; options: such as `threads`, see `backends.open_backend`."""
        return open_backend(self.folder / self.file, **options)

    def probabilities(self, outputs: Outputs) -> np.ndarray:
        """Probabilities (n, K) by what the network says of n pictures."""
        return outputs.scores


def open_model(path: str | Path) -> Bundle | NetworkModel:
    """A local model (see `folder.load_bundle`), or a trained network by its folder or .onnx file.

    Raises BackendError when it is neither, or damaged.
    """
    path = Path(path)
    file = path if path.suffix.lower() == ".onnx" and path.is_file() else path / files.MODEL
    if file.is_file() and not any((file.parent / name).exists()
                                  for name in (files.CALIBRATION, files.HEAD)):
        return load_network(file)
    return load_bundle(path)


def seal(folder: Path) -> None:
    """Write down the checksums of a finished network's files; last of all."""
    files.write_manifest(folder, SEALED)


def unseal(folder: Path) -> None:
    """Take the checksums away before files of the folder are written anew."""
    (folder / files.MANIFEST).unlink(missing_ok=True)


def check_network(folder: Path) -> None:
    """Raise BackendError naming a file that was changed; a folder without checksums passes."""
    if (folder / files.MANIFEST).is_file():
        files.check_manifest(folder, MEND)


def load_network(file: Path) -> NetworkModel:
    """A network by its .onnx file; its card and taxonomy where they lie beside it.

    Raises BackendError when the file is damaged or does not say its classes.
    """
    if file.name == files.MODEL:
        check_network(file.parent)
    backend = open_backend(file)
    if not can_classify(backend):
        raise BackendError(f"{file}: does not say the names of its classes, so it is no network of "
                           "ecotone train; in a project: ecotone classify --model with --classes.")
    metadata = {entry.key: entry.value for entry in load_model(file).metadata_props}
    own = file.name == files.MODEL  # what lies beside another file may belong to another
    card = _json(file.with_name(files.CARD)) if own else {}
    licence = (card.get("start") or {}).get("licence") or metadata.get("license", "")
    info = {
        "file": file.name, "preprocessing": backend.preprocessing.to_dict(), "output": SCORES,
        "licence": licence or "not stated in the model file",
    }
    threshold = _json(file.with_name(ABOUT)).get("detection_threshold") if own else None
    return NetworkModel(
        file.resolve().parent, file.name, tuple(backend.classes), info, card,
        _taxonomy(file.with_name(files.TAXONOMY)) if own else (),
        threshold if isinstance(threshold, (int, float)) else None)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendError(f"{path}: damaged ({error}); {MEND}") from None
    return value if isinstance(value, dict) else {}


def _taxonomy(path: Path) -> tuple[dict[str, str], ...]:
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BackendError(f"{path}: damaged ({error}); {MEND}") from None
    return tuple({k: v or "" for k, v in row.items() if k} for row in rows)


__all__ = ["NetworkModel", "check_network", "load_network", "open_model", "seal", "unseal"]
