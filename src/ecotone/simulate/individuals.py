"""Pictures of animals that are known by their coats: stripes and spots, with the truth about each.

Every individual has a pattern of its own, another one on each flank, as animals have. A picture
shows one flank in some pose, light and place; pictures of one encounter share light and place.
N pictures, H = W their size. What a picture shows depends on the seed, the species, the individual
and its number alone, so more individuals or pictures change none of the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ecotone.errors import InputError
from ecotone.simulate.anatomy import Coat, Species
from ecotone.simulate.bodies import Pose, build
from ecotone.simulate.coats import colour_of
from ecotone.simulate.elsewhere import ELSEWHERE
from ecotone.simulate.species import RESERVE
from ecotone.simulate.sprites import Surface, shape_layers
from ecotone.simulate.textures import noise

POSES = 10  # drawn of each species; scale, turn and place vary freely
FINER = 1.5  # the body is drawn finer than it is shown
SIDE = {"right": 0, "left": 1}
# Coats in which individuals differ: how fine and strong their patterns are, how far stripes stray.
MARKED: dict[str, dict[str, float]] = {
    "plains zebra": {"scale": 0.5, "wander": 2.6}, "tiger": {"scale": 0.45, "wander": 2.8},
    "leopard": {"scale": 0.55}, "giraffe": {"scale": 0.55}, "spotted hyena": {"scale": 0.6},
    "bushbuck": {"scale": 0.6, "strength": 1.0}, "Eurasian lynx": {"scale": 0.6},
    "domestic cattle": {"scale": 0.4},
}


class _Encounter(NamedTuple):
    """What pictures of one encounter share: flank, light, colour cast, night, ground."""

    viewpoint: str
    gain: float
    cast: np.ndarray
    infrared: bool
    ground: np.ndarray
    shade: float


class _How(NamedTuple):
    """How pictures are made, see `make_coats`."""

    size: int
    night: float
    viewpoints: tuple[str, ...]
    per_encounter: int
    variation: float


class _Geometry(NamedTuple):
    """surface: what is nearest at each pixel; lit: light; names: of the parts; grid: where a pixel
    is on the animal, along and across the part, in units of its shoulder's height."""

    surface: Surface
    lit: np.ndarray
    names: tuple[str, ...]
    grid: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class CoatPictures:
    """Pictures and the truth about them.

    pictures: (N, H, W, 3) uint8. individual, species (scientific name), viewpoint ("left" or
    "right") and encounter: (N,) str. An individual's name is unique over all species.
    """

    pictures: np.ndarray
    individual: np.ndarray
    species: np.ndarray
    viewpoint: np.ndarray
    encounter: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: np.ndarray) -> CoatPictures:
        """Some of the pictures: indices or a boolean mask (N,)."""
        fields = (self.pictures, self.individual, self.species, self.viewpoint, self.encounter)
        return CoatPictures(*(f[rows] for f in fields))


def marked_species() -> tuple[Species, ...]:
    """The species whose individuals can be told apart, with coats in which they differ."""
    found = {s.vernacular: s for s in (*RESERVE, *ELSEWHERE)}
    return tuple(
        replace(found[name], coat=replace(found[name].coat, **change))
        for name, change in MARKED.items() if name in found
    )


def make_coats(
    counts: Mapping[str, Sequence[int]], size: int = 96, seed: int = 0, night: float = 0.2,
    viewpoints: Sequence[str] = ("left", "right"), per_encounter: int = 3, variation: float = 1.0,
) -> CoatPictures:
    """Pictures of individuals.

    counts: by scientific name (of `marked_species`), the number of pictures of each individual.
    size: H = W in pixels. night: part of the encounters in infrared. viewpoints: flanks that are
    seen. per_encounter: most pictures in one encounter. variation: how much pose, place in the
    picture, light and sharpness change, 1 as in the field, 0 hardly.

    Raises InputError on a species that is not known, or a size, count or flank that cannot be.
    """
    known = {s.scientific: s for s in marked_species()}
    _check(counts, known, size, viewpoints, per_encounter)
    how = _How(size, night * min(variation, 1.0), tuple(viewpoints), per_encounter, variation)
    rows: list[tuple[np.ndarray, str, str, str, str]] = []
    for name, numbers in counts.items():
        for index, pictures in enumerate(numbers):
            key = [seed, zlib.crc32(name.encode()), index]
            rows += _individual(known[name], f"{name} {index:03d}", key, int(pictures), how)
    pictures = (np.stack([r[0] for r in rows]) if rows
                else np.zeros((0, size, size, 3), np.uint8))
    columns = [np.array([r[i] for r in rows], dtype=object) for i in range(1, 5)]
    return CoatPictures(pictures, *columns)


