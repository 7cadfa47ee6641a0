"""A generated reserve: a year of eight cameras, its pictures, a detector's boxes, and the truth.

Everything follows from a seed: `make_plan` says what passes which camera when, `draw_events` draws
it, `detections_of` and `detector_file` write down what a detector would say of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ecotone.simulate import biomes
from ecotone.simulate.anatomy import Species
from ecotone.simulate.exposure import develop, light_of, night_view, stamp
from ecotone.simulate.landscape import View, make_view
from ecotone.simulate.scenes import Actor, Seen, cast, compose
from ecotone.simulate.species import BLANK, HUMAN, PEOPLE, RESERVE

CAMERAS = tuple(f"C{i + 1:02d}-{name}" for i, name in enumerate(
    ("plain", "bush", "waterhole", "river", "hill", "airstrip", "thicket", "gate")))
BIOME_OF = (0, 1, 2, 3, 4, 0, 1, 3)  # which kind of country each camera looks at
# Latitude and longitude of each camera, and the year that they stand.
PLACES = ((-2.412, 34.781), (-2.385, 34.842), (-2.441, 34.853), (-2.467, 34.802),
          (-2.362, 34.768), (-2.428, 34.738), (-2.398, 34.895), (-2.481, 34.881))
YEAR = ("2024-01-01T00:00:00", "2025-01-01T00:00:00")
DRY, WET = 0.1, 0.8
WET_MONTHS = (3, 4, 5, 11, 12)
# How often each species of `RESERVE` passes, commonest first, then empty pictures and people.
OFTEN = (1.0, 0.62, 0.45, 0.4, 0.34, 0.3, 0.25, 0.21, 0.19, 0.15, 0.12, 0.07, 0.06, 0.1, 0.08)
OFTEN_BLANK, OFTEN_HUMAN = 0.5, 0.16
BURST = ((1, 0.25), (2, 0.15), (3, 0.6))
TYPICAL, LOWEST = 0.2, 0.05  # the detector's threshold, and the least confidence that it writes


@dataclass(frozen=True)
class Event:
    """One passage before a camera. species: None for an empty picture. label: what a person who
    knows the reserve writes. frames: pictures of the burst. seed: of everything drawn in it."""

    camera: int
    when: datetime
    night: bool
    species: Species | None
    label: str
    frames: int
    seed: int

    def file(self, frame: int) -> str:
        """Path of a picture below the folder of pictures."""
        moment = self.moment(frame)
        return f"{CAMERAS[self.camera]}/{moment:%Y%m%d-%H%M%S}.jpg"

    def moment(self, frame: int) -> datetime:
        """Time of a picture; the frames of a burst are a second apart."""
        return self.when + timedelta(seconds=frame)


@dataclass(frozen=True, eq=False)
class Shot:
    """One drawn picture. pixels: (480, 640, 3) uint8; seen: the animals and where."""

    event: Event
    frame: int
    pixels: np.ndarray
    seen: list[Seen]


def label_of(species: Species | None) -> str:
    """What the reserve's people call a species; they write "jackal" for both of theirs."""
    if species is None:
        return BLANK
    return "jackal" if species.genus == "Lupulella" else species.vernacular


def local_classes() -> list[str]:
    """All labels that people of the reserve use."""
    names = [label_of(s) for s in RESERVE]
    return [*dict.fromkeys(names), HUMAN, BLANK]


def make_plan(pictures: int, seed: int = 0) -> list[Event]:
    """About so many pictures' worth of events, sorted by camera and time."""
    rng = np.random.default_rng([seed, 1])
    who: list[Species | None] = [*RESERVE, None, PEOPLE]
    often = np.array([*OFTEN, OFTEN_BLANK, OFTEN_HUMAN])
    here = often * np.exp(rng.normal(0, 0.55, (len(CAMERAS), len(who))))
    here /= here.sum(axis=1, keepdims=True)
    events: list[Event] = []
    total, used = 0, set[tuple[int, datetime]]()
    while total < pictures:
        camera = int(rng.integers(len(CAMERAS)))
        species = who[int(rng.choice(len(who), p=here[camera]))]
        night = bool(rng.random() < (0.35 if species is None else species.night))
        when = _time(night, rng)
        frames = int(rng.choice([b[0] for b in BURST], p=[b[1] for b in BURST]))
        frames = min(frames, pictures - total)
        near = {(camera, when + timedelta(minutes=m)) for m in range(-3, 4)}
        if near & used:
            continue
        used.add((camera, when))
        second = timedelta(seconds=int(rng.integers(60)))
        events.append(Event(camera, when + second, night, species, label_of(species), frames,
                            int(rng.integers(2**31))))
        total += frames
    return sorted(events, key=lambda e: (e.camera, e.when))


def _time(night: bool, rng: np.random.Generator) -> datetime:
    day = datetime(2024, 1, 1) + timedelta(days=int(rng.integers(365)))
    if night:
        hour = (19.3 + rng.uniform(0, 10)) % 24
    else:  # most pass in the morning and the evening
        hour = rng.choice([rng.normal(8, 1.3), rng.normal(16.3, 1.2), rng.uniform(6.5, 17.8)])
        hour = float(np.clip(hour, 6.3, 18.2))
    return day + timedelta(minutes=int(hour * 60))


