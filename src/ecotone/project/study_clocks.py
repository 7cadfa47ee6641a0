"""What a study says of its cameras' clocks, beside what the pictures say themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ecotone.ingest.text import some
from ecotone.ingest.zones import clock_in, find_zone, offset_of
from ecotone.project.study_media import Medium
from ecotone.store.tables import MediaTable, TimeShift
from ecotone.store.times import shift_time

SAME = 2.0  # seconds: files round, and cameras write their header a moment later


@dataclass
class Clocks:
    """times: of pictures that have none themselves, as their camera would have said it. shifts:
    corrections that the study stands for. zones, seconds: of its deployments, the zone and what was
    found between its times and the cameras'."""

    times: dict[str, str] = field(default_factory=dict)
    shifts: list[TimeShift] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def compare_clocks(
    table: MediaTable, pairs: Iterable[tuple[Medium, int]],
    history: Mapping[str, list[TimeShift]], time_zone: str, study: str,
) -> Clocks:
    """Compare a study's times with those in the pictures.

    pairs: its media and their rows in the table. Times of a deployment that all differ by as much
    are a corrected clock: the study's correction, unless a person made one here before.
    """
    by_place: dict[str, list[tuple[Medium, int]]] = defaultdict(list)
    for medium, row in pairs:
        if medium.deployment and medium.timestamp:
            by_place[medium.deployment].append((medium, row))
    clocks = Clocks()
    uneven = []
    for place, here in by_place.items():
        zone_name = time_zone or next(filter(None, (offset_of(m.timestamp) for m, _ in here)), "")
        clocks.zones[place] = zone_name
        zone = find_zone(zone_name)
        walls = [(clock_in(m.timestamp, zone), row) for m, row in here]
        gaps = sorted(
            _seconds(table.original_timestamp[row], wall) for wall, row in walls
            if wall and table.original_timestamp[row]
        )
        if gaps and gaps[-1] - gaps[0] > 2 * SAME:
            uneven.append(place)
            gaps = []
        middle = gaps[len(gaps) // 2] if gaps else 0.0
        clocks.seconds[place] = middle if abs(middle) > SAME else 0.0
        _settle(clocks, place, history.get(place, []), study)
        now = _in_force(clocks, place, history)
        for wall, row in walls:
            if wall and not table.original_timestamp[row]:
                clocks.times[table.id[row]] = shift_time(wall, -now)
    if uneven:
        clocks.problems.append(
            f"{len(uneven):,} deployments whose times differ from those in their pictures by this "
            f"and that: {some(uneven)}; the pictures' own are used for events (ecotone fix-time)"
        )
    return clocks


def _settle(clocks: Clocks, place: str, before: list[TimeShift], study: str) -> None:
    seconds = clocks.seconds[place]
    if not before:
        if seconds:
            clocks.shifts.append(TimeShift(place, seconds, "", "as the study says", study))
    elif abs(before[-1].seconds - seconds) > SAME:
        clocks.problems.append(
            f"deployment {place!r}: its clock is corrected by {before[-1].seconds:+.0f} s here, by "
            f"{seconds:+.0f} s in the study; the correction here counts (ecotone fix-time)"
        )


def _in_force(clocks: Clocks, place: str, history: Mapping[str, list[TimeShift]]) -> float:
    if place in history:
        return history[place][-1].seconds
    return clocks.seconds[place]


def _seconds(camera: str, wall: str) -> float:
    gap = datetime.fromisoformat(wall) - datetime.fromisoformat(camera)
    return gap.total_seconds()
