"""The match page: queries beside their candidates, the curve, what is missing."""

from __future__ import annotations

import re

from ecotone.report import Picture, ReportData, render
from ecotone.report.individuals import IndividualsData, QueryGallery, QueryPicture, curve_chart

CURVE = {"threshold": [0.1, 0.5, 0.9], "baks": [0.9, 0.8, 0.2], "baus": [0.2, 0.7, 1.0],
         "geometric_mean": [0.42, 0.75, 0.45]}


def page(data: IndividualsData) -> str:
    return render(ReportData(title="Reserve", individuals=data))


def match(**more) -> IndividualsData:
    candidates = tuple(Picture(f"c{n}.jpg", name, p, crop=b"jpeg") for n, (name, p) in enumerate(
        [("Ada", 0.62), ("Bea <b>", 0.2), ("Cleo", 0.05), ("Dora", 0.03), ("Eva", 0.01)]))
    query = QueryPicture("q.jpg", "Ada", 0.62, crop=b"jpeg", decision="known", alike=3,
                         candidates=candidates)
    counts = {"queries": 4, "gallery": 9, "individuals": 3, "known": 2, "new": 1,
              "new_individuals": 1, "cannot_tell": 1, "decided": 0}
    return IndividualsData(
        "run-1", "2024", "individuals match", counts,
        {"threshold": 0.5, "geometric_mean": 0.75}, CURVE, 0.9,
        (QueryGallery("known", "Least sure matches", "text", (query,)),), ("a note",), **more)


def test_a_query_stands_beside_its_five_candidates():
    html = page(match())
    part = html[html.index('id="who"'):]
    part = part[:part.index("</section>")]
    assert part.count('class="shot"') == 5 and part.count('class="shot asked"') == 1
    for text in ("62 %", "20 %", "decided with 2 more", "Bea &lt;b&gt;", "a note",
                 "--decisions pairs.csv", "90 % should be right"):
        assert text in part.replace("\u00a0", " ")
    assert "Bea <b>" not in part and 'href="#who"' in html


def test_the_curve_shows_three_lines_and_the_threshold():
    chart = curve_chart(match())
    assert chart.count("<polyline") == 3 and "geometric mean is 75 %" in chart
    assert len(re.findall(r'class="ideal"', chart)) == 1
    assert curve_chart(IndividualsData("run-1")) == ""


def test_new_unsure_and_without_candidates():
    none = QueryPicture("n.jpg", "", float("nan"), decision="cannot tell", problem="gone")
    new = QueryPicture("m.jpg", "new-0001", 0.8, decision="new", crop=b"jpeg")
    data = IndividualsData("r", "", "individuals match", match().counts, galleries=(
        QueryGallery("new", "New", "text", (none, new)),))
    html = page(data)
    assert "cannot tell" in html and "gone" in html and "not among the known ones" in html
    assert "no known individual to compare it with" in html


def test_a_catalogue_is_told_in_numbers():
    counts = {"pictures": 20, "individuals": 7, "alone": 2, "largest": 6}
    html = page(IndividualsData("r", "", "individuals catalogue", counts))
    assert "20 pictures were grouped into 7 individuals" in html
