"""Frames by their exact number from every container; what is broken says why in one line."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import MediaError, MissingExtraError
from ecotone.media.decode import load_picture
from ecotone.media.video import FrameOf, frames_of, is_video, load_frame, probe
from tests.videos import bars, cut, make_sound, make_video, number_in

pytest.importorskip("av")


@pytest.mark.parametrize("name,codec", [
    ("a.mp4", ""), ("a.mp4", "mpeg4"), ("b.MOV", ""), ("c.avi", ""), ("c.avi", "libx264"),
    ("c.avi", "mjpeg"), ("d.mkv", ""), ("e.mts", ""), ("f.m4v", ""),
])
def test_every_number_is_its_frame_in_any_order(tmp_path: Path, name: str, codec: str) -> None:
    path = make_video(tmp_path / name, 40, codec=codec)
    video = probe(path)
    assert (video.frames, video.frame_rate, video.width, video.height) == (40, 10.0, 128, 96)
    assert video.duration == pytest.approx(4.0, abs=0.02)
    assert video.problem == ""
    np.testing.assert_allclose(video.times, np.arange(40) / 10, atol=0.002)
    assert [(n, number_in(p)) for n, p in frames_of(path, range(40))] == [(i, i) for i in range(40)]
    for number in (39, 0, 13, 12, 11, 25):
        assert number_in(load_frame(path, number)) == number
    wanted = [37, 3, 3, 14, 99, -1]
    assert [(n, number_in(p)) for n, p in frames_of(path, wanted)] == [(3, 3), (14, 14), (37, 37)]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_videos_come_out_upright(tmp_path: Path, turn: int) -> None:
    picture = bars(0b00001111)
    path = make_video(tmp_path / "a.mp4", 3, pictures=[np.rot90(picture, turn // 90)] * 3,
                      turn=turn)
    video = probe(path)
    assert (video.width, video.height, video.rotation) == (128, 96, turn)
    assert number_in(load_frame(path, 1)) == 0b00001111


def test_a_varying_rate_keeps_numbers_and_times(tmp_path: Path) -> None:
    stamps = [0, 10, 20, 120, 130, 400]
    path = make_video(tmp_path / "a.mp4", 6, stamps=stamps)
    video = probe(path)
    np.testing.assert_allclose(video.times, np.array(stamps) / 100, atol=0.002)
    assert video.frame_rate == pytest.approx(5 / 4.0, rel=0.2)
    assert [number_in(p) for _, p in frames_of(path, range(6))] == list(range(6))


def test_small_enough_is_decoded_small(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 3, pictures=[bars(i, 640, 480) for i in range(3)])
    picture = load_picture(FrameOf(path, 2), (100, 80))
    assert picture.size == (320, 240)
    assert number_in(picture) == 2
    assert load_picture(path).size == (640, 480)  # the first frame, in full
    assert load_frame(path, 2, lambda w, h: (w // 8, h // 8)).size == (160, 120)


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mov", 3, created="2024-05-01T06:30:00.000000Z")
    assert probe(path).created == "2024-05-01T06:30:00"
    assert is_video("X/CLIP.MTS") and not is_video("a.jpg")


def test_broken_files_say_why(tmp_path: Path) -> None:
    good = make_video(tmp_path / "good.mp4", 40)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(0).bytes(9000))
    (tmp_path / "folder.mp4").mkdir()
    for name, why in {
        "empty.mp4": "empty (0 bytes)", "noise.avi": "not a video", "gone.mov": "missing",
        "folder.mp4": "a folder", cut(good, tmp_path / "cut.mp4").name: "cut off",
        make_sound(tmp_path / "sound.mp4").name: "sound alone",
    }.items():
        with pytest.raises(MediaError, match=why.replace("(", r"\(").replace(")", r"\)")) as told:
            probe(tmp_path / name)
        assert "\n" not in str(told.value) and name in str(told.value)
    with pytest.raises(MediaError, match=r"frame 40 cannot be read \(there are 40, from 0\)"):
        load_frame(good, 40)


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv", "a.mts"])
def test_a_file_that_is_cut_off_gives_what_lies_before(tmp_path: Path, name: str) -> None:
    good = make_video(tmp_path / f"good{name[1:]}", 120, front=name == "a.mp4")
    video = probe(cut(good, tmp_path / name, 0.5))
    assert 10 < video.frames < 110
    if name != "a.mts":  # a transport stream does not say how long it should be
        assert "cut off" in video.problem or "damaged" in video.problem
    found = [(n, number_in(p)) for n, p in frames_of(tmp_path / name, range(120))]
    assert len(found) > 5
    assert all(n == seen for n, seen in found[:-4])


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    path = make_video(tmp_path / "a.mp4", 2)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[video\]"):
        probe(path)


def test_too_large_is_refused(tmp_path: Path, monkeypatch) -> None:
    path = make_video(tmp_path / "a.mp4", 2)
    monkeypatch.setattr("ecotone.media.video_file.LARGEST", 1000)
    with pytest.raises(MediaError, match="too large to decode safely"):
        probe(path)


def test_memory_holds_one_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 200, pictures=[bars(i % 200, 320, 240) for i in
                                                         range(200)])
    tracemalloc.start()
    count = sum(1 for _ in frames_of(path, range(200)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200
    assert peak < 10 * 320 * 240 * 3
