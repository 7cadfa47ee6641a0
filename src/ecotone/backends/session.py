"""An ONNX Runtime session, opened the same way for classifiers and detectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecotone.errors import BackendError

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


def open_session(
    path: Path, threads: int, device: str = "", data: bytes | None = None, spin: bool = True
) -> Any:
    """The session of an .onnx file, or of `data` in place of its graph.

    device: "cpu" keeps off a graphics card. spin: whether its threads wait for work at full speed.
    Raises BackendError when it cannot be loaded.
    """
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    # Weights in files beside the model are found although the graph is given as bytes.
    settings.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve().parent)
    )
    wanted = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in ort.get_available_providers():
        wanted.insert(0, "CUDAExecutionProvider")
    try:
        return ort.InferenceSession(data or str(path), settings, providers=wanted)
    # ONNX Runtime raises its own types and plain RuntimeError alike.
    except Exception as error:
        raise BackendError(
            f"{path}: ONNX Runtime cannot load it ({first_line(error)})."
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, its type where it has none."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__


__all__ = ["DTYPES", "first_line", "open_session"]
