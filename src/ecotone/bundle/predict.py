"""`ecotone predict`: a saved local model or trained network on new pictures, without a project.

A picture or a box is a row. What cannot be read becomes a row with the reason in `error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.bundle.blocks import Event, events_by, events_of
from ecotone.bundle.boxes import with_boxes
from ecotone.bundle.folder import Bundle
from ecotone.bundle.network import NetworkModel, open_model
from ecotone.bundle.pictures import Picture, find_pictures
from ecotone.bundle.video_rows import pooled, with_frames
from ecotone.errors import InputError
from ecotone.export.detections import BOX, class_columns
from ecotone.export.tables import TableWriter

if TYPE_CHECKING:
    from ecotone.engine.local import Runner
    from ecotone.engine.runners import Engine

Progress = Callable[[int, int | None, str], None]
PIECE = 2000  # rows of a table that are held


@dataclass(frozen=True)
class PredictResult:
    """What a prediction left behind: the table, its rows, the reasons of failed pictures, what else
    to know."""

    path: Path
    rows: int
    pictures: int
    failures: list[str]
    notes: list[str]


def predict_to_file(
    pictures: str | Path | Sequence[str | Path],
    model_folder: str | Path,
    output: str | Path,
    detections_json: str | Path | None = None,
    **options: Any,
) -> PredictResult:
    """Write the rows of `predict_folder` to a csv or parquet table, by the ending of `output`.

    Raises what `predict_folder` raises, InputError when the table cannot be written.
    """
    writer = TableWriter(output)  # a wrong ending shows before the work
    prediction = Prediction(pictures, model_folder, detections_json, **options)
    failures: list[str] = []
    with writer as table:
        for piece in prediction.pieces():
            table.append(piece)
            failures += [reason for reason in piece["error"] if reason]
    return PredictResult(
        Path(output), table.rows, len(prediction.items), list(dict.fromkeys(failures)),
        prediction.notes,
    )


def predict_folder(
    pictures: str | Path | Sequence[str | Path],
    model_folder: str | Path,
    detections_json: str | Path | None = None,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of the pictures in a folder (or of one picture, a URL, or a list), in their order.

    pictures: a folder is searched with all folders in it. model_folder: as for
    `network.open_model`. detections_json: a MegaDetector file; its boxes become rows, else the
    whole picture is one. options: batch_size, threshold (of the boxes; default: that of the
    training, else the file's), backend, runner, progress, engine (an `engine.runners.Engine`:
    workers of Daft or Ray), frames (of videos: "rate:1", "motion:16", "all"), every_frame (a row
    for each of them; a video is one row else, by its best frame), and options of the encoder
    (`threads`).

    A row: filePath, mediaID, deploymentID, detectionID, category, detectionConfidence,
    bboxX..bboxHeight, frameNumber (where there are videos), localClass, scientificName,
    classificationProbability, alternatives, error.
    A human, a vehicle or a blank picture gets a local class only where the model has one for it.

    Raises BackendError (the folder or the model), InputError (pictures, detections).
    """
    return Prediction(pictures, model_folder, detections_json, **options).rows()


