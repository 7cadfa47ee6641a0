"""What the report shows of individuals: each query beside its best candidates, and the curve of
known against new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecotone.report import svg
from ecotone.report.data import Picture

SIZE, LEFT, TOP, BOTTOM, WIDTH, NAMES = 240.0, 44.0, 10.0, 44.0, 560.0, 180.0
LINES = (("geometric_mean", "both, geometric mean", "s0"), ("baks", "known recognised", "s1"),
         ("baus", "new refused", "s2"))


@dataclass(frozen=True)
class QueryPicture(Picture):
    """An animal that was asked about. prediction: its individualID, "" = cannot tell. decision:
    "known", "new", "cannot tell" or "cluster". alike: how many pictures of its encounter were
    decided with it. candidates: the likeliest known individuals, each with its most similar
    picture."""

    decision: str = ""
    alike: int = 1
    candidates: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class QueryGallery:
    """Queries under one heading. text: why these, in a sentence."""

    key: str
    title: str
    text: str
    pictures: tuple[QueryPicture, ...] = ()


@dataclass(frozen=True, eq=False)
class IndividualsData:
    """The newest match or catalogue. counts: as the run recorded them. open_set: threshold, baks,
    baus, geometric_mean on labelled pictures left out. curve: threshold, baks, baus and
    geometric_mean, (T,) each. settings: of the run."""

    run: str
    created: str = ""
    command: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    open_set: Mapping[str, float] = field(default_factory=dict)
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    precision: float | None = None
    galleries: tuple[QueryGallery, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether it is a match with known individuals, not a catalogue."""
        return self.command == "individuals match"


def curve_chart(data: IndividualsData) -> str:
    """BAKS, BAUS and their geometric mean (up) by the threshold between known and new (across);
    "" without a curve."""
    at = np.asarray(data.curve.get("threshold", ()), dtype=np.float64)
    if len(at) < 2:
        return ""
    wide = WIDTH - LEFT - NAMES

    def x(value: float) -> float:
        return LEFT + wide * value

    def y(value: float) -> float:
        return TOP + SIZE * (1 - value)

    body = []
    for value in svg.ticks(0, 1, 5):
        body.append(svg.element("line", x1=x(0), x2=x(1), y1=y(value), y2=y(value), class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{100 * value:.0f} %", "tick", "end"))
        body.append(svg.label(x(value), TOP + SIZE + 18, f"{100 * value:.0f} %", "tick", "middle"))
    chosen = float(data.open_set.get("threshold", 0.5))
    body.append(svg.element("line", x1=x(chosen), x2=x(chosen), y1=y(0), y2=y(1), class_="ideal"))
    near = int(np.argmin(np.abs(at - chosen)))
    heights = [float(np.asarray(data.curve[name])[near]) for name, _, _ in LINES]
    places = svg.spread([y(v) for v in heights], 16.0, TOP + 6, TOP + SIZE)
    for (name, words, tone), place in zip(LINES, places, strict=True):
        values = np.asarray(data.curve[name], dtype=np.float64)
        path = " ".join(f"{x(a):.1f},{y(v):.1f}" for a, v in zip(at, values, strict=True))
        body.append(svg.element("polyline", points=path, class_=f"series {tone}"))
        body.append(svg.label(x(1) + 8, place + 4, words, f"name {tone}", width=NAMES - 12,
                              size=12.5))
    body.append(svg.label(x(0.5), TOP + SIZE + 38, "share of the best candidate against new",
                          "axis", "middle"))
    best = svg.percent(float(data.open_set.get("geometric_mean", float("nan"))))
    return svg.figure(WIDTH, TOP + SIZE + BOTTOM, "Known or new",
                      f"at the threshold {svg.percent(chosen)} the geometric mean is {best}", body)
