"""How a camera renders what it sees: sun and season, infrared flash, noise, the info strip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np

from ecotone.simulate.landscape import Layer, View

STRIP = 22  # rows of the info strip
FLASH_REACH = 7.0  # metres at which the flash is well adjusted
# Response of the sensor to infrared, which leaves reflect strongly.
INFRARED = np.array([0.25, 0.6, 0.15], dtype=np.float32)


@dataclass(frozen=True)
class Light:
    """Light of a moment. night: infrared flash. tint: colour and strength of the day's light.
    sun: 1 in the open sun, 0 under cloud. noise: deviation."""

    night: bool
    tint: tuple[float, float, float]
    sun: float
    noise: float


def light_of(when: datetime, night: bool, rng: np.random.Generator, cast: float = 0.0) -> Light:
    """The light at a time: warm and weak at dawn and dusk, white at noon, or none.

    cast: how far the camera's own white balance is off, - is bluer and + is redder.
    """
    if night:
        return Light(True, (1.0, 1.0, 1.0), 0.0, rng.uniform(0.01, 0.02))
    hour = when.hour + when.minute / 60
    elevation = float(np.sin(np.pi * np.clip((hour - 5.6) / 12.8, 0.02, 0.98)))
    warm = (1 - elevation) ** 2
    sun = float(np.clip(rng.uniform(0.1, 1.3), 0, 1))
    strength = (0.62 + 0.45 * elevation) * rng.uniform(0.9, 1.08) * (0.86 + 0.14 * sun)
    red = strength * (1 + 0.22 * warm * sun + cast)
    blue = strength * (1 - 0.3 * warm * sun + 0.06 * (1 - sun) - cast)
    return Light(False, (red, strength, blue), sun, 0.005 + 0.009 * (1 - elevation))


def flash(distance: np.ndarray | float) -> np.ndarray:
    """Strength of the infrared flash at a distance in metres: it falls as the square of it."""
    d = np.asarray(distance, dtype=np.float32)
    return np.minimum(1.12 / (0.3 + (d / FLASH_REACH) ** 2), 1.9) * 0.72


@lru_cache(maxsize=4)
def _beam(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    r2 = ((x - width / 2) / (0.62 * width)) ** 2 + ((y - height * 0.55) / (0.7 * height)) ** 2
    return np.exp(-1.1 * r2).astype(np.float32)


def night_view(view: View) -> View:
    """The same view lit by the infrared flash alone, grey."""
    beam = _beam(*view.distance.shape)

    def grey(colour: np.ndarray, strength: np.ndarray) -> np.ndarray:
        value = (colour @ INFRARED) * strength * beam
        return np.repeat(value[..., None], 3, axis=2).astype(np.float32)

    layers = tuple(
        Layer(layer.distance, grey(layer.colour, flash(layer.distance)), layer.alpha)
        for layer in view.layers
    )
    strength = np.where(view.distance > 120, 0.0, flash(view.distance))
    return replace(view, scene=grey(view.scene, strength), layers=layers)


def night_coat(colour: np.ndarray, distance: float, row: float, column: float,
               shape: tuple[int, int], infrared: float) -> np.ndarray:
    """A sprite's colours as the flash shows them, (H, W, 3) grey."""
    beam = _beam(*shape)[int(np.clip(row, 0, shape[0] - 1)), int(np.clip(column, 0, shape[1] - 1))]
    value = (colour @ INFRARED) ** 0.85 * float(flash(distance)) * beam * infrared * 1.1
    return np.repeat(value[..., None], 3, axis=2).astype(np.float32)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    return np.random.default_rng(99).standard_normal((1200, 1500), dtype=np.float32)


def develop(scene: np.ndarray, light: Light, rng: np.random.Generator,
            place: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """The picture (h, w, 3) uint8 of a scene, or of a part of one.

    place: top, left, height and width of the whole picture that `scene` is a part of.
    """
    from scipy.ndimage import gaussian_filter1d

    height, width = scene.shape[:2]
    top, left, full_height, full_width = place or (0, 0, height, width)
    y = (np.arange(top, top + height, dtype=np.float32) / full_height - 0.5)[:, None]
    x = (np.arange(left, left + width, dtype=np.float32) / full_width - 0.5)[None]
    vignette = 1 - 0.42 * (x * x + y * y)
    picture = scene * vignette[..., None]
    if not light.night:
        picture = picture * np.array(light.tint, dtype=np.float32)
        picture = picture + 0.1 * light.sun * (picture - 0.45) * picture  # contrast
    blur = 0.75 if light.night else 0.45
    for axis in (0, 1):
        picture = gaussian_filter1d(picture, blur, axis=axis, truncate=2.5)
    grain = _grain()
    dy, dx = rng.integers(grain.shape[0] - height), rng.integers(grain.shape[1] - width)
    noise = grain[dy : dy + height, dx : dx + width, None] * light.noise
    picture = picture + noise * (0.6 + 0.8 * np.sqrt(np.clip(picture, 0, 1)))
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def stamp(picture: np.ndarray, when: datetime, camera: str, celsius: int) -> np.ndarray:
    """The picture with the camera's strip of time, temperature and moon along its lower edge."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    strip = Image.new("RGB", (width, STRIP), (12, 12, 14))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(14)
    ink = (235, 235, 230)
    draw.text((8, 3), camera, fill=(255, 190, 60), font=font)
    draw.text((110, 3), f"{celsius} \N{DEGREE SIGN}C", fill=ink, font=font)
    age = ((when - datetime(2024, 1, 11)).total_seconds() / 86400 / 29.53) % 1
    draw.ellipse([170, 4, 184, 18], fill=(225, 225, 215))
    shift = int(14 * (2 * age if age < 0.5 else 2 * age - 2))
    draw.ellipse([170 + shift, 4, 184 + shift, 18], fill=(12, 12, 14))
    text = when.strftime("%Y-%m-%d   %H:%M:%S")
    draw.text((width - 8 - draw.textlength(text, font=font), 3), text, fill=ink, font=font)
    out = picture.copy()
    out[height - STRIP :] = np.asarray(strip)
    return out