def draw_events(events: Sequence[Event], seed: int = 0) -> Iterator[Shot]:
    """Draw the pictures of events, camera by camera and season by season."""
    order = sorted(events, key=lambda e: (e.camera, _season(e.when), e.when))
    day: View | None = None
    night: View | None = None
    current: tuple[int, float] | None = None
    for event in order:
        place = (event.camera, _season(event.when))
        if place != current:
            biome = biomes.RESERVE[BIOME_OF[event.camera]]
            day = make_view(biome, 1000 * seed + event.camera, place[1])
            night, current = night_view(day), place
        if day is not None and night is not None:
            yield from _burst(event, night if event.night else day)


def _season(when: datetime) -> float:
    return WET if when.month in WET_MONTHS else DRY


def _burst(event: Event, view: View) -> Iterator[Shot]:
    rng = np.random.default_rng([event.seed, 2])
    light = light_of(event.when, event.night, rng, cast=0.02 * (event.camera % 3 - 1))
    celsius = int(rng.normal(17 if event.night else 27, 4))
    actors: list[Actor] = []
    if event.species is not None:
        count = 1 + int(rng.integers(event.species.herd))
        actors = cast(event.species, rng, count, event.night)
    for frame in range(event.frames):
        moving = [actor.after(float(frame)) for actor in actors]
        scene, seen = compose(view, moving, light)
        if actors and not seen and frame == 0:  # something must have set the camera off
            actors = [Actor(a.species, 0.0, a.distance, a.left, a.size, a.pose, a.seed, a.speed)
                      for a in actors[:1]]
            scene, seen = compose(view, actors, light)
        pixels = stamp(develop(scene, light, rng), event.moment(frame),
                       CAMERAS[event.camera].split("-")[0], celsius)
        yield Shot(event, frame, pixels, seen)


def detections_of(shot: Shot) -> list[dict[str, Any]]:
    """What a detector says of a picture: imprecise boxes, some missed, some of bushes."""
    rng = np.random.default_rng([shot.event.seed, 3, shot.frame])
    found = []
    for seen in shot.seen:
        doubt = 0.9 * (1 - seen.visible) ** 2 + 9 / max(seen.pixels, 20) + 0.06 * shot.event.night
        confidence = 0.99 - doubt - abs(rng.normal(0, 0.06))
        if seen.visible < 0.18:
            confidence -= 0.4
        if confidence < LOWEST:
            continue
        person = seen.species.vernacular == HUMAN
        found.append(_detection("2" if person else "1", confidence, _shaken(seen.box, rng)))
    if rng.random() < 0.07:
        x, y = rng.uniform(0.02, 0.75), rng.uniform(0.3, 0.65)
        box = (x, y, rng.uniform(0.06, 0.2), rng.uniform(0.06, 0.2))
        found.append(_detection("1", float(rng.beta(1.2, 5)) * 0.6 + LOWEST, box))
    return sorted(found, key=lambda d: -d["conf"])


def _detection(category: str, confidence: float, box: Sequence[float]) -> dict[str, Any]:
    return {"category": category, "conf": round(float(min(confidence, 0.98)), 3),
            "bbox": [round(float(b), 4) for b in box]}


def _shaken(box: Sequence[float], rng: np.random.Generator) -> tuple[float, ...]:
    x, y, w, h = box
    left, right = x + rng.normal(0, 0.02) * w, x + w + rng.normal(0, 0.02) * w
    top, bottom = y + rng.normal(0, 0.02) * h, y + h + rng.normal(0, 0.02) * h
    left, top = max(left, 0.0), max(top, 0.0)
    return left, top, min(right, 1.0) - left, min(bottom, 1.0) - top


def detector_file(images: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A MegaDetector results file (format 1.5) of pictures and their detections."""
    return {
        "info": {
            "format_version": "1.5",
            "detector": "generated boxes",
            "detector_metadata": {
                "megadetector_version": "generated",
                "typical_detection_threshold": TYPICAL,
                "conservative_detection_threshold": LOWEST,
            },
        },
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "images": [{"file": file, "detections": images[file]} for file in sorted(images)],
    }


def taxonomy_rows() -> list[dict[str, str]]:
    """The reserve's species list: names and ranks."""
    return [
        {"scientificName": s.scientific, "vernacularName": s.vernacular, "kingdom": "Animalia",
         "phylum": "Chordata", "class": s.taxon_class, "order": s.order, "family": s.family,
         "genus": s.genus}
        for s in (*RESERVE, PEOPLE)
    ]


def deployment_rows() -> list[dict[str, str]]:
    """Where and how long each camera stands, as rows of a deployments table of Camtrap DP."""
    return [
        {"deploymentID": name, "latitude": f"{latitude:.3f}", "longitude": f"{longitude:.3f}",
         "deploymentStart": YEAR[0], "deploymentEnd": YEAR[1]}
        for name, (latitude, longitude) in zip(CAMERAS, PLACES, strict=True)
    ]
