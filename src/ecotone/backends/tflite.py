"""TFLite models, run by LiteRT: one interpreter a thread, one picture at a time.

n pictures, S classes, D embedding dimensions. Quantised outputs are turned back into numbers by the
scale and zero point that the model states.
"""

from __future__ import annotations

import os
import queue
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, check_options
from ecotone.backends.declare import Declaration, ModelInput, find_declaration, resolve
from ecotone.backends.labels import check_count, parse_classes, read_classes
from ecotone.backends.outputs import (
    choose_tensors,
    flatten_embedding,
    output_kind,
    probe_batch,
    to_probabilities,
)
from ecotone.backends.tflite_file import (
    read_graph,
    read_model,
    read_normalization,
    read_packed_labels,
    with_output,
)
from ecotone.errors import BackendError, MissingExtraError


def open_tflite(argument: str, classes: Path | None = None, **options: Any) -> TfliteBackend:
    """Open a .tflite file, see `TfliteBackend`."""
    return TfliteBackend(Path(argument), classes, **check_options(TfliteBackend, options, argument))


class TfliteBackend:
    """A classifier and encoder in a .tflite file.

    classes: label file; without one the label file packed in the model is used if there is one.
    The embedding is the layer before the last dense layer, or the tensor named `embedding`; it is
    made an output of the network, so that it is read at full speed and never overwritten.

    Raises BackendError, MissingExtraError, FormatError (labels), InputError (declaration).
    """

    def __init__(
        self,
        path: Path,
        classes: Path | None = None,
        preprocessing: Any = None,
        output: str = "",
        embedding: str = "",
        threads: int | None = None,
    ) -> None:
        self.path = path
        self.threads = max(1, threads or os.cpu_count() or 1)
        data = read_model(path)
        first = _interpreter(path, data)
        details = first.get_input_details()
        if len(details) != 1:
            raise BackendError(f"{path}: it takes {len(details)} inputs, expected one picture.")
        self.preprocessing, declared = _preprocessing(path, data, details[0], preprocessing)
        self.classes = _classes(path, data, classes)
        self._choose(data, first, declared, embedding or declared.embedding)
        self._start(data)
        self._finish(output or declared.output, classes)

    def classify(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (n, S) float32 of prepared pictures (n, *preprocessing.shape)."""
        return self.run(batch, scores=True, embeddings=False).scores

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) float32 of prepared pictures (n, *preprocessing.shape)."""
        return self.run(batch, scores=False, embeddings=True).embeddings

    def run(self, batch: np.ndarray, scores: bool = True, embeddings: bool = True) -> Outputs:
        """Both in one pass. Safe to call from several threads."""
        if len(batch) == 0:
            rows = np.zeros((0, len(self.classes)), np.float32)
            return Outputs(rows if scores else None, np.zeros((0, self.dimension or 0), np.float32))
        wanted = [i for i, want in ((self._scores, scores), (self._pooled, embeddings)) if want]
        rows = list(self._pool.map(lambda picture: self._one(picture, wanted), batch))
        columns = [np.concatenate([row[i] for row in rows]) for i in range(len(wanted))]
        found = dict(zip(wanted, columns, strict=True))
        raw = found[self._scores].reshape(len(batch), -1) if scores else None
        pooled = flatten_embedding(found[self._pooled], channels_last=True) if embeddings else None
        return Outputs(None if raw is None else to_probabilities(raw, self.output), pooled)

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {
            "spec": str(self.path),
            "file": str(self.path),
            "output": self.output,
            "outputKnownBy": self.output_source,
            "embedding": self.embedding,
            "dimension": self.dimension,
        }

    def _choose(self, data: bytes, first: Any, declared: Declaration, embedding: str) -> None:
        graph = read_graph(data)
        names = {t["name"]: str(t["index"]) for t in first.get_tensor_details()}
        for name in (embedding, declared.scores):
            if name and name not in names:
                raise BackendError(f"{self.path}: no tensor is named {name!r} in it.")
        widths = {str(o["index"]): int(o["shape"][-1]) for o in first.get_output_details()}
        fitting = [o for o in graph.outputs if widths.get(o) == len(self.classes)]
        output = names.get(declared.scores) or (fitting or graph.outputs)[0]
        chosen = choose_tensors(graph, output, bool(self.classes), names.get(embedding, ""))
        self._scores = int(chosen.scores) if chosen.scores else None
        self._pooled = int(chosen.embedding) if chosen.embedding else None
        self._final = chosen.final
        self.embedding = next((n for n, i in names.items() if i == chosen.embedding), "")

    def _start(self, data: bytes) -> None:
        if self._pooled is not None:
            data = with_output(data, self._pooled)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.threads):
            self._idle.put(_interpreter(self.path, data))
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ecotone-tflite")
        self._input = self._with_interpreter(lambda i: i.get_input_details()[0]["index"])
        details = self._with_interpreter(lambda i: i.get_output_details())
        self._quantisation = {d["index"]: d["quantization"] for d in details}

    def _finish(self, output: str, classes: Path | None) -> None:
        """Run made-up pictures: sizes of the outputs, and what kind of scores they are."""
        batch = probe_batch(self.preprocessing)
        self.dimension: int | None = None
        if self._pooled is not None:
            raw = np.concatenate([self._one(p, [self._pooled])[0] for p in batch[:1]])
            self.dimension = flatten_embedding(raw, channels_last=True).shape[1]
        self.output, self.output_source, self.complete = "", "", True
        if self._scores is None:
            return
        raw = np.concatenate([self._one(p, [self._scores])[0] for p in batch])
        raw = raw.reshape(len(batch), -1)
        check_count(self.classes, raw.shape[1], self.path.name, str(classes or self.path))
        self.output, self.output_source = output_kind(
            output, self._final, lambda: raw, str(self.path)
        )
        # Scores rounded to 1/256 lose what is smaller: such a row is not the whole distribution.
        rounded = bool(self._quantisation[self._scores][0])
        self.complete = self.output == "logits" or (self.output == "probabilities" and not rounded)

    def _one(self, picture: np.ndarray, wanted: list[int]) -> list[np.ndarray]:
        """The wanted tensors of one picture, as numbers, with a first axis of length 1."""

        def run(interpreter: Any) -> list[np.ndarray]:
            interpreter.set_tensor(self._input, picture[None])
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in wanted]

        values = self._with_interpreter(run)
        return [self._number(v, i) for v, i in zip(values, wanted, strict=True)]

    def _number(self, values: np.ndarray, index: int) -> np.ndarray:
        scale, zero = self._quantisation.get(index, (0.0, 0))
        if np.issubdtype(values.dtype, np.integer) and scale:
            return (values.astype(np.float32) - zero) * np.float32(scale)
        return values.astype(np.float32)

    def _with_interpreter(self, function: Any) -> Any:
        interpreter = self._idle.get()
        try:
            return function(interpreter)
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"{self.path}: the model failed ({error}).") from error
        finally:
            self._idle.put(interpreter)


def _interpreter(path: Path, data: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError(f"{path.name}: a .tflite model", "tflite") from error
    try:
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BackendError(f"{path}: LiteRT cannot load this model ({error}).") from error
    return interpreter


def _preprocessing(path: Path, data: bytes, detail: Any, given: Any) -> tuple[Any, Declaration]:
    shape = tuple(None if s < 0 else int(s) for s in detail["shape_signature"])
    tensor = ModelInput(detail["name"], shape, np.dtype(detail["dtype"]).name)
    # A quantised input applies the metadata's mean and std itself: it takes the bytes.
    metadata = read_normalization(data) if tensor.dtype.startswith("float") else None
    declared = find_declaration(path, given, metadata)
    return resolve(path, tensor, declared), declared


def _classes(path: Path, data: bytes, file: Path | None) -> tuple[str, ...]:
    if file is not None:
        return read_classes(file)
    packed = read_packed_labels(data)
    return parse_classes(packed, f"{path} (packed labels)") if packed else ()
