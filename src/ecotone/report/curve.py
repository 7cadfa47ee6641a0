"""Learning curves: from evaluation records to means with spread, and their line chart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.evaluation.baselines import BY_NAMES, FUSED, LOCAL_ONLY, MAP_ONLY, PREFERRED, STUDENT
from ecotone.report import svg

Record = Mapping[str, Any]

CROSSED = "cross-validation"
OURS = (PREFERRED, FUSED, STUDENT)  # the first that is there stands for ecotone
WIDTH, HEIGHT = 560.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 148.0, 14.0, 44.0
WORDS = {
    PREFERRED: "ecotone", LOCAL_ONLY: "your labels alone", BY_NAMES: "global model alone",
    MAP_ONLY: "learned map alone", FUSED: "fused", STUDENT: "local model alone",
}


@dataclass(frozen=True, eq=False)
class Series:
    """One method: mean and standard deviation over splits for each number of labels (P,)."""

    method: str
    labels: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    splits: np.ndarray

    @property
    def words(self) -> str:
        """The method as people read it."""
        return WORDS.get(self.method, self.method)


@dataclass(frozen=True)
class Gain:
    """Paired difference to the labels alone at one number of labels, over splits.

    rows: test rows of a split, on average. crossed: cross-validation, so that all splits are
    measured on the same rows, and their deviation says little of the uncertainty.
    """

    labels: int
    ours: float
    base: float
    mean: float
    deviation: float
    worst: float
    splits: int
    won: int
    rows: float = 0.0
    crossed: bool = False


def series_of(records: Sequence[Record], metric: str) -> list[Series]:
    """One Series a method, in the order of their first records."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        value = record.get(metric)
        if value is not None and math.isfinite(value):
            values[str(record["method"])][int(record["n_labels"])].append(float(value))
    result = []
    for method, by_count in values.items():
        counts = sorted(by_count)
        result.append(Series(
            method, np.array(counts),
            np.array([np.mean(by_count[c]) for c in counts]),
            np.array([np.std(by_count[c], ddof=1) if len(by_count[c]) > 1 else 0.0
                      for c in counts]),
            np.array([len(by_count[c]) for c in counts]),
        ))
    return result


def ours_of(records: Sequence[Record]) -> str:
    """The method of the records that stands for ecotone; "" when none does."""
    there = {str(r["method"]) for r in records}
    return next((name for name in OURS if name in there), "")


def gains_of(records: Sequence[Record], metric: str = "accuracy") -> list[Gain]:
    """Gains over the labels alone, split by split, one a number of labels."""
    ours = ours_of(records)
    value = {(r["method"], int(r["n_labels"]), r["seed"]): float(r[metric]) for r in records
             if r["method"] in (ours, LOCAL_ONLY)}
    rows: dict[int, list[float]] = defaultdict(list)
    for r in records:
        rows[int(r["n_labels"])].append(float(r.get("test_rows", 0)))
    crossed = any(r.get("split") == CROSSED for r in records)
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (method, count, seed), mine in value.items():
        base = value.get((LOCAL_ONLY, count, seed))
        if method == ours and base is not None:
            pairs[count].append((mine, base))
    result = []
    for count in sorted(pairs):
        both = np.array(pairs[count])
        d = both[:, 0] - both[:, 1]
        result.append(Gain(
            count, float(both[:, 0].mean()), float(both[:, 1].mean()), float(d.mean()),
            float(d.std(ddof=1)) if len(d) > 1 else 0.0, float(d.min()), len(d),
            int((d > 0).sum()), float(np.mean(rows[count])), crossed,
        ))
    return result


def shown_of(series: Sequence[Series]) -> list[Series]:
    """The methods worth a label: ours, the labels alone, the names, and the best of the others.

    The order is that of importance; the others are drawn without a label.
    """
    by_name = {s.method: s for s in series}
    ours = next((name for name in OURS if name in by_name), "")
    picked = [by_name[m] for m in (ours, LOCAL_ONLY, BY_NAMES) if m in by_name]
    rest = [s for s in series if s not in picked and s.method not in OURS]
    if rest:
        picked.append(max(rest, key=lambda s: float(s.mean.mean())))
    return picked


