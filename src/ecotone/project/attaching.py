"""Results in Parquet shards become a project's scores and embeddings, where they lie.

Nothing but ids is copied; see `store.linked`. N detections, n rows of a shard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.engine.output import Output
from ecotone.engine.shards import ShardDone, committed, read_manifest, shard_file
from ecotone.errors import InputError, ProjectError
from ecotone.ingest.matching import MediaIndex
from ecotone.store import linked, shards
from ecotone.types import Detections

Progress = Callable[[int, "int | None", str], None]
KINDS = ("scores", "embeddings")
NEAR = 2e-4  # boxes nearer than this are one box


@dataclass(frozen=True)
class AttachReport:
    """What an attach did. shards, rows: now; skipped: shards that were there before. failed:
    "path: reason" of pictures that the shards' workers could not read. problems: what to know."""

    model: str
    shards: int = 0
    rows: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def attach(
    project: Any, place: str | Path, progress: Progress | None = None
) -> AttachReport:
    """Attach the committed shards of a folder or URL that `ecotone classify --output` wrote.

    They stay where they are. A row belongs to the detection of its id, else to that of its picture
    (by path, or by content) and box, never to a picture of another content; newer rows of a
    detection replace older ones. Results of the same model that were made in another way are
    dropped, as by `classify`.
    Raises InputError when nothing is there, FormatError, ProjectError without pictures.
    """
    output, say = Output(place), progress or (lambda done, total, text: None)
    try:
        manifest = read_manifest(output)
    except FileNotFoundError:
        raise InputError(
            f"{place}: no ecotone.json there, so no shards of ecotone; make some with: ecotone "
            "classify --images PHOTOS --model MODEL --output FOLDER"
        ) from None
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error}).") from error
    catalog, name = project.catalog, str(manifest["model"])
    if not len(catalog.detections()):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    run = catalog.start_run("attach", {"model": name, "backend": manifest.get("backend") or {},
                                       "place": output.place}, project.config.random_state)
    status, counts = "failed", {}
    try:
        report = _attach(project, output, manifest, say)
        status, counts = "done", {"shards": report.shards, "rows": report.rows}
    finally:
        catalog.finish_run(run, status, counts)
    return report


def _attach(
    project: Any, output: Output, manifest: Mapping[str, Any], say: Progress
) -> AttachReport:
    begin_sets(project.catalog, manifest)
    return attach_finished(project, output, manifest, say)


def attach_finished(
    project: Any, output: Output, manifest: Mapping[str, Any], say: Progress | None = None
) -> AttachReport:
    """Attach the committed shards of an output that are not attached yet."""
    catalog = project.catalog
    links = Links(project, output, manifest)
    every = committed(output)
    waiting = [done for name, done in every.items() if not links.has(name)]
    finder = _Finder(project) if waiting else None
    rows = linked_shards = lost = 0
    failures: dict[str, tuple[str, str]] = {}
    whole: set[str] = set()
    problems = []
    for number, done in enumerate(waiting, 1):
        ids, at, unknown = finder.rows(links.where(done.name), done.size)
        links.add(done, ids, at)
        rows, linked_shards, lost = rows + len(ids), linked_shards + 1, lost + unknown
        whole |= {i.rpartition(":")[0] for i in ids} - {media for media, _, _ in done.failed}
        failures |= {media: (path, reason) for media, path, reason in done.failed}
        if say is not None:
            say(number, len(waiting), f"attaching {links.name}")
    failures = {m: told for m, told in failures.items() if m not in whole}
    for media, (_, reason) in failures.items():
        if finder.knows(media):
            catalog.record_failure(media, "classify", reason)
    for failure in catalog.failures() if waiting else ():
        if failure.media_id in whole and failure.step in ("classify", "embed"):
            catalog.clear_failure(failure.media_id, failure.step)
    failed = [f"{path}: {reason}" for path, reason in failures.values()]
    if lost:
        problems.append(f"{output.place}: {lost:,} rows name no picture or box of the project; add "
                        "their pictures (ecotone add images) and attach again")
    if not every:
        problems.append(f"{output.place}: no shard is finished there yet; run its command again")
    return AttachReport(links.name, linked_shards, rows, len(every) - len(waiting), failed,
                        problems)


def begin_sets(catalog: Any, manifest: Mapping[str, Any]) -> None:
    """Note how a model was run; its results made in another way are dropped: they must not mix."""
    name = str(manifest["model"])
    with catalog.transaction():
        for kind, found in manifest["fingerprints"].items():
            key = f"fingerprint {kind} {name}"
            if catalog.note(key) != found:
                shards.drop_set(catalog, kind, name)
                catalog.set_note(key, found)
        if "embeddings" in manifest["fingerprints"]:
            catalog.set_note(f"backend {name}", manifest.get("backend") or {})


