"""Changes of pictures are drawn by seed, epoch, step and row, and do what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ecotone.training.soft_settings import SoftLabelSettings
from ecotone.training.trap_draws import (
    DEFOCUS,
    MOTION,
    NO_BLUR,
    blur_kernels,
    draw_changes,
    draw_mixup,
    numbered,
)

SETTINGS = SoftLabelSettings(infrared=0.3, blur=0.5, erase=0.3)
ROWS = np.arange(400)


def test_draws_belong_to_the_picture_and_not_to_its_batch() -> None:
    all_ = draw_changes(ROWS, 2, 5, SETTINGS)
    some = draw_changes(ROWS[[7, 3]], 2, 5, SETTINGS)
    for field in dataclasses.fields(all_):
        assert np.array_equal(getattr(all_, field.name)[[7, 3]], getattr(some, field.name))
    other = draw_changes(ROWS, 3, 5, SETTINGS)
    assert not np.array_equal(all_.gain, other.gain)


def test_a_picture_that_is_repeated_is_another_one_each_time() -> None:
    rows = np.array([4, 9, 4, 4, 2, 9])
    drawn = numbered(rows, 0)
    assert len(set(drawn)) == 6 and np.array_equal(drawn[[0, 1, 4]], [4, 9, 2])
    assert np.array_equal(numbered(rows[:4], 0), drawn[:4])
    assert not set(numbered(rows, 1)) & set(drawn) and len(numbered(rows[:0], 0)) == 0
    gain = draw_changes(drawn, 0, 0, SETTINGS).gain
    assert len(set(gain)) == 6


def test_the_numbers_are_even_and_of_their_own() -> None:
    from scipy.stats import kstest

    from ecotone.training.trap_draws import _uniform

    u = np.concatenate([_uniform(ROWS, [42, 2, 0, step]) for step in range(20)])
    assert kstest(u.ravel(), "uniform").pvalue > 1e-3
    off = np.corrcoef(u.T) - np.eye(u.shape[1])
    assert np.abs(off).max() < 0.06 and len(np.unique(u)) == u.size
    assert np.abs(np.corrcoef(u[:400].ravel(), u[400:800].ravel())[0, 1]) < 0.04


def test_they_happen_as_often_as_they_are_asked_for() -> None:
    draws = draw_changes(ROWS, 0, 0, SETTINGS)
    assert draws.mirror.mean() == pytest.approx(0.5, abs=0.1)
    assert draws.infrared.mean() == pytest.approx(0.3, abs=0.08)
    assert (draws.blur != NO_BLUR).mean() == pytest.approx(0.5, abs=0.1)
    assert draws.erase.any(axis=1).mean() == pytest.approx(0.3, abs=0.08)
    assert (draws.erase[:, :2] + draws.erase[:, 2:] <= 1).all()
    assert not draws.vignette[~draws.infrared].any()


def test_no_strength_changes_nothing() -> None:
    draws = draw_changes(ROWS, 0, 0, dataclasses.replace(SETTINGS, augment=0.0, flip=False))
    assert not draws.mirror.any() and (draws.scale == 1).all() and not draws.shift.any()
    assert (draws.gain == 1).all() and (draws.contrast == 1).all() and not draws.noise.any()
    assert not draws.infrared.any() and not draws.blur.any() and not draws.erase.any()


def test_kernels_keep_the_light() -> None:
    draws = draw_changes(ROWS, 0, 0, SETTINGS)
    kernels = blur_kernels(draws, 128)
    assert np.allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-5) and (kernels >= 0).all()
    middle = kernels.shape[1] // 2
    assert (kernels[draws.blur == NO_BLUR][:, middle, middle] == 1).all()
    assert (kernels[draws.blur == DEFOCUS][:, middle, middle] < 0.7).all()
    disk = kernels[draws.blur == DEFOCUS]
    assert np.allclose(disk, disk[:, ::-1]) and np.allclose(disk, disk.transpose(0, 2, 1))
    assert (draws.blur == MOTION).any()
    assert blur_kernels(draw_changes(ROWS[:0], 0, 0, SETTINGS), 32).shape[0] == 0


def test_mixing_keeps_the_greater_part() -> None:
    keeps = [draw_mixup(8, 0, step, 0, SETTINGS)[1] for step in range(200)]
    assert all(0.5 <= k <= 1 for k in keeps) and np.mean(np.array(keeps) < 1) > 0.3
    none = dataclasses.replace(SETTINGS, mixup=0.0)
    assert {draw_mixup(8, 0, step, 0, none)[1] for step in range(50)} == {1.0}
    assert sorted(draw_mixup(8, 1, 2, 0, SETTINGS)[0]) == list(range(8))
