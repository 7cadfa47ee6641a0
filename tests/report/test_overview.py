"""The overview on the page: what it says of studies of every kind, and of those with nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecotone.report import ReportData, render
from ecotone.report.activity import activity_of
from ecotone.report.effort import measure_effort
from ecotone.report.overview import OverviewData, decimal, rate, view_of
from ecotone.report.tally import MODEL, PEOPLE, tally


def study(species=("red deer", "grey fox"), sites=("north", "south", "west"), **changes):
    """One deployment a site with 10 camera-days; events 0..5, one a picture, the first species in
    all of them, the last in the first."""
    j, k = len(sites), len(species)
    site = np.arange(j)
    times = np.datetime64("2024-05-01T06:00:00", "s") + np.arange(6) * np.timedelta64(3600, "s")
    start = np.full(j, np.datetime64("2024-05-01", "s"))
    effort = measure_effort(np.arange(6) % j if j else np.full(6, -1), times, start, start + 864000)
    event = np.append(np.arange(6), 0)
    named = np.append(np.zeros(6, dtype=int), k - 1)
    who = np.array([PEOPLE] * 3 + [MODEL] * 4)
    at = event % j if j else np.full(7, -1)
    named = named if k else np.full(7, -1)
    values = {
        "pictures": 6, "events": 6, "detections": 7, "species": tuple(species),
        "tally": tally(named, who, event, at, k, j), "who": "accepted", "sites": tuple(sites),
        "coordinates": np.column_stack([np.linspace(50, 50.2, j), np.linspace(4, 4.3, j)]),
        "site": site, "effort": effort, "precision": 0.95,
        "site_events": np.bincount(at[:6][at[:6] >= 0], minlength=j),
        "activity": tuple(activity_of(s, np.arange(6, 12) * 3600) for s in species[:1]),
        **changes,
    }
    return OverviewData(**values)


def page(data):
    return render(ReportData("a study", overview=data))


def test_effort_species_and_rates():
    view = view_of(study())
    assert view.tiles[0][0] == "30.0" and view.tiles[1][0] == "3"
    first, last = view.species
    assert (first.name, first.events, first.people, first.model) == ("red deer", 6, 3, 3)
    assert first.rate == pytest.approx(100 * 6 / 30) and first.sites == 3 and last.sites == 1
    assert view.heat[0][1][0] == (2, 1.0) and view.heat_sites == ("north", "south", "west")
    assert "95 %" in view.counted


def test_rates_take_events_of_sites_with_effort_alone():
    data = study()
    days = data.effort.days.copy()
    days[0] = np.nan
    view = view_of(replace(data, effort=replace(data.effort, days=days)))
    assert view.species[0].rate == pytest.approx(100 * 4 / 20)
    assert view.site_rows[0].days is None and "not counted" in view.tiles[0][2]


def test_the_page_has_every_part_and_loads_nothing():
    html = page(study())
    for part in ("The study", "Map of the sites", "When the cameras stood", "Activity of red deer",
                 "Who was where", 'href="#study"', "Ridout and Linkie 2009"):
        assert part in html
    assert "<script" not in html and "http://" not in html.replace("http://www.w3.org/", "")


def test_names_are_escaped_and_long_lists_are_cut():
    names = [f"<i>species {n}</i>" for n in range(450)]
    sites = [f"<i>site {n}</i>" for n in range(450)]
    data = study(names, sites)
    data = replace(data, tally=replace(
        data.tally, events=np.ones(450, dtype=int), people=np.ones(450, dtype=int),
        by_site=np.eye(450, dtype=int)))
    view, html = view_of(data), page(data)
    assert "<i>species" not in html and "<i>site" not in html
    assert view.extra == {"timeline": 410, "species": 50, "sites": 50,
                          "heat_species": 430, "heat_sites": 435}
    assert "388 more species" in html and "430 rarer species are not shown" in html
    assert len(html) < 900_000


def test_without_times_coordinates_or_species_the_page_says_so():
    none = np.full(2, np.datetime64("NaT", "s"))
    data = study(
        species=(), sites=("a", "b"), activity=(), untimed=6, who="",
        tally=tally(*[np.zeros(0, dtype=int)] * 4, 0, 2), coordinates=np.full((2, 2), np.nan),
        effort=measure_effort(np.array([0, 1]), none, none, none),
    )
    html = page(data)
    for text in ("No species yet.", "The pictures have no times.", "No site has coordinates",
                 "neither dates nor times of pictures"):
        assert text in html
    assert "Map of the sites" not in html and "When the cameras stood" not in html
    assert view_of(data).tiles[0][0] == "–"


def test_midnight_only_and_no_sites():
    html = page(study(activity=(), dated=6))
    assert "All times are exactly midnight" in html
    assert "No sites." in page(study(sites=()))


def test_one_site_draws_a_map_and_no_table_of_sites_by_species():
    html = page(study(sites=("only",)))
    assert "Map of the sites" in html and "Who was where" not in html


def test_wrong_clocks_and_gaps_are_said():
    data = study()
    start = data.effort.start + 86400
    effort = measure_effort(np.arange(6) % 3, np.full(6, start[0] - 90000), start,
                            start + 86400 * 40)
    texts = [note.text for note in view_of(replace(data, effort=effort)).notes]
    assert any("6 pictures lie outside the dates of their 3 deployments" in t for t in texts)
    assert any("120 of the camera-days (100 %)" in t and "3 deployments" in t for t in texts)
    assert all(row.outside == 2 and row.gap for row in
               view_of(replace(data, effort=effort)).site_rows)


def test_numbers():
    assert [decimal(v) for v in (0.0, 12.34, 99.96, 1234.5)] == ["0.0", "12.3", "100", "1,234"]
    assert [rate(v) for v in (0.0, 0.042, 1.26)] == ["0.0", "0.04", "1.3"]
