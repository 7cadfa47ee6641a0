"""Generated camera-trap pictures with true boxes, for `detector.py`.

Every seed is another reserve of eight cameras, each with its own landscape: seeds of one list never
share a camera with seeds of another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecotone.simulate.species import HUMAN
from ecotone.simulate.writing import Order, generate

TRAIN = tuple(range(101, 115))  # 14 reserves, 112 cameras
CHOOSE = (201, 202)  # settings were chosen on these
HELD_OUT = (301, 302, 303, 304)  # 32 cameras that nothing was chosen on
NAMES = ("animal", "human")


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is on it. boxes: (n, 4) x y width height in 0..1; classes: (n,) index into
    `NAMES`; infrared: whether it was taken at night."""

    path: Path
    boxes: np.ndarray
    classes: np.ndarray
    infrared: bool

    @property
    def camera(self) -> str:
        """Reserve and camera."""
        return f"{self.path.parents[2].name}/{self.path.parent.name}"


def scenes(folder: Path, seeds: tuple[int, ...], pictures: int) -> list[Scene]:
    """About so many pictures of each seed's reserve; drawn where they are not there yet."""
    found = []
    for seed in seeds:
        place = folder / f"reserve-{seed}-{pictures}"
        if not (place / "truth.json").is_file():
            generate(Order(str(place), seed, pictures, lessons=0), labels=0)
        truth = json.loads((place / "truth.json").read_text(encoding="utf-8"))
        for file, told in truth.items():
            boxes = np.asarray(told["boxes"], dtype=np.float64).reshape(-1, 4)
            kind = NAMES.index("human") if told["label"] == HUMAN else 0
            hour = int(file.rsplit("-", 1)[1][:2])
            found.append(Scene(place / "photos" / file, boxes, np.full(len(boxes), kind),
                               not 6 <= hour < 19))
    return found
