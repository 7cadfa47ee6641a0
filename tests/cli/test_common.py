from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ecotone.cli.common import first_lines, open_project, plain, read_names
from ecotone.errors import InputError
from ecotone.project import Project


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    return tmp_path


def test_a_project_is_found_here_above_and_just_below(here, monkeypatch):
    Project.init("my-reserve").close()
    assert open_project(None).path == here / "my-reserve"
    monkeypatch.chdir(here / "my-reserve")
    assert open_project(None).path == here / "my-reserve"
    (here / "my-reserve" / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(here / "my-reserve" / "a" / "b")
    assert open_project(None).path == here / "my-reserve"


def test_the_demo_does_not_hide_the_own_project(here):
    Project.init("ecotone-demo").close()
    assert open_project(None).path.name == "ecotone-demo"
    Project.init("my-reserve").close()
    assert open_project(None).path.name == "my-reserve"


def test_several_projects_must_be_told_apart(here):
    Project.init("north").close()
    Project.init("south").close()
    with pytest.raises(InputError, match=r"several projects here \(north, south\).*--project"):
        open_project(None)
    assert open_project(Path("south")).path == here / "south"


def test_no_project_says_how_to_make_one(here):
    with pytest.raises(InputError, match="ecotone init my-reserve"):
        open_project(None)


def test_plain_values_are_json():
    @dataclass(frozen=True)
    class Result:
        path: Path
        values: np.ndarray
        rest: tuple[object, ...]

    value = Result(Path("a/b"), np.array([1.0, np.nan]), ({"k": np.float32(2)}, None))
    text = json.dumps(plain(value), allow_nan=False)
    assert json.loads(text) == {
        "path": str(Path("a/b")), "values": [1.0, None], "rest": [{"k": 2.0}, None]
    }


def test_names_are_read_one_a_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("\ufeffdeer spp.\r\n\r\n grey fox \n".encode())
    assert read_names(path) == ["deer spp.", "grey fox"]
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        read_names(path)


def test_many_problems_are_cut_short():
    lines = first_lines([f"p{i}" for i in range(13)])
    assert lines[0] == "  p0" and len(lines) == 11 and "3 more" in lines[-1]
    assert first_lines([]) == []
