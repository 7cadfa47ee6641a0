"""A full disk, a project that cannot be written: one line, nothing half-written, then it works."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ecotone import cli
from ecotone.project import Project
from tests.faults.conftest import words_of

COMMANDS = {
    "labels": "add labels {home}/labels2.csv",
    "scores": "add scores {home}/scores.csv --name other",
    "embed": "embed --model handcrafted --batch-size 8",
    "suggest": "suggest -n 4",
    "accept": "accept --write",
    "report": "report",
    "csv": "export csv -o {p}/out.csv",
    "coco": "export coco -o {p}/out.json",
    "megadetector": "export megadetector -o {p}/md.json",
    "fuse": "fuse",
}


def run(capsys, words, folder):
    """Exit status and what was said: never more than one line of error."""
    code = cli.run([*words.split(), "--project", str(folder)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err and "unexpected" not in err, err
    assert code == 0 or err.count("\n") == 1, err
    return code, err


@pytest.fixture
def disk(tmp_path):
    """A folder that is a disk of its own of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name == "nt" or subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)],
        capture_output=True, check=False,
    ).returncode:
        pytest.skip("no right to mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, free: int) -> Path:
    """Leave only so many bytes."""
    ballast = disk / "ballast"
    status = os.statvfs(disk)
    ballast.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - free)))
    return ballast


@pytest.fixture
def inputs(whole_project, tmp_path):
    shutil.copy(whole_project / "scores.csv", tmp_path)
    rows = ["filePath,label", *(f"cam{c}/wild_boar_3.jpg,wild boar" for c in range(3))]
    (tmp_path / "labels2.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk(disk, inputs, whole_project, capsys, name):
    folder = disk / "p"
    shutil.copytree(whole_project / "p", folder, symlinks=True)
    if name == "embed":
        with Project(folder) as project:
            from ecotone.store.shards import drop_set

            drop_set(project.catalog, "embeddings", "handcrafted")
    words = COMMANDS[name].format(home=inputs, p=folder)
    before = words_of(folder)
    for free in (0, 20_000, 90_000, 300_000):
        ballast = fill(disk, free)
        code, err = run(capsys, words, folder)
        ballast.unlink()
        if code:
            assert "space" in err or "full" in err, err
            report = Project(folder).check()
            assert report.whole, report.lines()
            assert all(before[t] == words_of(folder)[t][: len(before[t])] for t in before)
        else:
            assert free
    assert run(capsys, words, folder) == (0, "")
    assert Project(folder).check().whole


@pytest.fixture
def sealed(copy):
    """The project on a disk that cannot be written."""
    def bind(*options):
        return subprocess.run(["mount", *options, str(copy)], capture_output=True, check=False)

    if os.name == "nt" or bind("--bind", str(copy)).returncode:
        pytest.skip("no right to mount a folder read-only here")
    bind("-o", "remount,ro,bind")
    yield copy
    subprocess.run(["umount", "-l", str(copy)], check=True)


def test_a_read_only_project(sealed, inputs, whole_project, capsys, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in sealed.rglob("*")}
    for words in ("status", "check", f"export csv -o {tmp_path}/out.csv",
                  f"export coco -o {tmp_path}/out.json", f"report -o {tmp_path}/report.html",
                  f"predict {whole_project}/pictures --model {sealed}/models/latest "
                  f"-o {tmp_path}/p.csv"):
        words = words if words.startswith("predict") else f"{words} --project {sealed}"
        code = cli.run(words.split())
        out = capsys.readouterr()
        assert code == 0, out.err
    assert (tmp_path / "out.csv").read_text().count("\n") > 36
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")
    for words in (*COMMANDS.values(), "repair", "refine", "discover"):
        if "export" not in words:
            code, err = run(capsys, words.format(home=inputs, p=sealed), sealed)
            assert code == 1 and "Read-only file system" in err, err
    assert {p: p.stat().st_mtime_ns for p in sealed.rglob("*")} == before


def test_a_read_only_project_whose_log_was_not_played_back(copy, capsys):
    with Project(copy) as project:
        project.catalog.set_note("newest", 7)
        kept = {p: p.read_bytes() for p in copy.glob("catalog.sqlite*")}
    for path, content in kept.items():
        path.write_bytes(content)
    if subprocess.run(["mount", "--bind", str(copy), str(copy)], capture_output=True,
                      check=False).returncode:
        pytest.skip("no right to mount a folder read-only here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(copy)], check=True)
        with Project(copy) as project:
            assert project.catalog.note("newest") == 7
    finally:
        subprocess.run(["umount", "-l", str(copy)], check=True)


@pytest.mark.parametrize("name", ["labels", "scores", "report", "csv", "megadetector"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_at_one_step(copy, inputs, capsys, monkeypatch, name, call):
    words = COMMANDS[name].format(home=inputs, p=copy)
    real, seen = getattr(os, call), []

    def refuse(*args, **more):
        seen.append(args)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))

    monkeypatch.setattr(os, call, refuse)
    code, err = run(capsys, words, copy)
    monkeypatch.setattr(os, call, real)
    assert not seen or (code != 0 and "No space left" in err)
    assert Project(copy).check().whole
    assert run(capsys, words, copy) == (0, "")


def test_a_catalogue_that_is_full(copy, inputs, capsys, monkeypatch):
    from ecotone.store import catalog

    real = catalog.connect

    def small(path, create=False):
        connection = real(path, create)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    before = words_of(copy)
    many = "\n".join(f"cam{n % 3}/wild_boar_{n % 4}.jpg,b{n}" for n in range(6000))
    (inputs / "labels2.csv").write_text("filePath,label\n" + many)
    monkeypatch.setattr(catalog, "connect", small)
    code, err = run(capsys, COMMANDS["labels"].format(home=inputs), copy)
    monkeypatch.setattr(catalog, "connect", real)
    assert code == 1 and "no space left" in err
    assert words_of(copy) == before and Project(copy).check().whole
