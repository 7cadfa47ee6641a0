"""The local model that is served, opened from wherever its user points to.

n rows of a batch (boxes of pictures), K local classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ecotone.serve.picture import check_picture

PROJECT = "ecotone.toml"


class Model(Protocol):
    """What the server needs of a model."""

    name: str
    classes: tuple[str, ...]
    scientific_names: tuple[str, ...]

    def prepare(self, data: bytes, boxes: np.ndarray, max_pixels: int) -> np.ndarray:
        """Inputs (n, ...) of the n boxes (n, 4) of a picture."""
        ...

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """(n, K) of the inputs of n boxes."""
        ...

    def about(self) -> dict[str, Any]:
        """Preprocessing and card, plain values for JSON."""
        ...


class LocalModel:
    """A local model or a trained network, run as `ecotone predict` runs it."""

    def __init__(self, bundle: Any, backend: Any) -> None:
        self._bundle, self._backend = bundle, backend
        self.name: str = bundle.folder.name
        self.classes: tuple[str, ...] = tuple(bundle.classes)
        self.scientific_names: tuple[str, ...] = tuple(bundle.scientific_names)

    def prepare(self, data: bytes, boxes: np.ndarray, max_pixels: int) -> np.ndarray:
        """Inputs (n, ...) of the n boxes (n, 4), x y width height in 0..1, of a picture.

        Raises MediaError when it cannot be read, TooLargeError above `max_pixels`.
        """
        check_picture(data, max_pixels)
        # Boxes are single precision in a prediction; the last digit can move a pixel.
        return self._backend.preprocessing.prepare(data, np.asarray(boxes, dtype=np.float32))

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """(n, K) float32, rows sum to 1. Raises BackendError when the model fails."""
        from ecotone.backends.base import run_backend

        scores = self._bundle.needs_scores
        outputs = run_backend(self._backend, batch, scores=scores, embeddings=not scores)
        return self._bundle.probabilities(outputs)

    def about(self) -> dict[str, Any]:
        """Preprocessing and the training card."""
        return {"preprocessing": self._backend.preprocessing.to_dict(), "card": self._bundle.card}


def open_model(path: str | Path) -> LocalModel:
    """The model at a path: the folder of a local model, `models/latest`, a trained network or its
    folder, or a project's folder, whose latest local model is taken.

    Raises BackendError naming what is missing or damaged.
    """
    from ecotone.bundle import network

    path = Path(path)
    if (path / PROJECT).is_file():
        path = path / "models" / "latest"
    bundle = network.open_model(path)
    model = LocalModel(bundle, bundle.backend())
    shape = model._backend.preprocessing.shape
    # The first run of a session is slow, and a model that cannot run shows before it is asked.
    model.probabilities(np.zeros((1, *shape), dtype=model._backend.preprocessing.dtype))
    return model
