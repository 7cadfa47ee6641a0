"""Files that vanish, change or do not answer while they are read: recorded, and the run goes on."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ecotone import cli
from ecotone.errors import MediaError
from ecotone.media import patience
from ecotone.media.decode import load_picture
from ecotone.project import Project


@pytest.fixture(autouse=True)
def usual_patience():
    yield
    patience.wait_at_most(60.0)


@pytest.fixture
def project(tmp_path, pictures):
    with Project.init(tmp_path / "p") as opened:
        opened.add_images(pictures)
        yield opened


def failures(project):
    return {Path(f.path).name: f.reason for f in project.catalog.failures()}


def test_pictures_that_vanish_or_change_after_they_were_added(project, pictures, capsys):
    first, second, third = sorted(pictures.rglob("*.jpg"))[:3]
    first.unlink()
    second.write_bytes(second.read_bytes()[:300])
    third.write_bytes(b"")
    report = project.embed("handcrafted")
    assert report.done == 21 and len(report.failed) == 3
    assert "missing" in failures(project)[first.name]
    assert "empty" in failures(project)[third.name]
    assert cli.run(["embed", "--project", str(project.path)]) == 0
    assert "3 pictures failed" in capsys.readouterr().out


def test_a_picture_that_is_replaced_while_it_is_decoded(tmp_path, make_picture, monkeypatch):
    path = make_picture(tmp_path / "a.jpg", size=(640, 480))
    real = patience.read_file

    def then_cut(file):
        content = real(file)
        file.write_bytes(b"other bytes")
        return content

    monkeypatch.setattr("ecotone.media.decode.read_file", then_cut)
    assert load_picture(path).size == (640, 480)  # as it was at one moment
    with pytest.raises(MediaError, match="not a picture"):
        load_picture(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on Windows")
def test_a_file_that_does_not_answer_counts_as_failed(project, pictures, capsys):
    stuck = sorted(pictures.rglob("*.jpg"))[4]
    stuck.unlink()
    os.mkfifo(stuck)  # opening it waits for a writer that never comes
    patience.wait_at_most(0.3)
    started = time.monotonic()
    report = project.embed("handcrafted")
    assert time.monotonic() - started < 20
    assert report.done == 23 and len(report.failed) == 1
    assert "no answer within 0.3 s" in failures(project)[stuck.name]
    assert not any(t.name == "ecotone-read" and not t.daemon for t in threading.enumerate())
    stuck.unlink()
    assert project.embed("handcrafted").done == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on Windows")
@pytest.mark.parametrize("words", ["add labels x.csv", "add scores x.csv", "add detections x.json",
                                   "add taxonomy x.csv", "add deployments x.csv",
                                   "add images x.txt", "add images x.csv"])
def test_a_table_that_does_not_answer_is_one_line(project, tmp_path, words, capsys):
    *command, name = words.split()
    os.mkfifo(tmp_path / name)
    project.close()
    (tmp_path / "p" / "ecotone.toml").write_text("read_timeout = 0.2\n")
    typed = [*command, str(tmp_path / name), "--project", str(tmp_path / "p")]
    assert cli.run(typed) in (1, 2)
    said = capsys.readouterr().err
    assert f"{tmp_path / name}: " in said and len(said.strip().splitlines()) == 1, said
    assert "no answer within 0.2 s" in said or "images" in command


def test_a_folder_that_does_not_list_is_one_line(tmp_path, pictures, monkeypatch, capsys):
    real = os.scandir

    def hang(path="."):
        if os.fspath(path).endswith("cam1"):
            time.sleep(3)
        return real(path)

    monkeypatch.setattr(os, "scandir", hang)
    Project.init(tmp_path / "p").close()
    (tmp_path / "p" / "ecotone.toml").write_text("read_timeout = 0.3\n")
    started = time.monotonic()
    assert cli.run(["add", "images", str(pictures), "--project", str(tmp_path / "p")]) == 1
    assert time.monotonic() - started < 2.5
    assert "no answer within 0.3 s" in capsys.readouterr().err


def test_a_large_file_that_keeps_coming_is_read_to_its_end(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    path.write_bytes(os.urandom(5 << 20))
    real = patience.within
    monkeypatch.setattr(patience, "within", lambda act, what: (time.sleep(0.1), real(act, what))[1])
    patience.wait_at_most(0.3)  # less than all of it takes
    assert patience.read_whole(path) == path.read_bytes()
    with patience.patient_open(path) as handle:
        handle.seek(-10, os.SEEK_END)
        assert handle.read() == path.read_bytes()[-10:]


def test_adding_goes_on_past_a_folder_that_hangs(tmp_path, pictures, monkeypatch):
    real = Path.open

    def hang(self, *args, **more):
        if self.name == "red_deer_2.jpg":
            time.sleep(5)
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "open", hang)
    with Project.init(tmp_path / "p") as project:
        patience.wait_at_most(0.3)
        report = project.add_images(pictures)
        assert report.added == 24 and "no answer within 0.3 s" in " ".join(report.problems)
        assert set(failures(project)) == {"red_deer_2.jpg"}


def test_the_time_is_a_setting(tmp_path):
    Project.init(tmp_path / "p").close()
    settings = tmp_path / "p" / "ecotone.toml"
    settings.write_text("read_timeout = 2.5\n")
    Project(tmp_path / "p").close()
    assert patience._state["seconds"] == 2.5
    settings.write_text("read_timeout = 0\n")
    assert cli.run(["status", "--project", str(tmp_path / "p")]) == 2


def test_a_table_that_is_cut_off_or_grows_while_it_is_read(project, labels_csv, capsys):
    text = labels_csv.read_text()
    labels_csv.write_text(text[: text.rindex(",") + 3])  # the last line is not whole yet
    assert cli.run(["add", "labels", str(labels_csv), "--project", str(project.path)]) == 0
    labels_csv.write_text(text)
    assert cli.run(["add", "labels", str(labels_csv), "--project", str(project.path)]) == 0
    assert len(set(project.catalog.current_labels().values())) == 3
    out = capsys.readouterr()
    assert "Traceback" not in out.out + out.err
