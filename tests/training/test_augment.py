"""Augmentations: the same from the same generator, within bounds, and never mirrored unasked."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.training import augment as a
from ecotone.training.augment import augment, clahe

RNG = np.random.default_rng
SHAPES = [(40, 40), (17, 31), (1, 1)]


def picture(height: int = 40, width: int = 40, seed: int = 0) -> np.ndarray:
    return RNG(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_shape_and_type_stay_and_a_seed_repeats(shape: tuple[int, int], seed: int) -> None:
    before = picture(*shape)
    kept = before.copy()
    one, two = augment(before, RNG(seed)), augment(before, RNG(seed))
    assert one.shape == before.shape and one.dtype == np.uint8
    assert np.array_equal(one, two) and np.array_equal(before, kept)


def test_strength_zero_changes_nothing_and_flips_only_where_asked() -> None:
    before = picture()
    assert np.array_equal(augment(before, RNG(0), 0.0), before)
    found = {augment(before, RNG(s), 0.0, flip=True).tobytes() for s in range(20)}
    assert found == {before.tobytes(), before[:, ::-1].tobytes()}


def test_without_flip_left_stays_left() -> None:
    """A bright left half stays the brighter one under every augmentation."""
    before = np.zeros((48, 48, 3), np.uint8)
    before[:, :24] = 200
    for seed in range(60):
        after = augment(before, RNG(seed)).astype(float)
        assert after[:, :16].mean() > after[:, -16:].mean()


def test_a_corner_is_masked_in_a_triangle() -> None:
    before = np.full((40, 60, 3), 255, np.uint8)
    for seed in range(12):
        dark = (a.mask_corner(before, RNG(seed)) == 0).all(axis=2)
        corners = dark[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.sum() == 1 and 0 < dark.mean() <= 0.5 * 0.5 * 0.5 + 0.02
        sides = dark.any(axis=1).sum() * dark.any(axis=0).sum()
        assert dark.sum() == pytest.approx(sides / 2, rel=0.25)


def test_clahe_without_a_limit_and_with_one_tile_is_plain_equalisation() -> None:
    plane = RNG(1).integers(80, 120, (64, 64), dtype=np.uint8)
    rank = np.array([(plane <= v).mean() for v in range(256)]) * 255
    assert np.allclose(clahe(plane, clip=1e9, tiles=1), rank[plane], atol=1e-2)


def test_clahe_stretches_local_contrast_and_less_with_a_limit() -> None:
    ramp = np.linspace(100, 140, 128).astype(np.uint8)[None].repeat(128, axis=0)
    free, limited = clahe(ramp, clip=1e9), clahe(ramp, clip=2.0)
    assert ramp.std() < limited.std() and limited.min() >= 0 and limited.max() <= 255.01
    assert np.abs(np.diff(free, axis=1)).mean() > np.abs(np.diff(limited, axis=1)).mean()


def test_grey_has_no_colour_and_sharpening_leaves_flat_pictures() -> None:
    grey = a.grey(picture(), RNG(0))
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 0], grey[..., 2])
    flat = np.full((9, 9, 3), 77, np.uint8)
    assert np.array_equal(a.sharpen(flat, RNG(0)), flat)


def test_moving_by_nothing_moves_nothing() -> None:
    before = picture()
    assert np.abs(a.move(before, RNG(0), 0, 0, 0).astype(int) - before).max() <= 1


def test_jitter_keeps_greys_grey() -> None:
    flat = np.full((6, 6, 3), 128, np.uint8)
    for seed in range(5):
        after = a.jitter(flat, RNG(seed), 0.3).astype(int)
        assert np.ptp(after, axis=2).max() <= 1
