"""Noise to draw with: smooth noise of many scales, and cells for spots and patches.

A tile wraps around at its edges, so that it can be read at any place and any scale.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

TILE = 512
CELLS = 14  # rows of cells on the cell tile


@lru_cache(maxsize=64)
def noise_tile(seed: int = 0, exponent: float = 1.6, low: int = 2) -> np.ndarray:
    """Noise (512, 512) float32 with mean 0 and deviation 1, falling as frequency**-exponent.

    low: frequencies below it (waves a tile) are left out. It wraps around.
    """
    rng = np.random.default_rng([seed, int(exponent * 100), low])
    fy = np.fft.fftfreq(TILE)[:, None] * TILE
    fx = np.fft.rfftfreq(TILE)[None] * TILE
    frequency = np.hypot(fy, fx)
    weight = np.where(frequency < low, 0, np.maximum(frequency, 1) ** -exponent)
    phase = rng.normal(size=weight.shape) + 1j * rng.normal(size=weight.shape)
    field = np.fft.irfft2(weight * phase, s=(TILE, TILE))
    return (field / field.std()).astype(np.float32)


@lru_cache(maxsize=8)
def cell_tile(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and second nearest of scattered points, in cells: 2 x (512, 512)."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng([seed, 77])
    step = TILE / CELLS
    y, x = np.meshgrid(np.arange(CELLS), np.arange(CELLS), indexing="ij")
    points = np.stack([x + 0.5 * (y % 2), y], axis=-1).reshape(-1, 2) + 0.5
    points = ((points + rng.uniform(-0.33, 0.33, points.shape)) * step) % TILE
    grid = np.stack(np.meshgrid(np.arange(TILE), np.arange(TILE)), axis=-1).reshape(-1, 2)
    distance = cKDTree(points, boxsize=TILE).query(grid, k=2)[0].astype(np.float32) / step
    return distance[:, 0].reshape(TILE, TILE), distance[:, 1].reshape(TILE, TILE)


def read(tile: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The tile's values at positions in pixels of the tile, wrapped around, nearest neighbour."""
    column = np.floor(x).astype(np.int32) & (TILE - 1)
    row = np.floor(y).astype(np.int32) & (TILE - 1)
    return tile[row, column]


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator,
          stretch: float = 1.0, exponent: float = 1.6) -> np.ndarray:
    """Noise of a shape (H, W). scale: pixels of the tile a pixel; stretch > 1: longer sideways."""
    seed = int(rng.integers(6))
    dy, dx = rng.uniform(0, TILE, 2)
    y, x = np.ogrid[: shape[0], : shape[1]]
    return read(noise_tile(seed, exponent), x * (scale / stretch) + dx, y * scale + dy)


def mix(a: np.ndarray, b: np.ndarray, weight: np.ndarray | float) -> np.ndarray:
    """a where weight is 0, b where it is 1. weight: (H, W) for colours (H, W, 3) or (3,)."""
    w = np.asarray(weight, dtype=np.float32)
    if w.ndim == 2:
        w = w[..., None]
    return a * (1 - w) + b * w


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
