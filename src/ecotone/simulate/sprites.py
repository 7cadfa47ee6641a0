"""Draws a body: chains of spheres become a height field, which is coloured by the coat and lit.

H, W height and width of the sprite in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecotone.simulate.anatomy import Coat, Shape
from ecotone.simulate.bodies import CORE, FAR, FRONT, Chain, Pose, build
from ecotone.simulate.coats import colour_of
from ecotone.simulate.textures import noise

LIGHT = np.array([-0.42, -0.68, 0.6], dtype=np.float32)  # from the upper left, towards the viewer
MARGIN = 3
FAR_SHADE = 0.62


@dataclass(frozen=True, eq=False)
class Sprite:
    """A drawn body. colour: (H, W, 3) of the lit coat; alpha: (H, W); eyes: (H, W) where eyes
    shine at night; ground: row of the feet; centre: column of the middle of the body."""

    colour: np.ndarray
    alpha: np.ndarray
    eyes: np.ndarray
    ground: float
    centre: float

    def flipped(self) -> Sprite:
        """The sprite looking the other way."""
        width = self.alpha.shape[1]
        return Sprite(self.colour[:, ::-1], self.alpha[:, ::-1], self.eyes[:, ::-1], self.ground,
                      width - self.centre)


@dataclass(eq=False)
class Surface:
    """What is nearest at each pixel of a layer: height, cover, part (index into `names`), u along
    the part (0..1), length of the part in units, v up and w sideways across it (-1..1)."""

    height: np.ndarray
    cover: np.ndarray
    part: np.ndarray
    u: np.ndarray
    length: np.ndarray
    v: np.ndarray
    w: np.ndarray


def draw(shape: Shape, coat: Coat, pose: Pose, pixels: float, rng: np.random.Generator,
         light: float = 1.0) -> Sprite:
    """A body whose shoulder is `pixels` high. light: strength of the directed light, 0 is overcast.
    """
    chains = build(shape, pose)
    place = _place(chains, pixels)
    height, width = place.shape
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    fur = noise((height, width), 150 / max(pixels, 40), rng, stretch=1.8, exponent=1.0)
    for layer in _layers(chains, place, shape.ruffled, light):
        view, surface = layer.view, layer.surface
        painted = colour_of(coat, surface, layer.names, layer.grid, fur[view], rng)
        painted *= (layer.lit * surface.cover)[..., None]
        colour[view] *= (1 - surface.cover)[..., None]
        colour[view] += painted
        alpha[view] += surface.cover * (1 - alpha[view])
    eyes = _details(chains, place, colour)
    return Sprite(colour, alpha, eyes, place.y0, place.x0)


@dataclass(frozen=True, eq=False)
class Layer:
    """The parts of a body at one depth. view: where it stands in the sprite; names: of the parts;
    grid: body coordinates x (1, w) and y (h, 1); lit: the light on it, (h, w)."""

    view: tuple[slice, slice]
    surface: Surface
    names: tuple[str, ...]
    grid: tuple[np.ndarray, np.ndarray]
    lit: np.ndarray


def shape_layers(shape: Shape, pose: Pose, pixels: float, light: float = 1.0
                 ) -> tuple[tuple[int, int], list[Layer]]:
    """A body without its coat: height and width of the sprite, and its layers from the far one to
    the near one. To paint one pose with many coats."""
    chains = build(shape, pose)
    place = _place(chains, pixels)
    return place.shape, list(_layers(chains, place, shape.ruffled, light))


def _place(chains: list[Chain], pixels: float) -> _Place:
    points = np.concatenate([c.points for c in chains])
    reach = np.concatenate([c.radii for c in chains])[:, None]
    low, high = (points - reach).min(axis=0), (points + reach).max(axis=0)
    low[1] = min(low[1], 0.0)
    size = np.ceil((high - low) * pixels).astype(int) + 2 * MARGIN
    shape = (int(size[1]), int(size[0]))
    return _Place(pixels, MARGIN - low[0] * pixels, MARGIN + high[1] * pixels, shape)


def _layers(chains: list[Chain], place: _Place, ruffled: float, light: float) -> Iterator[Layer]:
    for layer in (FAR, CORE, FRONT):
        members = [c for c in chains if c.layer == layer and c.part not in ("eye", "nose")]
        if not members:
            continue
        view, near = place.around(members)
        surface = _surface(members, near, ruffled)
        lit = _shade(surface.height / place.pixels, place.pixels, light)
        lit *= FAR_SHADE if layer == FAR else 1.0
        yield Layer(view, surface, tuple(c.part for c in members), near.grid(), lit)


@dataclass(frozen=True)
class _Place:
    """Where the body's origin stands in the sprite, and its scale."""

    pixels: float
    x0: float
    y0: float
    shape: tuple[int, int]

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Body coordinates of the pixels: x (1, W), y (H, 1)."""
        y, x = np.ogrid[: self.shape[0], : self.shape[1]]
        return ((x - self.x0) / self.pixels).astype(np.float32), (
            (self.y0 - y) / self.pixels).astype(np.float32)

    def around(self, chains: list[Chain]) -> tuple[tuple[slice, slice], _Place]:
        """The part of the sprite that some chains fill, and the place within it."""
        x, y, r = np.concatenate([self.spheres(c) for c in chains], axis=1)
        left, right = _span(x - r - MARGIN, x + r + MARGIN, self.shape[1])
        top, bottom = _span(y - r - MARGIN, y + r + MARGIN, self.shape[0])
        inner = _Place(self.pixels, self.x0 - left, self.y0 - top, (bottom - top, right - left))
        return (slice(top, bottom), slice(left, right)), inner

    def spheres(self, chain: Chain) -> np.ndarray:
        """Columns, rows and radii (3, m) in pixels."""
        x = self.x0 + chain.points[:, 0] * self.pixels
        y = self.y0 - chain.points[:, 1] * self.pixels
        return np.stack([x, y, np.maximum(chain.radii * self.pixels, 0.55)]).astype(np.float32)


def _surface(chains: list[Chain], place: _Place, ruffled: float) -> Surface:
    shape = place.shape
    zeros = [np.zeros(shape, np.float32) for _ in range(5)]
    depth, part = np.full(shape, -1e3, np.float32), np.zeros(shape, np.int8)
    surface = Surface(depth, zeros[0], part, *zeros[1:])
    for index, chain in enumerate(chains):
        x, y, r = place.spheres(chain)
        left, right = _span(x - r, x + r, shape[1])
        top, bottom = _span(y - r, y + r, shape[0])
        if left >= right or top >= bottom:
            continue
        view = (slice(top, bottom), slice(left, right))
        inside, best = _nearest(x, y, r, left, right, top, bottom)
        gy, gx = np.mgrid[top:bottom, left:right].astype(np.float32)
        radius = r[best]
        cover = np.clip(inside / (2 * radius) + 0.5, 0, 1)
        up = chain.depth * place.pixels + chain.flat * np.sqrt(np.maximum(inside, 0))
        _put(surface, view, index, cover, np.where(cover > 0.02, up, -1e3),
             _coordinates(chain, x, y, best, gx, gy, radius))
    if ruffled:
        _ruffle(surface, place, ruffled)
    return surface


def _nearest(x: np.ndarray, y: np.ndarray, r: np.ndarray, left: int, right: int, top: int,
             bottom: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared height of the highest sphere over each pixel (negative outside), and which it is."""
    inside = np.full((bottom - top, right - left), -1e4, np.float32)
    best = np.zeros(inside.shape, np.int16)
    columns = np.arange(left, right, dtype=np.float32)
    rows = np.arange(top, bottom, dtype=np.float32)
    for i, (cx, cy, radius) in enumerate(zip(x, y, r, strict=True)):
        x0, x1 = max(int(cx - radius) - left - 1, 0), int(cx + radius) - left + 3
        y0, y1 = max(int(cy - radius) - top - 1, 0), int(cy + radius) - top + 3
        across = radius * radius - (columns[x0:x1] - cx) ** 2
        power = across[None] - ((rows[y0:y1] - cy) ** 2)[:, None]
        patch = inside[y0:y1, x0:x1]
        higher = power > patch
        np.copyto(patch, power, where=higher)
        best[y0:y1, x0:x1][higher] = i
    return inside, best


