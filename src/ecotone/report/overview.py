"""The study at a glance: what the page shows of effort, species, activity and sites.

K species, J sites, D deployments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ecotone.report import svg
from ecotone.report.activity import Activity, activity_chart
from ecotone.report.effort import QUIET, Effort, by_site
from ecotone.report.effort_chart import MOST, Row, day, effort_chart
from ecotone.report.site_map import MapSite, map_chart
from ecotone.report.story import Step
from ecotone.report.tally import Tally, accumulation, chao2

MOST_SPECIES = 400  # rows of the table
MOST_ACTIVITY = 12
HEAT_SPECIES, HEAT_SITES = 20, 15
MOST_SITES = 400


@dataclass(frozen=True, eq=False)
class OverviewData:
    """What the overview is made of.

    pictures, events, detections: in all. species: K names. tally: their counts. who: what the
    counted detections rest on beside labels: "accepted", "probable", "refined" or "" for labels
    alone. other: detections of no species (blank, human, vehicle, unnamed) by name. sites: J names.
    coordinates: (J, 2) latitude and longitude, NaN where unknown. site: (D,) site of each
    deployment. effort: of the deployments. overlap: (D,) bool, overlap_days: see `overlapping`.
    activity: of the species with times, most events first. dated: pictures whose time is a date
    only. untimed: pictures without any time. site_events: (J,) events with an animal.
    notes: what else to say. gap: seconds between events.
    """

    pictures: int
    events: int
    detections: int
    species: tuple[str, ...]
    tally: Tally
    who: str
    sites: tuple[str, ...]
    coordinates: np.ndarray
    site: np.ndarray
    effort: Effort
    overlap: int = 0
    overlap_days: float = 0.0
    other: Mapping[str, int] = field(default_factory=dict)
    activity: tuple[Activity, ...] = ()
    dated: int = 0
    untimed: int = 0
    site_events: np.ndarray | None = None
    gap: float = 60.0
    precision: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpeciesRow:
    """One species of the table; rate: events per 100 camera-days, None without effort."""

    name: str
    people: int
    model: int
    unsure: int
    events: int
    rate: float | None
    sites: int


@dataclass(frozen=True)
class SiteRow:
    """One site of the table: camera-days (None where unknown), from dates or from pictures."""

    name: str
    deployments: int
    days: float | None
    basis: str
    period: tuple[str, ...]
    pictures: int
    events: int
    species: int
    gap: str
    outside: int
    place: tuple[str, ...]


@dataclass(frozen=True)
class OverviewView:
    """The parts of the section, ready for the template; figures are "" with nothing to draw."""

    lead: str
    tiles: tuple[tuple[str, str, str], ...]
    notes: tuple[Step, ...]
    species: tuple[SpeciesRow, ...]
    counted: str
    timeline: str
    map: str
    lost_sites: tuple[str, ...]
    activity: tuple[str, ...]
    more_activity: int
    why_no_activity: str
    site_rows: tuple[SiteRow, ...]
    heat: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]
    heat_sites: tuple[str, ...]
    richness: str
    extra: Mapping[str, int]


def view_of(data: OverviewData) -> OverviewView:
    """What the section shows."""
    days = by_site(data.effort.days, data.site, len(data.sites))
    order = np.argsort(-data.tally.events, kind="stable")
    order = order[(data.tally.detections + data.tally.unsure)[order] > 0]
    rows = _species(data, order, float(np.nansum(days)))
    sites = _sites(data, days)
    heat, columns = _heat(data, order)
    seen = int((data.tally.events > 0).sum())
    return OverviewView(
        lead_of(data), _tiles(data, days, seen), _notes(data), rows[:MOST_SPECIES],
        _counted(data), _timeline(data), _map(data),
        tuple(n for n, c in zip(data.sites, data.coordinates, strict=True) if np.isnan(c).any()),
        tuple(activity_chart(a) for a in data.activity[:MOST_ACTIVITY]),
        max(0, len(data.activity) - MOST_ACTIVITY), _why_no_activity(data), sites[:MOST_SITES],
        heat, columns, _richness(data.tally.by_site > 0),
        {"timeline": max(0, int((~np.isnan(days)).sum()) - MOST),
         "species": max(0, len(rows) - MOST_SPECIES), "sites": max(0, len(sites) - MOST_SITES),
         "heat_species": max(0, seen - HEAT_SPECIES),
         "heat_sites": max(0, len(data.sites) - HEAT_SITES)},
    )


def lead_of(data: OverviewData) -> str:
    """The study in a sentence or two."""
    words = f"{svg.number(data.pictures, 'picture')}, {svg.number(data.detections, 'detection')}"
    other = ", ".join(f"{n:,} {name}" for name, n in data.other.items() if n)
    words += f" ({other})" if other else ""
    known = ~np.isnat(data.effort.start)
    if known.any():
        words += (f", {day(data.effort.start[known].min())} to "
                  f"{day(data.effort.end[known].max())}")
    return f"{words}."


def _tiles(data: OverviewData, days: np.ndarray, seen: int) -> tuple[tuple[str, str, str], ...]:
    total, known = float(np.nansum(days)), int((~np.isnan(days)).sum())
    short = [] if data.effort.given.all() else ["at least: not all dates are given"]
    if known < len(days):
        short = [f"{svg.number(len(days) - known, 'site')} without any date not counted"]
    effort = (decimal(total), "camera-days", "; ".join(short) or "from the dates of deployments") \
        if known else ("–", "camera-days", "no dates, no times of pictures")
    per_site = ""
    if known > 1:
        per_site = f"median of {decimal(float(np.nanmedian(days)))} camera-days a site"
    return (
        effort,
        (f"{len(data.sites):,}", "site" if len(data.sites) == 1 else "sites", per_site),
        (f"{data.events:,}", "event" if data.events == 1 else "events",
         f"pictures no more than {data.gap:g} s apart are one event"),
        (f"{seen:,}", "species", "with at least one detection that counts" if seen else
         "none has been named yet"),
    )


def decimal(value: float) -> str:
    """A number of days or a rate with one digit, none from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.1f}"


