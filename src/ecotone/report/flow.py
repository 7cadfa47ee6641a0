"""The learned map as a flow: from the names of the global model to the local classes.

A link's width is its weight: how much of what the global model says about pictures of a local
class it says with that name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecotone.report import svg
from ecotone.report.data import GlobalMap
from ecotone.report.names import kind_words, short_name

MOST_LOCAL, MOST_GLOBAL = 24, 34
WEAKEST = 0.05  # links below are in the table only
WIDTH, NAME_LEFT, NAME_RIGHT, BAR = 860.0, 250.0, 220.0, 9.0
UNIT, GAP_LOCAL, GAP_GLOBAL = 24.0, 12.0, 9.0
TONES = {"exact": "known", "special": "known", "unknown": "new"}


@dataclass(frozen=True)
class Link:
    """One link of the flow; weight in 0..1."""

    source: str
    target: str
    weight: float


def links_of(mapping: GlobalMap, classes: Sequence[str]) -> list[Link]:
    """The links worth drawing, for at most `MOST_LOCAL` of the classes, given by importance."""
    targets = [c for c in classes if mapping.links.get(c)][:MOST_LOCAL]
    links = [Link(g, c, w) for c in targets for g, w in mapping.links[c] if w >= WEAKEST]
    total: dict[str, float] = defaultdict(float)
    for link in links:
        total[link.source] += link.weight
    kept = set(sorted(total, key=lambda g: (-total[g], g))[:MOST_GLOBAL])
    return [link for link in links if link.source in kept]


def untangle(links: Sequence[Link], rounds: int = 8) -> tuple[list[str], list[str]]:
    """Orders of sources and targets with few crossings, by repeated weighted means of neighbours.

    Source: Sugiyama et al. 1981, barycentre heuristic.
    """
    targets = list(dict.fromkeys(link.target for link in links))
    sources = list(dict.fromkeys(link.source for link in links))
    for _ in range(rounds):
        sources = _by_mean(sources, {t: i for i, t in enumerate(targets)},
                           [(link.source, link.target, link.weight) for link in links])
        targets = _by_mean(targets, {s: i for i, s in enumerate(sources)},
                           [(link.target, link.source, link.weight) for link in links])
    return sources, targets


def _by_mean(
    names: list[str], place: Mapping[str, int], pairs: Sequence[tuple[str, str, float]]
) -> list[str]:
    mass: dict[str, float] = defaultdict(float)
    moment: dict[str, float] = defaultdict(float)
    for mine, other, weight in pairs:
        mass[mine] += weight
        moment[mine] += weight * place[other]
    return sorted(names, key=lambda n: moment[n] / mass[n])


def flow_chart(mapping: GlobalMap, classes: Sequence[str]) -> str:
    """The flow of one global model; SVG, or "" when nothing is linked."""
    links = links_of(mapping, classes)
    if not links:
        return ""
    sources, targets = untangle(links)
    thick = {s: UNIT * sum(x.weight for x in links if x.source == s) for s in sources}
    tall_right = len(targets) * (UNIT + GAP_LOCAL)
    tall_left = sum(max(thick[s], 7.0) + GAP_GLOBAL for s in sources)
    height = max(tall_left, tall_right) + 34
    left = _stack(sources, thick, GAP_GLOBAL, 26 + (height - 34 - tall_left) / 2, 7.0)
    right = _stack(targets, dict.fromkeys(targets, UNIT), GAP_LOCAL,
                   26 + (height - 34 - tall_right) / 2, UNIT)
    body = [
        svg.label(NAME_LEFT, 12, "the global model says", "axis", "end"),
        svg.label(WIDTH - NAME_RIGHT, 12, "in your pictures it is", "axis"),
        *_ribbons(links, sources, targets, left, right, mapping.kinds),
        *_nodes(links, sources, targets, left, right, thick, mapping.kinds),
    ]
    told = "; ".join(
        f"{link.target}: {svg.percent(link.weight)} from {short_name(link.source)}"
        for link in sorted(links, key=lambda x: -x.weight)[:12]
    )
    return svg.figure(WIDTH, height, f"From the names of {mapping.model} to yours", told, body)


def tone_of(kinds: Mapping[str, str], name: str) -> str:
    """The colour class of a local class: known, near, or new to the global model."""
    return TONES.get(kinds.get(name, "unknown"), "near")


def _stack(
    names: Sequence[str], sizes: Mapping[str, float], gap: float, start: float, least: float
) -> dict[str, float]:
    tops, y = {}, start
    for name in names:
        room = max(sizes[name], least)
        tops[name] = y + (room - sizes[name]) / 2
        y += room + gap
    return tops


def _ribbons(
    links: Sequence[Link], sources: Sequence[str], targets: Sequence[str],
    left: Mapping[str, float], right: Mapping[str, float], kinds: Mapping[str, str],
) -> list[str]:
    x0, x1 = NAME_LEFT + 8 + BAR, WIDTH - NAME_RIGHT - 8 - BAR
    rank_source = {s: i for i, s in enumerate(sources)}
    rank_target = {t: i for i, t in enumerate(targets)}
    out, start, end = [], dict(left), {}
    for target in targets:  # links of a class lie in the middle of its bar
        mine = sum(x.weight for x in links if x.target == target)
        end[target] = right[target] + UNIT * max(0.0, 1 - mine) / 2
    from_y: dict[Link, float] = {}
    for link in sorted(links, key=lambda x: (rank_source[x.source], rank_target[x.target])):
        from_y[link] = start[link.source]
        start[link.source] += UNIT * link.weight
    for link in sorted(links, key=lambda x: (rank_target[x.target], rank_source[x.source])):
        a, b, thick = from_y[link], end[link.target], UNIT * link.weight
        end[link.target] += thick
        path = svg.ribbon(x0, x1, a, b, thick)
        told = f"{link.target}: {svg.percent(link.weight)} from {short_name(link.source)}"
        out.append(svg.element("path", svg.element("title", svg.escape(told)), d=path,
                               class_=f"ribbon {tone_of(kinds, link.target)}"))
    return out


def _nodes(
    links: Sequence[Link], sources: Sequence[str], targets: Sequence[str],
    left: Mapping[str, float], right: Mapping[str, float], thick: Mapping[str, float],
    kinds: Mapping[str, str],
) -> list[str]:
    body = []
    for name in sources:
        body.append(svg.element("rect", x=NAME_LEFT + 8, y=left[name], width=BAR,
                                height=max(thick[name], 1.5), class_="node source"))
        body.append(svg.label(NAME_LEFT, left[name] + thick[name] / 2 + 4, short_name(name),
                              "tick", "end", NAME_LEFT - 6))
    for name in targets:
        x = WIDTH - NAME_RIGHT - 8 - BAR
        mine = sum(link.weight for link in links if link.target == name)
        tone = tone_of(kinds, name)
        told = f"{name}: {kind_words(kinds.get(name, 'unknown'))}"
        body.append(svg.element("rect", svg.element("title", svg.escape(told)), x=x,
                                y=right[name], width=BAR, height=UNIT, class_=f"node {tone} thin"))
        body.append(svg.element("rect", x=x, y=right[name] + UNIT * max(0.0, 1 - mine) / 2,
                                width=BAR, height=UNIT * min(1.0, mine), class_=f"node {tone}"))
        body.append(svg.label(x + BAR + 8, right[name] + UNIT / 2 + 4.5, name, "target", "start",
                              NAME_RIGHT - 6, 13.0))
    return body
