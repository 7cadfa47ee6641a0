"""What happens to a picture of a camera trap in an epoch: drawn by seed, epoch, step and row.

n pictures in a batch. Cameras switch to infrared at night, animals move and stand out of focus, and
a detector's boxes are never quite the same: those are the changes. How they are made is in
`trap_pictures`. Source: the list is our own; erasing after Zhong et al. 2020, arXiv:1708.04896.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.training.soft_settings import SoftLabelSettings

NUMBERS = 24  # drawn a picture, so that a change of one setting moves no other draw
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
NO_BLUR, DEFOCUS, MOTION = 0, 1, 2


@dataclass(frozen=True, eq=False)
class TrapDraws:
    """Arrays (n,) unless said otherwise.

    mirror: bool. scale: (n, 2) of the crop, above 1 shows more around it; shift: (n, 2) of the
    crop, in parts of its size. gain, contrast, saturation: factors. infrared: bool; vignette: part
    of the light that the corners lack; gamma: of infrared. noise: standard deviation, of 0..1.
    blur: NO_BLUR, DEFOCUS or MOTION; length: of it in parts of the size; angle: of a motion.
    erase: (n, 4) x y width height in 0..1, zeros for none.
    """

    mirror: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    gain: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    infrared: np.ndarray
    vignette: np.ndarray
    gamma: np.ndarray
    noise: np.ndarray
    blur: np.ndarray
    length: np.ndarray
    angle: np.ndarray
    erase: np.ndarray


def numbered(rows: np.ndarray, rank: int) -> np.ndarray:
    """Row numbers (n,) by which to draw, so that a picture that is in a batch several times, or in
    that of another process too, is another one each time."""
    order = np.argsort(rows, kind="stable")
    first = np.r_[True, rows[order][1:] != rows[order][:-1]][: len(rows)]
    start = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    time = np.empty(len(rows), dtype=np.int64)
    time[order] = np.arange(len(rows)) - start
    return rows + (time << 32) + (rank << 52)


def draw_changes(rows: np.ndarray, epoch: int, step: int, settings: SoftLabelSettings) -> TrapDraws:
    """The changes of the pictures `rows` (n,) in one step."""
    u = _uniform(rows, [settings.seed, 2, epoch, step])
    strength = float(settings.augment)
    often = min(strength, 1.0)  # for what happens or does not
    jitter, light = settings.crop_jitter * strength, settings.brightness * strength
    signed = 2 * u - 1
    infrared = u[:, 8] < settings.infrared * often
    blurred = u[:, 11] < settings.blur * often
    erased = u[:, 15] < settings.erase * often
    size = 0.1 + 0.25 * u[:, 16:18]
    box = np.concatenate([u[:, 18:20] * (1 - size), size], axis=1)
    return TrapDraws(
        mirror=(u[:, 0] < 0.5) & settings.flip,
        # In logarithms, so that twice and half are as likely; both sides mostly alike.
        scale=np.exp(jitter * (signed[:, 1:2] + 0.3 * signed[:, 2:4])),
        shift=0.5 * jitter * signed[:, 4:6],
        gain=np.exp(light * signed[:, 6]),
        contrast=np.exp(light * signed[:, 7]),
        saturation=np.maximum(0, 1 + light * signed[:, 20]),
        infrared=infrared,
        vignette=np.where(infrared, 0.5 * u[:, 9] * often, 0),
        gamma=np.where(infrared, np.exp(0.4 * often * signed[:, 21]), 1),
        noise=np.where(infrared, 0.01 + 0.04 * u[:, 10], 0.02 * u[:, 10] ** 2) * often,
        blur=np.where(blurred, np.where(u[:, 12] < 0.5, DEFOCUS, MOTION), NO_BLUR),
        length=np.where(blurred, 0.005 + 0.025 * u[:, 13], 0),
        angle=np.pi * u[:, 14],
        erase=np.where(erased[:, None], box, 0),
    )


def _uniform(rows: np.ndarray, key: list[int]) -> np.ndarray:
    """(n, NUMBERS) in 0..1, of each row by its number and the key, for all rows at once.

    Source: Steele, Lea and Flood 2014 (SplitMix64), as a function of its counter.
    """
    start = np.random.SeedSequence(key).generate_state(1, np.uint64)
    counter = np.arange(1, NUMBERS + 1, dtype=np.uint64)
    return _mix(_mix(rows.astype(np.uint64) * GOLDEN + start)[:, None] + counter * GOLDEN) / 2**64


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def blur_kernels(draws: TrapDraws, size: int) -> np.ndarray:
    """A kernel a picture, (n, k, k) float32 with k odd, that sums to 1.

    A defocus is a disk, a motion a line; radius or half length is `length` times the size.
    """
    reach = draws.length * size
    half = max(1, int(np.ceil(reach.max(initial=0))))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    radius = np.hypot(x, y)[None]
    along = np.cos(draws.angle)[:, None, None] * x + np.sin(draws.angle)[:, None, None] * y
    across = np.sin(draws.angle)[:, None, None] * x - np.cos(draws.angle)[:, None, None] * y
    far = reach[:, None, None]
    inside = np.clip(far + 0.5 - radius, 0, 1)  # edges fade over one pixel
    line = np.clip(far + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    point = (radius == 0).astype(np.float64)
    kind = draws.blur[:, None, None]
    kernel = np.where(kind == DEFOCUS, inside, np.where(kind == MOTION, line, point))
    return (kernel / kernel.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def draw_mixup(n: int, epoch: int, step: int, rank: int, settings: SoftLabelSettings
               ) -> tuple[np.ndarray, float]:
    """Partners (n,) and the part that the picture itself keeps, 0.5..1; 1 for no mixing.

    Source: Zhang et al. 2018, mixup, arXiv:1710.09412.
    """
    rng = np.random.default_rng([settings.seed, 3, epoch, step, rank])
    partner = rng.permutation(n)
    wanted = rng.random() < settings.mixup_probability and settings.mixup > 0
    keep = float(rng.beta(settings.mixup, settings.mixup)) if wanted else 1.0
    return partner, max(keep, 1 - keep)


__all__ = ["DEFOCUS", "MOTION", "NO_BLUR", "TrapDraws", "blur_kernels", "draw_changes",
           "draw_mixup", "numbered"]
