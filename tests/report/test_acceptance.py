"""The figures of acceptance."""

from __future__ import annotations

import re

import numpy as np

from ecotone.confidence import risk_coverage
from ecotone.report.acceptance import (
    AcceptanceData,
    SpeciesLine,
    lead_of,
    risk_chart,
    share_chart,
    view_of,
)


def curve(n=200, seed=0):
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    found = risk_coverage(sure, rng.random(n) < 0.5 + sure / 2)
    return {"coverage": found.coverage.tolist(), "risk": found.risk.tolist()}, found


def test_the_curve_ends_at_the_accuracy_of_all():
    given, found = curve()
    chart = risk_chart(given, 200)
    share = 100 * (1 - found.risk[-1])
    assert f"{share:.1f} % of the surest 100 % right" in chart
    numbers = [float(v) for v in re.findall(r"\d+\.\d", chart)]
    assert all(np.isfinite(numbers)) and "nan" not in chart
    assert risk_chart({}, 0) == "" and risk_chart({"coverage": [1.0], "risk": [0.0]}, 1) == ""


def test_few_labels_and_no_mistake_still_draw():
    given = {"coverage": [0.5, 1.0], "risk": [0.0, 0.0]}
    assert "100.0 % of the surest 100 % right" in risk_chart(given, 2)


def test_shares_are_escaped_and_in_their_order():
    rows = [{"name": "<fox>", "share": 0.6, "low": 0.5, "high": 0.7, "predicted": 0.65},
            {"name": "deer", "share": 0.0, "low": 0.0, "high": 0.0, "predicted": 0.0}]
    chart = share_chart(rows)
    assert "&lt;fox&gt;" in chart and "<fox>" not in chart
    assert chart.index("fox") < chart.index("deer") and share_chart([]) == ""


def test_words():
    line = SpeciesLine("fox", 9, 0, 3, None, None, 42, None, "not enough labels")
    none = AcceptanceData(0.95, 0.9, False, 3, 9, 0, (line,))
    assert "Nothing can be left unseen yet" in lead_of(none)
    some = AcceptanceData(0.95, 0.9, False, 300, 1000, 500, (line,) * 500)
    assert "500 of 1,000" in lead_of(some) and "(50 %)" in lead_of(some)
    assert view_of(some).more_species == 100
    assert lead_of(AcceptanceData(0.95, 0.9, False, 3, 0, 0, ())) == "Every detection has a label."
