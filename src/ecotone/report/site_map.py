"""Where the sites are: a map drawn from coordinates alone, with degrees and a scale bar.

J sites. Degrees; east and north are positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.report import svg

KM = 111.195  # of one degree on the sphere of 6,371 km
WIDTH, HIGHEST, LOWEST = 640.0, 560.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 16.0, 14.0, 58.0
SMALLEST = 0.004  # degrees shown at least, about 450 m
LARGEST_DOT, SMALLEST_DOT = 15.0, 3.5
CROWD = 60  # sites from which dots are smaller, so that they cover no more of the map
MOST_NAMES = 40


@dataclass(frozen=True)
class MapSite:
    """One site: name, where it is, how much was seen (the size of the dot), and words about it."""

    name: str
    latitude: float
    longitude: float
    value: float
    words: str = ""


def unwrap(longitude: np.ndarray) -> np.ndarray:
    """Longitudes (J,) without the jump at 180 degrees: cut open where the widest gap is."""
    turned = np.mod(np.asarray(longitude, dtype=float) + 180.0, 360.0) - 180.0
    if len(turned) < 2:
        return turned
    order = np.sort(turned)
    gaps = np.append(np.diff(order), order[0] + 360.0 - order[-1])
    at = int(gaps.argmax())
    if at == len(order) - 1:
        return turned
    return np.where(turned <= order[at], turned + 360.0, turned)


def degrees(value: float, step: float, north: bool) -> str:
    """A latitude or longitude as "12.5° N" or "178° W", with as many digits as `step` needs."""
    if not north:
        value = (value + 180.0) % 360.0 - 180.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    digits += 0 if abs(step * 10**digits - round(step * 10**digits)) < 1e-6 else 1
    value = round(value, digits)
    side = ("N" if value > 0 else "S") if north else ("E" if value > 0 else "W")
    plain = value == 0 or (not north and abs(value) == 180)
    return f"{abs(value):.{digits}f}°" + ("" if plain else f" {side}")


class _Frame:
    """Degrees to places in the figure: equirectangular, true to scale in the middle."""

    def __init__(self, latitude: np.ndarray, longitude: np.ndarray) -> None:
        low, high = float(latitude.min()), float(latitude.max())
        west, east = float(longitude.min()), float(longitude.max())
        self.middle = (low + high) / 2
        self.narrow = max(math.cos(math.radians(self.middle)), 0.02)
        side, rise = WIDTH - LEFT - RIGHT, HIGHEST - TOP - BOTTOM
        wide = max((east - west) * 1.16, SMALLEST / self.narrow)
        tall = max((high - low) * 1.16, SMALLEST)
        self.scale = min(side / (wide * self.narrow), rise / tall)  # pixels a degree of latitude
        self.height = min(rise, max(LOWEST - TOP - BOTTOM, tall * self.scale))
        tall, wide = self.height / self.scale, side / (self.scale * self.narrow)
        self.west, self.east = (west + east - wide) / 2, (west + east + wide) / 2
        self.low, self.high = self.middle - tall / 2, self.middle + tall / 2

    def x(self, longitude: float) -> float:
        return LEFT + (longitude - self.west) * self.scale * self.narrow

    def y(self, latitude: float) -> float:
        return TOP + (self.high - latitude) * self.scale


def map_chart(sites: Sequence[MapSite], what: str) -> str:
    """The sites as dots whose area shows `value`; SVG, "" without coordinates.

    what: the unit of the values ("events").
    """
    sites = [s for s in sites if math.isfinite(s.latitude) and math.isfinite(s.longitude)]
    if not sites:
        return ""
    longitude = unwrap(np.array([s.longitude for s in sites]))
    frame = _Frame(np.array([s.latitude for s in sites]), longitude)
    most = max(max(s.value for s in sites), 1e-9)
    body = _graticule(frame)
    order = sorted(range(len(sites)), key=lambda i: (-sites[i].value, sites[i].name))
    largest = max(4.5, LARGEST_DOT * min(1.0, math.sqrt(CROWD / len(sites))))
    spots = []
    for i in order:  # large dots first, small ones on top
        s, at = sites[i], (frame.x(float(longitude[i])), frame.y(sites[i].latitude))
        r = SMALLEST_DOT + (largest - SMALLEST_DOT) * math.sqrt(max(s.value, 0) / most)
        told = svg.element("title", svg.escape(f"{s.name}: {s.words or f'{s.value:,.0f} {what}'}"))
        empty = "" if s.value > 0 else " hollow"
        body.append(svg.element("circle", told, cx=at[0], cy=at[1], r=r,
                                class_=f"site s0{empty}"))
        spots.append((*at, r, s.name))
    body += _names(spots) + _scale_bar(frame)
    text = f"{len(sites)} site{'' if len(sites) == 1 else 's'}; " + "; ".join(
        f"{sites[i].name}: {sites[i].value:,.0f} {what}" for i in order[:20])
    return svg.figure(WIDTH, frame.height + TOP + BOTTOM, "Map of the sites", text, body)


def _graticule(frame: _Frame) -> list[str]:
    right, foot = WIDTH - RIGHT, TOP + frame.height
    body = [svg.element("rect", x=LEFT, y=TOP, width=right - LEFT, height=frame.height,
                        class_="frame")]
    lines = svg.ticks(max(frame.low, -90.0), min(frame.high, 90.0), 5)
    step = lines[1] - lines[0] if len(lines) > 1 else 0.01
    for value in lines:
        body.append(svg.element("line", x1=LEFT, x2=right, y1=frame.y(value), y2=frame.y(value),
                                class_="grid"))
        body.append(svg.label(LEFT - 6, frame.y(value) + 4, degrees(value, step, True), "tick",
                              "end"))
    lines = svg.ticks(frame.west, frame.east, 5)
    step = lines[1] - lines[0] if len(lines) > 1 else 0.01
    for value in lines:
        body.append(svg.element("line", x1=frame.x(value), x2=frame.x(value), y1=TOP, y2=foot,
                                class_="grid"))
        body.append(svg.label(frame.x(value), foot + 18, degrees(value, step, False), "tick",
                              "middle"))
    return body


def _names(spots: Sequence[tuple[float, float, float, str]]) -> list[str]:
    """Names beside the dots, the most seen first, where there is room."""
    taken = [(x - r, y - r, x + r, y + r) for x, y, r, _ in spots]
    body = []
    for x, y, r, name in spots[:MOST_NAMES]:
        shown = svg.shorten(name, 130, 12.0)
        width = svg.text_width(shown, 12.0)
        for anchor, left in (("start", x + r + 4), ("end", x - r - 4 - width)):
            box = (left, y - 8, left + width, y + 6)
            own = (x - r, y - r, x + r, y + r)
            clear = all(o == own or box[2] < o[0] or box[0] > o[2] or box[3] < o[1] or box[1] > o[3]
                        for o in taken)
            if clear and left > LEFT and box[2] < WIDTH - RIGHT:
                at = left if anchor == "start" else x - r - 4
                body.append(svg.label(at, y + 4, name, "tick", anchor, 130, 12.0))
                taken.append(box)
                break
    return body


def _scale_bar(frame: _Frame) -> list[str]:
    """A bar of a round length, true at the middle of the map, and which way is north."""
    pixels = frame.scale / KM  # of a kilometre
    wanted = 130.0 / pixels
    step = 10.0 ** math.floor(math.log10(wanted))
    length = max(f * step for f in (1, 2, 5) if f * step <= wanted + 1e-12)
    words = f"{length:,.0f} km" if length >= 1 else f"{1000 * length:,.0f} m"
    y, x = TOP + frame.height + 42, LEFT
    end = x + length * pixels
    return [
        svg.element("path", d=f"M{x:.1f} {y - 5:.1f}V{y:.1f}H{end:.1f}V{y - 5:.1f}",
                    class_="whisker", fill="none"),
        svg.label(end + 8, y + 2, words, "tick"),
        svg.label(WIDTH - RIGHT, y + 2, "north is up", "axis", "end"),
    ]
