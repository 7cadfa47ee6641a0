"""The small detector that `detector.py` trains on generated scenes, and its export to ONNX.

B pictures in a batch, C classes, A places of a grid of stride 8 (768 on an input of 256 x 192).
Fully convolutional and without anchors: every place gives the distances to the four sides of the
box around it and one score a class, whose target is the overlap of its box with the true one.
Sources: Tian et al. 2019, FCOS, arXiv:1904.01355 (distances, places near the middle of a box);
Li et al. 2020, arXiv:2006.04388 (quality focal loss); Rezatofighi et al. 2019, arXiv:1902.09630
(generalised IoU); Lin et al. 2017, arXiv:1612.03144 (the way down and up again).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from detector_scenes import NAMES, Scene

STRIDE = 8
PAD = 114  # the grey of the bars of a letterboxed picture
CENTRAL = 0.22  # part of a box's sides, from its middle, in which places answer for it


@dataclass(frozen=True)
class Stage:
    """One cycle of training. width, height: of the input. zoom, shift: how far pictures are scaled
    and moved. noise: standard deviation at most. least: target of a score at a true box, however
    little the box found overlaps it yet."""

    epochs: int
    batch: int
    rate: float
    width: int
    height: int
    zoom: tuple[float, float]
    shift: float
    noise: float
    least: float


# Learned with strong changes on large inputs, finished with milder ones on the size that is used.
STAGES = (Stage(16, 16, 4e-3, 320, 256, (0.65, 1.5), 0.3, 0.02, 0.05),
          Stage(14, 8, 3e-3, 256, 192, (0.75, 1.35), 0.2, 0.0, 0.3))


def conv(inputs: int, outputs: int, step: int = 1) -> nn.Sequential:
    """A convolution, its normalisation, and a rectifier."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, step, 1, bias=False),
        nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Block(nn.Module):
    """A convolution beside what was there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Detector(nn.Module):
    """Pictures (B, 3, height, width) in 0..1 -> (B, 4 + C, A): middle, width and height of a box in
    pixels of the input, and the probability of each class."""

    def __init__(self, width: int, height: int, classes: int = len(NAMES)) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.first = nn.Sequential(conv(3, 12, step=2), conv(12, 16, step=2))
        self.fine = nn.Sequential(conv(16, 24, step=2), Block(24))
        self.middle = nn.Sequential(conv(24, 36, step=2), Block(36))
        self.coarse = nn.Sequential(conv(36, 40, step=2), Block(40), Block(40))
        self.down = nn.ModuleList([nn.Conv2d(w, 32, 1) for w in (24, 36, 40)])
        self.head = nn.Sequential(Block(32), Block(32))
        self.sides = nn.Conv2d(32, 4, 1)
        self.scores = nn.Conv2d(32, classes, 1)
        nn.init.constant_(self.scores.bias, -4.0)
        nn.init.constant_(self.sides.bias, 1.2)
        y, x = torch.meshgrid(torch.arange(height // STRIDE), torch.arange(width // STRIDE),
                              indexing="ij")
        places = torch.stack([x, y]).reshape(2, -1) * STRIDE + STRIDE / 2
        self.register_buffer("places", places.float())

    def raw(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Distances left, top, right, bottom (B, 4, A) in pixels, logits (B, C, A)."""
        fine = self.fine(self.first(pictures))
        middle = self.middle(fine)
        coarse = self.down[2](self.coarse(middle))
        middle = self.down[1](middle) + F.interpolate(coarse, scale_factor=2.0)
        x = self.head(self.down[0](fine) + F.interpolate(middle, scale_factor=2.0))
        sides = self.sides(x).flatten(2).clamp(-3.0, 4.0).exp() * STRIDE
        return sides, self.scores(x).flatten(2)

    def forward(self, pictures: Tensor) -> Tensor:
        sides, logits = self.raw(pictures)
        low, high = self.places - sides[:, :2], self.places + sides[:, 2:]
        return torch.cat([(low + high) / 2, high - low, logits.sigmoid()], dim=1)


