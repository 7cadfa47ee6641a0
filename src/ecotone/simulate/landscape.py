"""What a camera looks at: sky, hills, ground, and plants at their distances.

H, W height and width of the picture. Distances are metres from the camera. A camera stands
`HEIGHT` above the ground and looks level; the row of a place on the ground tells its distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.simulate.anatomy import RGB
from ecotone.simulate.textures import mix, noise_tile, read, smoothstep
from ecotone.simulate.vegetation import PLANTS, Canvas

PICTURE = (480, 640)
FOCAL = 1.0  # focal length in widths of the picture
HEIGHT = 0.95
FAR = 400.0
SLICES = (2.0, 2.7, 3.7, 5.2, 7.5, 12.0, 30.0)  # distances between the layers of plants


@dataclass(frozen=True)
class Biome:
    """Colours and plants of a kind of country: of its wet and of its dry season."""

    name: str
    sky: tuple[RGB, RGB]  # above and at the horizon
    hills: RGB
    soil: RGB
    grass_wet: RGB
    grass_dry: RGB
    leaves_wet: RGB
    leaves_dry: RGB
    trees: tuple[str, ...]
    far_trees: int
    bushes: int
    tufts: int
    trunks: int = 0
    rocks: int = 0
    bare: float = 0.0  # > 0: more bare soil
    water: float = 0.0
    grass_height: float = 0.35


@dataclass(frozen=True, eq=False)
class Layer:
    """Plants of one slice of distance. colour: (H, W, 3) times alpha; alpha: (H, W)."""

    distance: float
    colour: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True, eq=False)
class View:
    """A camera's view in one season. scene: (H, W, 3) with all plants; distance: (H, W) of what
    is seen; horizon: its row; layers: plants that may stand before an animal, far ones first."""

    scene: np.ndarray
    distance: np.ndarray
    horizon: float
    layers: tuple[Layer, ...]
    biome: Biome

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return FOCAL * self.scene.shape[1]

    def row(self, distance: float) -> float:
        """The row on which something stands at a distance."""
        return self.horizon + HEIGHT * self.focal / distance


def make_view(biome: Biome, seed: int, season: float) -> View:
    """The view of the camera `seed` in a season: 0 dry, 1 wet. Same plants in every season."""
    rng = np.random.default_rng([seed, 11])
    height, width = PICTURE
    horizon = height * rng.uniform(0.3, 0.42)
    focal = FOCAL * width
    y = np.arange(height, dtype=np.float32)[:, None]
    ground = np.where(y > horizon + 0.5, HEIGHT * focal / np.maximum(y - horizon, 0.5), FAR)
    distance = np.broadcast_to(np.minimum(ground, FAR), (height, width)).astype(np.float32)
    scene = _sky(biome, horizon, rng)
    scene = _hills(biome, scene, horizon, rng)
    soil = _ground(biome, distance, horizon, season, rng)
    scene = mix(scene, soil, smoothstep(horizon - 0.5, horizon + 1.5, y + np.zeros((1, width))))
    layers = _plants(biome, horizon, focal, season, rng)
    distance = distance.copy()
    for layer in layers:
        scene = scene * (1 - layer.alpha[..., None]) + layer.colour
        distance = np.where(layer.alpha > 0.4, np.minimum(layer.distance, distance), distance)
    near = tuple(layer for layer in layers if layer.distance < 2 * SLICES[-1])
    return View(np.clip(scene, 0, 1).astype(np.float32), distance, float(horizon), near, biome)


def _sky(biome: Biome, horizon: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    height, width = PICTURE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    t = np.clip(y / max(horizon, 1), 0, 1) ** 1.3
    sky = mix(np.array(biome.sky[0]), np.array(biome.sky[1]), t)
    far = 60 / np.maximum(horizon + 12 - y, 12)  # clouds come closer together at the horizon
    place = rng.uniform(0, 512, 2)
    across = (x - width / 2) * far * 0.22
    cloud = read(noise_tile(3, 1.9, 3), across + place[0], far * 60 + place[1])
    cloud = gaussian_filter(cloud, 2.5)
    amount = smoothstep(0.1, 1.6, cloud + rng.uniform(-0.8, 0.7)) * 0.8
    return mix(sky, np.array((0.95, 0.94, 0.93)), amount)


def _hills(biome: Biome, scene: np.ndarray, horizon: float, rng: np.random.Generator
           ) -> np.ndarray:
    height, width = PICTURE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for far in (1.0, 0.45):
        line = noise_tile(int(rng.integers(6)), 2.2)[int(rng.integers(512))]
        ridge = np.interp(np.arange(width) * (0.35 - 0.15 * far) % 511, np.arange(512), line)
        top = horizon - 10 - (16 + 10 * far) * (0.6 + 0.5 * ridge)
        haze = mix(np.array(biome.hills), np.array(biome.sky[1]), 0.2 + 0.5 * far)
        scene = mix(scene, haze, smoothstep(-1, 1, y - top[None]))
    return scene


def _ground(biome: Biome, distance: np.ndarray, horizon: float, season: float,
            rng: np.random.Generator) -> np.ndarray:
    """Soil and short grass in perspective, a game path, perhaps water; hazy far away."""
    height, width = PICTURE
    x = (np.arange(width, dtype=np.float32)[None] - width / 2) * distance / (FOCAL * width)
    z = distance
    place = rng.uniform(0, 512, (5, 2))

    def field(i: int, scale: float, exponent: float = 1.5) -> np.ndarray:
        return read(noise_tile(i, exponent), x * scale + place[i, 0], z * scale + place[i, 1])

    fade = smoothstep(40, 6, z)
    fine = (0.55 * field(0, 110, 0.8) + 0.45 * field(1, 45, 1.0)) * fade
    patch = field(2, 14) + 0.6 * field(3, 40)
    grass = mix(np.array(biome.grass_dry), np.array(biome.grass_wet),
                np.clip(season + 0.18 * field(4, 10), 0, 1))
    cover = smoothstep(-0.9 + 2 * biome.bare, 0.5 + 2 * biome.bare, patch + 0.8 * season)
    colour = mix(np.array(biome.soil), grass, cover)
    bend = 0.9 * np.sin(z * 0.28 + rng.uniform(0, 6)) + rng.uniform(-1.2, 1.2)
    path = smoothstep(0.42, 0.2, np.abs(x - bend) + 0.07 * field(1, 60))
    colour = mix(colour, np.array(biome.soil) * 1.12, 0.75 * path)
    colour = colour * (1 + 0.17 * fine + 0.06 * patch)[..., None]
    if biome.water:
        place_z = 9 + 6 * rng.random()
        pool = smoothstep(0.9, 1.1, 1.9 - np.abs(np.log(z / place_z)) * 2.6 - np.abs(
            x - rng.normal(0, 2)) * 0.12 / biome.water + 0.1 * field(2, 20))
        mirror = mix(np.array(biome.sky[1]) * 0.75, np.array(biome.soil) * 0.5, 0.35)
        colour = mix(colour, mirror * (1 + 0.03 * field(0, 30))[..., None], pool)
    haze = np.clip(z / 150, 0, 0.55)
    return mix(colour, np.array(biome.sky[1]) * 0.9, haze).astype(np.float32)


def _plants(biome: Biome, horizon: float, focal: float, season: float, rng: np.random.Generator
            ) -> tuple[Layer, ...]:
    """Plants in slices of distance, far ones first; the same draws in every season."""
    leaves = tuple(mix(np.array(biome.leaves_dry), np.array(biome.leaves_wet), season))
    blades = tuple(mix(np.array(biome.grass_dry), np.array(biome.grass_wet), season))
    plan: list[tuple[float, str, float, float, tuple[float, ...]]] = []
    for _ in range(biome.far_trees):
        tree = biome.trees[rng.integers(len(biome.trees))]
        d = float(np.exp(rng.uniform(np.log(16), np.log(140))))
        plan.append((d, tree, rng.random(), rng.uniform(3.5, 7.5), leaves))
    for _ in range(biome.bushes):
        d = float(np.exp(rng.uniform(np.log(3.4), np.log(40))))
        side = rng.random() ** 1.6 * 0.42  # seldom in the middle, where the animals pass
        plan.append((d, "bush", side if rng.random() < 0.5 else 1 - side, rng.uniform(0.6, 1.6),
                     leaves))
    for _ in range(biome.trunks):
        d = rng.uniform(3.5, 14)
        side = rng.uniform(0, 0.3)
        plan.append((d, "trunk", side if rng.random() < 0.5 else 1 - side, rng.uniform(0.15, 0.4),
                     (0.36, 0.3, 0.25)))
    for _ in range(biome.rocks):
        plan.append((rng.uniform(4, 20), "rock", rng.random(), rng.uniform(0.15, 0.5),
                     tuple(np.array(biome.soil) * 0.6 + 0.22)))
    for _ in range(biome.tufts):
        d = float(np.exp(rng.uniform(np.log(1.9), np.log(30))))
        tall = biome.grass_height * rng.uniform(0.5, 1.2) * (0.55 + 0.45 * season)
        plan.append((d, "grass", rng.uniform(-0.02, 1.02), tall, blades))
    return tuple(_draw_slice(biome, plan, low, high, horizon, focal) for low, high in
                 zip(reversed(SLICES), (200.0, *reversed(SLICES[1:])), strict=True))


def _draw_slice(biome: Biome, plan: list[tuple[float, str, float, float, tuple[float, ...]]],
                low: float, high: float, horizon: float, focal: float) -> Layer:
    height, width = PICTURE
    canvas = Canvas(height, width)
    members = sorted((p for p in plan if low <= p[0] < high), key=lambda p: -p[0])
    haze = np.array(biome.sky[1])
    for d, kind, side, size, colour in members:
        own = np.random.default_rng([int(d * 1000), int((side + 1) * 1000)])
        tint = mix(np.array(colour), haze, min(d / 170, 0.6))
        row = horizon + HEIGHT * focal / d
        PLANTS[kind](canvas, side * width, row, size * focal / d, tuple(tint), own)
    colour, alpha = canvas.read()
    return Layer(float(np.sqrt(low * high)), colour, alpha)
