"""The weights of the shared ImageNet MobileNetV2 (TFLite, 8 bits) as a start for a torch network.

    python benchmarks/mobilenet_weights.py ../shared/data/models/imagenet_mobilenet_v2.tflite OUT.pt

Each convolution's bytes are multiplied out to numbers again. Its normalisation is folded into it in
the file; it is taken apart again by the mean and deviation that its outputs have on the pictures
given, which changes nothing of what the network computes, but lets it be trained on. Needs the
extras `torch` and `tflite`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecotone.training.network import create_backbone
from mobilenet_onnx import Folded, read_folded

NETWORK = "mobilenetv2_100"
OPTIONS = {"pad_type": "same"}  # TensorFlow pads on the right and below
MEAN = STD = [0.5, 0.5, 0.5]  # bytes as -1..1


def fill(network: nn.Module, folded: list[Folded]) -> None:
    """Put folded convolutions into a timm network: its normalisations only add the bias."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for conv, norm, (weight, bias) in zip(
                convolutions, norms, folded[: len(convolutions)], strict=True):
            conv.weight.copy_(torch.from_numpy(weight))
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
            norm.bias.copy_(torch.from_numpy(bias))


def unfold(network: nn.Module, pictures: torch.Tensor, batch: int = 32) -> None:
    """Give the normalisations the statistics of `pictures` (n, 3, H, W); outputs stay the same."""
    sums: dict[nn.Module, list[torch.Tensor]] = {}

    def collect(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        x = inputs[0].double()
        found = [torch.tensor(x[:, 0].numel(), dtype=torch.float64), x.sum(dim=(0, 2, 3)),
                 (x * x).sum(dim=(0, 2, 3))]
        sums[norm] = [a + b for a, b in zip(sums[norm], found, strict=True)] \
            if norm in sums else found

    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [m.register_forward_pre_hook(collect) for m in norms]
    network.eval()
    with torch.no_grad():
        for i in range(0, len(pictures), batch):
            network.forward_features(pictures[i : i + batch])
        for hook in hooks:
            hook.remove()
        for norm, (count, total, squares) in sums.items():
            mean = total / count
            variance = (squares / count - mean * mean).clamp(min=1e-4)
            norm.bias.add_(mean.float())
            norm.weight.copy_(torch.sqrt(variance + norm.eps))
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)


def save_start(path: Path, source: Path, pictures: np.ndarray) -> None:
    """Write weights for `train_reid(start=path)` with the backbone `NETWORK` made with `OPTIONS`.

    source: the TFLite file. pictures: (n, H, W, 3) uint8 whose statistics are taken.
    """
    network = create_backbone(NETWORK, pictures.shape[1], OPTIONS)
    fill(network, read_folded(source))
    unfold(network, scaled(pictures))
    torch.save({"state_dict": network.state_dict(), "architecture": NETWORK, "mean": MEAN,
                "std": STD, "license": "apache-2.0"}, path)


def scaled(pictures: np.ndarray) -> torch.Tensor:
    """Bytes (n, H, W, 3) as the network takes them, -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def pooled(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    """Average-pooled features (n, 1280) of pictures (n, H, W, 3) uint8."""
    network.eval()
    with torch.inference_mode():
        return network.forward_features(scaled(pictures)).mean(dim=(2, 3)).numpy()


def main() -> None:
    import timm

    from ecotone.backends import open_backend
    from ecotone.media.preprocess import Preprocessing

    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted((source.parents[1] / "monkeys" / "images").rglob("*.jpg"))[::20][:64]
    way = Preprocessing(224, 224, "uint8", "NHWC", interpolation="bilinear")
    pictures = np.concatenate([way.prepare(f, [(0, 0, 1, 1)]) for f in files])
    theirs = open_backend(source).encode(pictures)
    folded = read_folded(source)
    for name, options in (("padded as in the file", OPTIONS), ("padded evenly", {})):
        network = timm.create_model(NETWORK, pretrained=False, num_classes=0, **options)
        fill(network, folded)
        before = pooled(network, pictures)
        unfold(network, scaled(pictures))
        after = pooled(network, pictures)
        print(f"{name}: cosine to the file's embeddings {cosine(after, theirs):.3f} (mean), "
              f"apart by unfolding {np.abs(after - before).max():.1e}")
    save_start(out, source, pictures)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The mean cosine of rows that belong together."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).mean())


if __name__ == "__main__":
    main()
