from __future__ import annotations

import os

import pytest

from ecotone.errors import InputError
from ecotone.ingest.folder import (
    content_hash,
    deployment_of,
    describe,
    list_pictures,
    media_id,
)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_pictures_and_videos_are_listed_hidden_files_are_not(tmp_path):
    touch(tmp_path, "b/2.JPG", "b/1.jpeg", "a.png", "._a.png", ".trash/x.jpg", "b/@eaDir/1.jpg",
          "v.mp4", "v2.MP4", "raw.CR2", "notes.txt")
    listing = list_pictures(tmp_path)
    assert listing.files == ["a.png", "b/1.jpeg", "b/2.JPG", "v.mp4", "v2.MP4"]
    (problem,) = listing.problems
    assert "1 .cr2" in problem and "txt" not in problem


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_once(tmp_path):
    touch(tmp_path, "pics/a.jpg", "disk/b.jpg")
    (tmp_path / "pics/more").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(tmp_path / "pics")
    assert list_pictures(tmp_path / "pics").files == ["a.jpg", "more/b.jpg"]


def test_no_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list_pictures(tmp_path / "x")
    touch(tmp_path, "f.jpg")
    with pytest.raises(InputError, match="is a file"):
        list_pictures(tmp_path / "f.jpg")


@pytest.mark.parametrize(("file", "expected"), [
    ("site 1/IMG.jpg", ("site 1", "folder")), ("a/b/IMG.jpg", ("a/b", "folder")),
    ("site1/DCIM/100RECNX/IMG.jpg", ("site1", "folder")), ("IMG.jpg", ("pics", "root")),
    ("DCIM/101_BTCF/IMG.jpg", ("pics", "root")), ("100m/IMG.jpg", ("100m", "folder")),
])
def test_the_deployment_is_the_folder_without_the_cameras_own(file, expected):
    assert deployment_of(file, "pics") == expected


def test_a_picture_says_when_where_and_how_large(make_picture, tmp_path):
    path = make_picture(tmp_path / "a.jpg", size=(96, 72), taken="2024:05:01 06:30:00")
    found = describe(path)
    assert (found.timestamp, found.camera) == ("2024-05-01T06:30:00", "ExampleCam X1")
    assert (found.width, found.height, found.failure) == (96, 72, "")
    assert found.size == path.stat().st_size


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "empty"), (b"hello", "not a picture"), (b"\xff\xd8\xff\xe0\x00", ""),
])
def test_what_is_no_picture_says_why(tmp_path, data, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert reason in describe(path).failure and describe(path).failure
    assert "cannot be read" in describe(tmp_path / "none.jpg").failure


def test_equal_files_have_equal_hashes_and_others_not(tmp_path):
    large = bytes(range(256)) * 4000
    for name, data in (("a", large), ("b", large), ("c", large[:-1] + b"x"), ("d", large + b"x"),
                       ("e", b"x"), ("f", b"")):
        (tmp_path / name).write_bytes(data)
    hashes = {p.name: content_hash(p, p.stat().st_size) for p in tmp_path.iterdir()}
    assert hashes["a"] == hashes["b"] and len(set(hashes.values())) == 5


def test_ids_are_stable_and_differ_by_path_and_root():
    assert media_id("a/1.jpg") == media_id("a/1.jpg") != media_id("a/2.jpg")
    assert media_id("a/1.jpg", "/x") != media_id("a/1.jpg", "/y")


def test_the_real_pictures_of_camera_traps(shared_data):
    folder = shared_data / "camera_traps"
    found = {f: describe(folder / f) for f in list_pictures(folder).files}
    assert len(found) == 61 and not any(p.failure for p in found.values())
    cougar = found["images/animl_2021-06-30_SYFR0218_cougar.JPG"]
    assert cougar.timestamp and cougar.width > 1000
    assert sum(bool(p.timestamp) for p in found.values()) > 20


def test_the_real_odd_pictures(shared_data):
    folder = shared_data / "robustness"
    found = {f: describe(folder / f) for f in list_pictures(folder).files}
    assert "empty" in found["zero_bytes.jpg"].failure
    upright, turned = (found[f"african_elephants_{n}.jpg"] for n in ("bw", "with_exif_orientation"))
    assert (upright.width > upright.height) == (turned.width > turned.height)
