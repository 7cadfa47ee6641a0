"""What the report shows of acceptance: what needs no eye, risk by coverage, shares of species."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecotone.report import svg

MOST_SPECIES = 400  # rows of the table
MOST_SHARES = 16  # of the figure
MOST_ERRORS = 30
MOST_POINTS = 160
WIDTH, HEIGHT = 440.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 20.0, 28.0, 46.0
Scale = Callable[[float], float]
MARKED = (0.5, 0.8, 0.9, 1.0)  # coverages with a dot


@dataclass(frozen=True)
class SpeciesLine:
    """One class: detections called so, those that need no eye, labels, threshold and bound (None
    where there is none), how many labels are missing (None: more are no help), coverage of
    prediction sets (None without labels), note."""

    name: str
    called: int
    accepted: int
    labels: int
    threshold: float | None
    bound: float | None
    missing: int | None
    coverage: float | None
    note: str


@dataclass(frozen=True)
class AcceptanceData:
    """Acceptance as the page shows it. kept: whether exports tell it. sets: alpha, coverage,
    mean_size; {} where they cannot be measured. curve: coverage and risk of the surest labels.
    shares: rows of name, share, low, high, predicted. errors: of filePath, label, suggested."""

    precision: float
    confidence: float
    kept: bool
    labels: int
    detections: int
    accepted: int
    species: tuple[SpeciesLine, ...]
    sets: Mapping[str, Any] = field(default_factory=dict)
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    shares: tuple[Mapping[str, Any], ...] = ()
    errors: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AcceptanceView:
    """The parts of the section, ready for the template; SVG is "" when there is nothing to draw."""

    lead: str
    species: tuple[SpeciesLine, ...]
    more_species: int
    risk: str
    points: tuple[tuple[float, float], ...]
    shares: str
    errors: tuple[Mapping[str, Any], ...]


def view_of(data: AcceptanceData) -> AcceptanceView:
    """What the section shows."""
    return AcceptanceView(
        lead_of(data), data.species[:MOST_SPECIES], max(0, len(data.species) - MOST_SPECIES),
        risk_chart(data.curve, data.labels), tuple(_points(data.curve)),
        share_chart(data.shares[:MOST_SHARES]), data.errors[:MOST_ERRORS],
    )


def lead_of(data: AcceptanceData) -> str:
    """What needs no eye, in a sentence or two."""
    wanted, sure = svg.percent(data.precision), svg.percent(data.confidence)
    if not data.detections:
        return "Every detection has a label."
    if not data.accepted:
        return ("Nothing can be left unseen yet: for no species do the labels promise that "
                f"{wanted} of what is called so is right. The table says how many are missing.")
    share = svg.percent(data.accepted / data.detections)
    return (f"{data.accepted:,} of {data.detections:,} detections without a label need no eye "
            f"({share}): of each species at least {wanted} of them are right, with confidence "
            f"{sure}.")


def _points(curve: Mapping[str, Sequence[float]]) -> list[tuple[float, float]]:
    """(coverage, accuracy) at the marked coverages."""
    if not curve:
        return []
    rows = list(zip(curve["coverage"], curve["risk"], strict=True))
    return [
        (mark, 1.0 - next((r for c, r in rows if c >= mark - 1e-9), rows[-1][1]))
        for mark in MARKED
    ]


def risk_chart(curve: Mapping[str, Sequence[float]], labels: int) -> str:
    """How much of the surest answers is right (up) by how many are taken (across), with the 95 %
    interval as a band; SVG, or "" without labels."""
    if not curve or len(curve["coverage"]) < 2:
        return ""
    coverage, risk = list(curve["coverage"]), list(curve["risk"])
    step = max(1, len(coverage) // MOST_POINTS)
    kept = sorted({*range(0, len(coverage), step), len(coverage) - 1})
    rows = [(coverage[i], 1.0 - risk[i], *svg.wilson((1.0 - risk[i]) * coverage[i] * labels,
                                                      coverage[i] * labels)) for i in kept]
    rows = [r for r in rows if r[0] * labels >= 5] or rows[-1:]
    low = min(max(0.0, min(r[2] for r in rows) - 0.02), 0.95)

    def x(share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share) / (1.0 - low)

    body = _axes(x, y, low)
    upper = [f"{x(r[0]):.1f},{y(r[3]):.1f}" for r in rows]
    lower = [f"{x(r[0]):.1f},{y(max(r[2], low)):.1f}" for r in reversed(rows)]
    body.append(svg.element("polygon", points=" ".join(upper + lower), class_="band s0"))
    line = " ".join(f"{x(r[0]):.1f},{y(r[1]):.1f}" for r in rows)
    body.append(svg.element("polyline", points=line, class_="series s0"))
    marks = _points(curve)
    for c, a in marks:
        told = f"{svg.percent(a, 1)} of the surest {svg.percent(c)} are right"
        body.append(svg.element("circle", svg.element("title", told), cx=x(c), cy=y(max(a, low)),
                                r=4.5, class_="dot s0"))
    text = "; ".join(f"{svg.percent(a, 1)} of the surest {svg.percent(c)} right" for c, a in marks)
    return svg.figure(WIDTH, HEIGHT, "Risk and coverage", text, body)


def _axes(x: Scale, y: Scale, low: float) -> list[str]:
    body = []
    for value in svg.ticks(low, 1.0, 5):
        body.append(svg.element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value),
                                class_="grid"))
        body.append(svg.label(LEFT - 6, y(value) + 4, f"{100 * value:.0f} %", "tick", "end"))
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        body.append(svg.label(x(value), HEIGHT - BOTTOM + 18, f"{100 * value:.0f} %", "tick",
                              "middle"))
    body.append(svg.label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "taken, the surest first", "axis",
                          "middle"))
    body.append(svg.label(LEFT, TOP - 10, "right, of what is taken", "axis"))
    return body


def share_chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """How common each species is, with its interval, and what plain counting would say; SVG."""
    if not rows:
        return ""
    width, left, right, step = 560.0, 190.0, 64.0, 24.0
    height = 26 + step * len(rows) + 24
    most = max(max(float(r["high"]), float(r["predicted"])) for r in rows)

    def x(share: float) -> float:
        return left + (width - left - right) * share / max(most, 1e-9)

    body = []
    for value in svg.ticks(0, most, 5):
        body.append(svg.element("line", x1=x(value), x2=x(value), y1=12, y2=height - 28,
                                class_="grid"))
        body.append(svg.label(x(value), height - 10, svg.percent(value, 0 if most > 0.1 else 1),
                              "tick", "middle"))
    for i, row in enumerate(rows):
        at, name = 26 + step * i, str(row["name"])
        told = (f"{name}: {svg.percent(row['share'], 1)}, {svg.percent(row['low'], 1)} to "
                f"{svg.percent(row['high'], 1)}; counted {svg.percent(row['predicted'], 1)}")
        body.append(svg.label(left - 12, at + 4, name, "target", "end", left - 16, 13.0))
        body.append(svg.element("line", x1=x(row["low"]), x2=x(row["high"]), y1=at, y2=at,
                                class_="whisker"))
        body.append(svg.element("circle", cx=x(row["predicted"]), cy=at, r=3.5, class_="dot s1"))
        body.append(svg.element("circle", svg.element("title", svg.escape(told)),
                                cx=x(row["share"]), cy=at, r=5.0, class_="dot s0"))
        body.append(svg.label(width - right + 12, at + 4, svg.percent(row["share"], 1), "tick"))
    return svg.figure(width, height, "Shares of species", "; ".join(
        f"{r['name']}: {svg.percent(r['share'], 1)}" for r in rows), body)