def line_chart(series: Sequence[Series], title: str) -> str:
    """The curves, number of labels on a logarithmic axis, shares on the other; SVG or ""."""
    if not series:
        return ""
    shown = shown_of(series)
    counts = sorted({int(c) for s in series for c in s.labels})
    low, high = _range(shown)
    right = WIDTH - RIGHT
    x = _x_scale(counts, right)

    def y(share: float) -> float:
        return TOP + (HEIGHT - BOTTOM - TOP) * (high - share) / (high - low)

    body = [*_grid(low, high, y, right), *_count_axis(counts, x)]
    for one in series:
        if one not in shown:
            body.append(_line(one, x, y, "series other"))
    for place, one in reversed(list(enumerate(shown))):
        if place < 2:
            body.append(_band(one, x, y, low, high, f"band s{place}"))
        body.append(_line(one, x, y, f"series s{place}"))
        body += [svg.element("circle", cx=x(c), cy=y(m), r=3.2, class_=f"dot s{place}")
                 for c, m in zip(one.labels, one.mean, strict=True)]
    ends = svg.spread([y(s.mean[-1]) for s in shown], 17.0, TOP + 4, HEIGHT - BOTTOM)
    for place, (one, end) in enumerate(zip(shown, ends, strict=True)):
        body.append(svg.label(right + 10, end + 4, one.words, f"name s{place}",
                              width=RIGHT - 12, size=12.0))
    body.append(svg.label((LEFT + right) / 2, HEIGHT - 4, "labels", "axis", "middle"))
    return svg.figure(WIDTH, HEIGHT, title, _sentence(shown), body)


def _range(shown: Sequence[Series]) -> tuple[float, float]:
    values = np.concatenate([np.r_[s.mean - s.deviation, s.mean + s.deviation] for s in shown])
    low = max(0.0, math.floor(10 * float(values.min()) - 0.2) / 10)
    high = min(1.0, math.ceil(10 * float(values.max()) + 0.2) / 10)
    return (low, high) if high > low else (max(0.0, low - 0.1), high)


def _x_scale(counts: Sequence[int], right: float) -> Any:
    start, end = math.log(max(counts[0], 1)), math.log(max(counts[-1], 1))

    def x(count: float) -> float:
        share = (math.log(max(count, 1)) - start) / (end - start) if end > start else 0.5
        return LEFT + 12 + share * (right - LEFT - 20)

    return x


def _grid(low: float, high: float, y: Any, right: float) -> list[str]:
    body = []
    for value in svg.ticks(low, high, 6):
        body.append(svg.element("line", x1=LEFT, x2=right, y1=y(value), y2=y(value), class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{100 * value:.0f} %", "tick", "end"))
    return body


def _count_axis(counts: Sequence[int], x: Any) -> list[str]:
    body, last = [], -math.inf
    for count in counts:
        if x(count) - last < 26:
            continue
        last = x(count)
        body.append(svg.label(last, HEIGHT - BOTTOM + 18, f"{count:,}", "tick", "middle"))
    return body


def _line(one: Series, x: Any, y: Any, class_: str) -> str:
    points = " ".join(f"{x(c):.1f},{y(m):.1f}" for c, m in zip(one.labels, one.mean, strict=True))
    return svg.element("polyline", svg.element("title", svg.escape(one.words)), points=points,
                       class_=class_)


def _band(one: Series, x: Any, y: Any, low: float, high: float, class_: str) -> str:
    above = np.clip(one.mean + one.deviation, low, high)
    below = np.clip(one.mean - one.deviation, low, high)
    points = [f"{x(c):.1f},{y(v):.1f}" for c, v in zip(one.labels, above, strict=True)]
    points += [f"{x(c):.1f},{y(v):.1f}"
               for c, v in zip(one.labels[::-1], below[::-1], strict=True)]
    return svg.element("polygon", points=" ".join(points), class_=class_)


def _sentence(shown: Sequence[Series]) -> str:
    return "; ".join(
        f"{s.words}: {svg.percent(s.mean[0])} with {s.labels[0]} labels, "
        f"{svg.percent(s.mean[-1])} with {s.labels[-1]}" for s in shown
    )
