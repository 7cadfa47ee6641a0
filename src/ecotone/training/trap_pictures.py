"""Pictures changed as camera traps change them, a whole batch at once where the network learns.

n pictures in a batch, H = W their size.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ecotone.training.soft_settings import SoftLabelSettings
from ecotone.training.trap_draws import (
    NO_BLUR,
    TrapDraws,
    blur_kernels,
    draw_changes,
    draw_mixup,
    numbered,
)

LUMA = (0.299, 0.587, 0.114)


def change_pictures(pictures: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """Bytes (n, H, W, 3) as changed values (n, 3, H, W) float32 in 0..1, on the same device."""
    x = pictures.permute(0, 3, 1, 2).float().div_(255)
    x = _moved(x, draws)
    x = _lit(x, draws)
    x = _infrared(x, draws)
    x = _blurred(x, draws)
    x = x + _four(draws.noise, x) * _noise(x, draws)
    return _erased(x.clamp_(0, 1), draws)


def _four(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """(n,) as (n, 1, 1, 1) beside `like`."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    return torch.from_numpy(array).to(like.device)[:, None, None, None]


def _moved(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """Another crop, perhaps mirrored: beyond the border the picture is reflected."""
    n = len(x)
    theta = np.zeros((n, 2, 3), np.float32)
    theta[:, 0, 0] = draws.scale[:, 0] * np.where(draws.mirror, -1, 1)
    theta[:, 1, 1] = draws.scale[:, 1]
    theta[:, :, 2] = 2 * draws.shift
    if (theta == np.eye(2, 3, dtype=np.float32)).all():
        return x
    grid = functional.affine_grid(torch.from_numpy(theta).to(x.device), list(x.shape),
                                  align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _luma(x: torch.Tensor) -> torch.Tensor:
    weight = torch.tensor(LUMA, device=x.device)[None, :, None, None]
    return (x * weight).sum(dim=1, keepdim=True)


def _lit(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """Brightness, contrast about the mean, saturation."""
    x = x * _four(draws.gain, x)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * _four(draws.contrast, x) + mean
    grey = _luma(x)
    return grey + (x - grey) * _four(draws.saturation, x)


def _infrared(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """Grey, with another tone curve, darker towards the corners."""
    if not draws.infrared.any():
        return x
    at = (torch.arange(x.shape[2], device=x.device) + 0.5) / x.shape[2] * 2 - 1
    far = (at[:, None] ** 2 + at[None] ** 2) / 2
    grey = _luma(x).clamp(1e-4, 1) ** _four(draws.gamma, x)
    night = grey * (1 - _four(draws.vignette, x) * far[None, None])
    return torch.where(_four(draws.infrared, x) > 0, night, x)


def _blurred(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    rows = np.flatnonzero(draws.blur != NO_BLUR)
    if not len(rows):
        return x
    kernels = torch.from_numpy(blur_kernels(draws, x.shape[2])[rows]).to(x.device)
    index = torch.from_numpy(rows).to(x.device)
    half = min(kernels.shape[2] // 2, x.shape[2] - 1)
    middle = kernels.shape[2] // 2
    kernels = kernels[:, middle - half : middle + half + 1, middle - half : middle + half + 1]
    some = functional.pad(x[index], [half] * 4, mode="reflect")
    weight = kernels.repeat_interleave(3, dim=0)[:, None]
    out = functional.conv2d(some.reshape(1, -1, *some.shape[2:]), weight, groups=len(weight))
    x = x.clone()
    x[index] = out.view(len(rows), 3, *x.shape[2:])
    return x


def _noise(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """Of the sensor; grey in infrared. From torch's generator, which every step seeds anew."""
    noise = torch.randn(x.shape, device=x.device)
    return torch.where(_four(draws.infrared, x) > 0, noise[:, :1], noise)


def _erased(x: torch.Tensor, draws: TrapDraws) -> torch.Tensor:
    """A rectangle in the picture's mean colour, as leaves and trunks hide a part of an animal."""
    if not draws.erase.any():
        return x
    at = (torch.arange(x.shape[2], device=x.device) + 0.5) / x.shape[2]
    left, top, wide, high = (_four(v, x) for v in draws.erase.T)
    across, down = at[None, None, None, :], at[None, None, :, None]
    inside = (across >= left) & (across < left + wide) & (down >= top) & (down < top + high)
    return torch.where(inside, x.mean(dim=(2, 3), keepdim=True), x)


def prepare_batch(
    batch: tuple[torch.Tensor, ...], epoch: int, step: int, rank: int,
    settings: SoftLabelSettings, normalisation: tuple[list[float], list[float]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures changed, mixed and normalised (n, 3, H, W), targets (n, K) and weights (n,).

    batch: pictures (n, H, W, 3) uint8, targets, weights and row numbers (n,).
    """
    pictures, target, weight, rows = batch
    if settings.augment > 0 or settings.flip:
        drawn = numbered(rows.cpu().numpy(), rank)
        x = change_pictures(pictures, draw_changes(drawn, epoch, step, settings))
    else:
        x = pictures.permute(0, 3, 1, 2).float().div_(255)
    partner, keep = draw_mixup(len(x), epoch, step, rank, settings)
    if keep < 1:
        other = torch.from_numpy(partner).to(x.device)
        x, target, weight = (keep * v + (1 - keep) * v[other] for v in (x, target, weight))
    mean, std = (torch.tensor(v, device=x.device)[None, :, None, None] for v in normalisation)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last), target, weight


__all__ = ["change_pictures", "prepare_batch"]
