"""Two commands on one project: the second waits or is told who is at work; readers go on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.project.lock import writer_lock
from tests.faults.conftest import words_of

READERS = ("status", "check", "export csv -o {out}/out.csv")
WRITERS = ("add images {home}/pictures", "embed", "fuse", "suggest", "accept --write", "repair",
           "report", "refine")
HOLDER = """
import sys, time
from ecotone.project import Project
with Project(sys.argv[1]) as project, project.writing("classify"):
    run = project.catalog.start_run("classify", {}, 0)
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def busy(copy):
    """The project while another process works on it."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(copy)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    yield copy
    process.kill()
    process.communicate()


def test_writers_are_told_who_works_and_readers_go_on(busy, whole_project, tmp_path, capsys):
    before = words_of(busy)
    for words in WRITERS:
        words = words.format(home=whole_project)
        assert cli.run([*words.split(), "--project", str(busy)]) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "`ecotone classify` (process " in err, err
    for words in READERS:
        assert cli.run([*words.format(out=tmp_path).split(), "--project", str(busy)]) == 0
    assert "working on it now" in capsys.readouterr().out
    assert words_of(busy) == before
    with Project(busy) as project:  # what runs is not called interrupted
        assert project.catalog.runs()[-1].status == "running"


def test_a_dead_run_is_interrupted_by_the_next_writer(busy, capsys):
    subprocess.run([sys.executable, "-c", HOLDER, str(busy)], stdin=subprocess.DEVNULL,
                   capture_output=True, check=False)  # is refused, and starts no run
    with Project(busy) as project:
        assert [r.status for r in project.catalog.runs()].count("running") == 1


def test_a_killed_run_does_not_stay_running(copy):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(copy)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.kill()
    process.communicate()
    with Project(copy) as project:
        assert any("did not come to its end" in p.what for p in project.check().notes)
        with project.writing("suggest"):
            pass
        run = project.catalog.runs()[-1]
        assert (run.command, run.status) == ("classify", "interrupted")
        assert "classify (interrupted" in project.status().unfinished[0]


def test_two_that_write_words_at_once_lose_nothing(copy):
    code = """
import sys
from ecotone.project import Project
from ecotone.store.tables import NewLabel
with Project(sys.argv[1]) as project:
    medium = project.catalog.media().id[0]
    for n in range(40):
        project.catalog.add_labels([NewLabel(medium, f"{sys.argv[2]} {n}")])
"""
    both = [subprocess.Popen([sys.executable, "-c", code, str(copy), name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    names = {row[4] for row in words_of(copy)["label"]}
    assert {f"{name} {n}" for name in "ab" for n in range(40)} <= names
    assert Project(copy).check().whole


def test_the_lock_is_free_after_an_error(copy):
    with pytest.raises(ValueError), writer_lock(copy, "x"):
        raise ValueError
    with writer_lock(copy, "y"):
        pass
