"""Runs a local model of ecotone in AddaxAI: the inference.py of a model folder.

AddaxAI makes a ModelInference(model_dir, model_path) in one of its own environments and asks it for
crops and classes (backend/templates/inference_template.py of PetervanLunteren/AddaxAI). The network
and the head are one ONNX file; it runs with onnxruntime where that is installed, else with
onnx2torch, which AddaxAI's environment "pytorch" has. Python 3.8 and later; needs numpy, Pillow and
one of the two; nothing of ecotone. Licence: Apache-2.0.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SETTINGS = "local_model.json"
WHOLE = (0.0, 0.0, 1.0, 1.0)


class ModelInference:
    """A local model. settings: how pictures are prepared, and the names of the classes."""

    def __init__(self, model_dir, model_path):
        self.model_dir, self.model_path = Path(model_dir), Path(model_path)
        with open(self.model_dir / SETTINGS, encoding="utf-8") as handle:
            self.settings = json.load(handle)
        self.names = self.settings["classes"]
        self.prepared = self.settings["preprocessing"]
        self.run = None

    def check_gpu(self) -> bool:
        """Whether a graphics card is used: only with onnx2torch, and CUDA."""
        if _has_onnxruntime():
            return False
        import torch

        return bool(torch.cuda.is_available())

    def load_model(self) -> None:
        """Open the network once."""
        if _has_onnxruntime():
            self.run = _with_onnxruntime(str(self.model_path), self.settings["output"])
        else:
            position = self.settings.get("position", 0)
            self.run = _with_torch(str(self.model_path), self.check_gpu(), position)

    def get_crop(self, image, bbox):
        """The upright part of a picture that the model looks at.

        bbox: x y width height in 0..1, as MegaDetector gives them.
        """
        image = ImageOps.exif_transpose(image).convert("RGB")
        box = pixel_box(bbox, image.size, self.prepared["context"], self.prepared["square"])
        return image.crop(box)

    def get_tensor(self, crop):
        """A crop as the network's input, without the batch axis."""
        return prepare(crop, self.prepared)

    def classify_batch(self, batch):
        """For each input of a batch [[name, probability], ...] of all classes."""
        rows = self.settings["batch"] or len(batch)
        found = []
        for start in range(0, len(batch), max(rows, 1)):
            part = np.asarray(batch[start : start + rows])
            missing = rows - len(part)
            if missing > 0:  # a network for batches of one size
                part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            found.extend(self.run(part)[: rows - missing])
        return [
            [[name, float(row[k])] for k, name in enumerate(self.names)] for row in found
        ]

    def get_classification(self, crop):
        """[[name, probability], ...] of all classes for one crop."""
        return self.classify_batch(self.get_tensor(crop)[None])[0]

    def get_class_names(self):
        """{"1": name, ...}"""
        return {str(k): name for k, name in enumerate(self.names, start=1)}


def _has_onnxruntime():
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


def _with_onnxruntime(path, output):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    return lambda batch: session.run([output], {source: batch})[0]


def _with_torch(path, gpu, position):
    import torch
    from onnx2torch import convert

    device = torch.device("cuda" if gpu else "cpu")
    network = convert(path).eval().to(device)

    def run(batch):
        with torch.no_grad():
            found = network(torch.from_numpy(batch).to(device))
        found = found[position] if isinstance(found, (tuple, list)) else found
        return found.cpu().numpy()

    return run


def pixel_box(bbox, size, context, square):
    """Left, top, right, bottom in pixels of a relative box, widened by `context` of its length on
    every side and made square, moved into the picture where it fits and cut where it does not."""
    width, height = size
    if max(abs(value - WHOLE[i]) for i, value in enumerate(bbox)) < 1e-4:
        return 0, 0, width, height
    x, y, w, h = bbox[0] * width, bbox[1] * height, bbox[2] * width, bbox[3] * height
    wide, high = w * (1 + 2 * context), h * (1 + 2 * context)
    if square:
        wide = high = max(wide, high)
    left, right = _span(x + w / 2, wide, width)
    top, bottom = _span(y + h / 2, high, height)
    return left, top, right, bottom


def _span(centre, length, limit):
    length = min(max(length, 1.0), float(limit))
    start = min(max(centre - length / 2, 0.0), limit - length)
    first = min(int(math.floor(start + 1e-6)), limit - 1)
    last = min(max(int(math.ceil(start + length - 1e-6)), first + 1), limit)
    return first, last


def prepare(picture, how):
    """An RGB picture as the network's input; how: the fields of ecotone's Preprocessing."""
    pixels = np.asarray(_resized(picture.convert("RGB"), how), dtype=np.uint8)
    if how["channels"] == "BGR":
        pixels = pixels[:, :, ::-1]
    if how["dtype"] == "int8":
        pixels = (pixels.astype(np.int16) - 128).astype(np.int8)
    elif how["dtype"] == "float32":
        std = np.asarray(how["std"], dtype=np.float32)
        factor = np.float32(how["scale"]) / std
        shift = np.asarray(how["mean"], dtype=np.float32) / std
        pixels = pixels.astype(np.float32) * factor - shift
    if how["layout"] == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels)


def _resized(picture, how):
    width, height = how["width"], how["height"]
    if how["resize"] == "squash":
        return _scale(picture, width, height, how)
    wide, high = width / picture.width, height / picture.height
    if how["resize"] == "pad":
        ratio = min(wide, high)
        size = _rounded(picture.width * ratio), _rounded(picture.height * ratio)
        canvas = Image.new("RGB", (width, height), (how["fill"],) * 3)
        corner = (width - size[0]) // 2, (height - size[1]) // 2
        canvas.paste(_scale(picture, size[0], size[1], how), corner)
        return canvas
    ratio = max(wide, high) / how["crop_fraction"]
    scaled = _scale(picture, _rounded(picture.width * ratio), _rounded(picture.height * ratio), how)
    left = _rounded((scaled.width - width) / 2, 0)
    top = _rounded((scaled.height - height) / 2, 0)
    return scaled.crop((left, top, left + width, top + height))


def _scale(picture, width, height, how):
    if picture.size == (width, height):
        return picture
    name = how["interpolation"]
    if how["antialias"]:
        return picture.resize((width, height), _filter(name))
    name = "bicubic" if name == "lanczos" else name
    step = picture.width / width, picture.height / height
    affine = getattr(Image, "Transform", Image).AFFINE  # Pillow before 9.1 has no Image.Transform
    values = (step[0], 0.0, 0.0, 0.0, step[1], 0.0)
    return picture.transform((width, height), affine, values, _filter(name))


def _filter(name):
    return getattr(getattr(Image, "Resampling", Image), name.upper())


def _rounded(value, least=1):
    return max(least, round(value))
