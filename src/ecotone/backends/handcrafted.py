"""An encoder without trained weights: colour and texture codes against a generated dictionary.

n pictures, C channels, A atoms of a dictionary, D = 1,024 output dimensions.

Overlapping windows of cell statistics (mean and spread of opponent colours, at two scales) are
whitened and coded against A random exemplars by a soft threshold; the codes are averaged over the
whole picture, its middle and its quarters, over the picture and its mirror image, and joined by a
colour histogram. Whitening, exemplars and thresholds come from generated "dead leaves" pictures
(overlapping opaque discs), whose statistics are close to those of photographs, so nothing has to be
downloaded. A seeded projection makes the result short.

Source: local colour statistics of Clinchant et al. 2007; soft-threshold codes of random exemplars
of Coates and Ng 2011; dead leaves as training pictures of Baradad et al. 2021; signed square root
of Perronnin et al. 2010; random projection of Achlioptas 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import InputError

if TYPE_CHECKING:
    from ecotone.media.preprocess import Preprocessing

SIZE = 128  # pixels of one side of the input
DIMENSION = 1024
ATOMS = 384
WHITENED = 48  # whitened dimensions of a window
WINDOW = 4  # cells of one side of a window
ACTIVE = 0.05  # part of windows for which an atom answers
BLOCK = 32  # pictures worked on at once, so that the working set stays in the cache
BINS = 8  # of each colour axis of the histogram
SEED = 20_231


class HandcraftedEncoder:
    """Pictures to vectors with NumPy alone, about 200 a second on one core.

        encoder = HandcraftedEncoder()
        vectors = encoder.encode(batch)          # uint8 (n, 128, 128, 3) -> float32 (n, 1024)
    """

    name = "handcrafted"
    dimension = DIMENSION

    def info(self) -> dict[str, Any]:
        """What the folder of a local model must say to run this encoder again."""
        return {"spec": self.name, "dimension": self.dimension}

    @property
    def preprocessing(self) -> Preprocessing:
        """Squash the cut-out picture to 128 x 128 RGB bytes."""
        from ecotone.media.preprocess import Preprocessing

        return Preprocessing(width=SIZE, height=SIZE, dtype="uint8", layout="NHWC")

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Vectors (n, 1024) float32 of length 1 for RGB pictures (n, 128, 128, 3) uint8.

        A picture and its mirror image get the same vector.

        Raises InputError when the batch has another shape or type.
        """
        pictures = np.asarray(batch)
        if pictures.ndim != 4 or pictures.shape[1:] != (SIZE, SIZE, 3):
            raise InputError(
                f"handcrafted encoder: the batch has shape {pictures.shape}, expected "
                f"(n, {SIZE}, {SIZE}, 3)."
            )
        if pictures.dtype != np.uint8:
            raise InputError(
                f"handcrafted encoder: the batch holds {pictures.dtype}, expected uint8 (0..255)."
            )
        blocks = [_encode(pictures[i : i + BLOCK]) for i in range(0, len(pictures), BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros((0, DIMENSION), np.float32)


def open_handcrafted(argument: str, classes: object = None, **options: Any) -> HandcraftedEncoder:
    """The encoder, opened by its name; it takes no argument.

    Raises InputError when an argument or a preprocessing of one's own is given.
    """
    given = [f"{key}={value}" for key, value in options.items() if key == "preprocessing" and value]
    if argument or given:
        raise InputError(
            f"handcrafted: it takes no {given[0] if given else repr(argument)}; "
            'write just "handcrafted".'
        )
    return HandcraftedEncoder()


def _encode(pictures: np.ndarray) -> np.ndarray:
    dictionaries, centre, projection = _parameters()
    return _unit((_features(pictures, dictionaries) - centre) @ projection)


def _features(pictures: np.ndarray, dictionaries: tuple[_Dictionary, ...]) -> np.ndarray:
    """Codes of all scales and the histogram, (n, features), each part of length 1."""
    colour = opponent(pictures)
    mirrored = colour[:, :, ::-1]
    parts = [_unit(_root(colour_histogram(colour)))]
    for dictionary in dictionaries:
        both = [pool(dictionary.code(view)) for view in (colour, mirrored)]
        pooled = (both[0] + both[1]) / 2  # (n, regions, A)
        parts.extend(_unit(_root(pooled[:, r])) for r in range(pooled.shape[1]))
    return np.concatenate(parts, axis=1)


def opponent(pictures: np.ndarray) -> np.ndarray:
    """Lightness, red-green and blue-yellow (n, H, W, 3) float32 of RGB bytes, on a root scale."""
    tone = np.sqrt(np.arange(256, dtype=np.float32) / 255 + 1e-3)[pictures]
    r, g, b = tone[..., 0], tone[..., 1], tone[..., 2]
    axes = ((r + g + b) / 3, (r - g) * np.sqrt(2.0), (r + g - 2 * b) * np.sqrt(2 / 3))
    return np.stack(axes, axis=-1).astype(np.float32)


def windows(colour: np.ndarray, cell: int, step: int) -> np.ndarray:
    """Descriptors (n, h, w, 96): mean and spread of each channel in the cells of each window."""
    mean = cell_mean(colour, cell)
    spread = np.sqrt(np.maximum(cell_mean(colour * colour, cell) - mean * mean, 0))
    cells = np.concatenate([mean, 2 * spread], axis=-1)
    view = np.lib.stride_tricks.sliding_window_view(cells, (WINDOW, WINDOW), axis=(1, 2))
    view = view[:, ::step, ::step]
    return np.ascontiguousarray(view).reshape(*view.shape[:3], -1)


def cell_mean(values: np.ndarray, cell: int) -> np.ndarray:
    """Means over square cells: (n, H, W, C) to (n, H / cell, W / cell, C)."""
    n, height, width, channels = values.shape
    rows = values.reshape(n, height // cell, cell, width, channels).sum(axis=2)
    cells = rows.reshape(n, height // cell, width // cell, cell, channels).sum(axis=3)
    return cells / np.float32(cell * cell)


def pool(codes: np.ndarray) -> np.ndarray:
    """Means of codes (n, h, w, A) over the whole, the middle and the quarters: (n, 6, A)."""
    n, height, width, atoms = codes.shape
    return _regions(height, width) @ codes.reshape(n, height * width, atoms)


@lru_cache(maxsize=8)
def _regions(height: int, width: int) -> np.ndarray:
    """Weights (6, h * w) of the pooled regions, each summing to 1."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    middle = np.exp(-2 * (y**2 + x**2))
    quarters = [(y * sy >= 0) & (x * sx >= 0) for sy in (-1, 1) for sx in (-1, 1)]
    weights = np.stack([np.ones_like(y), middle, *quarters]).reshape(6, -1)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def colour_histogram(colour: np.ndarray) -> np.ndarray:
    """Joint histogram (n, 512) of opponent colours averaged over 2 x 2 pixels."""
    small = cell_mean(colour, 2) * BINS + np.float32([0, BINS / 2, BINS / 2])
    bins = np.clip(small, 0, BINS - 1).astype(np.int64)
    index = (bins[..., 0] * BINS + bins[..., 1]) * BINS + bins[..., 2]
    flat = index.reshape(len(index), -1)
    offset = np.arange(len(flat))[:, None] * BINS**3
    counts = np.bincount((flat + offset).ravel(), minlength=len(flat) * BINS**3)
    return (counts.reshape(len(flat), -1) / max(flat.shape[1], 1)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Dictionary:
    """Windows of `cell` pixels a cell, whitened and compared with A atoms of length 1."""

    cell: int
    step: int
    mean: np.ndarray
    whitening: np.ndarray
    atoms: np.ndarray
    threshold: np.ndarray

    def code(self, colour: np.ndarray) -> np.ndarray:
        """Codes (n, h, w, A) >= 0, most of them 0."""
        white = whiten(windows(colour, self.cell, self.step), self.mean, self.whitening)
        codes = white @ self.atoms
        codes -= self.threshold
        return np.maximum(codes, 0, out=codes)


def whiten(descriptors: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Whitened descriptors, softly scaled to length 1: flat windows stay short."""
    white = (descriptors - mean) @ whitening
    length = np.sqrt(np.einsum("...d,...d->...", white, white))[..., None]
    return white / (length + np.float32(0.5))


def _learn(colour: np.ndarray, cell: int, step: int, rng: np.random.Generator) -> _Dictionary:
    samples = windows(colour, cell, step).reshape(-1, 6 * WINDOW * WINDOW)
    samples = samples[rng.permutation(len(samples))[:12_000]]
    mean = samples.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((samples - mean).T, dtype=np.float64))
    values, vectors = values[::-1][:WHITENED], vectors[:, ::-1][:, :WHITENED]
    whitening = (vectors / np.sqrt(values + 0.01 * values[0])).astype(np.float32)
    white = (samples - mean) @ whitening
    length = np.linalg.norm(white, axis=1)
    busy = np.flatnonzero(length > np.quantile(length, 0.3))[:ATOMS]  # flat windows tell little
    atoms = (white[busy] / length[busy, None]).T
    answers = (white / np.maximum(length, 1e-6)[:, None]) @ atoms
    threshold = np.quantile(answers, 1 - ACTIVE, axis=0).astype(np.float32)
    return _Dictionary(cell, step, mean, whitening, np.ascontiguousarray(atoms), threshold)


@lru_cache(maxsize=1)
def _parameters() -> tuple[tuple[_Dictionary, ...], np.ndarray, np.ndarray]:
    """Dictionaries of both scales, the mean feature of generated pictures, the projection."""
    rng = np.random.default_rng(SEED)
    leaves = dead_leaves(64, rng)
    colour = opponent(leaves)
    dictionaries = (_learn(colour, 8, 1, rng), _learn(colour, 4, 2, rng))
    features = _features(leaves, dictionaries)
    projection = rng.standard_normal((features.shape[1], DIMENSION), dtype=np.float32)
    return dictionaries, features.mean(axis=0), projection / np.float32(np.sqrt(DIMENSION))


def dead_leaves(count: int, rng: np.random.Generator) -> np.ndarray:
    """Generated pictures (count, 128, 128, 3) uint8 of overlapping opaque discs.

    Radii follow a power law, as the sizes of things in photographs do.
    Source: Lee, Mumford and Huang 2001.
    """
    from PIL import Image, ImageDraw

    side, pictures = 2 * SIZE, []
    turn = 2 * np.pi * np.arange(14) / 14
    for _ in range(count):
        image = Image.new("RGB", (side, side))
        canvas = ImageDraw.Draw(image)
        base = rng.uniform(40, 200, 3)
        for _ in range(300):
            radius = side * min(0.02 / rng.uniform(0.03, 1), 0.4)
            tilt, flat = rng.uniform(0, np.pi), rng.uniform(0.35, 1)
            x, y = radius * np.cos(turn), radius * flat * np.sin(turn)
            points = np.stack(
                [x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], axis=1
            ) + rng.uniform(-0.1 * side, 1.1 * side, 2)
            colour = np.clip(base + rng.normal(0, 55) + rng.normal(0, 22, 3), 0, 255)
            fill = tuple(int(v) for v in colour)
            canvas.polygon([tuple(p) for p in points], fill=fill)
        pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC), np.float32)
        ramp = np.linspace(-1, 1, SIZE)
        shade = ramp[:, None] * rng.normal(0, 20) + ramp * rng.normal(0, 20)
        noisy = pixels + shade[..., None] + rng.normal(0, 3, pixels.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(pictures)


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(values)


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.maximum(length, 1e-9)).astype(np.float32)
