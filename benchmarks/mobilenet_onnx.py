"""The shared ImageNet MobileNetV2 (TFLite, 8 bits) as an ONNX network in single precision.

    python benchmarks/mobilenet_onnx.py ../shared/data/models/imagenet_mobilenet_v2.tflite OUT.onnx

Each convolution's bytes are multiplied out to numbers again: a real network, for measurements.
Needs the extra `tflite`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# (repeats, stride) of the blocks; the stem stands before them, 1 x 1 and the classifier after them
BLOCKS = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))
PREPROCESSING = {"preset": "symmetric", "interpolation": "bilinear"}  # bytes as -1..1
Folded = tuple[np.ndarray, np.ndarray]  # weight (out, in, kh, kw), bias (out,)


def read_folded(path: Path) -> list[Folded]:
    """The convolutions of a TFLite file in the order in which they are computed."""
    return list(_folded(path))


def _folded(path: Path) -> Iterator[Folded]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    details = {t["index"]: t for t in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():
        if op["op_name"] not in CONVOLUTIONS:
            continue
        weight, bias = (_numbers(interpreter, details[i]) for i in op["inputs"][1:3])
        axes = (3, 0, 1, 2) if op["op_name"].startswith("DEPTHWISE") else (0, 3, 1, 2)
        yield weight.transpose(axes), bias


def _numbers(interpreter, tensor: dict) -> np.ndarray:
    values = interpreter.get_tensor(tensor["index"]).astype(np.float64)
    how = tensor["quantization_parameters"]
    shape = [1] * values.ndim
    if len(how["scales"]) > 1:
        shape[how["quantized_dimension"]] = -1
    scale, zero = how["scales"].reshape(shape), how["zero_points"].reshape(shape)
    return ((values - zero) * scale).astype(np.float32)


def save_onnx(path: Path, source: Path, labels: Path | None = None) -> Path:
    """Write the network with its pooled layer and probabilities; of `labels`, a name a line, as its
    classes. The path."""
    from ecotone.bundle import onnx_proto as o

    convolutions = iter(read_folded(source))
    nodes, weights = [], []

    def convolve(before: str, name: str, stride: int = 1, relu: bool = True) -> str:
        weight, bias = next(convolutions)
        weights.extend([o.tensor(f"{name}.w", weight), o.tensor(f"{name}.b", bias)])
        groups = len(weight) if weight.shape[1] == 1 else 1
        nodes.append(o.node("Conv", [before, f"{name}.w", f"{name}.b"], [f"{name}.c"],
                            strides=[stride, stride], group=groups, auto_pad="SAME_UPPER",
                            kernel_shape=list(weight.shape[2:])))
        if relu:
            nodes.append(o.node("Clip", [f"{name}.c", "zero", "six"], [name]))
        return name if relu else f"{name}.c"

    x = convolve("image", "stem", 2)
    for i, (repeats, stride) in enumerate(BLOCKS):
        for j in range(repeats):
            name, before, step = f"block{i}.{j}", x, stride if j == 0 else 1
            if i:
                x = convolve(x, f"{name}.expand")
            x = convolve(convolve(x, f"{name}.depth", step), f"{name}.project", relu=False)
            if j:
                nodes.append(o.node("Add", [before, x], [name]))
                x = name
    x = convolve(x, "last")
    nodes.append(o.node("GlobalAveragePool", [x], ["pooled"]))
    logits = convolve("pooled", "classifier", relu=False)
    nodes += [o.node("Flatten", [logits], ["logits"], axis=1),
              o.node("Softmax", ["logits"], ["scores"], axis=1)]
    weights += [o.tensor("zero", np.float32(0)), o.tensor("six", np.float32(6))]
    about = {"preprocessing": json.dumps(PREPROCESSING)}
    if labels is not None:
        about["classes"] = json.dumps(labels.read_text(encoding="utf-8").splitlines())
    model = o.make_model(nodes, [o.value_info("image", o.FLOAT, ["n", 3, 224, 224])],
                         [o.value_info("scores", o.FLOAT, ["n", 1001])], weights,
                         name="mobilenetv2", opset_version=17, metadata=about)
    o.save_model(model, path)
    return path


def main() -> None:
    """Write it and compare its embeddings with those of the file."""
    from ecotone.backends import open_backend
    from ecotone.media.preprocess import Preprocessing

    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    labels = source.with_name("imagenet_labels.txt")
    save_onnx(out, source, labels if labels.is_file() else None)
    files = sorted((source.parents[1] / "monkeys" / "images").rglob("*.jpg"))[::20][:64]
    way = Preprocessing(224, 224, "uint8", "NHWC", interpolation="bilinear")
    ours = open_backend(out)
    a = open_backend(source).encode(np.concatenate([way.prepare(f, [(0, 0, 1, 1)])
                                                    for f in files]))
    b = ours.encode(np.concatenate([ours.preprocessing.prepare(f, [(0, 0, 1, 1)])
                                    for f in files]))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"{out}: cosine to the file's embeddings {cosine.mean():.3f} (mean of {len(files)})")


if __name__ == "__main__":
    main()
