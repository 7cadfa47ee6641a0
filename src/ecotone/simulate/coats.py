"""The colours of a coat at every pixel of a body: ground colour, belly, parts, and the pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ecotone.simulate.anatomy import RGB, Coat
from ecotone.simulate.textures import TILE, cell_tile, mix, noise_tile, read, smoothstep

if TYPE_CHECKING:
    from ecotone.simulate.sprites import Surface

TRUNK = ("body", "neck", "wing")
SKIN: dict[str, RGB] = {"arm": (0.45, 0.3, 0.22), "tusk": (0.9, 0.86, 0.74)}


def colour_of(coat: Coat, surface: Surface, names: tuple[str, ...],
              grid: tuple[np.ndarray, np.ndarray], fur: np.ndarray,
              rng: np.random.Generator) -> np.ndarray:
    """Colours (H, W, 3) before light. names: of the parts; grid: body coordinates x and y."""
    masks = {name: np.zeros(surface.part.shape, bool) for name in names}
    for index, name in enumerate(names):
        masks[name] |= surface.part == index
    colour = np.broadcast_to(_rgb(coat.base), (*surface.part.shape, 3)).copy()
    if coat.belly is not None:
        under = smoothstep(0.05, -0.55, surface.v)
        trunk = _any(masks, ("body", "neck", "head"), surface)
        colour = mix(colour, _rgb(coat.belly), under * trunk)
    mark = _pattern(coat, surface, masks, grid, rng)
    colour = mix(colour, _rgb(coat.mark), mark * coat.strength)
    colour = _parts(coat, colour, surface, masks, grid)
    return np.clip(colour * (1 + coat.fur * fur)[..., None], 0.01, 1).astype(np.float32)


def _rgb(colour: RGB) -> np.ndarray:
    return np.array(colour, dtype=np.float32)


def _any(masks: dict[str, np.ndarray], names: tuple[str, ...], surface: Surface) -> np.ndarray:
    out = np.zeros(surface.part.shape, np.float32)
    for name in names:
        if name in masks:
            out = np.maximum(out, masks[name])
    return out


def _parts(coat: Coat, colour: np.ndarray, surface: Surface, masks: dict[str, np.ndarray],
           grid: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Legs, face, mane, tail and horns in their own colours."""
    u = surface.u
    if coat.legs is not None and "leg" in masks:
        colour = mix(colour, _rgb(coat.legs), masks["leg"] * smoothstep(0.3, 0.6, u))
    if coat.face is not None and "head" in masks:
        colour = mix(colour, _rgb(coat.face), masks["head"] * smoothstep(0.3, 0.75, u))
        if "trunk" in masks:
            colour = mix(colour, _rgb(coat.face), masks["trunk"].astype(np.float32))
    if coat.rump_patch is not None and "body" in masks:
        back = smoothstep(0.12, -0.04, u) * smoothstep(0.75, 0.35, surface.v)
        colour = mix(colour, _rgb(coat.rump_patch), masks["body"] * back)
    if coat.tail_tip is not None and "tail" in masks:
        colour = mix(colour, _rgb(coat.tail_tip), masks["tail"] * smoothstep(0.55, 0.8, u))
    own = {"mane": coat.mane, "horn": coat.horn, "ear": coat.ear, **SKIN,
           "pack": coat.mane, "hat": coat.ear}
    for name, value in own.items():
        if value is not None and name in masks:
            colour = mix(colour, _rgb(value), masks[name].astype(np.float32))
    if "horn" in masks:  # rings
        ring = 0.5 + 0.5 * np.sin(u * 60)
        colour = colour * (1 - 0.25 * (masks["horn"] * ring)[..., None])
    return colour


