"""Networks of the timm package: "timm:resnet50.a1_in1k", "timm:hf-hub:organisation/model".

n pictures, S classes, D embedding dimensions. Source: timm's documented interface (create_model,
resolve_model_data_config, forward_features, forward_head).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, check_options
from ecotone.backends.declare import overlay, timm_fields
from ecotone.backends.labels import check_count, read_classes
from ecotone.backends.outputs import to_probabilities
from ecotone.backends.torch_common import existing, loading, need, pick_device, to_numpy
from ecotone.errors import BackendError, InputError

OFFLINE = (
    "download the weights once elsewhere and give them: --checkpoint weights.safetensors, or the "
    "folder of a hub model: --checkpoint FOLDER."
)


def open_timm(argument: str, classes: Path | None = None, **options: Any) -> TimmBackend:
    """Open a timm model by its name, see `TimmBackend`."""
    if not argument:
        raise InputError('timm: which model? For example "timm:mobilenetv3_large_100.ra_in1k".')
    return TimmBackend(argument, classes, **check_options(TimmBackend, options, "timm"))


class TimmBackend:
    """A timm network: its pooled layer as embedding, its head as scores where names are known.

    classes: label file; else the label names in the model's configuration, else ImageNet's WordNet
    names where timm knows the head to be ImageNet's. checkpoint: a file of weights, or the folder
    of a hub model, on disk; nothing is downloaded. cache_dir: where downloads are kept.

    Raises MissingExtraError, BackendError (hub or weights), FormatError (labels).
    """

    def __init__(
        self,
        name: str,
        classes: Path | None = None,
        preprocessing: Any = None,
        checkpoint: str | Path | None = None,
        cache_dir: str | Path | None = None,
        device: str = "",
        threads: int | None = None,
    ) -> None:
        what = f"timm:{name}"
        weights = existing(checkpoint, what)
        timm = need("timm", "timm", what)
        self._torch = need("torch", "timm", what)
        if threads:
            self._torch.set_num_threads(threads)
        self.spec, self.checkpoint = what, str(weights or "")
        self._device = pick_device(self._torch, device)
        names = read_classes(classes) if classes else ()
        self._model = _create(timm, name, weights, cache_dir, len(names), what)
        self._model.eval()
        self._model.to(self._device)
        with loading(what, OFFLINE):
            config = timm.data.resolve_model_data_config(self._model)
        fields = {"layout": "NCHW", "dtype": "float32", **timm_fields(config)}
        self.preprocessing = overlay(fields, preprocessing, what)
        outputs = int(getattr(self._model, "num_classes", 0) or 0)
        self.classes = names or _own_classes(timm, self._model, outputs, bool(weights))
        if names:
            check_count(names, outputs, what, str(classes))
        self.dimension = self.run(self._blank(), scores=False).embeddings.shape[1]

    def classify(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (n, S) float32 of prepared pictures (n, 3, H, W)."""
        return self.run(batch, embeddings=False).scores

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) float32 of prepared pictures (n, 3, H, W)."""
        return self.run(batch, scores=False).embeddings

    def run(self, batch: np.ndarray, scores: bool = True, embeddings: bool = True) -> Outputs:
        """Both in one pass through the body of the network."""
        with self._torch.inference_mode():
            pictures = self._torch.from_numpy(batch).to(self._device)
            features = self._model.forward_features(pictures)
            pooled = logits = None
            if embeddings:
                pooled = to_numpy(self._model.forward_head(features, pre_logits=True))
                pooled = pooled.reshape(len(batch), -1)
            if scores:
                logits = to_numpy(self._model.forward_head(features))
        return Outputs(None if logits is None else to_probabilities(logits, "logits"), pooled)

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {
            "spec": self.spec,
            "checkpoint": self.checkpoint,
            "output": "logits" if self.classes else "",
            "dimension": self.dimension,
        }

    def _blank(self) -> np.ndarray:
        return np.zeros((1, *self.preprocessing.shape), dtype=np.float32)


def _create(
    timm: Any, name: str, weights: Path | None, cache_dir: str | Path | None, count: int, what: str
) -> Any:
    cache = {"cache_dir": str(cache_dir)} if cache_dir else {}
    with loading(what, OFFLINE):
        if weights is None:
            return timm.create_model(name, pretrained=True, **cache)
        if weights.is_dir():
            return timm.create_model(f"local-dir:{weights}", pretrained=True, **cache)
        # Without names a head is of no use, and its size is not known: only the body is loaded.
        model = timm.create_model(name, pretrained=False, num_classes=count, **cache)
        keys = timm.models.load_checkpoint(model, str(weights), strict=count > 0)
        missing = list(getattr(keys, "missing_keys", ()))
        if missing:
            raise BackendError(f"{what}: {weights} lacks {missing[0]!r}; is it of this model?")
        return model


def _own_classes(timm: Any, model: Any, outputs: int, own_weights: bool) -> tuple[str, ...]:
    """The names that the model or timm knows; none for weights whose head may be anything."""
    config = getattr(model, "pretrained_cfg", None) or {}
    labels = config.get("label_names") if hasattr(config, "get") else None
    if labels and len(labels) == outputs:
        told = config.get("label_descriptions") or {}
        return tuple(str(told.get(label, label)) for label in labels)
    subset = None if own_weights else timm.data.infer_imagenet_subset(model)
    if not subset:
        return ()
    info = timm.data.ImageNetInfo(subset)
    return tuple(str(info.index_to_description(i)) for i in range(outputs))
