"""Is it as sure as it should be: the reliability diagram.

M held-out rows, K classes, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.evaluation.metrics import reliability
from ecotone.report import svg

SIZE, LEFT, TOP, BOTTOM, STRIP = 330.0, 44.0, 10.0, 44.0, 46.0
WIDTH = SIZE + LEFT + 12


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of rows by confidence: rows, mean confidence, share right and its 95 % interval (B,)."""

    rows: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bins_of(truth: np.ndarray, proba: np.ndarray) -> Bins:
    """At most 10 bins with as equal numbers of rows as ties allow, 10 rows each or more."""
    number = int(np.clip(len(truth) // 10, 1, 10))
    table = reliability(truth, proba, number, "mass")
    interval = np.array([
        svg.wilson(a * n, n) for a, n in zip(table["accuracy"], table["rows"], strict=True)
    ])
    return Bins(table["rows"], table["confidence"], table["accuracy"], interval[:, 0],
                interval[:, 1])


def reliability_chart(bins: Bins, confidence: np.ndarray) -> str:
    """How often it is right (up) by how sure it says it is (across), with 95 % intervals.

    confidence: (M,) the highest probability of each row; its histogram lies under the diagram.
    """
    side = SIZE - LEFT

    def x(value: float) -> float:
        return LEFT + side * value

    def y(value: float) -> float:
        return TOP + side * (1 - value)

    body = []
    for value in svg.ticks(0, 1, 5):
        body.append(svg.element("line", x1=x(0), x2=x(1), y1=y(value), y2=y(value), class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{100 * value:.0f} %", "tick", "end"))
        body.append(svg.label(x(value), TOP + side + STRIP + 18, f"{100 * value:.0f} %", "tick",
                              "middle"))
    body.append(svg.element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal"))
    largest = float(bins.rows.max())
    for rows, c, a, low, high in zip(bins.rows, bins.confidence, bins.accuracy, bins.low,
                                     bins.high, strict=True):
        told = f"{rows} rows: {svg.percent(c)} sure on average, {svg.percent(a)} right"
        body.append(svg.element("line", x1=x(c), x2=x(c), y1=y(low), y2=y(high), class_="whisker"))
        body.append(svg.element("circle", svg.element("title", told), cx=x(c), cy=y(a),
                                r=4 + 3 * float(rows) / largest, class_="dot s0"))
    body += _histogram(np.asarray(confidence), x, TOP + side)
    body.append(svg.label(x(0.5), TOP + side + STRIP + 38, "how sure it says it is", "axis",
                          "middle"))
    text = "; ".join(f"{svg.percent(c)} sure, {svg.percent(a)} right"
                     for c, a in zip(bins.confidence, bins.accuracy, strict=True))
    return svg.figure(WIDTH, TOP + side + STRIP + BOTTOM, "Calibration", text, body)


def _histogram(confidence: np.ndarray, x: object, top: float) -> list[str]:
    counts, edges = np.histogram(confidence, bins=20, range=(0, 1))
    body = []
    for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        if n:
            tall = (STRIP - 8) * float(n) / float(counts.max())
            body.append(svg.element(
                "rect", svg.element("title", f"{n} rows"), x=x(low) + 0.7,
                y=top + STRIP - tall, width=x(high) - x(low) - 1.4, height=tall, class_="hist",
            ))
    return body
