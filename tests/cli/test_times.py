"""`ecotone fix-time` and `ecotone events`, as a user calls them."""

from __future__ import annotations

import json

import pytest

from ecotone import cli
from ecotone.project import Project


@pytest.fixture
def here(tmp_path, monkeypatch, pictures):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    with Project.init("my-reserve") as project:
        project.add_images("pictures")
    return tmp_path


def test_a_clock_is_corrected_and_the_correction_undone(here, capsys):
    assert cli.run(["fix-time", "--deployment", "cam1", "--shift", "-1d", "--time-zone",
                    "Europe/Brussels", "--reason", "wrong day"]) == 0
    out = capsys.readouterr().out
    assert "cam1: clock -1 day 00:00:00, time zone Europe/Brussels, 12 pictures" in out
    assert "camera 2024-05-01T06:30:00" in out and "now 2024-04-30T06:30:00" in out
    assert cli.run(["fix-time", "--deployment", "cam1", "--undo", "--json"]) == 0
    (fix,) = json.loads(capsys.readouterr().out)["fixes"]
    assert fix["seconds"] == 0 and fix["after"] == "2024-05-01T06:30:00"


def test_events_by_another_gap(here, capsys):
    assert cli.run(["events", "--gap", "999999", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["gap"] == 999999 and value["events"] == 2 and value["pictures"] == 24
    assert cli.run(["events"]) == 0
    assert "2 events of 24 pictures" in capsys.readouterr().out


@pytest.mark.parametrize("words", [
    ["fix-time"], ["fix-time", "--deployment", "cam1", "--shift", "soon"],
    ["fix-time", "--deployment", "cam9", "--shift", "+1h"], ["events", "--gap", "-1"],
    ["fix-time", "--from-file", "labels.csv"], ["events", "--gap", "nan"],
])
def test_a_mistake_is_one_line(here, capsys, words):
    assert cli.run(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("ecotone: ") and err.count("\n") == 1
