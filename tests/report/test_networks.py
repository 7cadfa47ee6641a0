"""Trained networks in the report: a curve that says what it shows, rounds in a table."""

from __future__ import annotations

import math

from ecotone.report import ReportData, render
from ecotone.report.networks import NetworksData, RoundRow, training_chart

CURVE = tuple({"epoch": e, "loss": 2.0 / e, "log_loss": 1.5 / e + 0.1, "accuracy": 0.5}
              for e in range(1, 6))


def test_the_curve_has_both_losses_and_says_them():
    chart = training_chart(NetworksData("net", curve=CURVE))
    assert chart.count("<polyline") == 2
    assert "loss of training 2.00 at first, 0.40 at the end" in chart
    assert "log-loss, held out 1.60 at first" in chart


def test_no_curve_of_one_epoch_and_none_of_what_is_no_number():
    assert training_chart(NetworksData("net", curve=CURVE[:1])) == ""
    assert training_chart(NetworksData("net")) == ""
    odd = [{**row, "loss": math.nan} for row in CURVE]
    assert training_chart(NetworksData("net", curve=odd)).count("<polyline") == 1


def test_the_page_shows_what_rounds_gained():
    data = NetworksData(
        "net & co", "resnet10t", 3, "held-out labels", CURVE, {"accuracy": 0.75}, ("older",),
        (RoundRow("net & co", True, "scores", 40, {"log_loss": 1.0, "accuracy": 0.5},
                  {"log_loss": 0.8, "accuracy": 0.6}, 0.05),
         RoundRow("older", False, "", 40, {"log_loss": 1.0, "accuracy": 0.5},
                  {"log_loss": 1.2, "accuracy": 0.4}, 0.05)))
    page = render(ReportData("reserve", networks=data))
    assert "net &amp; co" in page and "75" in page and "0.800 ± 0.050" in page
    assert page.count('<section id="networks">') == 1 and ">no</td>" in page
    assert '<section id="networks">' not in render(ReportData("reserve"))
