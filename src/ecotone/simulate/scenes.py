"""Puts animals into a camera's view: on the ground, half hidden by plants, in its light."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecotone.simulate.anatomy import Coat, Species
from ecotone.simulate.bodies import Pose
from ecotone.simulate.exposure import Light, night_coat
from ecotone.simulate.landscape import View
from ecotone.simulate.sprites import Sprite, draw

SMALLEST, LARGEST = 52.0, 185.0  # pixels of the shoulder's height
NEAREST, FARTHEST = 2.3, 24.0  # metres
NIGHT_REACH = 9.0  # metres, beyond which the flash shows little
SEEN = 0.35  # of a pixel's colour: above it the animal counts as visible there


@dataclass(frozen=True)
class Actor:
    """One animal in a scene. x: metres to the right of the middle; distance: metres; left: looks
    to the left; size: its height against the species'; seed: of its coat; speed: metres a second,
    forwards."""

    species: Species
    x: float
    distance: float
    left: bool
    size: float
    pose: Pose
    seed: int
    speed: float

    def after(self, seconds: float) -> Actor:
        """The same animal a moment later."""
        step = self.speed * seconds * (-1 if self.left else 1)
        stride = self.pose.stride + 0.55 * seconds * (self.speed > 0.05)
        head = float(np.clip(self.pose.head + 0.12 * np.sin(3 * seconds + self.seed), 0, 1))
        tail = self.pose.tail + 12 * np.sin(4 * seconds + self.seed)
        return replace(self, x=self.x + step, pose=replace(self.pose, stride=stride, head=head,
                                                           tail=float(tail)))


@dataclass(frozen=True)
class Seen:
    """Where an animal is visible: box x, y, width, height in 0..1 of the picture; visible: the part
    of it that is neither hidden nor outside."""

    species: Species
    box: tuple[float, float, float, float]
    visible: float
    pixels: float


def cast(species: Species, rng: np.random.Generator, count: int = 1, night: bool = False,
         largest: float = LARGEST) -> list[Actor]:
    """A group of one species at a likely place before the camera.

    largest: pixels of the shoulder's height.
    """
    tall = species.height * {"person": 0.6}.get(species.shape.plan, 1.0)
    largest = largest * (0.6 if species.shape.neck > 0.7 else 1.0)
    pixels = np.exp(rng.uniform(np.log(SMALLEST), np.log(largest)))
    reach = max(NIGHT_REACH, tall * 3.5) if night else FARTHEST
    middle = float(np.clip(tall * 640 / pixels, NEAREST, reach))
    wide = 0.36 * middle
    centre = rng.normal(0, 0.16) * middle
    left = bool(rng.random() < 0.5)
    speed = float(rng.uniform(0.2, 0.6)) * species.height**0.5 if rng.random() < 0.6 else 0.0
    actors = []
    for i in range(count):
        spread = rng.uniform(-wide, wide) if i else centre
        distance = middle * (1.0 if i == 0 else rng.uniform(0.85, 1.6))
        grazing = rng.random() < species.shape.graze
        pose = Pose(
            stride=float(rng.random()),
            head=float(rng.uniform(0, 0.25) if grazing else rng.uniform(0.6, 1.0)),
            step=float(rng.uniform(0.25, 0.42)) if speed else float(rng.uniform(0.05, 0.2)),
            tail=float(rng.normal(0, 10)),
            turn=float(np.clip(1.05 - abs(rng.normal(0, 0.22)), 0.55, 1.0)),
            male=bool(rng.random() < 0.6),
        )
        size = float(np.exp(rng.normal(0, species.variation))) * (0.68 if rng.random() < 0.1 else 1)
        actors.append(Actor(species, float(spread), float(distance), left ^ (rng.random() < 0.12),
                            size, pose, int(rng.integers(2**31)), speed))
    return actors


def openness(view: View, actor: Actor) -> float:
    """About how much of an animal the plants before it leave to see, 0..1, without drawing it."""
    pixels = actor.size * actor.species.height * view.focal / actor.distance
    row = view.row(actor.distance)
    column = view.scene.shape[1] / 2 + actor.x * view.focal / actor.distance
    height, width = view.distance.shape
    half = 0.75 * pixels * actor.pose.turn
    rows = slice(int(np.clip(row - pixels, 0, height - 2)), int(np.clip(row, 2, height)), 4)
    left, right = np.clip((column - half, column + half), 0, width)
    columns = slice(min(int(left), width - 2), max(int(right), 2), 4)
    inside = float((right - left) / (2 * half))
    free = np.ones_like(view.distance[rows, columns])
    for layer in view.layers:
        if layer.distance < actor.distance:
            free = free * (1 - layer.alpha[rows, columns])
    return float(free.mean()) * inside if free.size else 0.0


def coat_of(species: Species, rng: np.random.Generator) -> Coat:
    """The coat of one individual: lighter or darker, redder or greyer than its species'."""
    light = np.exp(rng.normal(0, species.variation * 1.6))
    warm = rng.normal(0, 0.05)
    factor = light * np.array([1 + warm, 1.0, 1 - warm])
    changes = {}
    clothes = species.shape.plan == "person"
    for name in ("base", "belly", "mark", "legs", "face", "mane", "ear", "rump_patch"):
        colour = getattr(species.coat, name)
        if colour is not None:
            own = np.array(colour) * factor
            if clothes and name in ("base", "legs", "mane", "ear"):
                own = own * rng.uniform(0.5, 1.6, 3)
            changes[name] = tuple(float(c) for c in np.clip(own, 0.02, 0.97))
    scale = species.coat.scale * float(np.exp(rng.normal(0, 0.08)))
    return replace(species.coat, scale=scale, **changes)


