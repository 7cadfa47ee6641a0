"""Which pictures the rows of a study mean, and which they never reach."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.project.study_media import Medium, pictures_beside, places_of, read_media


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A study's folder with pictures, and secrets around it."""
    top = tmp_path_factory.mktemp("top")
    for name in ("study/a/x.jpg", "study/b/x.jpg", "study/b/y.jpg", "secret/x.jpg", "x.jpg",
                 "study/notes.txt"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"x")
    os.symlink(top / "secret", top / "study/out", target_is_directory=True)
    os.symlink(top / "secret/x.jpg", top / "study/a/link.jpg")
    return top


PARTS = st.lists(st.sampled_from(
    ["..", ".", "a", "b", "out", "secret", "study", "x.jpg", "y.jpg", "link.jpg", "", "/", "~"]
), max_size=6).map("/".join)


@given(path=st.one_of(PARTS, PARTS.map(lambda p: p.replace("/", "\\")), PARTS.map("/".__add__),
                      PARTS.map("file://".__add__), st.text(max_size=20)),
       name=st.one_of(PARTS, st.just("")))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_row_reaches_out_of_the_folder(folders, path, name):
    base = folders / "study"
    rows = [{"mediaID": "m", "filePath": path, "fileName": name}]
    for listed in (True, False):
        for file in pictures_beside(base, read_media(rows), {}, listed).files:
            real = os.path.realpath(base / file)
            assert os.path.commonpath([real, os.path.realpath(base)]) == os.path.realpath(base)
            assert file.endswith(".jpg") and ".." not in file


def found(folders, *media, places=None):
    return pictures_beside(folders / "study", media, places or {}, True)


def test_a_path_comes_before_a_name(folders):
    assert found(folders, Medium("m", "b/x.jpg", "y.jpg", "", "", "")).files == ["b/x.jpg"]
    assert found(folders, Medium("m", "", "y.jpg", "", "", "")).files == ["b/y.jpg"]
    assert found(folders, Medium("m", "gone/y.jpg", "y.jpg", "", "", "")).files == ["b/y.jpg"]
    assert found(folders, Medium("m", "notes.txt", "notes.txt", "", "", "")).files == []


def test_of_equal_names_the_deployments_folder_decides(folders):
    places = places_of([{"deploymentID": "1", "locationName": "a", "locationID": ""}])
    medium = Medium("m", "", "x.jpg", "1", "", "")
    assert found(folders, medium).files == []
    assert found(folders, medium, places=places).files == ["a/x.jpg"]


def test_what_leads_out_is_told(folders):
    report = found(folders, Medium("m", "../x.jpg", "", "", "", ""),
                   Medium("n", "out/x.jpg", "", "", "", ""))
    assert report.files == []
    assert report.problems[0].startswith("2 file paths lead outside")