def _pattern(coat: Coat, surface: Surface, masks: dict[str, np.ndarray],
             grid: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """How much of the mark's colour, (H, W) in 0..1."""
    if not coat.pattern:
        return np.zeros(surface.part.shape, np.float32)
    place = rng.uniform(0, TILE, 2)
    patterns = {"bars": _bars, "spots": _spots, "rosettes": _rosettes,
                "patches": _patches, "saddle": _saddle, "dots": _dots, "quills": _quills}
    if coat.pattern == "stripes":
        return _stripes(coat.scale, surface, masks, grid, place, coat.wander)
    return patterns[coat.pattern](coat.scale, surface, masks, grid, place)


def _warp(surface: Surface, grid: tuple[np.ndarray, np.ndarray], place: np.ndarray,
          frequency: float) -> np.ndarray:
    tile = noise_tile(1, 2.0)
    return read(tile, grid[0] * frequency + place[0], grid[1] * frequency + place[1])


def _stripes(scale: float, s: Surface, masks: dict[str, np.ndarray],
             grid: tuple[np.ndarray, np.ndarray], place: np.ndarray, wander: float
             ) -> np.ndarray:
    """Across every part: upright on the trunk, rings on legs and neck; wider on the hips."""
    along = s.u * s.length
    hips = _any(masks, ("body",), s) * smoothstep(0.35, 0.0, s.u)
    bend = 0.16 * hips * (s.v + 1)
    phase = (along - bend) * 44 * scale * (1 - 0.25 * hips) + wander * _warp(s, grid, place, 70)
    return smoothstep(-0.25, 0.3, np.sin(phase))


def _bars(scale: float, s: Surface, masks: dict[str, np.ndarray],
          grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    """A few thin upright lines on the trunk."""
    phase = s.u * s.length * 34 * scale + 0.7 * _warp(s, grid, place, 60)
    lines = smoothstep(0.82, 0.97, np.sin(phase))
    return lines * _any(masks, ("body",), s) * smoothstep(-0.8, -0.3, s.v)


def _cells(scale: float, grid: tuple[np.ndarray, np.ndarray], place: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray]:
    tile = cell_tile(1)
    x, y = grid[0] * 300 * scale + place[0], grid[1] * 300 * scale + place[1]
    return read(tile[0], x, y), read(tile[1], x, y)


def _spots(scale: float, s: Surface, masks: dict[str, np.ndarray],
           grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    near, _ = _cells(scale, grid, place)
    where = _any(masks, ("body", "leg", "neck", "tail"), s) * smoothstep(-0.85, -0.4, s.v)
    return smoothstep(0.36, 0.26, near) * where


def _rosettes(scale: float, s: Surface, masks: dict[str, np.ndarray],
              grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    """Rings on the trunk, dots on the rest."""
    near, _ = _cells(scale, grid, place)
    ragged = 0.05 * _warp(s, grid, place, 500)
    ring = smoothstep(0.16, 0.22, near + ragged) * smoothstep(0.44, 0.36, near + ragged)
    inner = 0.35 * smoothstep(0.25, 0.15, near)
    trunk = _any(masks, ("body",), s)
    return np.maximum(ring, inner) * trunk + smoothstep(0.3, 0.22, near) * (1 - trunk)


def _patches(scale: float, s: Surface, masks: dict[str, np.ndarray],
             grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    """Blotches with pale lines between them, fading down the legs."""
    first, second = _cells(scale, grid, place)
    where = _any(masks, ("body", "neck"), s)
    legs = _any(masks, ("leg",), s) * smoothstep(0.55, 0.25, s.u)
    return smoothstep(0.06, 0.14, second - first) * np.maximum(where, legs)


def _saddle(scale: float, s: Surface, masks: dict[str, np.ndarray],
            grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    """A cloak over the back and the neck."""
    edge = 0.25 * _warp(s, grid, place, 130)
    where = _any(masks, TRUNK, s) + 0.6 * _any(masks, ("tail",), s)
    return smoothstep(0.02, 0.22, s.v * scale + edge * 0.4) * np.clip(where, 0, 1)


def _dots(scale: float, s: Surface, masks: dict[str, np.ndarray],
          grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    near, _ = _cells(scale, grid, place)
    return smoothstep(0.27, 0.17, near) * _any(masks, ("body", "wing", "tail"), s)


def _quills(scale: float, s: Surface, masks: dict[str, np.ndarray],
            grid: tuple[np.ndarray, np.ndarray], place: np.ndarray) -> np.ndarray:
    """Long pale streaks that fan backwards and up over the hind part."""
    x, y = grid
    lean = np.arctan2(y - 0.05, x - 0.75)
    streak = read(noise_tile(2, 0.9), lean * 520 * scale + place[0],
                  np.hypot(x - 0.75, y - 0.05) * 50 + place[1])
    bands = 0.5 + 0.5 * np.sin(np.hypot(x - 0.75, y) * 24)
    where = _any(masks, ("body", "tail"), s) * smoothstep(-0.35, 0.1, s.v)
    return smoothstep(0.0, 0.7, streak + 0.6 * bands) * where