class Prediction:
    """One run of a local model over pictures; see `predict_folder` for the arguments.

    items: the pictures. notes: what to tell the user.
    """

    def __init__(
        self,
        pictures: str | Path | Sequence[str | Path],
        model_folder: str | Path,
        detections_json: str | Path | None = None,
        *,
        batch_size: int | None = None,
        threshold: float | None = None,
        backend: Any = None,
        runner: Runner | None = None,
        progress: Progress | None = None,
        engine: Engine | None = None,
        frames: str = "rate:1",
        every_frame: bool = False,
        **options: Any,
    ) -> None:
        self.bundle: Bundle | NetworkModel = open_model(model_folder)
        self._model = Path(model_folder)
        self.items, self.notes = find_pictures(pictures)
        if detections_json is not None:
            threshold = self.bundle.threshold if threshold is None else threshold
            self.items, told = with_boxes(self.items, Path(detections_json), threshold)
            self.notes = self.notes + told
        self.items, told = with_frames(self.items, frames)
        self.notes, self._every_frame = self.notes + told, every_frame
        self.backend = backend or self.bundle.backend(**options)
        self.notes = [*self.notes, *getattr(self.backend, "notes", ())]
        self._batch_size, self._runner = batch_size, runner
        self._engine = None if engine is None or engine.here else engine
        self._options = options
        if self._engine is not None and backend is not None:
            raise InputError("an open backend stays in this process: leave it or the engine out.")
        self._say = progress or (lambda done, total, text: None)
        self._videos = any(item.frame_numbers is not None for item in self.items)

    def pieces(self) -> Iterator[dict[str, np.ndarray]]:
        """The table in pieces of columns; one without rows when there are no pictures."""
        held: list[tuple[Picture, np.ndarray | str]] = []
        rows = 0
        for done, (item, found) in enumerate(self._results(), 1):
            held.append((item, found))
            rows += len(item.boxes)
            self._say(done, len(self.items), "classifying pictures")
            if rows >= PIECE:
                yield self._piece(held)
                held, rows = [], 0
        if held or not self.items:
            yield self._piece(held)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The table row by row."""
        for piece in self.pieces():
            columns = [values.tolist() for values in piece.values()]
            for values in zip(*columns, strict=True):
                yield dict(zip(piece, values, strict=True))

    def _results(self) -> Iterator[tuple[Picture, np.ndarray | str]]:
        """Each picture with the probabilities (n, K) of its boxes to classify, or the reason why
        not, in the order of the pictures."""
        wanted = [item.to_classify(self.bundle.special_classes) for item in self.items]
        found: dict[int, list[np.ndarray] | str] = {}
        ready = 0
        for names, values in chain(self._events(wanted), [((), [])]):  # last: need no model
            if isinstance(values, str):
                found[int(names[0])] = values
                continue
            for number, row in zip(names, values, strict=True):
                have = found.setdefault(int(number), [])
                if not isinstance(have, str):  # of a video, other frames failed
                    have.append(row)
            while ready < len(self.items):
                have = found.get(ready, [])
                if not isinstance(have, str) and len(have) < wanted[ready].sum():
                    break
                found.pop(ready, None)
                yield self.items[ready], have if isinstance(have, str) else self._matrix(have)
                ready += 1

    def _events(self, wanted: list[np.ndarray]) -> Iterator[Event]:
        jobs = self._jobs(wanted)
        if self._engine is None:
            return events_of(self.bundle, self.backend, jobs, self._batch_size, self._runner,
                             self.notes)
        return events_by(self._engine, self._model, self._options, jobs, self._batch_size)

    def _jobs(self, wanted: list[np.ndarray]) -> Iterator[Any]:
        from ecotone.engine.local import Job, frame_jobs

        for number, (item, mask) in enumerate(zip(self.items, wanted, strict=True)):
            if mask.any():
                ids = tuple(f"{number}:{i}" for i in np.flatnonzero(mask))
                if item.frame_numbers is None:
                    yield Job(str(number), item.path, ids, item.boxes[mask])
                else:
                    yield from frame_jobs(str(number), item.path, ids, item.boxes[mask],
                                          item.frame_numbers[mask])

    def _matrix(self, rows: list[np.ndarray]) -> np.ndarray:
        return np.array(rows, dtype=np.float32).reshape(-1, len(self.bundle.classes))

    def _piece(self, results: list[tuple[Picture, np.ndarray | str]]) -> dict[str, np.ndarray]:
        """Columns of some pictures, a row a box."""
        k, special = len(self.bundle.classes), self.bundle.special_classes
        results = [
            pooled(item, found, item.to_classify(special), self.bundle.classes, self._every_frame)
            for item, found in results
        ]
        values, errors = [np.zeros((0, k), dtype=np.float32)], []
        for item, found in results:
            rows = np.full((len(item.boxes), k), np.nan, dtype=np.float32)
            failed = isinstance(found, str)
            if not failed:
                rows[item.to_classify(self.bundle.special_classes)] = found
            values.append(rows)
            errors += [found if failed else ""] * len(rows)
        items = [item for item, _ in results]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(i.boxes for i in items)])
        sure = np.concatenate([np.zeros(0, np.float32), *(i.confidence for i in items)])
        return {
            "filePath": _texts(i.file_path for i in items for _ in i.boxes),
            "mediaID": _texts(i.media_id for i in items for _ in i.boxes),
            "deploymentID": _texts(i.deployment for i in items for _ in i.boxes),
            "detectionID": _texts(d for i in items for d in i.detection_ids),
            "category": _texts(c for i in items for c in i.category),
            "detectionConfidence": sure,
            **{name: boxes[:, i] for i, name in enumerate(BOX)},
            **({"frameNumber": _texts(_frames(items))} if self._videos else {}),
            **class_columns(
                np.concatenate(values), self.bundle.classes, self.bundle.scientific_names
            ),
            "error": _texts(errors),
        }


def _frames(items: Iterable[Picture]) -> Iterator[str]:
    for item in items:
        frames = item.frame_numbers
        yield from [""] * len(item.boxes) if frames is None else map(str, frames.tolist())


def _texts(values: Iterable[str]) -> np.ndarray:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
