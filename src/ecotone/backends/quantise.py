"""An ONNX network in 8-bit whole numbers, calibrated on pictures it is meant for.

Static quantisation after training: activations get the range that they have on the calibration
pictures, weights one a channel; QuantizeLinear and DequantizeLinear stand in the graph.

Source: Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference; done by onnxruntime.quantization.
"""

from __future__ import annotations

import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import BackendError, MissingExtraError

EXTRA = "int8"
DENSE = ("Conv", "Gemm", "MatMul")
MARKS = ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear", "ConvInteger",
         "MatMulInteger")
FLOAT = ("Softmax", "Sigmoid", "LogSoftmax")  # small probabilities would be lost


def quantise(source: Path, out: Path, batch: np.ndarray) -> None:
    """Write the 8-bit network of `source` to `out`. batch: (n, *shape) prepared pictures.

    Raises BackendError when it cannot be quantised, MissingExtraError without the package `onnx`.
    """
    model, name = _checked(source)
    try:
        import onnx  # noqa: F401
        from onnxruntime import quantization as q
        from onnxruntime.quantization.registry import QDQRegistry
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError(f"{source.name}: 8-bit quantisation", EXTRA) from error
    kinds = {node.op_type for node in model.graph.node}
    chosen = sorted((kinds & set(QDQRegistry)) - set(FLOAT))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".int8-") as folder, _quiet():
        ready, work = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        try:
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            q.quantize_static(
                str(ready), str(work), _Pictures(name, batch), quant_format=q.QuantFormat.QDQ,
                op_types_to_quantize=chosen, per_channel=True, reduce_range=_saturates(),
                activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
            )
        # The quantiser raises whatever it meets; networks of any kind come here.
        except Exception as error:
            text = " ".join(str(error).split())[:200] or type(error).__name__
            raise BackendError(
                f"{source}: this network cannot be quantised ({text}); leave --int8 out."
            ) from error
        from ecotone.bundle.onnx_proto import load_model

        if not any(n.op_type in MARKS for n in load_model(work).graph.node):
            raise BackendError(f"{source}: nothing in it was quantised; leave --int8 out.")
        os.replace(work, out)


def _checked(source: Path) -> tuple[Any, str]:
    """The model message and the name of its input, if it can be quantised at all."""
    from ecotone.bundle.onnx_proto import FLOAT as SINGLE
    from ecotone.bundle.onnx_proto import external_files, load_model

    if source.suffix.lower() != ".onnx":
        raise BackendError(f"{source}: only .onnx networks can be quantised; leave --int8 out.")
    model = load_model(source)
    kinds = {node.op_type for node in model.graph.node}
    if kinds & set(MARKS):
        raise BackendError(f"{source}: it is quantised already; leave --int8 out.")
    if not kinds & set(DENSE):
        raise BackendError(f"{source}: it has no layer that 8 bits make faster; leave --int8 out.")
    if external_files(model):
        raise BackendError(f"{source}: its weights are in other files, which is not supported "
                           "here; leave --int8 out.")
    stored = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in stored]
    if inputs[0].type.tensor_type.elem_type != SINGLE:
        raise BackendError(f"{source}: its input is not in single precision; leave --int8 out.")
    return model, inputs[0].name


class _Pictures:
    """The calibration pictures as onnxruntime's quantiser asks for them, one at a time."""

    def __init__(self, name: str, batch: np.ndarray) -> None:
        self._name, self._batch = name, batch
        self.rewind()

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rows, None)

    def rewind(self) -> None:
        self._rows: Iterator[dict[str, np.ndarray]] = (
            {self._name: self._batch[i : i + 1]} for i in range(len(self._batch))
        )

    def set_range(self, start_index: int, end_index: int) -> None:
        """Nothing: all pictures are calibrated on at once."""

    def __iter__(self) -> _Pictures:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        row = self.get_next()
        if row is None:
            raise StopIteration
        return row

    def __len__(self) -> int:
        return len(self._batch)


def _saturates() -> bool:
    """Whether sums of bytes overflow on this processor: x86 without VNNI; 7 bits are taken then."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True


class _quiet:
    """Keeps the quantiser's advice to programmers from a user's screen."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)


__all__ = ["quantise"]
