"""Pictures as a network sees them while it learns: masked, sharpened, moved, in other colours.

A picture is (H, W, 3) uint8, and every random choice comes from the generator that is given, so
that a picture of an epoch is always the same one. No mirroring but where it is asked for: the two
flanks of an animal are not mirror images.
Source: the augmentations that were recorded for MiewID (Otarashvili et al. 2024).
"""

from __future__ import annotations

import numpy as np

BORDER = 0.5  # of the size: how far a reflected border reaches


def augment(
    picture: np.ndarray, rng: np.random.Generator, strength: float = 1.0, flip: bool = False
) -> np.ndarray:
    """One picture changed at random. strength: 1 as recorded, 0 leaves all but `flip` out."""
    if flip and rng.random() < 0.5:
        picture = picture[:, ::-1]
    if strength <= 0:
        return np.ascontiguousarray(picture)
    if rng.random() < 0.5 * min(strength, 1.5):
        picture = mask_corner(picture, rng)
    if rng.random() < 0.5 * min(strength, 1.5):
        picture = (sharpen, grey, equalize)[int(rng.integers(3))](picture, rng)
    if rng.random() < 0.5 * min(strength, 1.5):
        picture = move(picture, rng, 0.25 * strength, 0.2 * strength, 15.0 * strength)
    return jitter(picture, rng, 0.1 * strength)


def mask_corner(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A triangle at one corner in black, its legs up to half of the sides."""
    height, width = picture.shape[:2]
    tall, wide = rng.uniform(0.15, 0.5, 2)
    y = (np.arange(height) + 0.5)[:, None] / (height * tall)
    x = (np.arange(width) + 0.5)[None] / (width * wide)
    inside = x + y < 1
    corner = int(rng.integers(4))
    inside = inside[::-1] if corner & 1 else inside
    inside = inside[:, ::-1] if corner & 2 else inside
    return np.where(inside[..., None], np.uint8(0), picture)


def sharpen(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Details stronger: the picture plus a part of what a blur takes away."""
    from scipy.ndimage import uniform_filter

    pixels = picture.astype(np.float32)
    detail = pixels - uniform_filter(pixels, (3, 3, 1))
    return _bytes(pixels + rng.uniform(0.5, 2.0) * detail)


def grey(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Without colour, as in infrared."""
    return np.repeat(_bytes(_luma(picture))[..., None], 3, axis=2)


def equalize(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Local contrast made equal (CLAHE) on lightness, colours kept.

    Source: Zuiderveld 1994, Contrast limited adaptive histogram equalization.
    """
    before = _luma(picture)
    after = clahe(_bytes(before), float(rng.uniform(1, 4)))
    gain = after / np.maximum(before, 1.0)
    return _bytes(picture * gain[..., None])


def clahe(plane: np.ndarray, clip: float = 2.0, tiles: int = 8) -> np.ndarray:
    """Contrast limited adaptive histogram equalisation of a plane (H, W) uint8, as float32 0..255.

    clip: most entries of a bin, as a multiple of the mean bin; the rest is spread over all bins.
    """
    height, width = plane.shape
    rows, columns = min(tiles, height), min(tiles, width)
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width
    tile = row[:, None] * columns + column[None]
    counts = np.bincount((tile * 256 + plane).ravel(), minlength=rows * columns * 256)
    counts = counts.reshape(rows * columns, 256).astype(np.float64)
    size = counts.sum(axis=1, keepdims=True)
    limit = np.maximum(clip * size / 256, 1)
    over = np.maximum(counts - limit, 0).sum(axis=1, keepdims=True)
    cdf = np.cumsum(np.minimum(counts, limit) + over / 256, axis=1) / size * 255
    curves = cdf.reshape(rows, columns, 256).astype(np.float32)
    r0, r1, wr = _between(height, rows)
    c0, c1, wc = _between(width, columns)
    wr, wc = wr[:, None], wc[None]
    read = lambda r, c: curves[r[:, None], c[None], plane]  # noqa: E731
    top = read(r0, c0) * (1 - wc) + read(r0, c1) * wc
    bottom = read(r1, c0) * (1 - wc) + read(r1, c1) * wc
    return top * (1 - wr) + bottom * wr


def _between(length: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tiles before and after every pixel, and the weight of the one after."""
    at = np.clip((np.arange(length) + 0.5) * tiles / length - 0.5, 0, tiles - 1)
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, tiles - 1), (at - first).astype(np.float32)


def move(picture: np.ndarray, rng: np.random.Generator, shift: float, scale: float,
         degrees: float) -> np.ndarray:
    """Shifted by up to `shift` of the size, scaled by up to 1 +- scale, turned; borders reflect."""
    from PIL import Image

    height, width = picture.shape[:2]
    factor = 1 + rng.uniform(-scale, scale)
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    dx, dy = rng.uniform(-shift, shift, 2) * (width, height)
    edge_y, edge_x = int(height * BORDER), int(width * BORDER)
    wide = np.pad(picture, ((edge_y, edge_y), (edge_x, edge_x), (0, 0)), mode="symmetric")
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    middle = np.array([width / 2, height / 2])
    start = middle + (edge_x, edge_y) - turn @ (middle + (dx, dy))
    coefficients = (*turn[0], start[0], *turn[1], start[1])
    moved = Image.fromarray(wide).transform(
        (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(moved)


def jitter(picture: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Brightness, contrast and saturation by up to 1 +- amount, hue by a turn of up to amount."""
    bright, contrast, saturation = 1 + rng.uniform(-amount, amount, 3)
    pixels = picture.astype(np.float32) * np.float32(bright)
    luma = _luma(pixels)
    pixels = (pixels - luma.mean()) * np.float32(contrast) + luma.mean()
    luma = _luma(pixels)[..., None]
    colour = (pixels - luma) * np.float32(saturation)
    # A turn about the grey axis: hue changes, lightness hardly does.
    angle = np.pi * rng.uniform(-amount, amount)
    axis = np.full(3, 3**-0.5)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = (np.cos(angle) * np.eye(3) + np.sin(angle) * cross
            + (1 - np.cos(angle)) * np.outer(axis, axis))
    return _bytes(luma + colour @ turn.T.astype(np.float32))


def _luma(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _bytes(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 255) + 0.5).astype(np.uint8)


__all__ = ["augment", "clahe", "equalize", "grey", "jitter", "mask_corner", "move", "sharpen"]
