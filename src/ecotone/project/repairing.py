"""`ecotone repair`: mend what `ecotone check` finds, and say what could not be saved.

Whatever is replaced or taken out of use is kept below `damaged/` first. People's words are never
deleted: they come from the catalogue or from its journal, whichever has them whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import EcotoneError, ProjectError
from ecotone.project.checking import check, left_over
from ecotone.project.lock import writer_lock
from ecotone.project.networks import FOLDER as NETWORKS
from ecotone.project.records import LATEST
from ecotone.store.checking import check_shards
from ecotone.store.journal import journal_of, sync_folder
from ecotone.store.page_sums import find_changes, sums_of
from ecotone.store.problems import LEFT_OVER, Problem
from ecotone.store.salvage import Salvaged, restore_boxes, salvage
from ecotone.store.set_file import register_again
from ecotone.store.shards import sets

Progress = Callable[[int, "int | None", str], None]
FOLDER = "damaged"


@dataclass
class RepairReport:
    """What `repair` did, one line each. backup: where what was replaced is kept, None without.
    done: what was mended. lost: what could not be saved. left: problems that remain, and how to
    mend them."""

    project: Path
    backup: Path | None = None
    done: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report for people."""
        out = [f"mended: {line}" for line in self.done]
        out += [f"lost: {line}" for line in self.lost]
        out += [f"left: {problem.line()}" for problem in self.left[:20]]
        if len(self.left) > 20:
            out.append(f"... and {len(self.left) - 20:,} more (all with: ecotone check --json)")
        if self.backup is not None:
            out.append(f"what was replaced is kept in {self.backup}")
        if not self.done and not self.left:
            out.append(f"{self.project}: nothing was damaged")
        elif not self.left:
            out.append(f"{self.project}: whole again")
        return out


def repair(project: Any, progress: Progress | None = None) -> RepairReport:
    """Mend a project as far as it can be, under its write lock; see `RepairReport`.

    Raises ProjectError when another command works on it, or the disk refuses.
    """
    say = progress or (lambda done, total, text: None)
    report = RepairReport(project.path)
    with writer_lock(project.path, "repair"):
        project.close()
        try:
            say(0, None, "looking for damage")
            found = check(project)
            _repair(project, report, found.problems, say)
        except OSError as error:
            raise ProjectError(f"{project.path}: cannot be repaired ({error.strerror or error}); "
                               "free some space and run again.") from error
    say(0, None, "looking again")
    report.left = check(project).problems
    return report


def _repair(project: Any, report: RepairReport, problems: list[Problem], say: Progress) -> None:
    parts = {p.part for p in problems}
    told = None
    if "catalogue" in parts:
        say(0, None, "saving what can be read of the catalogue")
        told = _rebuild(project, report)
    if "journal" in parts or not _is_whole(journal_of(project.path / "catalog.sqlite")):
        _renew_journal(project, report)
    project._locks += 1  # the lock is held
    try:
        if told is not None and (told.lost or not told.readable):
            _add_again(project, told, report, say)
            for kind, name, rows in register_again(project.catalog, project.vectors):
                report.done.append(f"{kind} of {name}: {rows:,} rows registered again")
        _mend_vectors(project, report, rebuilt="catalogue" in parts)
        _set_aside(project, report, problems)
        ended = project.catalog.end_dead_runs()
        if ended:
            report.done.append(f"{ended:,} runs that were killed are marked as interrupted")
        _clear(project, report, "catalogue" in parts)
    finally:
        project._locks -= 1
        project.close()


def _backup(project: Any, report: RepairReport) -> Path:
    """The folder of what this repair replaces, made when it is first needed."""
    if report.backup is None:
        home = project.path / FOLDER
        home.mkdir(exist_ok=True)
        report.backup = Path(tempfile.mkdtemp(prefix="repair-", dir=home))
        report.backup.chmod(0o755)
    return report.backup


def _rebuild(project: Any, report: RepairReport) -> Salvaged:
    """Make the catalogue anew; what it was made of."""
    path = project.path / "catalog.sqlite"
    changed = find_changes(path) if path.is_file() else ""
    backup = _backup(project, report)
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    for file in (*files, journal_of(path)):
        if file.is_file():
            shutil.copy2(file, backup / file.name)
            _sync(backup / file.name)
    sync_folder(backup)
    with tempfile.TemporaryDirectory(prefix=".repair-", suffix=".tmp", dir=project.path) as work:
        new = Path(work) / "new.sqlite"
        (Path(work) / "copy").mkdir()
        told = salvage(path, new, Path(work) / "copy")
        _sync(new)
        sums_of(path).unlink(missing_ok=True)
        for log in files[1:]:  # of the old file: it would be played into the new one
            log.unlink(missing_ok=True)
        os.replace(new, path)
        sync_folder(project.path)
    words = sum(told.rows[t] for t in ("label", "decision"))
    report.done.append(
        f"{path.name}: made anew of {sum(told.rows.values()):,} rows that could be read, "
        f"{words:,} of them labels and decisions")
    report.done += [f"{path.name}: {n:,} rows of {table} restored from labels.jsonl"
                    for table, n in told.restored.items() if n]
    report.lost += [f"{path.name}: {line}" for line in told.lost]
    if changed and told.readable:
        report.lost.append(
            f"{path.name}: {changed}: what could be read of them is kept as it is, and may be "
            "wrong in a value; labels and decisions are as they were given")
    if not told.readable:
        report.lost.append(
            f"{path.name}: nothing of it could be read: boxes, taxonomies, places of "
            "deployments and earlier runs are to be added or made again")
    return told


