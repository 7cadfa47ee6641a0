from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from ecotone.report.curve import gains_of, line_chart, ours_of, series_of, shown_of
from tests.report.conftest import evaluation


def test_means_and_deviations_are_those_of_the_splits():
    records = evaluation()
    series = {s.method: s for s in series_of(records, "accuracy")}
    values = [r["accuracy"] for r in records if r["method"] == "ecotone" and r["n_labels"] == 20]
    one = series["ecotone"]
    assert one.labels.tolist() == [10, 20, 50] and one.splits.tolist() == [4, 4, 4]
    assert one.mean[1] == pytest.approx(np.mean(values))
    assert one.deviation[1] == pytest.approx(np.std(values, ddof=1))


def test_gains_are_paired_by_split():
    records = [
        {"method": m, "n_labels": 5, "seed": s, "accuracy": v}
        for m, values in (("ecotone", (0.5, 0.9)), ("local only", (0.4, 0.95)))
        for s, v in enumerate(values)
    ]
    (gain,) = gains_of(records)
    assert (gain.labels, gain.splits, gain.won) == (5, 2, 1)
    assert gain.mean == pytest.approx(0.025) and gain.worst == pytest.approx(-0.05)
    assert gain.deviation == pytest.approx(np.std([0.1, -0.05], ddof=1))


def test_without_labels_alone_there_is_no_gain():
    records = [r for r in evaluation() if r["method"] != "local only"]
    assert gains_of(records) == []
    assert ours_of(records) == "ecotone" and ours_of([]) == ""


def test_the_chart_names_what_matters():
    records = list(evaluation())
    for method, level in (("nearest neighbours", 0.2), ("label propagation", 0.3)):
        records += [{**r, "method": method, "accuracy": level} for r in records[:12:3]]
    series = series_of(records, "accuracy")
    assert [s.method for s in shown_of(series)] == [
        "ecotone", "local only", "global by names", "label propagation"]
    root = ElementTree.fromstring(line_chart(series, "Curve"))
    texts = {e.text for e in root.iter() if e.tag.endswith("text")}
    assert {"ecotone", "your labels alone", "global model alone", "label propagation"} <= texts
    assert "nearest neighbours" not in texts


@pytest.mark.parametrize("counts", [(10,), (1, 2), (5, 5000)])
def test_any_numbers_of_labels_stay_on_the_page(counts):
    series = series_of(evaluation(counts, gain=(0.1,) * len(counts)), "accuracy")
    root = ElementTree.fromstring(line_chart(series, "Curve"))
    width, height = map(float, root.get("viewBox").split()[2:])
    for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(dot.get("cx")) <= width and 0 <= float(dot.get("cy")) <= height
    assert line_chart([], "Curve") == ""