def read(scenes: list[Scene], width: int, height: int
         ) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Letterboxed pictures (n, height, width, 3) uint8, their boxes (m, 4) as left, top, right,
    bottom in pixels of the input, and the classes of the boxes."""
    pixels = np.full((len(scenes), height, width, 3), PAD, dtype=np.uint8)
    boxes = []
    for i, scene in enumerate(scenes):
        picture = Image.open(scene.path).convert("RGB")
        ratio = min(width / picture.width, height / picture.height)
        wide, high = round(picture.width * ratio), round(picture.height * ratio)
        x, y = (width - wide) // 2, (height - high) // 2
        small = picture.resize((wide, high), Image.Resampling.BILINEAR)
        pixels[i, y : y + high, x : x + wide] = np.asarray(small)
        low = scene.boxes[:, :2] * (wide, high) + (x, y)
        boxes.append(np.hstack([low, low + scene.boxes[:, 2:] * (wide, high)]))
    return pixels, boxes, [scene.classes for scene in scenes]


def varied(pixels: np.ndarray, boxes: list[np.ndarray], classes: list[np.ndarray],
           rng: np.random.Generator, stage: Stage
           ) -> tuple[Tensor, list[np.ndarray], list[np.ndarray]]:
    """A batch moved, scaled, mirrored and recoloured, some of it grey; boxes go with it."""
    n = len(pixels)
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    zoom = np.exp(rng.uniform(*np.log(stage.zoom), n))
    flip = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    shift = rng.uniform(-stage.shift, stage.shift, (n, 2))
    # output (x, y) in -1..1 looks at input (flip x / zoom + shift)
    theta = np.zeros((n, 2, 3), dtype=np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = flip / zoom, 1 / zoom
    theta[:, :, 2] = shift
    form = (n, 3, stage.height, stage.width)
    grid = F.affine_grid(torch.from_numpy(theta), form, align_corners=False)
    grey = PAD / 255
    batch = F.grid_sample(batch - grey, grid, align_corners=False) + grey
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.25, (n, 3, 1, 1)) * [[[0.3]]]
                                   + rng.normal(0, 0.25, (n, 1, 1, 1)))).float()
    batch = (batch * gain).clamp(0, 1) ** torch.from_numpy(
        np.exp(rng.normal(0, 0.2, (n, 1, 1, 1)))).float()
    bare = torch.from_numpy(rng.random(n) < 0.2)
    batch[bare] = batch[bare].mean(dim=1, keepdim=True)
    if stage.noise:
        batch = batch + torch.randn_like(batch) * stage.noise * float(rng.random())
    size = np.array([stage.width, stage.height]) / 2
    out_boxes, out_classes = [], []
    for i in range(n):
        corners = boxes[i].reshape(-1, 2, 2) / size - 1
        moved = (corners - shift[i]) * zoom[i] * [flip[i], 1.0]
        low, high = moved.min(axis=1), moved.max(axis=1)
        inside = np.hstack([np.clip(low, -1, 1), np.clip(high, -1, 1)])
        area = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
        keep = area > 0.3 * np.prod(high - low, axis=1)
        out_boxes.append((inside[keep] + 1) * np.tile(size, 2))
        out_classes.append(classes[i][keep])
    return batch, out_boxes, out_classes


def targets(places: Tensor, boxes: list[np.ndarray], classes: list[np.ndarray]
            ) -> tuple[Tensor, Tensor]:
    """For each picture and place: the box that it answers for (B, A, 4), its class or -1 (B, A).

    The smallest of several; a box without a place near its middle takes the nearest one.
    """
    p = places.T.numpy()  # (A, 2)
    chosen = np.zeros((len(boxes), len(p), 4), dtype=np.float32)
    kind = np.full((len(boxes), len(p)), -1, dtype=np.int64)
    for i, (listed, names) in enumerate(zip(boxes, classes, strict=True)):
        order = np.argsort(-np.prod(listed[:, 2:] - listed[:, :2], axis=1))
        for box, name in zip(listed[order], np.asarray(names)[order], strict=True):
            middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
            away = np.abs(p - middle)
            here = (away < np.maximum(2 * CENTRAL * half, 0.75 * STRIDE)).all(axis=1)
            here[np.argmin((away**2).sum(axis=1))] = True
            chosen[i, here], kind[i, here] = box, name
    return torch.from_numpy(chosen), torch.from_numpy(kind)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and its generalised form, of rows left, top, right, bottom."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    union = (a[:, 2:] - a[:, :2]).prod(dim=1) + (b[:, 2:] - b[:, :2]).prod(dim=1) - common
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull = around.prod(dim=1)
    iou = common / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def loss_of(network: Detector, batch: Tensor, boxes: list[np.ndarray], classes: list[np.ndarray],
            least: float) -> Tensor:
    """Quality focal loss of the scores and generalised IoU loss of the boxes."""
    sides, logits = network.raw(batch)
    wanted, kind = targets(network.places, boxes, classes)
    low, high = network.places - sides[:, :2], network.places + sides[:, 2:]
    found = torch.cat([low, high], dim=1).transpose(1, 2)
    here = kind >= 0
    iou, generalised = overlap(found[here], wanted[here])
    quality = torch.zeros_like(logits.transpose(1, 2))
    quality[here] = F.one_hot(kind[here], quality.shape[2]) * iou.detach().clamp(least)[:, None]
    guess = logits.transpose(1, 2)
    weight = (quality - guess.sigmoid()).abs() ** 2
    entropy = F.binary_cross_entropy_with_logits(guess, quality, reduction="none")
    count = max(int(here.sum()), 1)
    return (weight * entropy).sum() / count + 2.0 * (1 - generalised).sum() / count


def train(scenes: list[Scene], stages: tuple[Stage, ...] = STAGES, seed: int = 0) -> Detector:
    """Train a detector on one thread, stage after stage; it keeps the input of the last one."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network: Detector | None = None
    for number, stage in enumerate(stages):
        following = Detector(stage.width, stage.height)
        if network is not None:
            kept = {k: v for k, v in network.state_dict().items() if k != "places"}
            following.load_state_dict(kept, strict=False)
        network = following
        learn(network, scenes, stage, np.random.default_rng(seed + number))
    assert network is not None
    return network.eval()


