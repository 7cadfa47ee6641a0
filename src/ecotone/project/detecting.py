"""`ecotone detect` in a project: boxes of a detector for every picture that it has not seen yet.

What was found goes into a log first (`detections/<name>.jsonl`, every box from the model's lowest
confidence on) and then into the catalogue (boxes from the threshold on), so that after a kill at
any moment the next run makes good what is missing; the json is written from the log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ecotone.engine.detecting import Found, Look, detect_pictures
from ecotone.engine.local import ThreadRunner
from ecotone.errors import InputError
from ecotone.export.megadetector import CONF, rounded, rounded_box, write_megadetector
from ecotone.ingest.results import FoundBox, ImageResult
from ecotone.project.adding import need_media, sayer
from ecotone.project.adding_results import boxes_of, carry_scores
from ecotone.project.own_rows import relative_paths
from ecotone.store.detection_log import DetectionLog

Progress = Callable[[int, int | None, str], None]
ROWS, SECONDS = 1000, 10.0  # finished pictures are kept after so many, or after so long
BATCH = 8  # pictures at once: a detector's inputs are large
CHUNK = 4096  # logged pictures brought into the catalogue in one transaction
FOLDER = "detections"
STEP = "detect"


@dataclass
class DetectReport:
    """What a run did. done, skipped: pictures now and before; boxes: from the threshold on, on all
    pictures that this detector saw; blank: pictures without one. failed: "path: reason" lines.
    notes: what to tell. output: the MegaDetector json. seconds: opening the model included."""

    detector: str
    threshold: float
    done: int = 0
    skipped: int = 0
    boxes: int = 0
    blank: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    output: Path | None = None
    seconds: float = 0.0


def detect(
    project: Any, model: str, *, declaration: Any = None, threshold: float | None = None,
    output: str | Path | None = None, batch_size: int | None = None,
    progress: Progress | None = None, **options: Any,
) -> DetectReport:
    """Run a detector on the project's pictures and make its boxes their detections.

    model, declaration, options: see `backends.detector.open_detector`. threshold: the confidence
    from which on a box is a detection; default: the project's, else what the detector recommends.
    A picture without one stays a single detection of category "blank". output: where a MegaDetector
    json goes as well; it lies in the project's folder `detections` in any case.

    Raises BackendError when the model cannot be opened or run, InputError on bad options.
    """
    from ecotone.backends.detector import detector_fingerprint, detector_info, open_detector

    started = time.perf_counter()
    media = need_media(project.catalog)
    detector = open_detector(model, declaration, **options)
    report = DetectReport(detector.name, counted_from(detector, threshold, project))
    settings = {"detector": detector_info(detector), "threshold": report.threshold}
    run = project.catalog.start_run(STEP, settings, project.config.random_state)
    status = "interrupted"
    try:
        with DetectionLog(log_path(project, detector.name), detector_fingerprint(detector)) as log:
            _Run(project, detector, log, report, media, sayer(progress)).go(batch_size)
            _write(project, detector, log, report, media, output)
        status = "done"
    except Exception:
        status = "failed"
        raise
    finally:
        summary = {"done": report.done, "failed": len(report.failed), "boxes": report.boxes}
        project.catalog.finish_run(run, status, summary)
    report.seconds = time.perf_counter() - started
    return report


def counted_from(detector: Any, threshold: float | None, project: Any = None) -> float:
    """The confidence from which on a box counts. Raises InputError when it is none."""
    if threshold is None and project is not None:
        threshold = project.config.detection_threshold
    value = float(detector.threshold if threshold is None else threshold)
    if not 0.0 <= value <= 1.0:
        raise InputError(f"threshold is {value}, expected a number in 0..1.")
    return value


def log_path(project: Any, name: str) -> Path:
    """Where the results of a detector are kept in a project."""
    return project.path / FOLDER / f"{_file_name(name)}.jsonl"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "detector"


def image_of(found: Found, file: str) -> ImageResult:
    """What a detector found, with the numbers as MegaDetector's json rounds them: what is stored
    and what is written are the same."""
    facts: dict[str, Any] = {"width": found.width or None, "height": found.height or None}
    if found.look.frames:
        facts["frame_rate"] = found.look.frame_rate or None
        facts["frames_processed"] = tuple(n for n, _ in found.boxes if n is not None)
    if found.failure:
        return ImageResult(file, None, failure=found.failure, **facts)
    listed = tuple(
        FoundBox(tuple(rounded_box(box, file)), str(kind), rounded(sure, CONF, file),
                 frame_number=number)
        for number, boxes in found.boxes
        for box, kind, sure in zip(boxes.bbox, boxes.category, boxes.confidence, strict=True)
    )
    return ImageResult(file, listed, **facts)


class _Run:
    """One run over a project's pictures."""

    def __init__(self, project: Any, detector: Any, log: DetectionLog, report: DetectReport,
                 media: Any, say: Progress) -> None:
        self.project, self.detector, self.log = project, detector, log
        self.report, self.media, self.say = report, media, say
        self.file_of = dict(zip(media.id.tolist(), relative_paths(media).tolist(), strict=True))
        self.waiting: list[Found] = []
        self.since = time.monotonic()
        self.capped = 0
        self.failing = {f.media_id for f in project.catalog.failures()}

    def go(self, batch_size: int | None) -> None:
        """Bring what is logged into the catalogue, look at the rest, and count."""
        if self.log.begun_anew:
            self.report.notes.append(
                f"{self.report.detector} is not what it was (another file or declaration): every "
                "picture is looked at again"
            )
        seen = self._known()
        self._bring_in()
        pending = [self._looked(row) for row, m in enumerate(self.media.id.tolist())
                   if m not in seen]
        self.report.skipped = len(self.media) - len(pending)
        try:
            self._look(pending, batch_size)
        finally:
            self._keep()
        carry_scores(self.project, self.media.id[self.project.catalog.media().detector
                                                 == self.report.detector].tolist())
        self._count()

    def _looked(self, row: int) -> Look:
        """A picture, or the frames of a video that were chosen when it was added."""
        media = self.media
        if not media.is_video[row]:
            return Look(media.id[row], media.picture(row))
        frames = tuple(int(n) for n in media.frames_processed[row]) or (0,)
        path = media.picture(row).path
        return Look(media.id[row], path, frames, float(media.frame_rate[row]))

    def _known(self) -> set[str]:
        """Media that need no look: logged, or with boxes of this very detector from a file."""
        catalog, key = self.project.catalog, f"detections given of {self.report.detector}"
        given = catalog.note(key)
        if given is None or self.log.begun_anew:
            rows = zip(self.media.id.tolist(), self.media.detector.tolist(), strict=True)
            given = [] if self.log.begun_anew else [
                m for m, name in rows if name == self.report.detector and m not in self.log
            ]
            catalog.set_note(key, given)
        return self.log.done.union(given)

    def _bring_in(self) -> None:
        """Make the logged boxes the detections in use where they are not: after a kill, after
        another detector, or all of them when the threshold is another one."""
        catalog, key = self.project.catalog, f"detections counted of {self.report.detector}"
        same = catalog.note(key) == self.report.threshold
        rows = zip(self.media.id.tolist(), self.media.detector.tolist(), strict=True)
        keys = [m for m, name in rows
                if m in self.log.done and not (same and name == self.report.detector)]
        if not same:
            catalog.set_note(key, None)  # until all are done
        for start in range(0, len(keys), CHUNK):
            self._store([(k, image) for k, image in self.log.images(keys[start : start + CHUNK])])
            self.say(min(start + CHUNK, len(keys)), len(keys), "boxes of before")
        catalog.set_note(key, self.report.threshold)

    def _look(self, pending: Sequence[Look], batch_size: int | None) -> None:
        size = batch_size or min(BATCH, self.project.config.batch_size or BATCH)
        runner = ThreadRunner(self.project.config.workers, ahead=2 * size)
        total, name, done = len(pending), self.report.detector, 0
        if total:
            self.say(0, total, f"{STEP} by {name}")
        for batch in detect_pictures(pending, self.detector, size, runner):
            self.waiting += batch
            done += len(batch)
            if len(self.waiting) >= ROWS or time.monotonic() - self.since >= SECONDS:
                self._keep()
            self.say(done, total, f"{STEP} by {name}")

    def _keep(self) -> None:
        """Write what waits: to the log, then to the catalogue."""
        rows = [(found.key, image_of(found, self.file_of[found.key])) for found in self.waiting]
        waiting, self.waiting = self.waiting, []
        if rows:
            self.log.append(rows)
            self._store([(k, image) for k, image in rows if image.boxes is not None])
            self._failures(waiting)
        self.since = time.monotonic()

    def _failures(self, found: Sequence[Found]) -> None:
        catalog = self.project.catalog
        path_of = dict(zip(self.media.id.tolist(), self.media.path.tolist(), strict=True))
        for one in found:
            if one.reason:
                reason = one.reason.removeprefix(f"{path_of[one.key]}: ")
                catalog.record_failure(one.key, STEP, reason)
                self.report.failed.append(f"{path_of[one.key]}: {reason}")
            elif one.key in self.failing:
                # It can be read now; of a video only what this step looks at is known.
                catalog.clear_failure(one.key, STEP if one.look.frames else None)
            self.report.done += not one.failure
            self.capped += one.capped

    def _store(self, rows: Sequence[tuple[str, ImageResult]]) -> None:
        boxes = {key: boxes_of(image, self.report.threshold) for key, image in rows}
        if boxes:
            self.project.catalog.replace_boxes(boxes, self.report.detector)

    def _count(self) -> None:
        media, detections = self.project.catalog.media(), self.project.catalog.detections()
        mine = set(media.id[media.detector == self.report.detector].tolist())
        for medium, category in zip(detections.media_id.tolist(), detections.category.tolist(),
                                    strict=True):
            if medium in mine:
                self.report.blank += category == "blank"
                self.report.boxes += category != "blank"
        if self.capped:
            self.report.notes.append(
                f"{self.capped:,} pictures had more boxes than are kept (the surest are); see "
                "max_detections in the declaration"
            )


def _write(project: Any, detector: Any, log: DetectionLog, report: DetectReport, media: Any,
           output: str | Path | None) -> None:
    """The json in the project's folder, and where the user wants it."""
    own = log.path.with_suffix(".json")
    for path in dict.fromkeys([own, *([Path(output)] if output else [])]):
        written = write_log(log, media.id.tolist(), path, detector, report.threshold)
        report.output = path
    report.notes += [*getattr(detector, "notes", ()), *written.warnings]


def write_log(log: DetectionLog, keys: Sequence[str], path: Path, detector: Any, threshold: float
              ) -> Any:
    """Write what a log holds of these pictures as MegaDetector json, in their order."""
    def images() -> Iterator[ImageResult]:
        for _, image in log.images(keys):
            yield image

    lowest = getattr(detector, "lowest", None)
    return write_megadetector(
        images(), path, detector=detector.name, threshold=threshold, conservative=lowest,
        detector_version=getattr(detector, "version", ""),
        detected=datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
    )


__all__ = ["DetectReport", "counted_from", "detect", "image_of", "write_log"]
