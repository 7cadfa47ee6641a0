"""What a species looks like, in numbers: body plan and coat.

One unit is the height of the shoulder. Angles are degrees, 0 forwards, 90 up. Colours are RGB in
0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """A body plan; the defaults are those of a middling antelope.

    plan: "quadruped", "bird" or "person". length: shoulder to hip. chest, waist, rump: radii of the
    trunk. rump_height: of the hip. thigh, foot: radii of the leg. neck: length; neck_up: its angle
    at rest; neck_radii: at its root and at the head. head: length; skull, muzzle: radii; head_down:
    how far the head points down. ear, ear_width, ear_angle. tail: length; tail_radius; tail_up: its
    angle at the root; tuft: radius of its end. horns: kind; horn: length. mane, beard: radii.
    hump: radius over the shoulder. trunk, tusks: lengths. graze: how often the head is down.
    """

    plan: str = "quadruped"
    length: float = 0.8
    chest: float = 0.215
    waist: float = 0.165
    rump: float = 0.185
    rump_height: float = 1.0
    thigh: float = 0.1
    foot: float = 0.026
    neck: float = 0.5
    neck_up: float = 50
    neck_radii: tuple[float, float] = (0.135, 0.075)
    head: float = 0.27
    skull: float = 0.085
    muzzle: float = 0.042
    head_down: float = 28
    ear: float = 0.17
    ear_width: float = 0.042
    ear_angle: float = 118
    tail: float = 0.3
    tail_radius: float = 0.022
    tail_up: float = -70
    tuft: float = 0.0
    horns: str = ""
    horn: float = 0.0
    mane: float = 0.0
    beard: float = 0.0
    hump: float = 0.0
    trunk: float = 0.0
    tusks: float = 0.0
    graze: float = 0.35
    ruffled: float = 0.0


@dataclass(frozen=True)
class Coat:
    """A coat. base: most of it; belly: underneath; the other colours default to these.

    pattern: "", "stripes", "bars", "spots", "rosettes", "patches", "saddle", "dots" or "quills" in
    the colour `mark`; scale: how fine; strength: 0..1; wander: how far stripes stray, in radians.
    legs, face, mane, tail_tip, rump_patch, horn, ear: colours of parts. infrared: how much darker
    (< 1) or lighter the coat is at night than its lightness by day.
    """

    base: RGB = (0.55, 0.4, 0.26)
    belly: RGB | None = None
    pattern: str = ""
    mark: RGB = (0.1, 0.08, 0.07)
    scale: float = 1.0
    strength: float = 1.0
    wander: float = 0.8
    legs: RGB | None = None
    face: RGB | None = None
    mane: RGB | None = None
    tail_tip: RGB | None = None
    rump_patch: RGB | None = None
    horn: RGB = (0.16, 0.13, 0.11)
    ear: RGB | None = None
    fur: float = 0.05
    infrared: float = 1.0


@dataclass(frozen=True)
class Species:
    """A species: names as science and people write them, lineage, size and looks.

    height: of the shoulder (of the crown for birds and people) in metres. herd: most individuals in
    one picture. night: part of its pictures taken in the dark. variation: of size and colour.
    """

    scientific: str
    vernacular: str
    order: str
    family: str
    height: float
    shape: Shape
    coat: Coat
    herd: int = 1
    night: float = 0.35
    taxon_class: str = "Mammalia"
    variation: float = 0.06

    @property
    def genus(self) -> str:
        """First word of the scientific name."""
        return self.scientific.split()[0]
