"""`ecotone check`: whether a project is whole, without changing anything."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone.errors import ProjectError
from ecotone.project.lock import holder_of
from ecotone.project.records import LATEST, read_json
from ecotone.store.checking import check_catalogue, check_runs, check_shards, look
from ecotone.store.checksums import find_damage
from ecotone.store.problems import BUSY, CHANGED, DAMAGED, LEFT_OVER, MISSING, Problem

SHOWN = 20  # problems of one kind and part that are printed one by one
UNFINISHED = ".ecotone-unfinished-"  # folders of models that a kill left behind


@dataclass(frozen=True)
class CheckReport:
    """What `check` found. problems: what is wrong. notes: what is only worth knowing."""

    project: Path
    problems: list[Problem]
    notes: list[Problem]
    quick: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def lines(self) -> list[str]:
        """The report for people: one line a problem."""
        out = []
        for found in (self.problems, self.notes):
            shown: dict[tuple[str, str], int] = {}
            for one in found:
                key = (one.kind, one.part)
                shown[key] = shown.get(key, 0) + 1
                if shown[key] <= SHOWN:
                    out.append(one.line())
            out += [f"... and {n - SHOWN:,} more of {part}: {kind} (all with --json)"
                    for (kind, part), n in shown.items() if n > SHOWN]
        if self.whole:
            how = "no damage found; sizes alone were compared" if self.quick else "no damage found"
            return [*out, f"{self.project}: {how}"]
        n = len(self.problems)
        return [*out, f"{self.project}: {n:,} problem{'s' * (n > 1)}; what can be mended is mended "
                "by: ecotone repair"]


def check(project: Any, quick: bool = False) -> CheckReport:
    """Catalogue, people's words, vectors, records, models, kept studies and pictures.

    quick: compares sizes, not checksums, and SQLite's structure, not its indexes.
    """
    path = project.path / "catalog.sqlite"
    found = list(_busy(project))
    found += check_catalogue(path, quick)
    try:
        with closing(look(path)) as connection:
            for part in (check_shards(connection, project.vectors, quick), check_runs(connection),
                         _records(project, connection), _models(project, connection),
                         _sources(project, connection), _media(connection)):
                found += _until_unreadable(part, str(path))
    except ProjectError:  # said above
        pass
    found += _left_over(project)
    return CheckReport(
        project.path, [p for p in found if not p.harmless], [p for p in found if p.harmless], quick)


def _until_unreadable(part: Iterator[Problem], catalogue: str) -> list[Problem]:
    """The problems of a part, as far as a damaged catalogue lets it be looked at."""
    out: list[Problem] = []
    try:
        for problem in part:
            out.append(problem)
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        out.append(Problem(DAMAGED, "catalogue", catalogue, f"cannot be read as it is ({error})"))
    return out


def _busy(project: Any) -> Iterator[Problem]:
    holder = holder_of(project.path)
    if holder:
        yield Problem(BUSY, "project", str(project.path), f"{holder} is working on it now",
                      "what it has not finished yet may show up below")


def _records(project: Any, connection: sqlite3.Connection) -> Iterator[Problem]:
    paths = sorted(project.runs.glob("*.json")) if project.runs.is_dir() else []
    for path in [*paths, project.path / "evaluation" / "records.json"]:
        if path.is_file():
            try:
                read_json(path)
            except ProjectError as error:
                what = str(error).removeprefix(f"{path}: ")
                command = "evaluate" if path.name == "records.json" else _command_of(path.stem)
                yield Problem(DAMAGED, "records", str(path), what,
                              f"ecotone repair, then: ecotone {command}")
    run = _latest(connection)
    if run and not (project.runs / f"{run}.json").is_file():
        yield Problem(MISSING, "records", str(project.runs / f"{run}.json"),
                      "the record of the newest fusion is missing", "ecotone fuse")


def _command_of(run: str) -> str:
    """ "2026-11-21T07-30-00-fuse-1" -> "fuse"."""
    return run[20:].rpartition("-")[0].replace("individuals-", "individuals ") or "fuse"


def _latest(connection: sqlite3.Connection) -> str:
    import json

    row = connection.execute("SELECT value FROM note WHERE key = ?", (LATEST,)).fetchone()
    return (json.loads(row[0]) or {}).get("run", "") if row else ""


def _models(project: Any, connection: sqlite3.Connection) -> Iterator[Problem]:
    from ecotone.bundle.files import LATEST as NEWEST
    from ecotone.bundle.files import MANIFEST, NEEDED, damaged_files
    from ecotone.project.networks import FOLDER as NETWORKS

    if not project.models.is_dir():
        return
    mend = "ecotone repair, then: ecotone fuse"
    for folder in sorted(project.models.iterdir()):
        if folder.is_symlink() and not folder.exists():
            yield Problem(MISSING, "models", str(folder), "leads to no model", "ecotone fuse")
        elif (folder.is_symlink() or not folder.is_dir()
              or folder.name in (NEWEST, "individuals", NETWORKS)):
            continue
        elif (folder / MANIFEST).is_file() or (project.runs / f"{folder.name}.json").is_file():
            gone = [name for name in NEEDED if not (folder / name).is_file()]
            yield from (Problem(DAMAGED, "models", str(folder / name),
                                "this file of the model is missing", mend) for name in gone)
            yield from _damaged([] if gone else damaged_files(folder), mend)
    run = _latest(connection)
    if run and not (project.models / run).is_dir():
        yield Problem(MISSING, "models", str(project.models / run),
                      "the model of the newest fusion is missing", "ecotone fuse")
    for manifest in sorted((project.models / NETWORKS).glob(f"*/{MANIFEST}")):
        yield from _damaged(
            damaged_files(manifest.parent),
                            "ecotone train, under the same name and with the same settings")
    yield from _heads(project.models / "individuals")


def _damaged(lines: Iterable[str], mend: str) -> Iterator[Problem]:
    for line in lines:
        path, _, what = line.partition(": ")
        yield Problem(DAMAGED, "models", path, what.split(";")[0], mend)


def _heads(folder: Path) -> Iterator[Problem]:
    for card in sorted(folder.glob("*/card.json")) if folder.is_dir() else ():
        try:
            files = read_json(card).get("files") or {}
        except ProjectError as error:
            yield Problem(DAMAGED, "models", str(card), str(error).removeprefix(f"{card}: "),
                          "ecotone repair, then: ecotone individuals train")
            continue
        for name, mark in files.items() if isinstance(files, dict) else ():
            if isinstance(mark, list) and (wrong := find_damage(card.with_name(name), *mark)):
                yield Problem(DAMAGED, "models", str(card.with_name(name)), wrong,
                              "ecotone repair, then: ecotone individuals train")


def _sources(project: Any, connection: sqlite3.Connection) -> Iterator[Problem]:
    from ecotone.project.study_files import hash_of_copy

    for folder, origin, stated in connection.execute(
        "SELECT folder, origin, content_hash FROM study ORDER BY n"
    ):
        place = project.path / folder
        mend = f"ecotone add study {origin}"
        if not place.is_dir():
            yield Problem(MISSING, "sources", str(place), "the kept tables of a study are missing",
                          mend)
        elif hash_of_copy(place) != stated:
            yield Problem(DAMAGED, "sources", str(place), "the kept tables of a study were changed",
                          mend)


def _media(connection: sqlite3.Connection) -> Iterator[Problem]:
    from ecotone.store.media import read_files
    from ecotone.store.tables import absolute

    for file in read_files(connection):
        path = absolute(file.root, file.file_path)
        again = f"put it back, or say it anew: ecotone add images {file.root}"
        try:
            status = os.stat(path)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            yield Problem(MISSING, "media", path, "the picture is missing" if gone
                          else f"cannot be read ({error.strerror})", again)
            continue
        if not file.failed and (status.st_size, status.st_mtime_ns) != (file.size, file.modified):
            yield Problem(CHANGED, "media", path, "not the file that was added (size or time)",
                          f"ecotone add images {file.root}")


def _left_over(project: Any) -> Iterator[Problem]:
    for path in left_over(project):
        yield Problem(LEFT_OVER, "project", str(path), "of a command that was killed",
                      "removed by: ecotone repair")


def left_over(project: Any) -> list[Path]:
    """Temporary files and folders outside `vectors` that no command will use again."""
    found: list[Path] = []
    for folder in (project.path, project.runs, project.reports, project.path / "evaluation",
                   project.models, project.models / "individuals", project.path / "sources"):
        if folder.is_dir():
            found += [p for p in folder.iterdir() if p.name.endswith(".tmp")
                      or p.name.startswith((UNFINISHED, ".adding-", ".latest-"))]
    found += list((project.models / "individuals").glob("*/*.tmp"))
    return sorted(found)
