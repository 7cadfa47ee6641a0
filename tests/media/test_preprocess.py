"""Preprocessing does what it declares, and its declaration survives JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ecotone.errors import InputError, MediaError
from ecotone.media.preprocess import Preprocessing

BYTES = Preprocessing(8, 6, "uint8", "NHWC")


def picture(width: int = 40, height: int = 20, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from(["squash", "crop", "pad"]),
    st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]), st.booleans(),
    st.sampled_from(["NHWC", "NCHW"]), st.sampled_from(["uint8", "int8", "float32"]),
    st.floats(0.2, 1), st.integers(1, 60), st.integers(1, 60),
)
def test_shape_type_and_json(
    width, height, resize, interpolation, antialias, layout, dtype, fraction, wide, high
) -> None:
    declared = Preprocessing(
        width, height, dtype, layout, resize=resize, interpolation=interpolation,
        antialias=antialias, crop_fraction=fraction,
    )
    result = declared.apply(picture(wide, high))
    assert result.shape == declared.shape
    assert result.dtype == np.dtype(dtype)
    again = Preprocessing.from_dict(json.loads(json.dumps(declared.to_dict())))
    assert again == declared


def test_bytes_are_the_squashed_picture() -> None:
    expected = np.asarray(picture().resize((8, 6), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(BYTES.apply(picture()), expected)


def test_values() -> None:
    flat = Image.new("RGB", (10, 10), (10, 100, 250))
    declared = Preprocessing(
        4, 4, "float32", "NCHW", scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 0.4, 0.2)
    )
    expected = (np.array([10, 100, 250]) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.4, 0.2]
    np.testing.assert_allclose(declared.apply(flat)[:, 0, 0], expected, rtol=1e-5)
    swapped = Preprocessing(4, 4, "int8", "NHWC", channels="BGR").apply(flat)
    assert swapped[0, 0].tolist() == [122, -28, -118]


def test_crop_takes_the_middle_and_pad_keeps_all() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200  # the middle third
    wide = Image.fromarray(pixels)
    cut = Preprocessing(10, 10, "uint8", "NHWC", resize="crop").apply(wide)
    assert (cut > 150).all()
    padded = Preprocessing(30, 30, "uint8", "NHWC", resize="pad", fill=7).apply(wide)
    assert (padded[0] == 7).all() and (padded[-1] == 7).all()
    assert padded[15, 15, 0] > 150 and padded[15, 0, 0] == 0
    half = Preprocessing(10, 10, "uint8", "NHWC", resize="crop", crop_fraction=0.5)
    np.testing.assert_array_equal(half.apply(wide).shape, (10, 10, 3))


def test_prepare_decodes_once_for_all_boxes(tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 200), (255, 0, 0))
    image.paste((0, 0, 255), (200, 0, 400, 200))
    image.save(tmp_path / "a.jpg", quality=95)
    boxes = [(0.05, 0.1, 0.4, 0.8), (0.55, 0.1, 0.4, 0.8), (0, 0, 1, 1)]
    left, right, whole = BYTES.prepare(tmp_path / "a.jpg", boxes).astype(int)
    assert (left[..., 0] > 200).all() and (left[..., 2] < 60).all()
    assert (right[..., 2] > 200).all() and (right[..., 0] < 60).all()
    assert whole[3, 0, 0] > 200 and whole[3, -1, 2] > 200


def test_reduced_decoding_hardly_differs(tmp_path: Path) -> None:
    smooth = picture(12, 9).resize((1200, 900), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "a.jpg", quality=92)
    boxes = [(0, 0, 1, 1), (0.2, 0.3, 0.4, 0.5)]
    declared = Preprocessing(64, 64, "uint8", "NHWC")
    full = Preprocessing(64, 64, "uint8", "NHWC")
    with Image.open(tmp_path / "a.jpg") as whole:
        from ecotone.media.crop import crop

        expected = [full.apply(crop(whole, b, 0.05, True)) for b in boxes]
    found = declared.prepare(tmp_path / "a.jpg", boxes)
    assert np.abs(found.astype(int) - np.array(expected).astype(int)).mean() < 1.5


def test_point_sampling_matches_bilinear_by_hand() -> None:
    declared = Preprocessing(2, 1, "uint8", "NHWC", interpolation="bilinear", antialias=False)
    row = np.repeat(np.array([[0, 40, 80, 120, 160, 200, 240, 250]], np.uint8)[..., None], 3, 2)
    # centres of two output pixels fall at 1.5 and 5.5 of the eight
    assert declared.apply(Image.fromarray(row))[0, :, 0].tolist() == [60, 220]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"width": 0}, "not a size"),
        ({"resize": "stretch"}, "expected one of squash"),
        ({"dtype": "float64"}, "expected one of uint8"),
        ({"std": (0, 1, 1)}, "std above 0"),
        ({"mean": (1, 2)}, "three numbers"),
        ({"scale": "much"}, "a number was expected"),
        ({"crop_fraction": 0}, "crop_fraction"),
        ({"fill": 300}, "fill"),
        ({"intepolation": "bicubic"}, "did you mean 'interpolation'"),
        ({"dtype": "uint8", "scale": 0.5}, "takes no scale"),
    ],
)
def test_impossible_declarations(fields: dict, word: str) -> None:
    good = {"width": 8, "height": 8, "dtype": "float32", "layout": "NCHW"}
    with pytest.raises(InputError, match=word):
        Preprocessing.from_dict({**good, **fields})


def test_missing_field_is_named() -> None:
    with pytest.raises(InputError, match="net.json: the field 'layout' is missing"):
        Preprocessing.from_dict({"width": 8, "height": 8, "dtype": "uint8"}, "net.json")


def test_real_camera_traps_and_failures(shared_data: Path) -> None:
    declared = Preprocessing(224, 224, "uint8", "NHWC")
    for path in sorted((shared_data / "camera_traps" / "images").iterdir())[::6]:
        assert declared.prepare(path, [(0, 0, 1, 1)]).shape == (1, 224, 224, 3)
    with pytest.raises(MediaError):
        declared.prepare(shared_data / "robustness" / "zero_bytes.jpg", [(0, 0, 1, 1)])


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_numbers_are_those_of_the_plain_formula(layout, channels) -> None:
    way = Preprocessing(
        21, 13, "float32", layout, channels=channels, scale=1 / 255, mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    pixels = np.asarray(way.resized(picture()))
    pixels = (pixels[:, :, ::-1] if channels == "BGR" else pixels).astype(np.float32)
    std, mean = np.float32(way.std), np.float32(way.mean)
    expected = pixels * (np.float32(way.scale) / std) - mean / std
    found = way.apply(picture())
    found = found.transpose(1, 2, 0) if layout == "NCHW" else found
    np.testing.assert_array_equal(found, expected)