def learn(network: Detector, scenes: list[Scene], stage: Stage, rng: np.random.Generator) -> None:
    """One stage of training."""
    network.train()
    pixels, boxes, classes = read(scenes, stage.width, stage.height)
    count = len(scenes) // stage.batch
    optimiser = torch.optim.AdamW(network.parameters(), stage.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, stage.rate, stage.epochs * count, pct_start=0.15)
    for epoch in range(stage.epochs):
        order, total = rng.permutation(len(scenes)), 0.0
        for rows in np.split(order[: count * stage.batch], count):
            changed = varied(pixels[rows], [boxes[r] for r in rows], [classes[r] for r in rows],
                             rng, stage)
            loss = loss_of(network, *changed, stage.least)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"  epoch {epoch + 1:2d}: loss {total / count:.3f}", flush=True)


def export(network: Detector, path: Path, threshold: float) -> Path:
    """Write the network as ONNX with an open number of pictures, and its declaration beside it."""
    example = torch.zeros(2, 3, network.height, network.width)
    program = torch.onnx.export(
        network, (example,), dynamo=True, opset_version=18, input_names=["pictures"],
        output_names=["boxes"], dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
        verbose=False)
    program.save(str(path))
    model = onnx.load(path)  # without the exporter's notes, an eighth of the file
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for field in ("value_info", "metadata_props"):
        model.graph.ClearField(field)
    onnx.save(model, path)
    declared = {
        "head": "yolov8", "classes": list(NAMES), "scale": 1 / 255, "pad_value": PAD,
        "confidence": 0.05, "typical_threshold": threshold, "nms_iou": 0.5,
        "detector": "generated scenes 1",
    }
    path.with_suffix(".json").write_text(json.dumps({"detector": declared}, indent=1) + "\n",
                                         encoding="utf-8")
    return path
