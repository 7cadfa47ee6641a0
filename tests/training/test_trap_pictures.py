"""Batches of pictures changed on the device, against what each change is meant to do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ecotone.training.soft_settings import SoftLabelSettings  # noqa: E402
from ecotone.training.trap_draws import draw_changes  # noqa: E402
from ecotone.training.trap_pictures import change_pictures, prepare_batch  # noqa: E402
from tests.training.worlds import noise  # noqa: E402

NONE = SoftLabelSettings(augment=0.0, flip=False, mixup=0.0)
UNIT = ([0.0] * 3, [1.0] * 3)


def changed(pictures: np.ndarray, **draws: object) -> np.ndarray:
    """(n, H, W, 3) in 0..1 after the given changes alone."""
    plain = draw_changes(np.arange(len(pictures)), 0, 0, NONE)
    n = len(pictures)
    given = {k: np.broadcast_to(np.asarray(v), (n, *getattr(plain, k).shape[1:]))
             for k, v in draws.items()}
    found = change_pictures(torch.from_numpy(pictures), dataclasses.replace(plain, **given))
    return found.permute(0, 2, 3, 1).numpy()


def test_without_changes_the_picture_is_itself() -> None:
    pictures = noise(4)
    assert np.allclose(changed(pictures), pictures / 255, atol=1e-6)
    assert np.allclose(changed(pictures, mirror=True), pictures[:, :, ::-1] / 255, atol=1e-4)


def test_a_crop_is_shifted_by_whole_pixels_and_reflected() -> None:
    pictures = noise(2)
    found = changed(pictures, shift=[4 / 32, 0.0])
    assert np.allclose(found[:, :, :28], pictures[:, :, 4:] / 255, atol=1e-3)
    assert np.allclose(found[:, :, 28:], pictures[:, :, :27:-1] / 255, atol=1e-3)


def test_infrared_is_grey_and_darker_in_the_corners() -> None:
    pictures = np.full((1, 32, 32, 3), (200, 100, 50), np.uint8)
    found = changed(pictures, infrared=True, vignette=0.5)[0]
    assert np.allclose(found[..., 0], found[..., 1]) and np.allclose(found[..., 0], found[..., 2])
    assert found[0, 0, 0] < 0.6 * found[16, 16, 0]
    luma = (0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255
    assert found[16, 16, 0] == pytest.approx(luma, abs=0.01)


@pytest.mark.parametrize("kind", [1, 2])
def test_blur_is_a_convolution(kind: int) -> None:
    from scipy.ndimage import convolve

    from ecotone.training.trap_draws import blur_kernels

    pictures = noise(3)
    plain = draw_changes(np.arange(3), 0, 0, NONE)
    draws = dataclasses.replace(plain, blur=np.array([kind, 0, kind]), angle=np.full(3, 0.7),
                                length=np.array([0.06, 0.0, 0.03]))
    found = change_pictures(torch.from_numpy(pictures), draws).permute(0, 2, 3, 1).numpy()
    kernels = blur_kernels(draws, 32)
    assert np.allclose(found[1], pictures[1] / 255, atol=1e-6)
    for i in (0, 2):
        slow = np.stack([convolve(pictures[i, ..., c] / 255, kernels[i][::-1, ::-1], mode="mirror")
                         for c in range(3)], axis=-1)
        assert np.allclose(found[i], slow, atol=1e-4)


def test_a_box_is_erased_and_light_and_contrast_change() -> None:
    pictures = noise(1)
    found = changed(pictures, erase=[0.25, 0.5, 0.25, 0.25])[0]
    inside = found[16:24, 8:16]
    assert np.allclose(inside, inside[0, 0]) and np.allclose(found[:16], pictures[0, :16] / 255)
    dim = np.full((1, 32, 32, 3), 100, np.uint8)
    assert np.allclose(changed(dim, gain=1.5), 150 / 255, atol=1e-5)
    assert np.allclose(changed(dim, contrast=0.5), 100 / 255, atol=1e-5)


def test_a_batch_is_the_same_again_and_mixes_targets_with_pictures() -> None:
    pictures = torch.from_numpy(noise(6))
    batch = (pictures, torch.eye(6), torch.linspace(0.5, 1, 6), torch.arange(6))
    settings = SoftLabelSettings(mixup_probability=1.0, mixup=1.0)

    def once() -> tuple:
        torch.manual_seed(3)
        return prepare_batch(batch, 1, 2, 0, settings, UNIT)

    one, two = once(), once()
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    x, target, weight = one
    assert x.shape == (6, 3, 32, 32) and torch.allclose(target.sum(1), torch.ones(6))
    assert ((target > 0).sum(1) <= 2).all() and (target.diagonal() >= 0.5).all()
    plain = prepare_batch(batch, 1, 2, 0, NONE, ([0.5] * 3, [0.25] * 3))
    wanted = (pictures.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    assert torch.allclose(plain[0], wanted, atol=1e-5) and torch.equal(plain[1], batch[1])
