"""What is taken for what: the confusion matrix, ordered so that mix-ups lie together.

K classes; counts (K, K), rows are true classes, columns predicted ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.report import svg

MOST = 26  # classes shown; the rest are one row and column
NAME = 184.0


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts of the shown classes; the last may stand for `collapsed` others."""

    counts: np.ndarray
    names: tuple[str, ...]
    collapsed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mixup:
    """`count` of `rows` rows of class `truth` were taken for class `taken`."""

    truth: str
    taken: str
    count: int
    rows: int


def order_classes(counts: np.ndarray) -> np.ndarray:
    """An order (K,) in which classes that are taken for each other are neighbours.

    Average-linkage clustering of the symmetric shares of mix-ups, leaves in their best order.
    Source: Bar-Joseph et al. 2001, optimal leaf ordering.
    """
    k = len(counts)
    if k < 3:
        return np.arange(k)
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    near = np.clip((share + share.T) / 2, 0, 1)
    np.fill_diagonal(near, 1.0)
    distance = squareform(1.0 - near, checks=False)
    return leaves_list(linkage(distance, "average", optimal_ordering=True))


def matrix_of(counts: np.ndarray, names: Sequence[str], most: int = MOST) -> Matrix:
    """The matrix to show: classes that occur, ordered; the rarest as one when there are too many.

    Classes with neither rows nor predictions are left out.
    """
    counts = np.asarray(counts)
    used = np.flatnonzero((counts.sum(axis=0) + counts.sum(axis=1)) > 0)
    weight = counts.sum(axis=1) + 1e-3 * counts.sum(axis=0)
    ranked = used[np.argsort(-weight[used], kind="stable")]
    few = ranked if len(ranked) <= most else ranked[: most - 1]
    kept = np.sort(few)
    kept = kept[order_classes(counts[np.ix_(kept, kept)])]
    rest = np.setdiff1d(used, kept)
    parts = [np.array([k]) for k in kept] + ([rest] if len(rest) else [])
    shown = np.array([[counts[np.ix_(a, b)].sum() for b in parts] for a in parts])
    labels = [str(names[k]) for k in kept]
    if len(rest):
        labels.append(f"{len(rest)} rarer classes")
    return Matrix(shown.reshape(len(parts), len(parts)), tuple(labels),
                  tuple(str(names[k]) for k in rest))


def mixups_of(counts: np.ndarray, names: Sequence[str], most: int = 8) -> list[Mixup]:
    """The most frequent mistakes."""
    counts = np.array(counts)
    rows = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = [divmod(int(i), len(counts)) for i in order]
    return [Mixup(str(names[a]), str(names[b]), int(counts[a, b]), int(rows[a]))
            for a, b in pairs if counts[a, b] > 0]


def confusion_chart(matrix: Matrix) -> str:
    """The matrix as squares, darker for a larger share of the true class; SVG or ""."""
    k = len(matrix.names)
    if not k:
        return ""
    cell = float(np.clip(560 / k, 21, 46))
    top = 16 + 0.72 * min(NAME, max(svg.text_width(n) for n in matrix.names) + 8)
    left = min(NAME, max(svg.text_width(n) for n in matrix.names)) + 12
    totals = np.maximum(matrix.counts.sum(axis=1), 1)
    body = []
    for i, name in enumerate(matrix.names):
        y = top + cell * (i + 0.5)
        body.append(svg.label(left - 8, y + 4, name, "tick", "end", NAME))
        x = left + cell * (i + 0.5)
        body.append(svg.label(x + 3, top - 7, name, "tick", "start", NAME - 10,
                              transform=f"rotate(-45 {x + 3:.1f} {top - 7:.1f})"))
        for j, other in enumerate(matrix.names):
            body.append(_cell(left + cell * j, top + cell * i, cell, int(matrix.counts[i, j]),
                              float(matrix.counts[i, j] / totals[i]), i == j, name, other))
    side = cell * k
    body.append(svg.element("rect", x=left, y=top, width=side, height=side, class_="frame"))
    body.append(svg.label(left + side / 2, top + side + 20, "what it said", "axis", "middle"))
    text = (f"{k} classes; rows are what people said, columns what the model said. "
            f"{int(np.trace(matrix.counts))} of {int(matrix.counts.sum())} on the diagonal.")
    width = left + side + 0.72 * min(NAME, svg.text_width(matrix.names[-1]) + 8)
    return svg.figure(width, top + side + 28, "Confusion matrix", text, body)


def _cell(x: float, y: float, size: float, count: int, share: float, right: bool, truth: str,
          said: str) -> str:
    kind = "right" if right else "wrong"
    if not count:
        return svg.element("rect", x=x + 0.5, y=y + 0.5, width=size - 1, height=size - 1,
                           class_=f"cell empty {kind}")
    told = f"{truth} → {said}: {count} ({svg.percent(share)} of {truth})"
    rect = svg.element(
        "rect", svg.element("title", svg.escape(told)), x=x + 0.5, y=y + 0.5, width=size - 1,
        height=size - 1, class_=f"cell {kind}", fill_opacity=f"{0.14 + 0.86 * share:.2f}",
    )
    if size < 17 or count > 9999:
        return rect
    tone = "strong" if share > 0.45 else "weak"
    return rect + svg.element("text", str(count), x=x + size / 2, y=y + size / 2 + 3.8,
                              text_anchor="middle", class_=f"count {tone}")
