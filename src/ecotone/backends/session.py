"""An ONNX Runtime session on the best hardware there is, and how a processor is kept busy with it.

n pictures of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.providers import choose_providers, device_of
from ecotone.errors import BackendError

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
LARGE = 1 << 29  # bytes of a model that is not held twice
Feed = dict[str, np.ndarray]


class Network:
    """A session that is fed in pieces. device: "cpu", "cuda" ...: what runs it. note: why that is
    not what was asked for, "" where it is.

    On a processor a batch goes through picture by picture, as many at once as there are threads,
    each by one thread: nobody waits for the others after every operation. With MobileNetV2 that
    takes a third less of the processor than all threads on one batch, its numbers stay in the
    caches, and a picture's results do not depend on its neighbours. Of fewer pictures
    than threads each is shared by all threads. Waiting threads sleep: decoders need the cores.

    Raises BackendError when the model cannot be loaded.
    """

    def __init__(
        self, path: Path, threads: int, device: str = "", data: bytes | None = None
    ) -> None:
        self._path, self._data, self._threads = path, data, threads
        self.session, self.note = _open(path, threads, device, data)
        self.device = device_of(self.session.get_providers())
        size = len(data) if data else path.stat().st_size
        size += sum(f.stat().st_size for f in path.parent.glob(f"{escape(path.stem)}*data"))
        self._one = self.session if threads == 1 else None
        self._small = size < LARGE
        self._pool: ThreadPoolExecutor | None = None

    @property
    def step(self) -> int | None:
        """Pictures of a piece that suit the hardware, None where the whole batch does."""
        return 1 if self.device == "cpu" and self._small else None

    def run(self, names: Sequence[str] | None, feeds: Sequence[Feed]) -> list[list[np.ndarray]]:
        """The outputs `names` (None: all) of every piece, in their order."""
        names = None if names is None else list(names)
        if self.device != "cpu" or not self._small or not 1 < self._threads <= len(feeds):
            return [self.session.run(names, feed) for feed in feeds]
        one, pool = self._alone()
        return list(pool.map(lambda feed: one.run(names, feed), feeds))

    def _alone(self) -> tuple[Any, ThreadPoolExecutor]:
        """A session whose runs take one thread each, and the threads."""
        if self._pool is None:
            if self._one is None:
                self._one = _open(self._path, 1, "cpu", self._data)[0]
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="ecotone-onnx")
        return self._one, self._pool


def _open(path: Path, threads: int, device: str, data: bytes | None) -> tuple[Any, str]:
    """The session of an .onnx file, or of `data` in place of its graph, and a note where the
    hardware is not what was chosen. Raises BackendError when it cannot be loaded."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4 if device != "cpu" else 3
    settings.intra_op_num_threads = threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights in files beside the model are found although the graph is given as bytes.
    settings.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve().parent)
    )

    def make(providers: Sequence[Any]) -> Any:
        return ort.InferenceSession(data or str(path), settings, providers=list(providers))

    wanted, note = choose_providers(device, ort.get_available_providers())
    try:
        session, reason = _first_that_works(make, wanted)
    # ONNX Runtime raises its own types and plain RuntimeError alike.
    except Exception as error:
        raise BackendError(
            f"{path}: ONNX Runtime cannot load it ({first_line(error)})."
        ) from error
    if reason and not note:
        used = device_of(session.get_providers())
        used = "the processor" if used == "cpu" else used
        note = f"{device_of([wanted[0][0]])} cannot be used here ({reason}); {used} does the work"
    return session, note


def _first_that_works(make: Callable[..., Any], wanted: Sequence[Any]) -> tuple[Any, str]:
    """A session by the first providers that can be used, and why the first of all cannot."""
    reason = ""
    for start in range(len(wanted) - 1):
        try:
            session = make(wanted[start:])
        except Exception as error:
            reason = reason or first_line(error)
            continue
        # A provider whose driver is missing is left out without an error.
        if wanted[0][0] not in session.get_providers():
            reason = reason or "its driver or libraries are missing"
        return session, reason
    return make(wanted[-1:]), reason


def first_line(error: BaseException) -> str:
    """The first line of an error's text, its type where it has none."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__


__all__ = ["DTYPES", "Network", "first_line"]