def rate(value: float) -> str:
    """Events per 100 camera-days: two digits below 1."""
    return f"{value:.2f}" if 0 < value < 0.995 else decimal(value)


def _counted(data: OverviewData) -> str:
    if data.who == "accepted":
        sure = f" with a precision of {svg.percent(data.precision)}" if data.precision else ""
        return ("Counted is what people named and, where nobody did, what the model names surely "
                f"enough to be accepted{sure}. The rest is in the column “unsure” alone.")
    if data.who == "probable":
        return ("Counted is what people named and, where nobody did, the most probable species, "
                "checked by nobody: no answer is sure enough to be accepted yet.")
    if data.who == "refined":
        return ("Counted is what people named and, where nobody did, what the refinement calls it; "
                "some names are of a genus or a family.")
    return "Counted is what people named."


def _effort_notes(data: OverviewData) -> list[Step]:
    e: Effort = data.effort
    notes: list[Step] = []
    none, by_pictures = int(np.isnan(e.days).sum()), int((~e.given & ~np.isnan(e.days)).sum())
    if none:
        notes.append(Step(
            f"{svg.number(none, 'deployment has', 'deployments have')} neither dates nor times of "
            "pictures: no effort is counted."))
    if by_pictures:
        notes.append(Step(
            f"{svg.number(by_pictures, 'deployment lacks', 'deployments lack')} start or end: the "
            "first or the last picture stands for it, so the effort is a lower bound. Add the "
            "dates:", "ecotone add deployments deployments.csv"))
    if e.outside.sum():
        where = int((e.outside > 0).sum())
        notes.append(Step(
            f"{svg.number(int(e.outside.sum()), 'picture lies', 'pictures lie')} outside the dates "
            f"of {'its deployment' if where == 1 else f'their {where:,} deployments'}: a wrong "
            "clock, or wrong dates. To put a clock right:",
            "ecotone fix-time --deployment NAME --shift +1h"))
    if len(e.gap_days):
        total = float(np.nansum(e.days))
        notes.append(Step(
            f"{decimal(float(e.gap_days.sum()))} of the camera-days "
            f"({svg.percent(float(e.gap_days.sum()) / total)}) lie in stretches of more than "
            f"{QUIET:.0f} days without a picture, at "
            f"{svg.number(len(np.unique(e.gap_of)), 'deployment')}. If a camera had failed, the "
            "true effort is lower."))
    if data.overlap:
        notes.append(Step(
            f"{svg.number(data.overlap, 'deployment begins', 'deployments begin')} while another "
            f"at the same site still runs ({decimal(data.overlap_days)} days): both count, as two "
            "cameras would."))
    return notes


def _notes(data: OverviewData) -> tuple[Step, ...]:
    notes = _effort_notes(data)
    if data.untimed:
        notes.append(Step(
            f"{svg.number(data.untimed, 'picture has', 'pictures have')} no time; each counts as "
            "an event of its own and is missing in the activity."))
    if data.dated and data.activity:
        notes.append(Step(
            f"{svg.number(data.dated, 'picture is', 'pictures are')} of exactly 0:00:00, taken as "
            "a date without a time and left out of the activity."))
    return (*notes, *map(Step, data.notes))


def _why_no_activity(data: OverviewData) -> str:
    if data.activity:
        return ""
    if data.untimed >= data.pictures:
        return "The pictures have no times."
    if data.dated and data.dated + data.untimed >= data.pictures:
        return ("All times are exactly midnight: dates without a time of day, as some tables give "
                "them.")
    return "No species with a time has been named yet."


def _species(data: OverviewData, order: np.ndarray, days: float) -> tuple[SpeciesRow, ...]:
    t, sites = data.tally, data.tally.sites
    effective = _events_with_effort(data)
    return tuple(
        SpeciesRow(data.species[k], int(t.people[k]), int(t.model[k]), int(t.unsure[k]),
                   int(t.events[k]), 100.0 * effective[k] / days if days > 0 else None,
                   int(sites[k]))
        for k in order.tolist()
    )


