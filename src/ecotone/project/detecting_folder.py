"""`ecotone detect FOLDER -o md.json`: a detector on a folder of pictures, without a project."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ecotone.engine.detecting import Found, Look, detect_pictures
from ecotone.engine.local import ThreadRunner
from ecotone.errors import InputError, MediaError
from ecotone.ingest.folder import SAMPLING, list_pictures
from ecotone.media.sampling import choose_frames, parse_sampling
from ecotone.media.video import is_video
from ecotone.project.adding import sayer
from ecotone.project.adding_results import boxes_of
from ecotone.project.detecting import (
    BATCH,
    ROWS,
    SECONDS,
    STEP,
    DetectReport,
    counted_from,
    image_of,
    write_log,
)
from ecotone.store.detection_log import DetectionLog

Progress = Callable[[int, int | None, str], None]
CHECKPOINT = ".checkpoint.jsonl"  # beside the output until it is written


def detect_folder(
    folder: str | Path, model: str, output: str | Path, *, declaration: Any = None,
    threshold: float | None = None, batch_size: int | None = None,
    progress: Progress | None = None, **options: Any,
) -> DetectReport:
    """Run a detector on the pictures of a folder and write MegaDetector json 1.6.

    Files are named relative to the folder. A stopped run goes on from the checkpoint beside the
    output, which goes once that is written; pictures that failed are looked at again.

    Raises InputError without pictures, BackendError when the model cannot be opened or run.
    """
    from ecotone.backends.detector import detector_fingerprint, open_detector

    started, folder, output = time.perf_counter(), Path(folder), Path(output)
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give a file, as {output / 'md.json'}.")
    listing = list_pictures(folder)
    if not listing.files:
        raise InputError(f"{folder}: no pictures (jpg, png, tif, webp, bmp) in this folder or "
                         "below it.")
    detector = open_detector(model, declaration, **options)
    report = DetectReport(detector.name, counted_from(detector, threshold))
    report.notes += [*listing.problems, *getattr(detector, "notes", ())]
    checkpoint = output.with_name(output.name + CHECKPOINT)
    with DetectionLog(checkpoint, detector_fingerprint(detector)) as log:
        pending = [file for file in listing.files if file not in log.done]
        report.skipped = len(listing.files) - len(pending)
        _look(detector, log, looks(folder, pending), len(pending), batch_size or BATCH, report,
              sayer(progress))
        report.notes += write_log(log, listing.files, output, detector, report.threshold).warnings
        report.output = output
        for _, image in log.images(listing.files):
            if image.boxes is not None:
                kept = [b for b in boxes_of(image, report.threshold) if b.category != "blank"]
                report.boxes += len(kept)
                report.blank += not kept
    for path in (checkpoint, checkpoint.with_name(checkpoint.name + ".old")):
        path.unlink(missing_ok=True)
    report.seconds = time.perf_counter() - started
    return report


def looks(folder: Path, files: Sequence[str]) -> Iterator[Look]:
    """What to look at of each file: the picture, or some frames of a video."""
    for file in files:
        path = folder / file
        if not is_video(path):
            yield Look(file, path)
            continue
        try:
            video, frames = choose_frames(path, parse_sampling(SAMPLING))
            yield Look(file, path, tuple(frames) or (0,), video.frame_rate)
        except MediaError as error:
            yield Look(file, path, (0,), problem=str(error))


def _look(detector: Any, log: DetectionLog, pending: Iterable[Look], total: int, size: int,
          report: DetectReport, say: Progress) -> None:
    """Look at pictures; what is found is in the log every some seconds."""
    waiting: list[Found] = []
    since, done, capped = time.monotonic(), 0, 0
    try:
        for batch in detect_pictures(pending, detector, size, ThreadRunner(ahead=2 * size)):
            waiting += batch
            done += len(batch)
            report.failed += [one.reason for one in batch if one.reason]
            report.done += sum(not one.failure for one in batch)
            capped += sum(one.capped for one in batch)
            if len(waiting) >= ROWS or time.monotonic() - since >= SECONDS:
                log.append([(one.key, image_of(one, one.key)) for one in waiting])
                waiting, since = [], time.monotonic()
            say(done, total, f"{STEP} by {detector.name}")
    finally:
        log.append([(one.key, image_of(one, one.key)) for one in waiting])
    if capped:
        report.notes.append(
            f"{capped:,} pictures had more boxes than are kept (the surest are); see "
            "max_detections in the declaration"
        )


__all__ = ["detect_folder"]
