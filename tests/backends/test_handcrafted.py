"""The encoder without weights: shape, invariances, speed, and worth on real pictures."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.backends import handcrafted
from ecotone.backends.handcrafted import HandcraftedEncoder, open_handcrafted
from ecotone.errors import InputError


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return handcrafted.dead_leaves(6, np.random.default_rng(5))


def test_vectors_have_length_one_and_depend_on_the_picture_only(batch: np.ndarray) -> None:
    encoder = HandcraftedEncoder()
    vectors = encoder.encode(batch)
    assert vectors.shape == (6, encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(batch[3:4])[0], vectors[3], atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_the_mirror_image_has_the_same_vector(batch: np.ndarray) -> None:
    encoder = HandcraftedEncoder()
    mirrored = encoder.encode(batch[:, :, ::-1])
    np.testing.assert_allclose(encoder.encode(batch), mirrored, atol=1e-5)


def test_a_shifted_picture_stays_nearer_than_another(batch: np.ndarray) -> None:
    encoder = HandcraftedEncoder()
    vectors = encoder.encode(batch)
    shifted = encoder.encode(np.roll(batch, 4, axis=2))
    nearest = (shifted @ vectors.T).argmax(axis=1)
    np.testing.assert_array_equal(nearest, np.arange(len(batch)))


def test_flat_and_empty_batches(batch: np.ndarray) -> None:
    encoder = HandcraftedEncoder()
    flat = np.stack([np.zeros((128, 128, 3), np.uint8), np.full((128, 128, 3), 255, np.uint8)])
    assert np.isfinite(encoder.encode(flat)).all()
    assert encoder.encode(batch[:0]).shape == (0, encoder.dimension)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (np.zeros((2, 64, 64, 3), np.uint8), "128, 128"),
        (np.zeros((128, 128, 3), np.uint8), "shape"),
        (np.zeros((1, 128, 128, 3), np.float32), "uint8"),
    ],
)
def test_a_wrong_batch_is_told(bad: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=word):
        HandcraftedEncoder().encode(bad)


def test_it_is_opened_by_name_and_takes_no_argument() -> None:
    assert open_handcrafted("").preprocessing.shape == (128, 128, 3)
    with pytest.raises(InputError, match="handcrafted"):
        open_handcrafted("large")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 8]))
def test_cell_means_are_means(seed: int, cell: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, 16, 8, 3)).astype(np.float32)
    cells = handcrafted.cell_mean(values, cell)
    for i in range(16 // cell):
        for j in range(8 // cell):
            part = values[:, i * cell : (i + 1) * cell, j * cell : (j + 1) * cell]
            np.testing.assert_allclose(cells[:, i, j], part.mean(axis=(1, 2)), atol=1e-5)


def test_pooling_is_the_mean_of_each_region() -> None:
    codes = np.random.default_rng(0).random((2, 6, 6, 4), dtype=np.float32)
    pooled = handcrafted.pool(codes)
    np.testing.assert_allclose(pooled[:, 0], codes.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(pooled[:, 2], codes[:, :3, :3].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(pooled[:, 5], codes[:, 3:, 3:].mean(axis=(1, 2)), rtol=1e-5)


def test_the_histogram_counts_every_pixel(batch: np.ndarray) -> None:
    histogram = handcrafted.colour_histogram(handcrafted.opponent(batch))
    assert histogram.shape == (6, 512)
    np.testing.assert_allclose(histogram.sum(axis=1), 1, rtol=1e-5)


def test_a_hundred_pictures_a_second(batch: np.ndarray) -> None:
    encoder, pictures = HandcraftedEncoder(), np.tile(batch, (8, 1, 1, 1))
    encoder.encode(pictures[:1])
    seconds = []
    for _ in range(3):
        start = time.process_time()
        encoder.encode(pictures)
        seconds.append(time.process_time() - start)
    assert len(pictures) / min(seconds) > 50  # 200 to 370 on a free core


@pytest.mark.slow
def test_it_tells_real_species_apart(shared_data: Path) -> None:
    from PIL import Image
    from sklearn.linear_model import LogisticRegression

    folder = shared_data / "monkeys"
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::3]
    encoder = HandcraftedEncoder()
    pictures = []
    for row in rows:
        with Image.open(folder / row["filePath"]) as picture:
            pictures.append(encoder.preprocessing.apply(picture.convert("RGB")))
    vectors = encoder.encode(np.stack(pictures))
    names = np.array([row["scientificName"] for row in rows])
    order = np.random.default_rng(0).permutation(len(rows))
    train, test = order[:300], order[300:]
    model = LogisticRegression(C=30.0, max_iter=300).fit(vectors[train], names[train])
    assert model.score(vectors[test], names[test]) > 0.5  # ten species, chance 0.1
