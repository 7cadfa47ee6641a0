"""Coverage against accuracy: how much is refined at each setting, and how much of that is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecotone.report import svg

WIDTH, HEIGHT = 560.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 24.0, 28.0, 46.0
SAME = 1e-9
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Point:
    """One setting. at: its value, several where they answer the same. coverage, accuracy, species:
    shares; low, high: the 95 % interval of the accuracy."""

    at: tuple[float, ...]
    coverage: float
    accuracy: float
    low: float
    high: float
    species: float

    @property
    def name(self) -> str:
        """The value, or the first and last of several."""
        first, last = f"{self.at[0]:g}", f"{self.at[-1]:g}"
        return first if first == last else f"{first} to {last}"


def points_of(curve: Sequence[Mapping[str, Any]]) -> list[Point]:
    """Points of a run record's curve, by setting; settings with the same answers are one, those
    that refine nothing are left out."""
    points: list[Point] = []
    for row in sorted(curve, key=lambda r: r["at"]):
        if not row["changed"]:
            continue
        point = Point((float(row["at"]),), row["coverage"], row["hierarchical_accuracy"],
                      row["low"], row["high"], row["species_share"])
        last = points[-1] if points else None
        if last is not None and _same(last, point):
            points[-1] = Point((*last.at, *point.at), *_values(point))
        else:
            points.append(point)
    return points


def _values(point: Point) -> tuple[float, float, float, float, float]:
    return point.coverage, point.accuracy, point.low, point.high, point.species


def _same(one: Point, other: Point) -> bool:
    return all(abs(a - b) < SAME for a, b in zip(_values(one), _values(other), strict=True))


def coverage_chart(
    points: Sequence[Point], chosen: Mapping[str, Any] | None, alpha: float | None = None
) -> str:
    """The curve, the chosen setting as a larger dot with its interval, and for climbing the bound
    1 - alpha as a dashed line; SVG, or "" without points."""
    if not points:
        return ""
    right, low = WIDTH - RIGHT, _floor(points, chosen, alpha)

    def x(share: float) -> float:
        return LEFT + 8 + share * (right - LEFT - 16)

    def y(share: float) -> float:
        return TOP + (HEIGHT - BOTTOM - TOP) * (1.0 - share) / (1.0 - low)

    body = _axes(x, y, low, right)
    if alpha is not None and 1.0 - alpha >= low:
        body.append(svg.element("line", x1=LEFT, x2=right, y1=y(1 - alpha), y2=y(1 - alpha),
                                class_="ideal"))
        body.append(svg.label(LEFT + 4, y(1 - alpha) + 15, f"asked for: {svg.percent(1 - alpha)}",
                              "axis"))
    drawn = sorted(points, key=lambda p: (p.coverage, -p.accuracy))
    line = " ".join(f"{x(p.coverage):.1f},{y(p.accuracy):.1f}" for p in drawn)
    body.append(svg.element("polyline", points=line, class_="series s0"))
    body += _dots(drawn, x, y)
    if chosen and chosen["changed"]:
        body += _chosen(chosen, x, y, low)
    return svg.figure(WIDTH, HEIGHT, "Coverage against accuracy", _sentence(drawn), body)


def _floor(
    points: Sequence[Point], chosen: Mapping[str, Any] | None, alpha: float | None
) -> float:
    values = [p.accuracy for p in points]
    values += [1.0 - alpha] if alpha is not None else []
    values += [chosen["low"]] if chosen and chosen["changed"] else []
    return min(max(0.0, math.floor(10 * min(values) - 0.2) / 10), 0.9)


def _axes(x: Scale, y: Scale, low: float, right: float) -> list[str]:
    body = []
    for value in svg.ticks(low, 1.0, 6):
        body.append(svg.element("line", x1=LEFT, x2=right, y1=y(value), y2=y(value), class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{100 * value:.0f} %", "tick", "end"))
    for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        body.append(svg.label(x(value), HEIGHT - BOTTOM + 18, f"{100 * value:.0f} %", "tick",
                              "middle"))
    body.append(svg.label((LEFT + right) / 2, HEIGHT - 4, "refined", "axis", "middle"))
    body.append(svg.label(LEFT, TOP - 8, "right, of what is refined", "axis"))
    return body


def _dots(points: Sequence[Point], x: Scale, y: Scale) -> list[str]:
    out = []
    for p in points:
        told = (f"{p.name}: {svg.percent(p.coverage)} refined, {svg.percent(p.accuracy)} of these "
                f"right, {svg.percent(p.species)} at species level")
        out.append(svg.element("circle", svg.element("title", svg.escape(told)), cx=x(p.coverage),
                               cy=y(p.accuracy), r=3.4, class_="dot s0"))
    return out


def _chosen(chosen: Mapping[str, Any], x: Scale, y: Scale, low: float) -> list[str]:
    at, share = x(chosen["coverage"]), chosen["hierarchical_accuracy"]
    ends = y(max(chosen["low"], low)), y(chosen["high"])
    side = "end" if chosen["coverage"] > 0.5 else "start"
    text_x = at - 10 if side == "end" else at + 10
    return [
        svg.element("line", x1=at, x2=at, y1=ends[0], y2=ends[1], class_="whisker"),
        svg.element("circle", cx=at, cy=y(share), r=6.0, class_="dot s1"),
        svg.label(text_x, min(y(share) + 22, HEIGHT - BOTTOM - 6), "as it is set", "name s1", side),
    ]


def _sentence(points: Sequence[Point]) -> str:
    return "; ".join(
        f"{p.name}: {svg.percent(p.coverage)} refined, {svg.percent(p.accuracy)} of these right"
        for p in points
    )
