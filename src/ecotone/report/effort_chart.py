"""When the cameras stood, one row a site: the figure of the effort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.report import svg

WIDTH, LEFT, RIGHT, TOP, STEP = 1000.0, 190.0, 84.0, 24.0, 22.0
MOST = 40  # rows of the figure


@dataclass(frozen=True)
class Row:
    """One site: spans (start, end, given) of its deployments; gaps (start, end) without pictures;
    words for its end."""

    name: str
    spans: tuple[tuple[np.datetime64, np.datetime64, bool], ...]
    gaps: tuple[tuple[np.datetime64, np.datetime64], ...] = ()
    words: str = ""


def effort_chart(rows: Sequence[Row]) -> str:
    """Sites down, time across; solid where dates were given, outlined where pictures stand for
    them, hollow where no picture was taken for long. SVG, "" without times."""
    rows = [r for r in rows if r.spans][:MOST]
    if not rows:
        return ""
    first = min(s[0] for r in rows for s in r.spans)
    last = max(s[1] for r in rows for s in r.spans)
    total = max((last - first).astype("int64"), 86400)
    foot = TOP + STEP * len(rows)

    def x(time: np.datetime64) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * float((time - first).astype("int64")) / total

    body = _calendar(first, first + np.timedelta64(int(total), "s"), x, foot)
    for number, row in enumerate(rows):
        y = TOP + STEP * number
        body.append(svg.label(LEFT - 12, y + 14, row.name, "target", "end", LEFT - 34, 13.0))
        for start, end, given in row.spans:
            told = f"{row.name}: {day(start)} to {day(end)}"
            told += "" if given else ", by its pictures"
            body.append(svg.element(
                "rect", svg.element("title", svg.escape(told)), x=x(start), y=y + 4.0,
                width=max(x(end) - x(start), 2.0), height=STEP - 9,
                class_="stood s0" if given else "stood seen s0"))
        for start, end in row.gaps:
            told = f"{row.name}: no picture from {day(start)} to {day(end)}"
            body.append(svg.element(
                "rect", svg.element("title", svg.escape(told)), x=x(start), y=y + 7.0,
                width=max(x(end) - x(start), 1.0), height=STEP - 15, class_="gap"))
        body.append(svg.label(WIDTH - RIGHT + 10, y + 14, row.words, "tick"))
    text = "; ".join(f"{r.name}: {r.words}" for r in rows)
    return svg.figure(WIDTH, foot + 26, "When the cameras stood", text, body)


def day(time: np.datetime64) -> str:
    """A time as "2024-05-01"."""
    return str(time.astype("datetime64[D]"))


def _calendar(first: np.datetime64, last: np.datetime64, x: object, foot: float) -> list[str]:
    """Upright lines at round dates: days, months or years, at most about eight."""
    days = float((last - first).astype("int64")) / 86400
    if days <= 62:
        step = next(s for s in (1, 2, 7, 14) if days / s <= 8 or s == 14)
        begin = first.astype("datetime64[D]") + 1
        marks = np.arange(begin, last.astype("datetime64[D]") + 1, step)
    else:
        months = next((m for m in (1, 2, 3, 6, 12, 24, 60, 120) if days / 30.4 / m <= 8), 240)
        begin = first.astype("datetime64[M]") + 1
        begin += -int(begin.astype("int64")) % months
        marks = np.arange(begin, last.astype("datetime64[M]") + 1, months)
    body = []
    for mark in marks:
        at = x(mark.astype("datetime64[s]"))  # type: ignore[operator]
        body.append(svg.element("line", x1=at, x2=at, y1=TOP, y2=foot, class_="grid"))
        body.append(svg.label(at, foot + 18, str(mark), "tick", "middle"))
    return body