def _sync(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _is_whole(journal: Path) -> bool:
    from ecotone.store.comparing import count_damaged

    return not journal.is_file() or not count_damaged(journal)


def _renew_journal(project: Any, report: RepairReport) -> None:
    """Write the journal anew from the catalogue, which has all of it by now."""
    from ecotone.store.catalog import Catalog

    path = project.path / "catalog.sqlite"
    journal = journal_of(path)
    if not path.is_file():
        return
    with closing(Catalog.open(path)) as catalog:
        fresh = catalog.journal
        fresh.path = journal.with_name(f"{journal.name}.tmp")
        fresh.path.unlink(missing_ok=True)
        fresh.catch_up(catalog.connection)
        if fresh.path.is_file():
            if journal.is_file():
                shutil.copy2(journal, _backup(project, report) / f"{journal.name}.old")
            os.replace(fresh.path, journal)
            sync_folder(journal.parent)
            report.done.append(f"{journal.name}: written anew from the catalogue")


def _add_again(project: Any, told: Salvaged, report: RepairReport, say: Progress) -> None:
    """Register the pictures of known folders that the catalogue lost, with the boxes of people."""
    for root in told.roots:
        if not Path(root).is_dir():
            report.lost.append(f"pictures of {root}: the folder is not here; when it is: "
                               f"ecotone add images {root}")
            continue
        added = project.add_images(root, say).added
        if added:
            report.done.append(f"{root}: {added:,} pictures registered again")
    with project.catalog.transaction() as connection:
        boxes = restore_boxes(connection, told.boxes)
    if boxes:
        report.done.append(f"{boxes:,} boxes that people drew are back")


def _mend_vectors(project: Any, report: RepairReport, rebuilt: bool) -> None:
    from ecotone.store.compacting import compact
    from ecotone.store.mending import KINDS, forget_damaged, renew_rows

    again = {"scores": "ecotone classify (or add scores) with the same model",
             "embeddings": "ecotone embed (or classify) with the same model",
             "posteriors": "ecotone fuse"}
    for kind, name, rows in forget_damaged(project.catalog, project.vectors):
        rest = "none of this run counts" if kind == "posteriors" else "the rest counts"
        report.done.append(f"{kind} of {name}: {rows:,} damaged rows taken out; {rest}")
        report.lost.append(f"{rows:,} {kind} of {name}; make them again: {again[kind]}")
        if kind == "posteriors":
            _fuse_again(project)
    if rebuilt:
        for kind in KINDS:
            for known in sets(project.catalog, kind):
                renew_rows(project.catalog, project.vectors, kind, known.name)
    for kind in KINDS:
        for known in sets(project.catalog, kind):
            less = compact(project.catalog, project.vectors, kind, known.name)
            if less:
                report.done.append(f"{kind} of {known.name}: {less:,} small files joined to others")


def _fuse_again(project: Any) -> None:
    """Let `status` say that the newest fusion is to be made again."""
    latest = project.catalog.note(LATEST)
    if latest:
        project.catalog.set_note(LATEST, {**latest, "state": None})


def _set_aside(project: Any, report: RepairReport, problems: list[Problem]) -> None:
    """Move damaged records and models out of the way."""
    latest = (project.catalog.note(LATEST) or {}).get("run", "")
    for problem in problems:
        path = Path(problem.where)
        if problem.part not in ("records", "models"):
            continue
        if problem.part == "models":
            inside = path.relative_to(project.models).parts
            if inside[0] == NETWORKS:  # training goes on in the folder, from what is whole there
                continue
            depth = 2 if inside[0] == "individuals" else 1
            path = project.models.joinpath(*inside[:depth])
        if path.is_symlink() or path.exists():
            target = _backup(project, report) / path.relative_to(project.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
            report.done.append(f"{path}: {problem.what}; moved out of the way")
            report.lost.append(f"{path.name}: {problem.mend.removeprefix('ecotone repair, then: ')}"
                               " makes it again")
        if latest and latest in str(path):
            _drop_latest(project)


def _drop_latest(project: Any) -> None:
    """The newest fusion does not count any more: its record or its model is gone."""
    link = project.models / "latest"
    if link.is_symlink() or link.is_file():
        link.unlink()
    project.catalog.set_note(LATEST, {})


def _clear(project: Any, report: RepairReport, rebuilt: bool) -> None:
    """Remove what killed commands left behind."""
    paths = left_over(project)
    with suppress(EcotoneError, sqlite3.Error):
        paths += [Path(p.where) for p in check_shards(
            project.catalog.connection, project.vectors, quick=True) if p.kind == LEFT_OVER]
    for path in paths:
        if rebuilt and project.vectors in path.parents:  # of sets that the old catalogue knew
            target = _backup(project, report) / path.relative_to(project.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if paths:
        report.done.append(f"{len(paths):,} files that killed commands left behind are removed")
