"""From the label before to the label after, as a flow; widths are numbers of detections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecotone.report import svg
from ecotone.report.flow import Link, untangle

WIDTH, NAME_LEFT, NAME_RIGHT, BAR = 860.0, 210.0, 250.0, 9.0
TALL = 400.0  # pixels of all detections together
THIN, LEAST, GAP = 1.5, 15.0, 5.0  # of a ribbon; room of a name; between names
MOST_BEFORE, MOST_AFTER = 12, 22
SPECIES, ABOVE, SAME = "known", "near", "source"
OTHERS = "others"


@dataclass(frozen=True)
class Flow:
    """detections that were called `before` and are called `after`; tone: SPECIES, ABOVE or SAME."""

    before: str
    after: str
    detections: int
    tone: str = SPECIES


def refinement_flow(flows: Sequence[Flow]) -> str:
    """The flow as SVG, "" when nothing flows; what is rarest is drawn together as "others"."""
    flows = [f for f in pooled(flows) if f.detections > 0]
    total = sum(f.detections for f in flows)
    if not total:
        return ""
    unit = TALL / total
    links = [Link(f.before, _key(f), float(f.detections)) for f in flows]
    sources, targets = untangle(links)
    tone = {_key(f): f.tone for f in flows}
    left, low = _stack(sources, _sums(links, lambda x: x.source), unit)
    right, deep = _stack(targets, _sums(links, lambda x: x.target), unit)
    shift = (low - deep) / 2
    right = {n: (top + max(shift, 0), size) for n, (top, size) in right.items()}
    left = {n: (top + max(-shift, 0), size) for n, (top, size) in left.items()}
    body = [
        svg.label(NAME_LEFT, 12, "before", "axis", "end"),
        svg.label(WIDTH - NAME_RIGHT, 12, "now", "axis"),
        *_ribbons(links, sources, targets, left, right, unit, tone),
        *_bars(sources, left, _sums(links, lambda x: x.source), True, {}),
        *_bars(targets, right, _sums(links, lambda x: x.target), False, tone),
    ]
    told = "; ".join(f"{f.detections:,} from {f.before} to {f.after}"
                     for f in sorted(flows, key=lambda f: -f.detections)[:14])
    return svg.figure(WIDTH, max(low, deep) + 6, "From the label before to the label now", told,
                      body)


def pooled(flows: Sequence[Flow]) -> list[Flow]:
    """Flows of the most frequent labels; the rest of each side is "others"."""
    before, after = Counter(), Counter()
    for f in flows:
        before[f.before] += f.detections
        after[_key(f)] += f.detections
    keep_before = {n for n, _ in before.most_common(MOST_BEFORE)}
    keep_after = {n for n, _ in after.most_common(MOST_AFTER)}
    found: dict[tuple[str, str, str], int] = Counter()
    for f in flows:
        name = f.after if _key(f) in keep_after else OTHERS
        tone = f.tone if name != OTHERS else ABOVE
        found[(f.before if f.before in keep_before else OTHERS, name, tone)] += f.detections
    return [Flow(b, a, n, tone) for (b, a, tone), n in found.items()]


def _key(flow: Flow) -> str:
    """A label that stays is another place than the same label as an answer."""
    return f"{flow.after} (as before)" if flow.tone == SAME else flow.after


def _sums(links: Sequence[Link], side) -> dict[str, float]:
    total: Counter[str] = Counter()
    for link in links:
        total[side(link)] += link.weight
    return dict(total)


def _stack(
    names: Sequence[str], sums: Mapping[str, float], unit: float
) -> tuple[dict[str, tuple[float, float]], float]:
    """(top, size) of the bar of each name, and the depth of the stack."""
    out, y = {}, 26.0
    for name in names:
        size = max(sums[name] * unit, THIN)
        room = max(size, LEAST)
        out[name] = (y + (room - size) / 2, size)
        y += room + GAP
    return out, y


def _ribbons(
    links: Sequence[Link], sources: Sequence[str], targets: Sequence[str],
    left: Mapping[str, tuple[float, float]], right: Mapping[str, tuple[float, float]],
    unit: float, tone: Mapping[str, str],
) -> list[str]:
    x0, x1 = NAME_LEFT + 8 + BAR, WIDTH - NAME_RIGHT - 8 - BAR
    of_source, of_target = {n: i for i, n in enumerate(sources)}, {
        n: i for i, n in enumerate(targets)}
    start = {n: top for n, (top, _) in left.items()}
    end = {n: top for n, (top, _) in right.items()}
    begin: dict[Link, float] = {}
    for link in sorted(links, key=lambda x: (of_source[x.source], of_target[x.target])):
        begin[link] = start[link.source]
        start[link.source] += link.weight * unit
    out = []
    for link in sorted(links, key=lambda x: (of_target[x.target], of_source[x.source])):
        a, b = begin[link], end[link.target]
        end[link.target] += link.weight * unit
        thick = max(link.weight * unit, THIN)
        path = svg.ribbon(x0, x1, a, b, thick)
        told = f"{link.weight:,.0f} from {link.source} to {link.target}"
        out.append(svg.element("path", svg.element("title", svg.escape(told)), d=path,
                               class_=f"ribbon {tone[link.target]}"))
    return out


def _bars(
    names: Sequence[str], places: Mapping[str, tuple[float, float]], sums: Mapping[str, float],
    on_left: bool, tone: Mapping[str, str],
) -> list[str]:
    body = []
    for name in names:
        top, size = places[name]
        text = f"{name}  {sums[name]:,.0f}"
        x = NAME_LEFT + 8 if on_left else WIDTH - NAME_RIGHT - 8 - BAR
        body.append(svg.element("rect", x=x, y=top, width=BAR, height=size,
                                class_=f"node {tone.get(name, 'source')}"))
        if on_left:
            body.append(svg.label(NAME_LEFT, top + size / 2 + 4, text, "tick", "end",
                                  NAME_LEFT - 6))
        else:
            body.append(svg.label(x + BAR + 8, top + size / 2 + 4.5, text, "target", "start",
                                  NAME_RIGHT - 6, 13.0))
    return body