class Links:
    """The shards of an output in a project's sets of one model."""

    def __init__(self, project: Any, output: Output, manifest: Mapping[str, Any]) -> None:
        self._catalog, self._folder = project.catalog, project.path / "vectors"
        self.output, self.name = output, str(manifest["model"])
        self._manifest = manifest
        self.kinds = [kind for kind in KINDS if kind in manifest["fingerprints"]]
        self._there = set.intersection(*(self._linked(kind) for kind in self.kinds))

    def _linked(self, kind: str) -> set[str]:
        known = shards.find_set(self._catalog, kind, self.name)
        return set() if known is None else {
            place for _, place in linked_files(self._folder, known)}

    def where(self, name: str) -> str:
        """The path or URL of a shard's file."""
        return self.output.where(shard_file(name))

    def has(self, name: str) -> bool:
        """Whether a shard is attached."""
        return self.where(name) in self._there

    def good(self, done: ShardDone, n: int) -> np.ndarray:
        """The rows of a shard of n that have results."""
        if done.rows == n:
            return np.arange(n)
        table = linked.read_table(self.where(done.name), ("error",), done.size)
        return np.flatnonzero(np.asarray(table.column("error").is_null()))

    def add(self, done: ShardDone, ids: list[str], rows: np.ndarray) -> None:
        """Attach rows (n,) of a shard as those of n detections; in one transaction."""
        if not len(ids):
            return
        arrays = linked.link(self._folder, self.where(done.name), done.size, rows)
        with self._catalog.transaction():
            for kind in self.kinds:
                known = self._set(kind, done.dimension)
                shards.write_shard(self._catalog, self._folder, known, ids, arrays)
        self._there.add(self.where(done.name))

    def _set(self, kind: str, dimension: int) -> Any:
        known = shards.find_set(self._catalog, kind, self.name)
        if kind == "embeddings":
            classes, complete = (), True
        else:
            classes, dimension = tuple(map(str, self._manifest["classes"])), 0
            complete = bool(self._manifest.get("complete", True))
        if known is not None and (known.classes, known.dimension, known.complete) == (
                classes, dimension, complete):
            return known
        return shards.make_set(self._catalog, kind, self.name, classes, dimension, complete)


def linked_files(folder: Path, known: shards.VectorSet) -> list[tuple[str, str]]:
    """(shard, path or URL of its values) of the linked shards of a set."""
    found = []
    for file in known.files:
        source = shards.source_of(folder, known, file)
        if source is not None:
            found.append((file, linked.place(folder, source)))
    return found


def drop_missing(project: Any, name: str) -> int:
    """Forget linked shards of a model whose files are gone from this machine's disks, so that they
    are made anew; how many."""
    from ecotone.media.location import is_url

    catalog, folder, dropped = project.catalog, project.path / "vectors", 0
    for kind in KINDS:
        known = shards.find_set(catalog, kind, name)
        gone = [file for file, place in (linked_files(folder, known) if known else ())
                if not is_url(place) and not Path(place).is_file()]
        if gone:
            shards.forget(catalog, folder, known, gone)
        dropped += len(gone)
    return dropped


class _Finder:
    """Which detections of a project the rows of a shard mean."""

    def __init__(self, project: Any) -> None:
        self._catalog = project.catalog
        everything: Detections = self._catalog.detections()
        self._row = {i: n for n, i in enumerate(everything.id)}
        self._everything = everything
        self._boxes: dict[str, list[int]] = {}
        self._by_hash: dict[str, str] = {}
        self._index: MediaIndex | None = None
        self._media = self._catalog.media()
        self._hash = dict(zip(self._media.id, self._media.content_hash, strict=True))
        self._known = set(self._media.id)

    def knows(self, media_id: str) -> bool:
        """Whether a picture is in the project."""
        return media_id in self._known

    def rows(self, where: str, size: int) -> tuple[list[str], np.ndarray, int]:
        """The detection ids of a shard's rows, the rows, and how many others were not found.

        Raises ProjectError when the file is missing or damaged.
        """
        names = ("id", "filePath", "location", "bbox", "error", "contentHash")
        table = linked.read_table(where, names, size)
        good = np.asarray(table.column("error").is_null())
        boxes = np.asarray(table.column("bbox").combine_chunks().flatten()).reshape(-1, 4)
        hashes = np.full(len(good), "", dtype=object)
        if "contentHash" in table.column_names:
            hashes[:] = table.column("contentHash").to_pylist()
        found = np.array([self._row.get(i, -1) for i in table.column("id").to_pylist()], np.int64)
        near = np.abs(self._everything.bbox[found] - boxes).max(axis=1, initial=0) <= NEAR
        same = np.array([self._same(self._everything.media_id[n], h)
                         for n, h in zip(found, hashes, strict=True)], dtype=bool)
        found[~near | ~same] = -1
        lost = np.flatnonzero(good & (found < 0))
        if len(lost):
            texts = [table.column(name).take(lost).to_pylist() for name in ("location", "filePath")]
            found[lost] = self._elsewhere(*texts, hashes[lost], boxes[lost])
        rows = np.flatnonzero(good & (found >= 0))
        return self._everything.id[found[rows]].tolist(), rows, int((good & (found < 0)).sum())

    def _same(self, media_id: str, content: str) -> bool:
        """Whether a picture may have this content."""
        return not content or self._hash.get(media_id, content) in ("", content)

    def _elsewhere(
        self, places: list[str], paths: list[str], hashes: np.ndarray, boxes: np.ndarray
    ) -> np.ndarray:
        """Rows of detections by the paths of their pictures, else by their content; -1: none."""
        if self._index is None:
            self._index = MediaIndex(self._media.path, self._media.file_path)
            self._by_hash = {h: m for m, h in reversed(self._hash.items()) if h}
            for n, medium in enumerate(self._everything.media_id):
                self._boxes.setdefault(medium, []).append(n)
        told = [[self._media.id[r] if r >= 0 else "" for r in self._index.find(texts).rows]
                for texts in (places, paths)]
        out = np.full(len(boxes), -1, dtype=np.int64)
        for n, content in enumerate(hashes):
            media = [m for m in (told[0][n], told[1][n]) if m and self._same(m, content)]
            media += [self._by_hash[content]] if content in self._by_hash else []
            for k in self._boxes.get(media[0], ()) if media else ():
                if np.abs(self._everything.bbox[k] - boxes[n]).max() <= NEAR:
                    out[n] = k
        return out


__all__ = [
    "AttachReport", "Links", "attach", "attach_finished", "begin_sets", "drop_missing",
    "linked_files",
]
