from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.ingest.matching import MediaIndex, is_absolute, normal

FILES = ["cam1/IMG_1.JPG", "cam1/IMG_2.JPG", "cam2/IMG_1.JPG", "cam2/deep/é.jpg", "top.png"]


@pytest.fixture
def index():
    return MediaIndex([f"/data/pics/{f}" for f in FILES], FILES)


@pytest.mark.parametrize(("text", "row"), [
    ("/data/pics/cam1/IMG_1.JPG", 0), ("cam2/IMG_1.JPG", 2), ("cam2\\IMG_1.JPG", 2),
    (".\\cam1\\IMG_2.JPG", 1), ("pics/cam1/IMG_1.JPG", 0), ("IMG_2.JPG", 1), ("img_2.jpg", 1),
    ("D:\\Old Disk\\cam1\\IMG_1.JPG", 0), ("CAM2/img_1.jpg", 2), ("top.png", 4),
    ("file:///data/pics/cam2/deep/%C3%A9.jpg", 3), ("cam2/deep/e\u0301.jpg", 3),
    ('"cam1/IMG_1.JPG"', 0), ("/somewhere/else/top.png", 4), ("cam1//IMG_1.JPG", 0),
    ("other/place/IMG_2.JPG", 1),
])
def test_a_picture_is_found_however_it_is_written(index, text, row):
    found = index.find([text])
    assert found.rows == [row] and not found.missing and not found.ambiguous


def test_what_fits_several_or_none_is_listed(index):
    found = index.find(["IMG_1.JPG", "cam3/new.jpg", "", "cam1/IMG_1.JPG", "cam3/new.jpg"])
    assert found.rows == [-1, -1, -1, 0, -1]
    assert found.ambiguous == ["IMG_1.JPG"]
    assert found.missing == ["cam3/new.jpg", "", "cam3/new.jpg"]
    missing, several = found.problems("labels.csv")
    assert missing.startswith("labels.csv: 3 of 5 rows name no picture of the project: cam3/")
    assert "fit several" in several


def test_a_name_alone_is_not_enough_when_the_table_knows_it_in_two_folders():
    index = MediaIndex(["/p/cam1/IMG_1.JPG"], ["cam1/IMG_1.JPG"])
    found = index.find(["cam1/IMG_1.JPG", "cam2/IMG_1.JPG"])
    assert found.rows == [0, -1] and found.missing == ["cam2/IMG_1.JPG"]
    flat = MediaIndex(["/p/cam1/IMG_1.JPG"], ["IMG_1.JPG"])
    assert flat.find(["cam2/IMG_1.JPG", "cam1/IMG_1.JPG"]).rows == [-1, 0]
    assert flat.find(["elsewhere/IMG_1.JPG"]).rows == [0]


def test_paths_relative_to_the_table_come_first(tmp_path):
    here = tmp_path / "north"
    paths = [str(tmp_path / "north/a.jpg"), str(tmp_path / "south/a.jpg")]
    index = MediaIndex(paths, ["a.jpg", "a.jpg"])
    assert index.find(["a.jpg", "../south/a.jpg"], here).rows == [0, 1]
    assert index.find(["a.jpg"]).ambiguous == ["a.jpg"]


def test_the_longest_common_end_decides():
    files = ["2023/site1/cam/1.jpg", "2024/site1/cam/1.jpg", "2024/site2/cam/1.jpg"]
    index = MediaIndex([f"/p/{f}" for f in files], files)
    assert index.find(["E:/x/2024/site1/cam/1.jpg"]).rows == [1]
    assert index.find(["site2/cam/1.jpg"]).rows == [2]
    assert index.find(["site1/cam/1.jpg"]).ambiguous == ["site1/cam/1.jpg"]


def test_normal_paths():
    assert normal(" .\\a\\b.jpg ") == "a/b.jpg" and normal("") == ""
    assert normal("file:///C:/My%20Pics/a.jpg") == "C:/My Pics/a.jpg"
    assert is_absolute("C:/a") and is_absolute("/a") and not is_absolute("a/b")


names = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "D"]), min_size=1, max_size=3).map("/".join),
    min_size=1, max_size=8, unique_by=str.casefold,
)


@given(names, st.sampled_from(["", "/photos/", "C:\\disk\\", "./"]), st.booleans())
def test_full_relative_paths_are_always_found(files, before, windows):
    index = MediaIndex([f"/photos/{f}" for f in files], files)
    texts = [before + f for f in files]
    if windows:
        texts = [t.replace("/", "\\") for t in texts]
    found = index.find(texts)
    for row, (got, file) in enumerate(zip(found.rows, files, strict=True)):
        if before in ("", "/photos/", "./"):
            assert got == row
        elif got >= 0:  # from another disk: found, or not sure, but never another picture's folders
            common = PurePosixPath(files[got]).parts
            assert common[-1] == PurePosixPath(file).parts[-1]
