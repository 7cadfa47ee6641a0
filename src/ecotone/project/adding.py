"""`ecotone add`: pictures and a taxonomy; see `adding_labels` and `adding_results` for the rest.

Everything here may be interrupted and started again, and adding the same thing twice changes
nothing.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import MediaError, ProjectError
from ecotone.ingest.folder import (
    Picture,
    deployment_of,
    describe,
    describe_url,
    list_pictures,
    media_id,
)
from ecotone.ingest.remote import find_roots, is_list
from ecotone.ingest.taxonomy_file import read_taxonomy
from ecotone.ingest.text import some
from ecotone.media.location import is_url, location
from ecotone.media.patience import within
from ecotone.media.sampling import parse_sampling
from ecotone.media.video import is_video
from ecotone.project.times import renew_events
from ecotone.store.tables import KnownFile, MediaTable, NewMedium, absolute

Progress = Callable[[int, int | None, str], None]
CHUNK = 512  # pictures registered in one transaction


@dataclass(frozen=True)
class AddReport:
    """What an `add` did: how many were added, updated, already there; and what could not be used,
    one line a reason."""

    added: int = 0
    updated: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


def sayer(progress: Progress | None) -> Progress:
    """The progress function, or one that says nothing."""
    return progress or (lambda done, total, text: None)


def add_images(
    project: Any, folder: str | Path, progress: Progress | None = None, frames: str = ""
) -> AddReport:
    """Register the pictures and videos of a folder and its subfolders, of a URL, or of a list.

    Of a video the frames chosen by `frames` ("rate:1", "motion:16", "all"; default: by the
    settings) become detections until a detector has seen it. Pictures stay where they are. Time,
    camera and size come from the file; the deployment is the folder. A file that was changed since
    is looked at again, one that was moved together with its root is found again by its content.
    What cannot be read is kept with the reason. URLs and lists (txt, csv, parquet): see
    `ecotone.ingest.remote`.
    Raises InputError when there is no such folder, or nothing at a URL.
    """
    where = location(folder)
    say = sayer(progress)
    if is_url(where) or is_list(where) and Path(where).is_file():
        return _add_roots(project, where, say, frames)
    folder = Path(where)
    root = folder.resolve()
    listing = list_pictures(root)
    if not listing.files:
        return AddReport(0, 0, 0, [
            f"{folder}: no pictures (jpg, png, tif, webp, bmp) and no videos in this folder or "
            "below it",
            *listing.problems,
        ])
    catalog = project.catalog
    register, skipped = register_files(project, root, listing.files, say, None, frames)
    renew_events(catalog, project.config.event_gap, project.config.time_zone)
    skipped += register.same
    return AddReport(register.added, register.updated, skipped,
                     [*listing.problems, *_failed(register)])


def _failed(register: _Register) -> list[str]:
    said = []
    if register.failed:
        clips = sum(is_video(f.rpartition(" (")[0]) for f in register.failed)
        what = "videos" if clips == len(register.failed) else "pictures and videos" if clips else \
            "pictures"
        said.append(f"{len(register.failed):,} {what} cannot be read (kept, and tried again next "
                    f"time): {some(register.failed)}")
    if register.cut_off:
        said.append(f"{len(register.cut_off):,} videos are damaged, what can be read of them is "
                    f"used: {some(register.cut_off)}")
    return said


def _add_roots(project: Any, where: str, say: Progress, frames: str) -> AddReport:
    """Register the pictures of a URL or of a list."""
    added = updated = skipped = 0
    problems: list[str] = []
    roots = find_roots(where)
    if not any(root.files for root in roots):
        return AddReport(0, 0, 0, [f"{where}: no pictures there"])
    for root in roots:
        register, same = register_files(
            project, root.root, root.files, say, root.state, frames)
        added, updated = added + register.added, updated + register.updated
        skipped += same + register.same
        problems += _failed(register)
    renew_events(project.catalog, project.config.event_gap, project.config.time_zone)
    return AddReport(added, updated, skipped, problems)


def register_files(
    project: Any, root: str | Path, files: Sequence[str], say: Progress,
    state: Mapping[str, tuple[int, int]] | None = None, frames: str = "",
) -> tuple[_Register, int]:
    """Register pictures of a root by their paths in it; what became of them, and how many were
    known as they are. A chunk at a time is stored, all of it when a transaction is open.

    state: size and time of the last change (ns) of files, as their storage says. frames: how those
    of videos are chosen, default by the settings."""
    catalog = project.catalog
    sampling = str(parse_sampling(frames or project.config.video_frames, "video_frames"))
    register = _Register(catalog.files(), root, state or {}, sampling)
    waiting = [f for f in files if not register.is_known(f)]
    done = skipped = len(files) - len(waiting)
    say(done, len(files), "pictures")
    for chunk, pictures in _described(register, waiting, project.config.workers):
        new, changed = register.sort(chunk, pictures)
        with catalog.transaction():
            catalog.add_media(new)
            catalog.update_media(changed)
        done += len(chunk)
        say(done, len(files), "pictures")
    return register, skipped


def _described(
    register: _Register, files: Sequence[str], workers: int
) -> Iterator[tuple[Sequence[str], list[Picture]]]:
    threads = workers or min(8, 2 * (os.cpu_count() or 1))
    # Pillow warns of odd headers; set for all threads here, since filters are not thread-safe.
    with ThreadPoolExecutor(threads) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            yield chunk, list(pool.map(register.describe, chunk))


class _Register:
    """Tells new, changed, moved and unchanged files apart."""

    def __init__(
        self, known: Iterable[KnownFile], root: str | Path, state: Mapping[str, tuple[int, int]],
        sampling: str,
    ) -> None:
        self.root, self.state, self.remote = str(root), state, is_url(str(root))
        self.sampling = sampling
        self.by_path: dict[str, KnownFile] = {}
        self.by_place: dict[str, list[KnownFile]] = defaultdict(list)
        for file in known:
            self.by_path[absolute(file.root, file.file_path)] = file
            if file.root != str(root):
                self.by_place[file.file_path].append(file)
        self.ids = {file.id for file in self.by_path.values()}
        self.added = self.updated = self.same = 0
        self.failed: list[str] = []
        self.cut_off: list[str] = []

    def is_known(self, file: str) -> bool:
        """Whether the catalogue has this file as it is now, and could read it."""
        before = self.by_path.get(absolute(self.root, file))
        if before is None or before.failed:
            return False
        if is_video(file) and before.sampling != self.sampling and not before.detector:
            return False
        if self.remote:  # what a storage does not say is not known to have changed
            size, modified = self.state.get(file, (0, 0))
            return size in (0, before.size) and modified in (0, before.modified)
        try:
            status = os.stat(absolute(self.root, file))
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (before.size, before.modified)

    def describe(self, file: str) -> Picture:
        """What a file of the root says of itself."""
        where = absolute(self.root, file)
        if self.remote:
            return describe_url(where, self.state.get(file, (0, 0))[1], self.sampling)
        if is_video(file):
            return describe(Path(where), self.sampling)
        try:
            return within(lambda: describe(Path(where), self.sampling), where)
        except MediaError as error:
            return Picture(failure=str(error).removeprefix(f"{where}: "))

    def sort(
        self, files: Sequence[str], pictures: Sequence[Picture]
    ) -> tuple[list[NewMedium], list[NewMedium]]:
        """The media to be added, and those to be renewed."""
        new, changed = [], []
        for file, picture in zip(files, pictures, strict=True):
            before = self.by_path.get(absolute(self.root, file)) or self._moved(file, picture)
            if picture.failure:
                broken = self.cut_off if picture.chosen else self.failed
                broken.append(f"{file} ({picture.failure})")
            if before is None:
                new.append(self._medium(self._new_id(file), self.root, file, picture))
                self.added += 1
                continue
            # A root inside another root adds the same files: the first one keeps them.
            inside = absolute(before.root, before.file_path) == absolute(self.root, file)
            place = (before.root, before.file_path) if inside else (self.root, file)
            medium = self._medium(before.id, *place, picture)
            sampled = before.sampling == medium.sampling
            if (before.failed and picture.failure and sampled) or self._unchanged(before, medium):
                self.same += 1
            else:
                changed.append(medium)
                self.updated += 1
        return new, changed

    def _unchanged(self, before: KnownFile, medium: NewMedium) -> bool:
        then = (before.root, before.content_hash, before.size, before.modified, before.failed)
        sampled = before.sampling == medium.sampling or bool(before.detector)
        return sampled and then == (
            medium.root, medium.content_hash, medium.size, medium.modified, False)

    def _moved(self, file: str, picture: Picture) -> KnownFile | None:
        for before in self.by_place.get(file, ()):
            same = before.content_hash and before.content_hash == picture.content_hash
            there = absolute(before.root, before.file_path)
            if same and not is_url(there) and not os.path.exists(there):
                return before
        return None

    def _new_id(self, file: str) -> str:
        found = media_id(file)
        if found in self.ids:  # the same path in another root
            found = media_id(file, self.root)
        self.ids.add(found)
        return found

    def _medium(self, identity: str, root: str, file: str, picture: Picture) -> NewMedium:
        deployment, said_by = deployment_of(file, Path(root).name)
        return NewMedium(
            identity, root, file, deployment, said_by, picture.timestamp, picture.content_hash,
            picture.width, picture.height, picture.camera, picture.size, picture.modified,
            picture.failure, picture.frame_rate, picture.frames, picture.chosen,
            self.sampling if picture.chosen else "",
        )


def need_media(catalog: Any) -> MediaTable:
    """The media of a project.

    Raises ProjectError when there are none.
    """
    media = catalog.media()
    if not len(media):
        raise ProjectError(
            "no pictures in this project yet; add them first: ecotone add images FOLDER"
        )
    return media


def add_labels(
    project: Any, file: Path, author: str = "", progress: Progress | None = None
) -> AddReport:
    """Add the labels that people gave; see `ecotone.project.adding_labels`."""
    from ecotone.project.adding_labels import add_labels as add

    return add(project, file, author, progress)


def add_taxonomy(project: Any, file: Path) -> AddReport:
    """Add taxa to the project's taxonomy; see `ecotone.ingest.taxonomy_file` for the formats.

    Raises FormatError when the file is no taxonomy, TaxonomyError when it makes no tree.
    """
    from ecotone.taxonomy.tree import Taxonomy

    catalog = project.catalog
    known = catalog.note("taxonomy") or []
    place = {_taxon_key(row): n for n, row in enumerate(known)}
    merged = list(known)
    added = updated = skipped = 0
    for row in read_taxonomy(file):
        n = place.setdefault(_taxon_key(row), len(merged))
        if n == len(merged):
            merged.append(row)
            added += 1
        elif merged[n] == row:
            skipped += 1
        else:
            merged[n] = {**merged[n], **{k: v for k, v in row.items() if v}}
            updated += 1
    if added or updated:
        Taxonomy.from_rows(merged)
        catalog.set_note("taxonomy", merged)
    return AddReport(added, updated, skipped)


def _taxon_key(row: Mapping[str, str]) -> tuple[str, ...]:
    if row.get("taxonID"):
        return (row["taxonID"],)
    return row["scientificName"].casefold(), row["vernacularName"].casefold()


def add_detections(
    project: Any, file: Path, progress: Progress | None = None
) -> AddReport:
    """Add a detector's boxes; see `ecotone.project.adding_results`."""
    from ecotone.project.adding_results import add_detections as add

    return add(project, file, progress)


def add_scores(
    project: Any, file: Path, name: str | None = None, progress: Progress | None = None
) -> AddReport:
    """Add the scores of a global model; see `ecotone.project.adding_results`."""
    from ecotone.project.adding_results import add_scores as add

    return add(project, file, name, progress)


__all__ = [
    "AddReport", "add_detections", "add_images", "add_labels", "add_scores", "add_taxonomy",
]
