"""Save a local model as a folder that works alone, and open it again.

N rows, D embedding dimensions, K local classes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.bundle import files
from ecotone.bundle.backbone import open_saved, store_backbone
from ecotone.bundle.card import make_card
from ecotone.bundle.card_text import card_text
from ecotone.bundle.graph import EMBEDDING, PROBABILITY, head_graph
from ecotone.bundle.naming import Named
from ecotone.bundle.onnx_proto import save_model
from ecotone.errors import BackendError, InputError
from ecotone.fusion.local_model import FLOOR

if TYPE_CHECKING:
    from ecotone.fusion.local_model import LocalModel

CHUNK = 1 << 22  # numbers of the widest layer that are held at once
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def save_bundle(
    folder: str | Path,
    local_model: LocalModel,
    backend_info: Mapping[str, Any] | None,
    taxonomy_rows: Iterable[Mapping[str, Any]] = (),
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write the folder of a local model, all of it or nothing, and return it.

    backend_info: what `backends.backend_info` says of the encoder (spec, file, preprocessing,
    embedding, dimension, and perhaps licence); None for a model of embeddings only. An .onnx
    encoder is joined with the head in model.onnx, another file is copied. taxonomy_rows: rows of
    taxonomy.csv. card: the run record or parts of it, see `card.make_card`.

    Raises ProjectError when the disk refuses.
    """
    folder, info = Path(folder), dict(backend_info or {})
    with files.new_folder(folder) as work:
        save_model(head_graph(local_model), work / files.HEAD)
        backbone, _ = store_backbone(work, local_model, info)
        names = [" ".join(c.splitlines()) for c in local_model.classes]
        (work / files.CLASSES).write_text("\n".join(names) + "\n", encoding="utf-8")
        write_taxonomy(work / files.TAXONOMY, taxonomy_rows)
        calibration = {
            "temperature": float(local_model.temperature),
            "heads": len(local_model.mix),
            "features": int(local_model.projection.shape[1]),
            "mix": [float(m) for m in local_model.mix],
            "floor": FLOOR,
            "inside": "head.onnx and model.onnx hold these; their probabilities need no more",
        }
        files.write_json(work / files.CALIBRATION, calibration)
        backbone = {**backbone, "dimension": local_model.n_features_in_}
        told = {k: v for k, v in backbone.items() if k != "preprocessing"} if info else {}
        page = make_card(names, calibration, told, {"run": folder.name, **(card or {})})
        files.write_json(work / files.CARD, page)
        (work / files.CARD_TEXT).write_text(card_text(page), encoding="utf-8")
        files.write_json(work / files.PREPROCESSING, backbone)
        files.write_manifest(work)
    return folder


def write_taxonomy(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of taxonomy.csv, one a class."""
    rows = [dict(row) for row in rows]
    columns = dict.fromkeys(key for row in rows for key in row)
    names = list(columns) or ["scientificName", "vernacularName", *RANKS]
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)


@dataclass(frozen=True, eq=False)
class Bundle(Named):
    """A local model that was saved as a folder.

    classes: K names. info: where the backbone is and its preprocessing. card: the training card.
    taxonomy: rows of taxonomy.csv.
    """

    folder: Path
    classes: tuple[str, ...]
    info: dict[str, Any]
    card: dict[str, Any]
    taxonomy: tuple[dict[str, str], ...]
    session: Any
    heads: int
    needs_scores = False

    @property
    def threshold(self) -> float | None:
        """Of the boxes that it was trained on, None where not told."""
        return (self.card.get("settings") or {}).get("detection_threshold")

    def probabilities(self, outputs: Any) -> np.ndarray:
        """Local probabilities (n, K) by what the encoder says of n pictures."""
        return self.predict_proba(outputs.embeddings)

    @property
    def dimension(self) -> int:
        """D, the length of the embeddings it takes."""
        return int(self.session.get_inputs()[0].shape[1])

    def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
        """Local probabilities (N, K) float32 of embeddings (N, D); rows sum to 1.

        Raises InputError when D is not the D of training.
        """
        x = np.asarray(embeddings, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise InputError(
                f"local model: embeddings have shape {x.shape}, expected (N, {self.dimension}); "
                "use the encoder that the model was trained with."
            )
        found = np.empty((len(x), len(self.classes)), dtype=np.float32)
        rows = max(1, CHUNK // max(1, self.heads * len(self.classes), self.dimension))
        for start in range(0, len(x), rows):
            part = np.ascontiguousarray(x[start : start + rows])
            found[start : start + rows] = self.session.run([PROBABILITY], {EMBEDDING: part})[0]
        return found

    def predict(self, embeddings: np.ndarray) -> np.ndarray:
        """The most probable local class of each embedding, (N,) str."""
        return np.asarray(self.classes, dtype=object)[self.predict_proba(embeddings).argmax(axis=1)]

    def backend(self, **options: Any) -> Any:
        """The encoder that turns pictures into the embeddings this model takes.

        options: such as `threads`, see `backends.open_backend`.
        Raises BackendError when there is none in the folder or it gives other embeddings.
        """
        return open_saved(self.folder, self.info, self.dimension, options)


def load_bundle(folder: str | Path) -> Bundle:
    """Open the folder of a local model; nothing else is needed, wherever it was moved.

    folder: also a link to it, or a text file that names it, such as `models/latest`.
    Raises BackendError naming the file that is missing or damaged.
    """
    path = files.find_folder(folder)
    files.check_files(path)
    session = _session(path / files.HEAD)
    classes = _read_classes(path / files.CLASSES)
    outputs = int(session.get_outputs()[0].shape[1])
    if len(classes) != outputs:
        raise BackendError(
            f"{path / files.CLASSES}: {len(classes)} lines, but the model has {outputs} classes; "
            f"{files.MEND}"
        )
    calibration = files.read_json(path / files.CALIBRATION)
    return Bundle(
        path, classes, files.read_json(path / files.PREPROCESSING),
        files.read_json(path / files.CARD), _read_taxonomy(path / files.TAXONOMY), session,
        int(calibration.get("heads") or 1),
    )


def _session(path: Path) -> Any:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    # ONNX Runtime raises its own types and plain RuntimeError alike.
    except Exception as error:
        text = str(error).splitlines()[0]
        raise BackendError(f"{path}: damaged ({text}); {files.MEND}") from error


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BackendError(f"{path}: damaged ({error}); {files.MEND}") from None
    return tuple(text.removesuffix("\n").split("\n"))


def _read_taxonomy(path: Path) -> tuple[dict[str, str], ...]:
    if not path.is_file():
        raise BackendError(f"{path}: this file of the model is missing; {files.MEND}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows: Sequence[dict[str, str]] = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BackendError(f"{path}: damaged ({error}); {files.MEND}") from None
    return tuple({k: v or "" for k, v in row.items() if k} for row in rows)


__all__ = ["Bundle", "load_bundle", "save_bundle"]
