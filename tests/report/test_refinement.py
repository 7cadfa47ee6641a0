"""The section "From animal to species": flow, chart, tables, pictures, and what is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.report import ReportData, render
from ecotone.report.refinement import (
    RefinedGallery,
    RefinedPicture,
    RefinementData,
    StageRow,
    lead_of,
    view_of,
)
from ecotone.report.refinement_chart import coverage_chart, points_of
from ecotone.report.refinement_flow import (
    ABOVE,
    MOST_AFTER,
    OTHERS,
    SAME,
    SPECIES,
    Flow,
    pooled,
    refinement_flow,
)


def row(at, coverage, accuracy, changed=40, **more):
    return {"at": at, "changed": changed, "right": round(accuracy * changed), "n": 50,
            "coverage": coverage, "hierarchical_accuracy": accuracy, "low": accuracy - 0.1,
            "high": min(accuracy + 0.05, 1.0), "species_share": 0.8, "exact_accuracy": accuracy,
            "wrong_species_rate": 0.02, **more}


FIGURES = {
    "labels": 50, "folds": 5, "method": "climb", "scores": row(0, 0.8, 0.95),
    "curve": [row(0.2, 0.9, 0.9), row(0.05, 0.8, 0.95), row(0.01, 0, 0, 0), row(0.1, 0.8, 0.95)],
    "ablation": [row(0, 0.7, 0.9, name="all stages"), row(0, 0.6, 0.9, name="without birds"),
                 row(0, 0, 0, 0, hierarchical_accuracy=None, species_share=None,
                     exact_accuracy=None, wrong_species_rate=None, name="without centroids"),
                 row(0, 0.8, 0.95, name="climb")],
}
PICTURE = RefinedPicture("cam1/a.jpg", "red deer", 0.93, (("red deer", 0.93), ("roe deer", 0.05)),
                         "Cervidae", crop=b"x", size=(40, 30), rank="species", stage="climb")
WHOLE = RefinementData(
    "run-7", "21 November 2026", "climb", 0.05,
    {"detections": 1000, "labelled": 60, "trusted": 300, "changed": 420, "species_before": 360,
     "species_after": 700},
    (Flow("animal", "red deer", 300), Flow("animal", "Cervidae", 100, ABOVE),
     Flow("mammal", "red deer", 20), Flow("animal", "animal", 80, SAME)),
    (StageRow("climb", 420, 320), StageRow("people", 60, 50), StageRow("unchanged", 520, 300)),
    FIGURES, {"source": "list.csv", "names": ["a", "b"]},
    (RefinedGallery("surest", "Named most surely", "Look here.", (PICTURE,)),), ("a note",),
)


def page(data=WHOLE, **more):
    return render(ReportData("reserve", refinement=data, **more))


def section(text):
    return text[text.index('<section id="species">'):text.index('<section id="classes">')]


def figure(svg):
    return ElementTree.fromstring(svg)


def test_the_section_tells_what_was_won():
    text = section(page())
    plain = re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ")
    for said in ("420 detections that the global model left", "36 % were at species level before",
                 "70 % are now", "95 % interval 85 % to 100 %", "named by climbing",
                 "left as it was", "without the bird override", "climbing (what is shown here)",
                 "Named most surely", "before: Cervidae , now a species",
                 "Only what is listed in list.csv", "ecotone refine --undo", "run-7", "a note",
                 "2 % name a wrong species"):
        assert said in " ".join(plain.split()), said
    assert 'href="#species"' in page() and text.count("<svg") == 2


def test_without_a_refinement_there_is_no_section():
    text = render(ReportData("reserve"))
    assert 'id="species"' not in text and "#species" not in text


def test_the_headline_speaks_of_it_where_nothing_else_was_named():
    from ecotone.report import Counts

    assert "420 of 1,000 detections have a finer label now" in page(counts=Counts(900, 1000, 60))


@pytest.mark.parametrize("part", ["counts", "flows", "stages", "figures", "present", "galleries",
                                  "notes", "alpha"])
def test_every_part_may_be_missing(part):
    empty = {"alpha": None}.get(part, type(getattr(WHOLE, part))())
    text = section(page(replace(WHOLE, **{part: empty})))
    if part == "figures":
        assert "not known yet" in text and "ecotone add labels" in text
    assert "From animal to species" in text


def test_a_refinement_that_found_nothing_says_so():
    nothing = replace(WHOLE, counts={"detections": 9}, figures={
        **FIGURES, "curve": [], "scores": row(0, 0, 0, 0)}, flows=())
    text = section(page(nothing))
    assert "No detection got a finer label" in lead_of(nothing)
    assert "Nothing was refined on the 50 hidden labels" in text and "<svg" not in text


def test_names_are_text_never_markup():
    evil = '<script>alert("x")</script>'
    picture = replace(PICTURE, prediction=evil, global_label=evil, file=evil, time=evil,
                      alternatives=((evil, None),), problem=evil, crop=None, sure=False)
    data = replace(WHOLE, flows=(Flow(evil, evil, 3),), stages=(StageRow(evil, 1, 1),),
                   notes=(evil,), present={"source": evil, "names": []}, run=evil,
                   galleries=(RefinedGallery("surest", evil, evil, (picture,)),))
    assert "<script" not in page(data)


def test_settings_with_the_same_answers_are_one_point_and_empty_ones_none():
    points = points_of(FIGURES["curve"])
    assert [p.name for p in points] == ["0.05 to 0.1", "0.2"]
    assert points_of([]) == [] and coverage_chart([], None) == ""


def test_the_chart_shows_the_curve_the_bound_and_what_is_set():
    svg = coverage_chart(points_of(FIGURES["curve"]), FIGURES["scores"], 0.05)
    root = figure(svg)
    circles = [e for e in root.iter() if e.tag.endswith("circle")]
    assert len(circles) == 2 + 1 and "asked for: 95 %" in svg and "as it is set" in svg
    chosen = next(c for c in circles if "s1" in c.get("class"))
    first = next(c for c in circles if "s1" not in c.get("class"))
    assert (chosen.get("cx"), chosen.get("cy")) == (first.get("cx"), first.get("cy"))
    assert "asked for" not in coverage_chart(points_of(FIGURES["curve"]), None)
    assert 0 < float(chosen.get("cy")) < 330


def test_the_flow_keeps_the_numbers_and_pools_the_rare():
    flows = [Flow("animal", f"species {i}", 100 - i) for i in range(40)]
    flows += [Flow(f"group {i}", "species 0", 1) for i in range(30)]
    kept = pooled(flows)
    assert sum(f.detections for f in kept) == sum(f.detections for f in flows)
    assert len({f.after for f in kept}) == MOST_AFTER + 1 and OTHERS in {f.before for f in kept}
    svg = refinement_flow(flows)
    assert "others" in svg and figure(svg) is not None


def test_a_label_that_stays_is_told_from_the_same_as_an_answer():
    svg = refinement_flow([Flow("animal", "Cervidae", 5, ABOVE),
                           Flow("Cervidae", "Cervidae", 3, SAME)])
    assert "Cervidae (as before)" in svg and ">Cervidae  5<" in svg and ">Cervidae  3<" in svg
    assert refinement_flow([]) == "" and refinement_flow([Flow("a", "b", 0)]) == ""


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
tones = st.sampled_from([SPECIES, ABOVE, SAME])
flows = st.builds(Flow, names, names, st.integers(0, 10**6), tones)


@settings(max_examples=40, deadline=None)
@given(st.lists(flows, max_size=30))
def test_any_flow_can_be_drawn(some):
    svg = refinement_flow(some)
    if not sum(f.detections for f in some):
        assert svg == ""
        return
    root = figure(svg)
    heights = [float(e.get("height")) for e in root.iter()
               if e.tag.endswith("rect") and e.get("height")]
    assert heights and min(heights) > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 0.9), st.floats(0, 1), st.floats(0, 1)), max_size=9),
       st.floats(0.01, 0.6))
def test_any_curve_can_be_drawn(rows, alpha):
    curve = [row(at, c, a, low=max(a - 0.2, 0), high=min(a + 0.1, 1)) for at, c, a in rows]
    svg = coverage_chart(points_of(curve), curve[0] if curve else None, alpha)
    assert (svg == "") == (not curve)
    if svg:
        for circle in (e for e in figure(svg).iter() if e.tag.endswith("circle")):
            assert 0 <= float(circle.get("cy")) <= 330 and 0 <= float(circle.get("cx")) <= 560


def test_the_view_of_the_five_stages_has_no_bound():
    view = view_of(replace(WHOLE, method="five-stage"))
    assert "asked for" not in view.chart
    assert "asked for" in view_of(WHOLE).chart
