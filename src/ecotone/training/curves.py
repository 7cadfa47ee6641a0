"""The curves of a training as a small picture (SVG) that opens anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ecotone.report.svg import element, figure, label, ticks

WIDTH, HEIGHT, LEFT, TOP, GAP = 640.0, 150.0, 54.0, 26.0, 34.0
PANELS = (("loss", "loss of training"), ("log_loss", "log-loss, held out"),
          ("accuracy", "right, held out"), ("lr", "learning rate"))
COLOUR = "#2a6f97"


def curves_svg(history: Sequence[dict[str, float]]) -> str:
    """One panel a figure over the epochs; figures that no epoch has are left out."""
    panels = [(name, said) for name, said in PANELS if any(name in row for row in history)]
    body: list[str] = []
    for i, (name, said) in enumerate(panels):
        points = [(row["epoch"], row[name]) for row in history
                  if name in row and math.isfinite(row[name])]
        body += _panel(points, said, TOP + i * (HEIGHT + GAP), len(history))
    height = TOP + len(panels) * (HEIGHT + GAP)
    text = f"{len(history)} epochs: " + ", ".join(said for _, said in panels)
    return figure(WIDTH, height, "Curves of the training", text, body) + "\n"


def _panel(points: list[tuple[float, float]], said: str, top: float, epochs: int) -> list[str]:
    values = [v for _, v in points] or [0.0]
    low, high = min(values), max(values)
    high = high if high > low else low + 1.0
    across = lambda epoch: LEFT + (WIDTH - LEFT - 12) * (epoch - 1) / max(1, epochs - 1)  # noqa: E731
    down = lambda value: top + HEIGHT * (1 - (value - low) / (high - low))  # noqa: E731
    out = [label(LEFT, top - 8, said, font_family="sans-serif", font_size=12)]
    for tick in ticks(low, high, 4):
        out.append(element("line", x1=LEFT, x2=WIDTH - 12, y1=down(tick), y2=down(tick),
                           stroke="#ddd"))
        out.append(label(LEFT - 6, down(tick) + 4, f"{tick:g}", anchor="end",
                         font_family="sans-serif", font_size=10))
    line = " ".join(f"{across(e):.1f},{down(v):.1f}" for e, v in points)
    if len(points) == 1:
        out.append(element("circle", cx=across(points[0][0]), cy=down(points[0][1]), r=3.0,
                           fill=COLOUR))
    elif points:
        out.append(element("polyline", points=line, fill="none", stroke=COLOUR, stroke_width=2))
    return out


__all__ = ["curves_svg"]