def _check(counts: Mapping[str, Sequence[int]], known: Mapping[str, Species], size: int,
           viewpoints: Sequence[str], per_encounter: int) -> None:
    for name, numbers in counts.items():
        if name not in known:
            raise InputError(
                f"coats: {name!r} is none of the species with coats; known: {', '.join(known)}."
            )
        if any(int(n) < 0 for n in numbers):
            raise InputError(f"coats: {name}: a negative number of pictures.")
    if size < 16:
        raise InputError(f"coats: size is {size}, expected at least 16 pixels.")
    if per_encounter < 1:
        raise InputError(f"coats: per_encounter is {per_encounter}, expected at least 1.")
    odd = [v for v in viewpoints if v not in SIDE]
    if odd or not viewpoints:
        raise InputError(f"coats: viewpoints {list(viewpoints)}, expected some of {list(SIDE)}.")


def _individual(species: Species, name: str, key: list[int], count: int, how: _How
                ) -> list[tuple[np.ndarray, str, str, str, str]]:
    coat = _own_coat(species.coat, np.random.default_rng(key))
    out: list[tuple[np.ndarray, str, str, str, str]] = []
    number = 0
    while len(out) < count:
        draw = np.random.default_rng([*key, 1, number])
        length = 1 + int(draw.integers(how.per_encounter))  # drawn whether all is used or not
        seen = _encounter(draw, how, how.viewpoints[number % len(how.viewpoints)])
        for i in range(min(length, count - len(out))):
            pixels = _picture(species, coat, seen, how, key,
                              np.random.default_rng([*key, 2, number, i]))
            encounter = f"{name} / {number:03d}"
            out.append((pixels, name, species.scientific, seen.viewpoint, encounter))
        number += 1
    return out


def _own_coat(coat: Coat, rng: np.random.Generator) -> Coat:
    """A species' coat as one animal wears it: finer or coarser, lighter or darker."""
    tone = np.clip(np.array(coat.base) * rng.normal(1, 0.05), 0.02, 1)
    return replace(coat, base=tuple(tone), scale=coat.scale * float(rng.uniform(0.8, 1.25)))


def _encounter(rng: np.random.Generator, how: _How, viewpoint: str) -> _Encounter:
    v, size = how.variation, how.size
    infrared = bool(rng.random() < how.night)
    dry, bright = rng.random(), rng.uniform(0.5, 1)  # from leaves to straw and earth
    near = bright * ((1 - dry) * np.array([0.3, 0.42, 0.18]) + dry * np.array([0.72, 0.6, 0.4]))
    rough = noise((size, size), rng.uniform(1, 4), rng, stretch=rng.uniform(0.6, 2))
    tilt = np.linspace(rng.uniform(-0.2, 0.3), 0, size)[:, None]
    ground = near * np.clip(1 + 0.28 * rough + tilt, 0.1, 2.2)[..., None]
    return _Encounter(
        viewpoint, float(rng.uniform(0.6, 1.35)) ** v, rng.normal(1, 0.06 * v, 3), infrared,
        ground.astype(np.float32), float(rng.uniform(0, 0.5) * v),
    )


@lru_cache(maxsize=256)
def _geometry(name: str, pose_number: int, pixels: int) -> _Geometry:
    """The nearest surface of a species in one of its poses, and the light on it."""
    species = next(s for s in marked_species() if s.scientific == name)
    rng = np.random.default_rng([zlib.crc32(name.encode()), pose_number])
    pose = Pose(stride=rng.random(), head=rng.uniform(0.45, 1), step=rng.uniform(0.1, 0.4),
                tail=rng.uniform(-10, 20), turn=rng.uniform(0.8, 1), male=False)
    shape, layers = shape_layers(species.shape, pose, pixels, light=rng.uniform(0.2, 0.8))
    # Along a part the pattern is measured on the animal, not on its foreshortened view.
    side = build(species.shape, replace(pose, turn=1.0))
    units = {c.part: (np.linalg.norm(np.diff(c.points, axis=0), axis=1).sum(), c.radii.mean())
             for c in side}
    names = tuple(dict.fromkeys(n for layer in layers for n in layer.names))
    height, cover, u, length, v, w, wide, lit = np.zeros((8, *shape), np.float32)
    whole = Surface(height, cover, np.zeros(shape, np.int8), u, length, v, w)
    for layer in layers:
        own = layer.surface
        shown = own.cover > 0.3
        index = np.array([names.index(n) for n in layer.names], np.int8)
        sizes = np.array([units[n] for n in layer.names], np.float32)[own.part]
        for target, value in ((whole.part, index[own.part]), (whole.u, own.u),
                              (length, sizes[..., 0]), (whole.v, own.v), (whole.w, own.w),
                              (wide, sizes[..., 1]), (lit, layer.lit)):
            target[layer.view][shown] = value[shown]
        np.maximum(cover[layer.view], own.cover, out=cover[layer.view])
    return _Geometry(whole, lit, names, (u * length, v * wide))