def _put(surface: Surface, view: tuple[slice, slice], index: int, cover: np.ndarray,
         up: np.ndarray, coordinates: tuple[np.ndarray, ...]) -> None:
    """Keep the part where it is nearer than what is there."""
    nearer = up > surface.height[view]
    surface.cover[view] = np.maximum(surface.cover[view], cover)
    surface.height[view] = np.where(nearer, up, surface.height[view])
    surface.part[view] = np.where(nearer, index, surface.part[view])
    for name, values in zip(("u", "length", "v", "w"), coordinates, strict=True):
        field = getattr(surface, name)
        field[view] = np.where(nearer, values, field[view])


def _span(low: np.ndarray, high: np.ndarray, limit: int) -> tuple[int, int]:
    return max(int(low.min()) - 1, 0), min(int(high.max()) + 2, limit)


def _coordinates(chain: Chain, x: np.ndarray, y: np.ndarray, best: np.ndarray, gx: np.ndarray,
                 gy: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, ...]:
    """u, length, v and w of the pixels, from the sphere that each belongs to."""
    step = np.hypot(np.diff(x), np.diff(y))
    along = np.concatenate([[0], np.cumsum(step)]).astype(np.float32)
    total = max(float(along[-1]), 1e-3)
    dx, dy = gx - x[best], gy - y[best]
    if len(x) > 1:
        tx, ty = np.gradient(x), np.gradient(y)
        norm = np.maximum(np.hypot(tx, ty), 1e-6)
        tx, ty = (tx / norm)[best], (ty / norm)[best]
        forward = dx * tx + dy * ty
        u = (along[best] + forward) / total
        dx, dy = dx - forward * tx, dy - forward * ty  # what is left points across
    else:
        u = np.zeros_like(dx)
    units = np.float32(np.linalg.norm(np.diff(chain.points, axis=0), axis=1).sum())
    return u, np.broadcast_to(units, u.shape), -dy / radius, dx / radius


