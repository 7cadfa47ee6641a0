"""Pictures of every kind come out upright and RGB; what cannot be read says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecotone.errors import MediaError
from ecotone.media.decode import load_picture

WHOLE = ("african_elephants_cmyk.jpg", "african_elephants_with_exif_orientation.jpg")


def scene(width: int = 60, height: int = 40) -> Image.Image:
    """Left half red, right half blue, a green bar at the top."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[:, width // 2 :, 2] = 200
    pixels[: height // 4] = (0, 200, 0)
    return Image.fromarray(pixels)


def small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((64, 64)), dtype=float)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("size", [None, (6, 4)])
def test_every_exif_orientation_comes_out_upright(tmp_path: Path, turn: int, size) -> None:
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}
    upright = scene(480, 320)
    stored = upright.transpose(undo[turn]) if turn in undo else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = load_picture(tmp_path / "a.jpg", size)
    assert read.mode == "RGB"
    assert read.width > read.height
    assert (read.width < 480) == (size is not None)
    np.testing.assert_allclose(small(read), small(upright), atol=40)
    assert np.abs(small(read) - small(upright)).mean() < 4


def test_orientation_out_of_range_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    scene().save(tmp_path / "a.jpg", exif=exif)
    assert load_picture(tmp_path / "a.jpg").size == (60, 40)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "RGBA", "LA", "YCbCr", "I;16"])
def test_modes(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        grey = np.asarray(scene().convert("L")).astype(np.uint16) * 257
        picture, suffix = Image.fromarray(grey), "png"
    else:
        picture = scene().convert(mode)
        suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    picture.save(tmp_path / f"a.{suffix}")
    read = load_picture(tmp_path / f"a.{suffix}")
    assert read.mode == "RGB"
    colour = mode in ("CMYK", "P", "RGBA", "YCbCr")
    expected = scene() if colour else scene().convert("L").convert("RGB")
    if mode != "1":
        assert np.abs(small(read) - small(expected)).mean() < 12


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png").getpixel((3, 3)) == (255, 255, 255)


def test_draft_is_never_under_twice_the_size(tmp_path: Path) -> None:
    scene(800, 600).save(tmp_path / "a.jpg")
    assert load_picture(tmp_path / "a.jpg", (100, 75)).size == (400, 300) or (
        load_picture(tmp_path / "a.jpg", (100, 75)).size == (200, 150)
    )
    assert load_picture(tmp_path / "a.jpg", (101, 75)).width >= 202
    assert load_picture(tmp_path / "a.jpg", lambda w, h: (w, h)).size == (800, 600)


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "folder.jpg").mkdir()
    scene(400, 300).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    reasons = {"empty": "empty", "text": "not a picture", "folder": "folder", "cut": "truncated",
               "missing": "missing"}
    for name, word in reasons.items():
        with pytest.raises(MediaError, match=word) as caught:
            load_picture(tmp_path / f"{name}.jpg")
        assert f"{name}.jpg" in str(caught.value) and "\n" not in str(caught.value)


def test_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MediaError, match="too large"):
        load_picture(tmp_path / "a.png")


def test_random_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg")
    scene().save(tmp_path / "a.png")
    rng = np.random.default_rng(0)
    for suffix in ("jpg", "png"):
        good = np.frombuffer((tmp_path / f"a.{suffix}").read_bytes(), np.uint8)
        for _ in range(60):
            bad = good.copy()
            places = rng.integers(0, len(bad), 8)
            bad[places] = rng.integers(0, 256, 8)
            (tmp_path / f"b.{suffix}").write_bytes(bad.tobytes())
            try:
                assert load_picture(tmp_path / f"b.{suffix}").mode == "RGB"
            except MediaError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("size", [None, (224, 224)])
def test_real_variants_agree(shared_data: Path, name: str, size) -> None:
    original = shared_data / "camera_traps" / "images" / "speciesnet_african_elephants.jpg"
    expected = small(load_picture(original, size))
    found = small(load_picture(shared_data / "robustness" / name, size))
    assert np.abs(found - expected).mean() < 2.5


def test_real_greyscale_agrees(shared_data: Path) -> None:
    original = shared_data / "camera_traps" / "images" / "speciesnet_african_elephants.jpg"
    grey = small(load_picture(shared_data / "robustness" / "african_elephants_bw.jpg"))
    assert np.abs(grey - grey.mean(axis=2, keepdims=True)).max() == 0
    expected = small(load_picture(original)).mean(axis=2)
    assert np.abs(grey[:, :, 0] - expected).mean() < 6


@pytest.mark.parametrize(
    ("name", "reason"),
    [("african_elephants_truncated_file.jpg", "truncated"), ("zero_bytes.jpg", "empty")],
)
@pytest.mark.parametrize("size", [None, (224, 224)])
def test_real_damage(shared_data: Path, name: str, reason: str, size) -> None:
    with pytest.raises(MediaError, match=reason):
        load_picture(shared_data / "robustness" / name, size)
