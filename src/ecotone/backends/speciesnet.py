"""The classifier of the speciesnet package: "speciesnet", or "speciesnet:FOLDER" without network.

n pictures, S = 2,498 classes, D embedding dimensions. Its whole distribution is kept, not the five
best. Source: google/cameratrapai, speciesnet/classifier.py (always-crop models: the box cut out,
squashed to 480 x 480 without antialiasing, values in 0..1, channels last, softmax).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, check_options
from ecotone.backends.declare import overlay
from ecotone.backends.outputs import to_probabilities
from ecotone.backends.torch_common import existing, loading, need, to_numpy
from ecotone.errors import BackendError, InputError
from ecotone.media.preprocess import BYTE

ALWAYS_CROP = "always_crop"
OFFLINE = (
    "download the model's folder once elsewhere (it holds info.json) and give it: "
    "--model speciesnet --checkpoint FOLDER."
)


def open_speciesnet(argument: str, classes: Path | None = None, **options: Any) -> SpeciesNet:
    """Open SpeciesNet's classifier, see `SpeciesNet`. Its class names are its own."""
    if classes is not None:
        raise InputError("speciesnet: it knows its class names; leave out --classes.")
    return SpeciesNet(argument, **check_options(SpeciesNet, options, "speciesnet"))


class SpeciesNet:
    """SpeciesNet's classifier on the project's boxes.

    name: "kaggle:..." or "hf:..." or a folder; "" is the package's default. checkpoint: a folder on
    disk, nothing is downloaded.

    Raises MissingExtraError, BackendError (hub, weights, a model for whole pictures).
    """

    def __init__(
        self,
        name: str = "",
        preprocessing: Any = None,
        checkpoint: str | Path | None = None,
        device: str = "",
        threads: int | None = None,
    ) -> None:
        self.spec = f"speciesnet:{name}" if name else "speciesnet"
        folder = existing(checkpoint, self.spec)
        package = _import(self.spec)
        self._torch = need("torch", "speciesnet", self.spec)
        if threads:
            self._torch.set_num_threads(threads)
        source = str(folder or name or package.DEFAULT_MODEL)
        self.checkpoint = str(folder or "")
        with loading(f"{self.spec} ({source})", OFFLINE):
            self._classifier = package.SpeciesNetClassifier(source, device=device or None)
        self._check_kind(source)
        labels = self._classifier.labels
        self.classes = tuple(str(labels[i]) for i in range(len(labels)))
        size = int(self._classifier.IMG_SIZE)
        fields = {
            "width": size, "height": size, "layout": "NHWC", "dtype": "float32",
            "resize": "squash", "interpolation": "bilinear", "antialias": False,
            "scale": BYTE, "context": 0.0, "square": False,
        }  # fmt: skip
        self.preprocessing = overlay(fields, preprocessing, self.spec)
        self._pooled: Any = None
        self.dimension = self._find_pooled()

    def classify(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (n, S) float32 of prepared pictures (n, 480, 480, 3)."""
        return self.run(batch, embeddings=False).scores

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) float32 of prepared pictures (n, 480, 480, 3)."""
        return self.run(batch, scores=False).embeddings

    def run(self, batch: np.ndarray, scores: bool = True, embeddings: bool = True) -> Outputs:
        """Both in one pass through the network."""
        with self._torch.inference_mode():
            pictures = self._torch.from_numpy(batch).to(self._classifier.device)
            logits = to_numpy(self._classifier.model(pictures))
        pooled = self._pooled if embeddings else None
        return Outputs(to_probabilities(logits, "logits") if scores else None, pooled)

    @property
    def network(self) -> Any:
        """The package's torch module: pictures (n, 480, 480, 3) in, logits out."""
        return self._classifier.model

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {
            "spec": self.spec,
            "checkpoint": self.checkpoint,
            "version": str(self._classifier.model_info.version),
            "output": "logits",
            "dimension": self.dimension,
        }

    def _check_kind(self, source: str) -> None:
        kind = self._classifier.model_info.type_
        if kind != ALWAYS_CROP:
            raise BackendError(
                f"{self.spec}: {source} is a {kind!r} model, which looks at whole pictures; use an "
                f"{ALWAYS_CROP!r} model (its name ends in a), or run speciesnet itself and give "
                "its output: ecotone add scores predictions.json."
            )

    def _find_pooled(self) -> int | None:
        """Listen to what goes into the last linear layer; None where the network has none."""
        outputs, last = len(self.classes), None
        for module in self._classifier.model.modules():
            if getattr(module, "out_features", None) == outputs:
                last = module
        if last is None:
            return None

        def listen(_: Any, inputs: tuple[Any, ...]) -> None:
            values = to_numpy(inputs[0])
            self._pooled = values.reshape(len(values), -1)

        last.register_forward_pre_hook(listen)
        blank = np.zeros((1, *self.preprocessing.shape), dtype=np.float32)
        return int(self.run(blank, scores=False).embeddings.shape[1])


def _import(what: str) -> Any:
    """The package. On import it makes Pillow accept truncated files for the whole process; a cut
    off picture must stay an error here, so that is undone."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        return need("speciesnet", "speciesnet", what)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
