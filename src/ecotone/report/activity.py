"""When species are about: times of day as a density on the circle of 24 hours.

n events. Angles in radians, 2 pi is a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.report import svg

MINUTES = 1440
MOMENTS = 3  # trigonometric moments of which the sharpest sets the bandwidth
LARGEST = 700.0  # concentration of a single moment of the day
LEAST = 10  # events from which a curve is drawn
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 246.0, 122.0, 8.0, 26.0, 24.0


@dataclass(frozen=True, eq=False)
class Activity:
    """One species: events, counts by hour (24,), density by minute (1440,) in events an hour, None
    with too few events."""

    name: str
    events: int
    hours: np.ndarray
    density: np.ndarray | None


def activity_of(name: str, seconds: np.ndarray) -> Activity:
    """The activity of a species from seconds after midnight (n,), one an event."""
    seconds = np.asarray(seconds, dtype=np.int64) % 86400
    hours = np.bincount(seconds // 3600, minlength=24)
    density = None
    if len(seconds) >= LEAST:
        density = circular_density(seconds) * len(seconds) / 24.0
    return Activity(name, len(seconds), hours, density)


def circular_density(seconds: np.ndarray) -> np.ndarray:
    """Density of times of day (n,) in seconds at each minute, (1440,); its mean is 1.

    A von Mises kernel on the circle, the bandwidth by the plug-in rule of Taylor 2008 with the
    concentration from the trigonometric moments (`concentration`); as for the activity of species
    in Ridout and Linkie 2009, Journal of Agricultural, Biological, and Environmental Statistics 14.
    Times are counted by the minute first, so that the work does not grow with their number.
    """
    counts = np.bincount(np.asarray(seconds, dtype=np.int64) % 86400 // 60, minlength=MINUTES)
    angle = 2 * np.pi * (np.arange(MINUTES) + 0.5) / MINUTES
    kappa = bandwidth(angle, counts)
    kernel = np.exp(kappa * (np.cos(2 * np.pi * np.arange(MINUTES) / MINUTES) - 1.0))
    kernel /= kernel.mean()
    mixed = np.fft.irfft(np.fft.rfft(counts) * np.fft.rfft(kernel), MINUTES) / counts.sum()
    return np.maximum(mixed, 0.0)


def bandwidth(angle: np.ndarray, counts: np.ndarray) -> float:
    """Concentration of the kernel for angles that occur `counts` times.

    Source: Taylor 2008, Computational Statistics and Data Analysis 52, equation 7.
    """
    from scipy.special import ive

    n, kappa = float(counts.sum()), concentration(angle, counts)
    # ive(v, x) = iv(v, x) exp(-x): the factors of numerator and denominator are equal.
    value = 3 * n * kappa**2 * ive(2, 2 * kappa) / (4 * np.sqrt(np.pi) * ive(0, kappa) ** 2)
    return float(min(value**0.4, LARGEST))


def concentration(angle: np.ndarray, counts: np.ndarray) -> float:
    """The largest of the von Mises concentrations that fit the first trigonometric moments, so that
    activity at dawn and dusk is not smoothed to one hump (Ridout and Linkie 2009)."""
    from scipy.optimize import brentq
    from scipy.special import ive

    best = 0.0
    for k in range(1, MOMENTS + 1):
        length = abs(np.sum(counts * np.exp(1j * k * angle)) / counts.sum())
        if length < 1e-9:
            continue
        if length >= ive(k, LARGEST) / ive(0, LARGEST):
            return LARGEST
        best = max(best, brentq(lambda x, k=k, r=length: ive(k, x) / ive(0, x) - r, 0.0, LARGEST))
    return best


def times_of_day(time: np.ndarray) -> tuple[np.ndarray, int]:
    """Seconds after midnight (M,), -1 where unknown, and how many were taken as dates without time.

    A clock shows 0:00:00 once in 86,400 seconds: where more than a hundredth of the times (M,)
    datetime64[s], and more than one, or all of them, say so, it stands for no time.
    """
    known = ~np.isnat(time)
    day = time.astype("datetime64[D]").astype("datetime64[s]")
    seconds = np.where(known, (time - day).astype(np.int64), -1)
    midnight = seconds == 0
    total, zero = int(known.sum()), int(midnight.sum())
    if zero and (zero == total or zero > max(1, total // 100)):
        return np.where(midnight, -1, seconds), zero
    return seconds, 0


def activity_chart(found: Activity) -> str:
    """Events by hour as bars, the density as a line, from midnight to midnight; SVG."""
    high = float(max(found.hours.max(), 0 if found.density is None else found.density.max(), 1))
    floor, side = HEIGHT - BOTTOM, WIDTH - 2 * LEFT

    def x(hour: float) -> float:
        return LEFT + side * hour / 24

    def y(value: float) -> float:
        return floor - (floor - TOP) * value / high

    events = f"{found.events:,} event{'' if found.events == 1 else 's'}"
    body = [svg.label(LEFT, 14, found.name, "target", "start",
                      side - svg.text_width(events, 12.0) - 16, 13.0),
            svg.label(WIDTH - LEFT, 14, events, "tick", "end")]
    for hour in (0, 6, 12, 18, 24):
        body.append(svg.element("line", x1=x(hour), x2=x(hour), y1=TOP, y2=floor, class_="grid"))
        body.append(svg.label(x(hour), HEIGHT - 8, str(hour), "tick", "middle"))
    for hour, n in enumerate(found.hours.tolist()):
        if n:
            told = svg.element("title", f"{hour}:00 to {hour + 1}:00: {n:,}")
            body.append(svg.element("rect", told, x=x(hour) + 1, y=y(n), width=side / 24 - 2,
                                    height=floor - y(n), class_="hist"))
    body.append(svg.element("line", x1=LEFT, x2=WIDTH - LEFT, y1=floor, y2=floor, class_="frame"))
    if found.density is not None:
        at = [*range(0, MINUTES, 12)]
        line = [f"{x((m + 0.5) / 60):.1f},{y(found.density[m]):.1f}" for m in at]
        body.append(svg.element("polyline", points=" ".join(line), class_="series s0"))
    return svg.figure(WIDTH, HEIGHT, f"Activity of {found.name}", _words(found), body)


def _words(found: Activity) -> str:
    busiest = np.argsort(-found.hours, kind="stable")[:3]
    told = ", ".join(f"{h}:00 to {h + 1}:00 ({found.hours[h]})" for h in sorted(busiest.tolist())
                     if found.hours[h])
    return f"{found.events:,} events; most at {told}"


def by_hour_rows(found: Sequence[Activity]) -> list[tuple[str, list[int]]]:
    """(name, events by hour) of each, for a table."""
    return [(a.name, a.hours.tolist()) for a in found]
