"""No command reports success that was not: statuses, last lines and runs."""

from __future__ import annotations

import pytest

from ecotone import cli
from ecotone.project import Project


@pytest.fixture
def broken(tmp_path):
    """A project of pictures that cannot be read."""
    folder = tmp_path / "bad"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(b"no picture")
    with Project.init(tmp_path / "p") as project:
        project.add_images(folder)
    return tmp_path / "p"


def test_a_run_in_which_everything_failed_is_no_success(broken, onnx_model, capsys):
    for words in (["embed"], ["classify", "--model", str(onnx_model), "--classes",
                              str(onnx_model.with_name("classes.txt"))]):
        assert cli.run([*words, "--project", str(broken)]) == 1
        assert "3 pictures failed" in capsys.readouterr().out
    with Project(broken) as project:
        assert [r.summary["failed"] for r in project.catalog.runs()] == [3, 3]


def test_a_run_in_which_some_failed_says_so(broken, make_picture, capsys):
    make_picture(broken.parent / "bad" / "good.jpg")
    assert cli.run(["add", "images", str(broken.parent / "bad"), "--project", str(broken)]) == 0
    assert "3 pictures cannot be read" in capsys.readouterr().out
    assert cli.run(["embed", "--project", str(broken)]) == 0
    assert "1 detections embedded" in (out := capsys.readouterr().out) and "3 pictures fail" in out


def test_an_error_in_the_middle_is_a_failed_run(copy, monkeypatch, capsys):
    from ecotone.project import fusing

    def fail(*args, **more):
        raise RuntimeError("the middle of it")

    monkeypatch.setattr(fusing, "make_record", fail, raising=False)
    monkeypatch.setattr("ecotone.project.records.make_record", fail)
    before = Project(copy).status().fused
    assert cli.run(["fuse", "--project", str(copy)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "the middle of it" in err
    with Project(copy) as project:
        run = project.catalog.runs()[-1]
        assert (run.command, run.status) == ("fuse", "failed")
        assert project.status().fused == before
        assert "fuse (failed" in project.status().unfinished[0]
        assert project.check().whole


def test_errors_of_sqlite_are_told_as_what_they_are(monkeypatch, capsys, copy):
    import sqlite3

    for text, told in (("database disk image is malformed", "ecotone check"),
                       ("database is locked", "another command is writing"),
                       ("database or disk is full", "no space left")):
        def fail(self, text=text):
            raise sqlite3.OperationalError(text)

        monkeypatch.setattr(Project, "status", fail)
        assert cli.run(["status", "--project", str(copy)]) == 1
        assert told in capsys.readouterr().err