def _events_with_effort(data: OverviewData) -> np.ndarray:
    """Events (K,) of the sites whose effort is known: the others would only swell the index."""
    days = by_site(data.effort.days, data.site, len(data.sites))
    return data.tally.by_site[:, np.nan_to_num(days) > 0].sum(axis=1)


def _sites(data: OverviewData, days: np.ndarray) -> tuple[SiteRow, ...]:
    out, e = [], data.effort
    order = np.argsort(data.site, kind="stable")
    bounds = np.searchsorted(data.site[order], np.arange(len(data.sites) + 1))
    richness = (data.tally.by_site > 0).sum(axis=0)
    quiet = {int(data.site[d]): g for g, d in reversed(list(enumerate(e.gap_of.tolist())))}
    for j, name in enumerate(data.sites):
        rows = order[bounds[j]:bounds[j + 1]]
        known = rows[~np.isnat(e.start[rows])]
        given = int(e.given[rows].sum())
        basis = "" if not len(known) else "dates" if given == len(rows) else "pictures"
        longest = quiet.get(j)
        gap = "" if longest is None else \
            f"{e.gap_days[longest]:,.0f} days from {day(e.gap_from[longest])}"
        period = (day(e.start[known].min()), day(e.end[known].max())) if len(known) else ()
        where = data.coordinates[j]
        place = () if np.isnan(where).any() else tuple(f"{v:.5f}".replace("-", "−") for v in where)
        events = 0 if data.site_events is None else int(data.site_events[j])
        out.append(SiteRow(
            name, len(rows), None if np.isnan(days[j]) else float(days[j]), basis, period,
            int(e.pictures[rows].sum()), events, int(richness[j]), gap,
            int(e.outside[rows].sum()), place))
    return tuple(out)


def _timeline(data: OverviewData) -> str:
    e = data.effort
    rows: list[list[int]] = [[] for _ in data.sites]
    for d in np.flatnonzero(~np.isnat(e.start) & ~np.isnat(e.end)).tolist():
        rows[data.site[d]].append(d)
    days = by_site(e.days, data.site, len(data.sites))
    gaps: dict[int, list[int]] = {}
    for g, d in enumerate(e.gap_of.tolist()):
        gaps.setdefault(int(data.site[d]), []).append(g)
    return effort_chart([
        Row(name, tuple((e.start[d], e.end[d], bool(e.given[d])) for d in here),
            tuple((e.gap_from[g], e.gap_from[g] + np.timedelta64(round(e.gap_days[g] * 86400), "s"))
                  for g in gaps.get(j, ())),
            f"{decimal(float(days[j]))} days")
        for j, (name, here) in enumerate(zip(data.sites, rows, strict=True)) if here
    ])


def _map(data: OverviewData) -> str:
    richness = (data.tally.by_site > 0).sum(axis=0)
    events = np.zeros(len(data.sites)) if data.site_events is None else data.site_events
    return map_chart([
        MapSite(name, float(data.coordinates[j, 0]), float(data.coordinates[j, 1]),
                float(events[j]), f"{svg.number(int(events[j]), 'event')}, "
                f"{svg.number(int(richness[j]), 'species', 'species')}")
        for j, name in enumerate(data.sites)
    ], "events")


def _heat(
    data: OverviewData, order: np.ndarray
) -> tuple[tuple[tuple[str, tuple[tuple[int, float], ...]], ...], tuple[str, ...]]:
    """Rows of (species, (events, share of the darkest) by site), and the sites shown."""
    rows = [k for k in order.tolist() if data.tally.events[k] > 0][:HEAT_SPECIES]
    if not rows or len(data.sites) < 2:
        return (), ()
    busiest = np.argsort(-data.tally.by_site.sum(axis=0), kind="stable")[:HEAT_SITES]
    columns = np.sort(busiest)
    most = max(float(data.tally.by_site[np.ix_(rows, columns)].max()), 1.0)
    return tuple(
        (data.species[k], tuple((int(n), float(np.sqrt(n / most)))
                                for n in data.tally.by_site[k, columns]))
        for k in rows
    ), tuple(data.sites[j] for j in columns)


def _richness(seen: np.ndarray) -> str:
    """How many species more sites would show, in words; "" with fewer than three sites."""
    species, sites = int(seen.any(axis=1).sum()), seen.shape[1]
    if sites < 3 or species < 2:
        return ""
    expected, half = accumulation(seen), max(1, sites // 2)
    return (f"Half of the sites ({half:,}) would have shown {decimal(float(expected[half - 1]))} "
            f"species on average, all {sites:,} show {species:,}; the last one brought "
            f"{float(expected[-1] - expected[-2]):.1f}. Chao's estimate of how many there are, "
            f"seen or not: at least {decimal(chao2(seen))}.")
