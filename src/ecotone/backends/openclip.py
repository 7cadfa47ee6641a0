"""Zero-shot scores and embeddings by networks of the open_clip package.

"openclip" is BioCLIP 2; others are "openclip:ViT-B-32:laion2b_s34b_b79k" (architecture and weights)
or "openclip:hf-hub:organisation/model" or "openclip:local-dir:/path". n pictures, K texts' classes,
D embedding dimensions. Source: open_clip's documented interface; zero-shot classification of
Radford et al. 2021; BioCLIP 2 of Gu et al. 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, check_options
from ecotone.backends.declare import overlay
from ecotone.backends.descriptions import read_texts, texts_of
from ecotone.backends.outputs import to_probabilities
from ecotone.backends.torch_common import existing, loading, need, pick_device, to_numpy
from ecotone.errors import InputError
from ecotone.media.preprocess import BYTE

DEFAULT = "hf-hub:imageomics/bioclip-2"
RESIZE = {"shortest": "crop", "longest": "pad", "squash": "squash"}
OFFLINE = (
    "download the model's folder once elsewhere (it holds open_clip_config.json) and give it: "
    "--checkpoint FOLDER; or an architecture with a file of weights: "
    "--model openclip:ViT-L-14 --checkpoint weights.safetensors."
)


def open_openclip(argument: str, classes: Path | None = None, **options: Any) -> OpenClipBackend:
    """Open an open_clip model by its name, see `OpenClipBackend`."""
    given = check_options(OpenClipBackend, options, "openclip")
    return OpenClipBackend(argument or DEFAULT, classes, **given)


class OpenClipBackend:
    """An image and text network: embeddings of pictures, and scores by their likeness to texts.

    classes: a file of class names or of descriptions, see `descriptions.read_texts`. names: class
    names where there is no file (or class name to a fuller label), such as the project's classes.
    Without either it only gives embeddings. checkpoint: a model's folder or a file of weights on
    disk. cache_dir: where downloads are kept.

    Raises MissingExtraError, BackendError (hub or weights), FormatError (descriptions).
    """

    def __init__(
        self,
        name: str,
        classes: Path | None = None,
        names: Sequence[str] | Mapping[str, str] = (),
        preprocessing: Any = None,
        checkpoint: str | Path | None = None,
        cache_dir: str | Path | None = None,
        device: str = "",
        threads: int | None = None,
    ) -> None:
        self.spec = f"openclip:{name}"
        weights = existing(checkpoint, self.spec)
        texts = read_texts(classes) if classes else texts_of(names)
        clip = need("open_clip", "openclip", self.spec)
        self._torch = need("torch", "openclip", self.spec)
        if threads:
            self._torch.set_num_threads(threads)
        self._device = pick_device(self._torch, device)
        self.checkpoint = str(weights or "")
        architecture, tag = _source(name, weights)
        cache = {"cache_dir": str(cache_dir)} if cache_dir else {}
        with loading(self.spec, OFFLINE):
            self._model, _, _ = clip.create_model_and_transforms(
                architecture, pretrained=tag, **cache
            )
            self._model.eval()
            self._model.to(self._device)
            tokenizer = clip.get_tokenizer(architecture, **cache) if texts else None
        fields = _fields(self._model.visual.preprocess_cfg)
        self.preprocessing = overlay(fields, preprocessing, self.spec)
        self.classes = tuple(texts)
        self.texts: Mapping[str, Sequence[str]] = texts
        self._classifier = self._embed_texts(tokenizer, texts) if texts else None
        blank = np.zeros((1, *self.preprocessing.shape), dtype=np.float32)
        self.dimension = self.run(blank, scores=False).embeddings.shape[1]

    def classify(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (n, K) float32 of prepared pictures (n, 3, H, W)."""
        return self.run(batch, embeddings=False).scores

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) float32 of length 1 of prepared pictures (n, 3, H, W)."""
        return self.run(batch, scores=False).embeddings

    def run(self, batch: np.ndarray, scores: bool = True, embeddings: bool = True) -> Outputs:
        """Both in one pass: the scores are a softmax over the likeness to the texts."""
        with self._torch.inference_mode():
            pictures = self._torch.from_numpy(batch).to(self._device)
            image = to_numpy(self._model.encode_image(pictures, normalize=True))
        found = None
        if scores and self._classifier is not None:
            found = to_probabilities(self._scale * (image @ self._classifier.T), "logits")
        return Outputs(found, image if embeddings else None)

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {
            "spec": self.spec,
            "checkpoint": self.checkpoint,
            "output": "logits" if self.classes else "",
            "dimension": self.dimension,
            "texts": {name: list(entries) for name, entries in self.texts.items()},
        }

    def _embed_texts(self, tokenizer: Any, texts: Mapping[str, Sequence[str]]) -> np.ndarray:
        """One vector of length 1 a class, the mean over its texts, (K, D) float32."""
        rows = []
        with self._torch.inference_mode():
            self._scale = float(self._model.logit_scale.exp())
            for entries in texts.values():
                tokens = tokenizer(list(entries)).to(self._device)
                mean = to_numpy(self._model.encode_text(tokens, normalize=True)).mean(axis=0)
                rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return np.stack(rows).astype(np.float32)


def _source(name: str, weights: Path | None) -> tuple[str, str | None]:
    """Architecture and weights as open_clip takes them.

    Without weights open_clip makes a random network and only logs it: that is an error here.
    """
    if weights is not None and weights.is_dir():
        return f"local-dir:{weights}", None
    architecture, _, tag = name.partition(":")
    if architecture in ("hf-hub", "local-dir"):
        if weights is not None:
            raise InputError(
                f"openclip:{name}: a file of weights needs its architecture, for example --model "
                "openclip:ViT-L-14 --checkpoint weights.safetensors; or give the model's folder."
            )
        return name, None
    if not tag and weights is None:
        raise InputError(
            f"openclip:{name}: which weights? Name them (openclip:ViT-B-32:laion2b_s34b_b79k) or "
            "give --checkpoint."
        )
    return architecture, str(weights) if weights else tag


def _fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The preprocessing fields of an open_clip configuration (mean and std for pixels in 0..1)."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    fill = config.get("fill_color", 0)
    return {
        "width": int(width),
        "height": int(height),
        "layout": "NCHW",
        "dtype": "float32",
        "resize": RESIZE.get(str(config.get("resize_mode", "shortest")), "crop"),
        "interpolation": str(config.get("interpolation", "bicubic")),
        "fill": int(fill if isinstance(fill, int) else fill[0]),
        "scale": BYTE,
        "mean": list(config["mean"]),
        "std": list(config["std"]),
    }
