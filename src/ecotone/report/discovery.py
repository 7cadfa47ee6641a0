"""What the report shows of a discovery: proposals, odd detections, boxes that come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecotone.report import svg
from ecotone.report.data import Picture

MOST_REPEATS = 30


@dataclass(frozen=True)
class ProposalCard:
    """A class that may be new. name: that a person gave it, "" = none. note: what else is known of
    it, in a sentence. pictures: of its most typical bursts."""

    number: int
    detections: int
    bursts: int
    sites: int
    name: str = ""
    note: str = ""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class RepeatLine:
    """A box that comes back: where, how often, in words; one picture of it, None = not shown."""

    place: str
    pictures: int
    occasions: int
    why: str
    picture: Picture | None = None


@dataclass(frozen=True)
class KnownBefore:
    """How the classes of before did when new ones came: accuracy before and after on the same
    labels, the interval of the change; worst: the class that fell most, in words, "" = none."""

    new_classes: tuple[str, ...]
    labels: int
    before: float
    after: float
    low: float
    high: float
    worst: str = ""


@dataclass(frozen=True)
class DiscoveryData:
    """A discovery as the page shows it. novel: flagged detections. share, low, high: of detections
    that are of no known class, None where nothing was known. n_classes: estimate, low, high.
    odd: pictures of the most novel detections in no proposal."""

    run: str
    created: str
    detections: int
    false_alarm: float
    novel: int
    clusters: int
    share: tuple[float, float, float] | None = None
    n_classes: tuple[int, int, int] | None = None
    proposals: tuple[ProposalCard, ...] = ()
    more_proposals: int = 0
    odd: tuple[Picture, ...] = ()
    repeats: tuple[RepeatLine, ...] = ()
    known: KnownBefore | None = None
    notes: tuple[str, ...] = ()


def lead_of(data: DiscoveryData) -> str:
    """What was found, in a sentence or two."""
    if data.share is None:
        return (f"Nothing is labelled yet, so every one of the {data.clusters:,} clusters may be a "
                "class; whoever knows what one is can say so.")
    value, low, high = data.share
    return (f"{data.novel:,} of {data.detections:,} detections look like none of the known "
            f"classes; about one known detection in {_one_in(data.false_alarm)} is flagged by "
            f"mistake. In all, about {svg.percent(value)} are of no known class (95 % interval "
            f"{svg.percent(low)} to {svg.percent(high)}).")


def _one_in(share: float) -> str:
    return f"{max(round(1.0 / share), 1):,}"


def tiles_of(data: DiscoveryData) -> list[tuple[str, str, str]]:
    """(value, name, note) of the tiles."""
    named = sum(bool(p.name) for p in data.proposals)
    total = len(data.proposals) + data.more_proposals
    tiles = [(f"{total:,}", "proposal of a new class" if total == 1 else "proposals of new classes",
              f"{named:,} named by people" if named else "none is named yet")]
    if data.n_classes is not None:
        value, low, high = data.n_classes
        tiles.append((f"{value:,}", "classes among all detections",
                      f"{low:,} to {high:,}, known and new; not those with a few detections"))
    if data.repeats:
        tiles.append((f"{len(data.repeats):,}", "boxes that come back",
                      "the same box at one camera, hardly an animal"))
    if data.known is not None:
        k = data.known
        tiles.append((svg.points(k.after - k.before), "points for the classes of before",
                      f"{svg.percent(k.before, 1)} before, {svg.percent(k.after, 1)} with "
                      f"{_listed(k.new_classes)}, on the same {k.labels:,} labels"))
    return tiles


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
