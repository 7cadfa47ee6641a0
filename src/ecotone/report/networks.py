"""What the report shows of trained networks: how the newest one learned, and what rounds gained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ecotone.report import svg

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, NAMES = 560.0, 200.0, 44.0, 10.0, 44.0, 150.0
LINES = (("loss", "loss of training", "s1"), ("log_loss", "log-loss, held out", "s0"))


@dataclass(frozen=True)
class RoundRow:
    """One round of self-improvement: log-loss and share right of held-out labels, before and after;
    error: of the change in log-loss. used: what fusion took of the network."""

    network: str
    accepted: bool
    used: str
    labels: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    error: float


@dataclass(frozen=True)
class NetworksData:
    """Networks of a project. name, backbone, validation: of the newest; curve: its epochs, rows of
    epoch, loss, log_loss, accuracy; best: its best epoch. others: names of the others. rounds: the
    oldest first."""

    name: str
    backbone: str = ""
    classes: int = 0
    validation: str = ""
    curve: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    best: Mapping[str, float] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    rounds: tuple[RoundRow, ...] = ()


def training_chart(data: NetworksData) -> str:
    """Losses (up) by epoch (across), "" with fewer than two epochs."""
    found = {name: [(float(row["epoch"]), float(row[name])) for row in data.curve
                    if name in row and math.isfinite(row[name])] for name, _, _ in LINES}
    found = {name: points for name, points in found.items() if len(points) > 1}
    if not found:
        return ""
    values = [v for points in found.values() for _, v in points]
    last = max(e for points in found.values() for e, _ in points)
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1.0
    wide = WIDTH - LEFT - NAMES

    def x(epoch: float) -> float:
        return LEFT + wide * (epoch - 1) / max(last - 1, 1)

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - (value - low) / (high - low))

    body = []
    for value in svg.ticks(low, high, 4):
        body.append(svg.element("line", x1=x(1), x2=x(last), y1=y(value), y2=y(value),
                                class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{value:g}", "tick", "end"))
    for value in svg.ticks(1, last, 6):
        if value == int(value):
            body.append(svg.label(x(value), TOP + HEIGHT + 18, f"{value:g}", "tick", "middle"))
    shown = [line for line in LINES if line[0] in found]
    ends = svg.spread([y(found[name][-1][1]) for name, _, _ in shown], 16.0, TOP + 6, TOP + HEIGHT)
    for (name, words, tone), place in zip(shown, ends, strict=True):
        path = " ".join(f"{x(e):.1f},{y(v):.1f}" for e, v in found[name])
        body.append(svg.element("polyline", points=path, class_=f"series {tone}"))
        body.append(svg.label(x(last) + 8, place + 4, words, f"name {tone}", width=NAMES - 12,
                              size=12.5))
    body.append(svg.label(x((1 + last) / 2), TOP + HEIGHT + 38, "epoch", "axis", "middle"))
    text = ", ".join(f"{words} {found[name][0][1]:.2f} at first, {found[name][-1][1]:.2f} at the "
                     "end" for name, words, _ in shown)
    return svg.figure(WIDTH, TOP + HEIGHT + BOTTOM, f"How {data.name} learned", text, body)


__all__ = ["NetworksData", "RoundRow", "training_chart"]
