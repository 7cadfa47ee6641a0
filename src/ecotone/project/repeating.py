"""False alarms that come back: the same box at the same camera."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RepeatGroup:
    """One box that comes back. box: x y width height in 0..1. example: a detection in it."""

    number: int
    place: str
    box: tuple[float, ...]
    pictures: int
    occasions: int
    days: int
    why: str
    example: str


@dataclass(frozen=True)
class Repeated:
    """The groups, the most suspicious first, and the group of each detection in one."""

    groups: list[RepeatGroup] = field(default_factory=list)
    group_of: dict[str, int] = field(default_factory=dict)
