"""What the global model learns from: cut-out pictures of another region's cameras, with names.

n pictures of SIDE x SIDE pixels; the label of each is the index of its global class.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from ecotone.media.crop import pixel_box
from ecotone.simulate.anatomy import Species
from ecotone.simulate.biomes import ELSEWHERE
from ecotone.simulate.elsewhere import GlobalClass, global_classes
from ecotone.simulate.exposure import Light, develop, light_of, night_view
from ecotone.simulate.landscape import View, make_view
from ecotone.simulate.scenes import cast, compose, openness

SIDE = 96
CONTEXT = 0.05
TRIES = 12  # to draw an animal that can be seen
LARGEST = 115.0  # pixels of a shoulder's height; a cut-out of 96 pixels needs no more


def make_lessons(
    per_class: int, seed: int = 0, part: int = 0, parts: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 96, 96, 3) uint8 and labels (n,) int64.

    per_class: pictures of each class. part, parts: only every so-many-th camera, so that several
    processes can share the work.
    """
    classes = global_classes()
    cameras = 2 * len(ELSEWHERE)
    pictures, labels = [], []
    for camera in range(part, cameras, parts):
        rng = np.random.default_rng([seed, 5, camera])
        day = make_view(ELSEWHERE[camera % len(ELSEWHERE)], 50_000 + 1000 * seed + camera,
                        float(rng.random()))
        views = (day, night_view(day))
        share = per_class // cameras + (camera < per_class % cameras)
        for index, known in enumerate(classes):
            for picture in _lessons_of(known, views, share, rng):
                pictures.append(picture)
                labels.append(index)
    return np.stack(pictures), np.array(labels, dtype=np.int64)


def _lessons_of(known: GlobalClass, views: tuple[View, View], count: int, rng: np.random.Generator
                ) -> Iterator[np.ndarray]:
    for i in range(count):
        member = known.members[i % len(known.members)] if known.members else None
        picture = _lesson(member, views, rng)
        yield picture[:, ::-1] if rng.random() < 0.5 else picture


def _lesson(species: Species | None, views: tuple[View, View], rng: np.random.Generator
            ) -> np.ndarray:
    """One cut-out, seen as a camera of that region would show it."""
    for _ in range(TRIES):
        night = bool(rng.random() < (0.35 if species is None else species.night))
        when = datetime(2023, 6, 1, int(rng.integers(7, 18)))
        light = light_of(when, night, rng, cast=float(rng.normal(0, 0.05)))
        view = views[night]
        if species is None:
            return _cut(view.scene, _somewhere(rng), light, rng)
        actors = cast(species, rng, 1, night, LARGEST)
        if openness(view, actors[0]) < 0.45:
            continue
        scene, seen = compose(view, actors, light)
        if seen and seen[-1].visible > 0.3:
            return _cut(scene, seen[-1].box, light, rng)
    return _cut(view.scene, _somewhere(rng), light, rng)


def _somewhere(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box without an animal: half of the time the whole picture."""
    if rng.random() < 0.5:
        return 0.0, 0.0, 1.0, 1.0
    width = rng.uniform(0.08, 0.4)
    return rng.uniform(0, 1 - width), rng.uniform(0.2, 0.9 - width), width, width


def _cut(scene: np.ndarray, box: tuple[float, ...], light: Light, rng: np.random.Generator
         ) -> np.ndarray:
    """The box's surroundings, cut out as backends do, developed and made 96 x 96."""
    from PIL import Image

    height, width = scene.shape[:2]
    left, top, right, bottom = pixel_box(box, width, height, CONTEXT, square=True)
    part = scene[top:bottom, left:right]
    picture = develop(part, light, rng, (top, left, height, width))
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small)