def compose(view: View, actors: list[Actor], light: Light) -> tuple[np.ndarray, list[Seen]]:
    """The scene (H, W, 3) with its animals, and where they are seen, nearest last.

    view: already the night's where `light.night` says so.
    """
    scene = view.scene.copy()
    seen = []
    for actor in sorted(actors, key=lambda a: -a.distance):
        pixels = actor.size * actor.species.height * view.focal / actor.distance
        rng = np.random.default_rng(actor.seed)
        shape = actor.species.shape
        sprite = draw(shape, coat_of(actor.species, rng), actor.pose, pixels, rng, light.sun)
        sprite = sprite.flipped() if actor.left else sprite
        found = _place(scene, view, actor, sprite, light, pixels)
        if found is not None:
            seen.append(found)
    return scene, seen


def _place(scene: np.ndarray, view: View, actor: Actor, sprite: Sprite, light: Light,
           pixels: float) -> Seen | None:
    height, width = scene.shape[:2]
    row = view.row(actor.distance)
    column = width / 2 + actor.x * view.focal / actor.distance
    top, left = round(row - sprite.ground), round(column - sprite.centre)
    y0, y1 = max(top, 0), min(top + sprite.alpha.shape[0], height)
    x0, x1 = max(left, 0), min(left + sprite.alpha.shape[1], width)
    if y1 - y0 < 4 or x1 - x0 < 4:
        return None
    _shadow(scene, view, row, column, pixels * actor.species.shape.length, light)
    cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    colour, alpha = sprite.colour[cut], sprite.alpha[cut]
    if light.night:
        colour = night_coat(colour, actor.distance, row - pixels / 2, column, (height, width),
                            actor.species.coat.infrared)
        colour = colour + 0.85 * sprite.eyes[cut][..., None]
    else:
        haze = min(actor.distance / 150, 0.4)
        colour = colour * (1 - haze) + np.array(view.biome.sky[1], dtype=np.float32) * haze
    patch = scene[y0:y1, x0:x1]
    patch *= 1 - alpha[..., None]
    patch += colour * alpha[..., None]
    shown = alpha.copy()
    for layer in view.layers:
        if layer.distance < actor.distance:
            hide = layer.alpha[y0:y1, x0:x1]
            patch *= 1 - hide[..., None]
            patch += layer.colour[y0:y1, x0:x1]
            shown *= 1 - hide
    whole = float(sprite.alpha.sum())
    return _visible(actor.species, shown, whole, y0, x0, (height, width), pixels)


def _visible(species: Species, shown: np.ndarray, whole: float, y0: int, x0: int,
             shape: tuple[int, int], pixels: float) -> Seen | None:
    rows = np.flatnonzero((shown > SEEN).sum(axis=1) > 1)
    columns = np.flatnonzero((shown > SEEN).sum(axis=0) > 1)
    if len(rows) < 4 or len(columns) < 4:
        return None
    height, width = shape
    box = ((x0 + columns[0]) / width, (y0 + rows[0]) / height,
           (columns[-1] - columns[0] + 1) / width, (rows[-1] - rows[0] + 1) / height)
    return Seen(species, tuple(float(b) for b in box), float(shown.sum() / max(whole, 1)), pixels)


def _shadow(scene: np.ndarray, view: View, row: float, column: float, wide: float, light: Light
            ) -> None:
    """A soft dark patch where the feet stand, so that the animal does not float."""
    height, width = scene.shape[:2]
    rx, ry = max(wide * 0.85, 6), max(wide * 0.13, 2)
    shift = 0.25 * wide * light.sun
    y0, y1 = int(max(row - 3 * ry, view.horizon)), int(min(row + 3 * ry, height))
    x0, x1 = int(max(column - 2.2 * rx, 0)), int(min(column + 2.5 * rx, width))
    if y1 <= y0 or x1 <= x0:
        return
    y, x = np.ogrid[y0:y1, x0:x1]
    fall = ((y - row) / ry) ** 2 + ((x - column - shift) / rx) ** 2
    strength = 0.3 if light.night else 0.34 + 0.26 * light.sun
    scene[y0:y1, x0:x1] *= (1 - strength * np.exp(-0.9 * fall))[..., None].astype(np.float32)
