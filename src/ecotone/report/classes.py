"""One row a local class: what people labelled, what was found, how often it is right.

M held-out rows, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.evaluation.metrics import confusion
from ecotone.report import svg
from ecotone.report.data import ReportData
from ecotone.report.names import closest_kind, kind_words

DETECTOR = "detector"  # its four categories say nothing of species


@dataclass(frozen=True)
class ClassRow:
    """One local class; None where it is not known.

    recall: share of its held-out rows that were named so, (low, high) its 95 % interval.
    precision: share right among the rows named so. mixed_with: what it is most often taken for.
    relation: how the global models know it, in words; kind: the same as a keyword.
    """

    name: str
    labels: int | None = None
    found: float | None = None
    rows: int = 0
    recall: float | None = None
    low: float = 0.0
    high: float = 1.0
    precision: float | None = None
    mixed_with: str = ""
    mixed_share: float = 0.0
    relation: str = ""
    kind: str = ""


def class_rows(data: ReportData) -> list[ClassRow]:
    """All local classes, those with most labels first, then by what was found."""
    k = len(data.classes)
    counts = np.zeros((k, k), dtype=np.int64)
    if data.held_out is not None and len(data.held_out):
        counts = confusion(data.held_out.truth, data.held_out.predicted, k)
    labels, found = data.label_counts, data.found
    first = np.zeros(k) if labels is None else labels
    second = np.zeros(k) if found is None else found
    order = sorted(range(k), key=lambda i: (-first[i], -second[i], data.classes[i]))
    return [_row(data, counts, i) for i in order]


def _row(data: ReportData, counts: np.ndarray, k: int) -> ClassRow:
    rows, said = int(counts[k].sum()), int(counts[:, k].sum())
    right = int(counts[k, k])
    wrong = counts[k].copy()
    wrong[k] = 0
    taken = int(wrong.argmax())
    low, high = svg.wilson(right, rows)
    maps = [m for m in data.maps if m.model != DETECTOR] or data.maps
    kinds = [m.kinds[data.classes[k]] for m in maps if data.classes[k] in m.kinds]
    return ClassRow(
        name=data.classes[k],
        labels=None if data.label_counts is None else int(data.label_counts[k]),
        found=None if data.found is None else float(data.found[k]),
        rows=rows, recall=right / rows if rows else None, low=low, high=high,
        precision=right / said if said else None,
        mixed_with=data.classes[taken] if wrong[taken] else "",
        mixed_share=wrong[taken] / rows if rows else 0.0,
        relation=kind_words(closest_kind(kinds)), kind=closest_kind(kinds),
    )


def recall_bar(row: ClassRow) -> str:
    """The share right as a bar with its 95 % interval; SVG for a table cell, "" without rows."""
    if row.recall is None:
        return ""
    width, height = 120.0, 14.0
    body = [
        svg.element("rect", x=0, y=4, width=width, height=6, class_="rail"),
        svg.element("rect", x=0, y=4, width=width * row.recall, height=6, class_="bar s0"),
        svg.element("line", x1=width * row.low, x2=width * row.high, y1=7, y2=7,
                    class_="whisker"),
    ]
    return (f'<svg class="inline" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" aria-hidden="true">{"".join(body)}</svg>')


def found_bar(row: ClassRow, most: float) -> str:
    """The expected number of detections as a bar; SVG for a table cell."""
    if row.found is None or most <= 0:
        return ""
    width = 70.0
    bar = svg.element("rect", x=0, y=4, width=max(0.8, width * row.found / most), height=6,
                      class_="bar quiet")
    return (f'<svg class="inline" viewBox="0 0 {width:.0f} 14" width="{width:.0f}" height="14" '
            f'aria-hidden="true">{bar}</svg>')


def dumbbells(rows: list[tuple[str, float, float, str]], title: str) -> str:
    """From the labels alone to ecotone, one line a group; SVG or "".

    rows: (name, share with the labels alone, share with ecotone, note).
    """
    if not rows:
        return ""
    width, left, right, step = 700.0, 258.0, 60.0, 28.0
    height = 30 + step * len(rows) + 22

    def x(share: float) -> float:
        return left + (width - left - right) * share

    body = []
    for value in svg.ticks(0, 1, 5):
        body.append(svg.element("line", x1=x(value), x2=x(value), y1=14, y2=height - 28,
                                class_="grid"))
        body.append(svg.label(x(value), height - 10, f"{100 * value:.0f} %", "tick", "middle"))
    for i, (name, base, ours, note) in enumerate(rows):
        y = 30 + step * i
        told = f"{name}: {svg.percent(base)} with the labels alone, {svg.percent(ours)} here"
        body.append(svg.label(left - 14, y + 4, name, "target", "end", left - 18, 13.0))
        body.append(svg.element("line", x1=x(base), x2=x(ours), y1=y, y2=y,
                                class_="join " + ("up" if ours >= base else "down")))
        body.append(svg.element("circle", cx=x(base), cy=y, r=4.5, class_="dot s1"))
        body.append(svg.element("circle", svg.element("title", svg.escape(f"{told}; {note}")),
                                cx=x(ours), cy=y, r=5.5, class_="dot s0"))
        body.append(svg.label(width - right + 14, y + 4, svg.points(ours - base, 0),
                              "target", "start"))
    return svg.figure(width, height, title, "; ".join(
        f"{n}: {svg.percent(b)} to {svg.percent(o)}" for n, b, o, _ in rows), body)