def _ruffle(surface: Surface, place: _Place, amount: float) -> None:
    """A ragged outline, as long hair and quills have."""
    x, y = place.grid()
    edge = noise(place.shape, 500 / place.pixels, np.random.default_rng(3), exponent=0.6)
    ragged = np.clip(surface.cover - np.clip(edge, 0, 2) * amount * (surface.v > -0.2), 0, 1)
    rim = surface.height < place.pixels * 0.12
    surface.cover = np.where(rim & (y > 0.3), ragged, surface.cover)


def _shade(height: np.ndarray, pixels: float, light: float) -> np.ndarray:
    """Light (H, W) on the surface: soft from the sky, directed from the sun."""
    from scipy.ndimage import gaussian_filter

    solid = np.where(height > -100, height, -0.05)
    smooth = gaussian_filter(solid, max(0.015 * pixels, 0.7))
    gy, gx = np.gradient(smooth * pixels)
    length = np.sqrt(gx * gx + gy * gy + 1)
    lambert = np.clip((-gx * LIGHT[0] - gy * LIGHT[1] + LIGHT[2]) / length, 0, 1)
    sky = 0.5 + 0.5 * np.clip(gy / length, -1, 1)  # the surface that faces up
    soft = 0.62 + 0.4 * sky
    return (soft * (1 - 0.45 * light) + light * (0.08 + 0.78 * lambert)).astype(np.float32)


def _details(chains: list[Chain], place: _Place, colour: np.ndarray) -> np.ndarray:
    """Draw eyes and noses dark, and tell where the eyes are."""
    eyes = np.zeros(place.shape, np.float32)
    for chain in chains:
        if chain.part not in ("eye", "nose"):
            continue
        view, near = place.around([chain])
        y, x = np.ogrid[: near.shape[0], : near.shape[1]]
        cx, cy, r = near.spheres(chain)[:, 0]
        cover = np.clip(max(r, 0.8) + 0.5 - np.hypot(x - cx, y - cy), 0, 1)
        weight = (cover * (0.9 if chain.part == "eye" else 0.55))[..., None]
        colour[view] = colour[view] * (1 - weight) + 0.05 * weight
        if chain.part == "eye":
            glow = np.clip(r * 1.2 + 0.8 - np.hypot(x - cx, y - cy), 0, 1)
            eyes[view] = np.maximum(eyes[view], glow)
    return eyes.astype(np.float32)
