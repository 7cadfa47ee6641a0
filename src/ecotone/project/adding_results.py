"""`ecotone add detections` and `add scores`: what detectors and global models said of the pictures.

N detections in use, S global classes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.errors import FormatError, InputError
from ecotone.ingest.boxes import pair_boxes
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.results import FoundBox, ImageResult, ResultFile
from ecotone.ingest.results_file import read_results, without_collector
from ecotone.ingest.scores_table import ScoreTable, read_score_table
from ecotone.ingest.text import some
from ecotone.media.patience import patient_open
from ecotone.project.adding import AddReport, Progress, need_media, sayer
from ecotone.project.in_use import InUse, add_boxes, in_use, videos_of
from ecotone.project.score_rows import ScoreRows
from ecotone.store.media import WHOLE
from ecotone.store.tables import Box, MediaTable

CHUNK = 16_384  # media whose boxes are stored in one transaction
ROWS = 50_000  # scores handed to the store at once
TYPICAL = 0.2  # what MegaDetector 5 and 6 recommend; used where a file does not say
_CONFIDENCE = attrgetter("confidence")
WHOLE_PICTURE = "whole-picture scores of "  # note: models whose scores know no boxes


@without_collector()
def add_detections(
    project: Any, file: Path, progress: Progress | None = None
) -> AddReport:
    """Make a detector's boxes the detections of its pictures.

    Boxes from the project's threshold on (else what the file recommends, else 0.2). A picture
    without one stays a single detection of category "blank"; pictures that the file does not name
    stay as they are. Numbers in the report are detections.
    Raises FormatError when the file is of another kind or has no boxes.
    """
    say = sayer(progress)
    say(0, None, f"reading {file.name}")
    results = read_results(file)
    if not results.has_boxes:
        raise FormatError(
            f"{file}: {results.kind} without any detection; for its scores use: ecotone add scores"
        )
    media = need_media(project.catalog)
    images, problems = _placed_images(media, results)
    counts = _store_boxes(project, media, images, results, say)
    failed = [i.file for i in images.values() if i.boxes is None and i.failure]
    if failed:
        problems.append(
            f"{file.name}: the detector failed on {len(failed):,} pictures, they stay whole: "
            + some(failed)
        )
    return AddReport(*counts, [*results.problems, *problems])


def _threshold(project: Any, results: ResultFile) -> float:
    given = project.config.detection_threshold
    if given is not None:
        return float(given)
    return TYPICAL if results.threshold is None else results.threshold


def _placed_images(
    media: MediaTable, results: ResultFile
) -> tuple[dict[str, ImageResult], list[str]]:
    """Media id -> what the file says of it, and what to tell of the rest."""
    files = [i.file for i in results.images]
    rows, problems = _known_files(media, files, results.path), []
    if rows is None:
        matches = MediaIndex(media.path, media.file_path).find(files, results.path.parent)
        rows, problems = matches.rows, matches.problems(results.path.name, "entries")
    ids = media.id.tolist()
    pairs = zip(rows, results.images, strict=True)
    placed = {ids[row]: image for row, image in pairs if row >= 0}
    several = sum(row >= 0 for row in rows) - len(placed)
    if several:
        problems.append(
            f"{results.path.name}: {several:,} entries are of a picture that has a later one, "
            "which counts"
        )
    return placed, problems


def _known_files(media: MediaTable, files: Sequence[str], table: Path) -> list[int] | None:
    """The rows of files that are all written as the project writes them, else None.

    Says what `MediaIndex` would, much faster: only of pictures below one folder, and when the
    table does not lie inside that folder, where a path might mean two of them.
    """
    roots = set(media.root.tolist())
    folder = str(table.parent.resolve())
    if len(roots) != 1 or folder.startswith(next(iter(roots)).rstrip("/\\") + os.sep):
        return None
    known = dict(zip(media.file_path.tolist(), range(len(media)), strict=True))
    rows = [known.get(file.replace("\\", "/"), -1) for file in files]
    return None if -1 in rows else rows


def _store_boxes(
    project: Any, media: MediaTable, images: Mapping[str, ImageResult], results: ResultFile,
    say: Progress,
) -> tuple[int, int, int]:
    """Store boxes; how many detections are new, changed, already there."""
    catalog, threshold = project.catalog, _threshold(project, results)
    placed = [m for m, image in images.items() if image.boxes is not None]
    pairs = zip(media.id.tolist(), media.detector.tolist(), strict=True)
    seen = {m for m, detector in pairs if detector}.intersection(placed)
    before = in_use(catalog) if seen else {}
    added = updated = skipped = 0
    catalog.set_videos(videos_of(images, placed))
    for start in range(0, len(placed), CHUNK):
        part = {m: boxes_of(images[m], threshold) for m in placed[start : start + CHUNK]}
        catalog.replace_boxes(part, results.detector)
        added += sum(len(boxes) for m, boxes in part.items() if m not in seen)
        say(start + len(part), len(placed), "storing boxes")
    after = in_use(catalog) if seen else {}
    for medium in seen:
        if before.get(medium) == after[medium]:
            skipped += len(after[medium].ids)
        else:
            updated += len(after[medium].ids)
    carry_scores(project, placed)
    return added, updated, skipped


def boxes_of(image: ImageResult, threshold: float) -> list[Box | FoundBox]:
    """The detections of a picture: boxes from the threshold on, best first, else it is blank."""
    boxes = sorted(image.boxes or (), key=_CONFIDENCE, reverse=True)
    good = [b for b in boxes if b.confidence >= threshold]
    if good:
        # A whole-picture box has number 0, which only one can have; a frame of a video is no whole.
        whole = [b for b in good if b.bbox == WHOLE and b.frame_number is None]
        return [b for b in good if b not in whole] + whole[:1] if whole else good
    highest = boxes[0].confidence if boxes else 0.0
    return [Box(WHOLE, "blank", round(1.0 - highest, 6))]


def carry_scores(project: Any, media: Sequence[str]) -> None:
    """Give new boxes the whole-picture scores that other detections of their picture have.

    Looks at what is stored and not at what has changed, so that a killed command is made good.
    """
    from ecotone.store.vectors import ScoreWriter, done_ids, read_scores, score_models

    catalog, folder = project.catalog, project.path / "vectors"
    models = [m for m in score_models(catalog) if catalog.note(WHOLE_PICTURE + m)]
    use = in_use(catalog) if models and media else {}
    here = {m: use[m] for m in media if m in use}
    for name in models:
        done = done_ids(catalog, folder, "scores", name)
        scored: dict[str, int] = {}
        for medium, _, number in (i.rpartition(":") for i in done):
            scored[medium] = max(int(number), scored.get(medium, 0))  # the newest of its boxes
        pairs = [
            (target, f"{medium}:{scored[medium]}") for medium, use in here.items()
            if medium in scored for target in use.targets() if target not in done
        ]
        if not pairs:
            continue
        scores = read_scores(catalog, folder, name, [source for _, source in pairs])
        with ScoreWriter(catalog, folder, name, scores.classes, scores.complete) as writer:
            writer.append([target for target, _ in pairs], scores.values)


def add_scores(
    project: Any, file: Path, name: str | None = None, progress: Progress | None = None
) -> AddReport:
    """Add the scores of a global model: SpeciesNet or MegaDetector json, csv or parquet.

    Scores of a box go to the detection that is the same box, scores of a picture to its animals
    (to all detections when there are none). Pictures that no detector has seen get the file's own
    boxes first. name: of the model; default: what the file says, else the file's name. Numbers in
    the report are detections.
    Raises FormatError when the file holds no scores.
    """
    say = sayer(progress)
    media = need_media(project.catalog)
    say(0, None, f"reading {file.name}")
    if _is_json(file):
        return _add_json(project, file, name, media, say)
    table = read_score_table(file)
    gathered = ScoreRows(table.classes)
    problems = [*table.problems, *_gather_table(project, media, table, gathered)]
    whole = table.bbox is None and table.id_kind != "detection"
    return _store(project, gathered, name or file.stem, table.complete, whole, problems, say)


def _is_json(file: Path) -> bool:
    if file.suffix.casefold() == ".json":
        return True
    try:
        with patient_open(file) as handle:
            return handle.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    except OSError as error:
        raise FormatError(f"{file}: cannot be read ({error.strerror}).") from error


@without_collector()
def _add_json(
    project: Any, file: Path, name: str | None, media: MediaTable, say: Progress
) -> AddReport:
    results = read_results(file)
    if not results.has_scores:
        raise FormatError(
            f"{file}: {results.kind} without any classification; "
            "for its boxes use: ecotone add detections"
        )
    images, problems = _placed_images(media, results)
    seen = {m for m, d in zip(media.id, media.detector, strict=True) if d}
    unseen = {m: image for m, image in images.items() if m not in seen}
    _store_boxes(project, media, unseen, results, say)
    here = in_use(project.catalog)
    gathered = ScoreRows()
    whole, lost = True, []
    for medium, image in images.items():
        found = [b for b in image.boxes or () if b.scores]
        whole = whole and not found
        left = add_boxes(gathered, here[medium], found)
        if image.scores and left:
            gathered.add(left, image.scores)
        elif found and len(left) == len(here[medium].targets()):
            lost.append(image.file)
    if lost:
        problems.append(
            f"{file.name}: {len(lost):,} pictures have scores on boxes that are no detections here "
            f"(below the threshold, or of another detector): {some(lost)}"
        )
    problems = [*results.problems, *problems]
    known_as = name or results.classifier
    return _store(project, gathered, known_as, results.complete, whole, problems, say)


def _gather_table(
    project: Any, media: MediaTable, table: ScoreTable, gathered: ScoreRows
) -> list[str]:
    """Rows of a table on their detections; rows of one detection are added up or averaged."""
    here = in_use(project.catalog)
    mediums, problems = _media_of(media, here, table)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, medium in enumerate(mediums):
        for identity in _targets(here, medium, table, row) if medium else ():
            rows_of[identity].append(row)
    values = table.values
    many = [r for rows in rows_of.values() for r in rows]
    pointer = np.cumsum([0, *(len(rows) for rows in rows_of.values())])
    pick = sparse.csr_matrix(
        (np.ones(len(many)), many, pointer), shape=(len(rows_of), values.shape[0])
    )
    total = sparse.csr_matrix(pick @ values)
    if table.complete:  # several whole distributions of one detection: their mean
        total = sparse.diags(1.0 / np.maximum(np.diff(pointer), 1)) @ total
    total = sparse.csr_matrix(total)
    gathered.ids = list(rows_of)
    gathered.rows = [
        (total.indices[a:b], total.data[a:b])
        for a, b in zip(total.indptr[:-1], total.indptr[1:], strict=True)
    ]
    return problems


def _media_of(
    media: MediaTable, here: Mapping[str, InUse], table: ScoreTable
) -> tuple[list[str], list[str]]:
    """The medium of each row, "" where there is none, and what to tell of those."""
    known = set(media.id)
    name = table.path.name
    if table.id_kind == "path":
        matches = MediaIndex(media.path, media.file_path).find(table.text, table.path.parent)
        return [media.id[r] if r >= 0 else "" for r in matches.rows], matches.problems(name)
    ids = table.text if table.id_kind == "media" else [t.rpartition(":")[0] for t in table.text]
    found = [i if i in known else "" for i in ids]
    lost = [t for t, m in zip(table.text, found, strict=True) if not m]
    if not lost:
        return found, []
    return found, [f"{name}: {len(lost):,} rows name no {table.id_kind} here: {some(lost)}"]


def _targets(
    here: Mapping[str, InUse], medium: str, table: ScoreTable, row: int
) -> list[str]:
    use = here[medium]
    if table.id_kind == "detection":
        return [table.text[row]] if table.text[row] in use.ids else []
    if table.bbox is not None and not np.isnan(table.bbox[row]).any():
        (pair,) = pair_boxes(table.bbox[row : row + 1], np.array(use.boxes))
        if pair >= 0:
            return [use.ids[pair]]
        return list(use.ids) if use.boxes == (WHOLE,) else []
    return use.targets()


def _store(
    project: Any, gathered: ScoreRows, name: str, complete: bool, whole: bool,
    problems: list[str], say: Progress,
) -> AddReport:
    from ecotone.store.vectors import ScoreWriter

    ids, values, scaled = gathered.matrix()
    if not name.strip():
        raise InputError("the model's name is empty; give one with --name.")
    if scaled:
        problems.append(f"{scaled:,} detections had scores with a sum over 1, scaled to 1")
    classes = list(gathered.column)
    before, there = _stored(project, name, ids, classes)
    filled = np.diff(values.indptr) > 0
    same = np.zeros(len(ids), dtype=bool)
    if before is not None and len(ids):
        change = abs(before - values)
        same = np.asarray(change.max(axis=1).todense()).ravel() < 1e-5
    fresh = np.flatnonzero(filled & ~(same & there))
    if len(fresh):
        catalog = project.catalog
        with ScoreWriter(
            catalog, project.path / "vectors", name, classes, complete, extend=True
        ) as writer:
            if whole != bool(catalog.note(WHOLE_PICTURE + name)):
                catalog.set_note(WHOLE_PICTURE + name, whole)
            for start in range(0, len(fresh), ROWS):
                part = fresh[start : start + ROWS]
                writer.append([ids[r] for r in part], values[part])
                say(start + len(part), len(fresh), "storing scores")
    updated = int(there[fresh].sum())
    return AddReport(
        len(fresh) - updated, updated, int((filled & same & there).sum()), problems
    )


def _stored(
    project: Any, name: str, ids: Sequence[str], classes: Sequence[str]
) -> tuple[sparse.csr_matrix | None, np.ndarray]:
    """What is stored of these detections in the columns of `classes`, and (N,) whether any is.

    None when the model is new or a stored row has mass on other classes too.
    """
    from ecotone.store.shards import find_set
    from ecotone.store.vectors import done_ids, read_scores

    catalog, folder = project.catalog, project.path / "vectors"
    if find_set(catalog, "scores", name) is None:
        return None, np.zeros(len(ids), dtype=bool)
    done = done_ids(catalog, folder, "scores", name)
    there = np.array([i in done for i in ids], dtype=bool)
    scores = read_scores(catalog, folder, name, ids)
    column = {c: n for n, c in enumerate(classes)}
    entries = scores.values.tocoo()
    # Classes that this file does not know go to one more column, so that they count as a change.
    to = np.array([column.get(c, len(classes)) for c in scores.classes], dtype=np.int64)
    shape = (len(ids), len(classes) + 1)
    values = sparse.csr_matrix((entries.data, (entries.row, to[entries.col])), shape=shape)
    other = np.asarray(values[:, len(classes)].todense()).ravel() > 1e-5
    return values[:, : max(len(classes), 1)], there & ~other if other.any() else there