def _picture(species: Species, coat: Coat, seen: _Encounter, how: _How, key: list[int],
             rng: np.random.Generator) -> np.ndarray:
    """One picture (H, W, 3) uint8: the body on its ground, in its light, as a camera keeps it."""
    unit = round(how.size * FINER / 2.1)
    poses = max(1, round(POSES * min(how.variation, 1.0)))
    surface, lit, names, grid = _geometry(species.scientific, int(rng.integers(poses)), unit)
    pattern = np.random.default_rng([*key, 3, SIDE[seen.viewpoint]])
    fur = noise(lit.shape, 3, rng, exponent=1.0)
    colour = colour_of(coat, surface, names, grid, fur, pattern) * lit[..., None]
    body, cover = _placed(colour, surface.cover, seen.viewpoint == "left", how, rng)
    scene = seen.ground * (1 - cover) + body * cover
    return _exposed(scene, cover, seen, how.variation, rng)


def _placed(colour: np.ndarray, cover: np.ndarray, mirrored: bool, how: _How,
            rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The body turned, scaled and moved into the picture: colours and cover (size, size, ...)."""
    from PIL import Image

    (height, width), size, v = cover.shape, how.size, how.variation
    scale = size * (1 + v * rng.uniform(-0.15, 0.08)) / max(height, width)
    angle = np.deg2rad(rng.normal(0, 4 * v))
    flip = -1.0 if mirrored else 1.0
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.diag([flip, 1.0]) @ turn / (scale * np.array([1, 1 + v * rng.uniform(-0.07, 0.07)]))
    centre = np.array([width, height]) / 2
    target = size / 2 + rng.normal(0, 0.03 * size * v, 2)
    shift = centre - matrix @ target
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
    stack = np.dstack([np.clip(colour, 0, 1), np.clip(cover, 0, 1)])
    planes = [
        Image.fromarray(np.ascontiguousarray(stack[..., i])).transform(
            (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        for i in range(4)
    ]
    found = np.dstack([np.asarray(p) for p in planes])
    return found[..., :3], found[..., 3:]


def _exposed(scene: np.ndarray, cover: np.ndarray, seen: _Encounter, v: float,
             rng: np.random.Generator) -> np.ndarray:
    """Light, a shadow across, infrared, blur, noise and the rounding to bytes."""
    from scipy.ndimage import uniform_filter1d

    size = scene.shape[0]
    across = np.cos(np.linspace(0, rng.uniform(2, 9), size) + rng.uniform(0, 6))
    scene = scene * (1 - seen.shade * (across > 0.2) * 0.6)[None, :, None]
    if seen.infrared:
        grey = scene @ np.array([0.3, 0.5, 0.2], np.float32)
        scene = np.repeat((grey * (0.5 + 0.7 * cover[..., 0]))[..., None], 3, axis=2)
    else:
        scene = scene * seen.cast
    gain = seen.gain * rng.uniform(0.92, 1.08) ** v
    scene = np.clip(scene * gain, 0, 1) ** rng.uniform(0.8, 1.15) ** v
    if rng.random() < 0.4 * v:
        scene = uniform_filter1d(scene, int(rng.integers(2, 4)), axis=int(rng.integers(2)))
    scene = scene + rng.normal(0, rng.uniform(0.005, 0.03) * v, scene.shape)
    return (np.clip(scene, 0, 1) * 255 + 0.5).astype(np.uint8)


__all__ = ["CoatPictures", "make_coats", "marked_species"]
