from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.report import svg

# What XML 1.0 cannot hold is no text of a figure.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60)


@given(TEXTS, st.floats(20, 300))
def test_shortened_texts_fit_and_begin_as_the_whole(text, width):
    shown = svg.shorten(text, width)
    if shown != text:
        assert svg.text_width(shown) <= width
        assert text.startswith(shown[:-1].rstrip(" ,;"))


@given(TEXTS)
def test_any_text_makes_a_well_formed_figure(text):
    out = svg.figure(100, 50, text, text, [svg.label(1, 2, text, width=40.0)])
    root = ElementTree.fromstring(out)
    assert root[0].text == (text or None)


def test_a_cut_label_keeps_the_whole_text_in_its_title():
    out = svg.label(0, 0, "a very long name of an animal", width=60.0)
    assert "<title>a very long name of an animal</title>" in out and "…" in out


def test_only_right_to_left_names_get_marks():
    assert svg.isolate("red fox") == "red fox"
    assert svg.isolate("שועל") == svg.FIRST_STRONG + "שועל" + svg.POP


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_spread_labels_keep_their_distance_and_order(wanted):
    placed = svg.spread(wanted, 5.0, 0.0, 100.0)
    order = np.argsort(wanted, kind="stable")
    gaps = np.diff(np.array(placed)[order])
    assert (gaps >= 5.0 - 1e-9).all()
    assert max(placed) <= 100.0 + 1e-9


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.2, 1.0, [0.2, 0.4, 0.6, 0.8, 1.0]), (3, 3, [3]),
])
def test_ticks_are_round(low, high, expected):
    assert svg.ticks(low, high) == pytest.approx(expected)


@given(st.integers(0, 50), st.integers(0, 50))
def test_wilson_interval_holds_the_share(right, wrong):
    rows = right + wrong
    low, high = svg.wilson(right, rows)
    assert 0 <= low <= high <= 1
    if rows:
        assert low - 1e-9 <= right / rows <= high + 1e-9


def test_wilson_interval_of_a_known_case():
    # 8 of 10, z = 1.96: the roots of (p - .8)^2 = z^2 p (1 - p) / 10
    a, b, c = 1 + 1.96**2 / 10, -(1.6 + 1.96**2 / 10), 0.64
    roots = np.sort(np.roots([a, b, c]))
    assert svg.wilson(8, 10) == pytest.approx(tuple(roots))


@pytest.mark.parametrize(("share", "digits", "shown"), [
    (0.724, 0, "72 %"), (1.0, 0, "100 %"), (0.999, 0, ">99 %"), (0.001, 0, "<1 %"), (0.0, 0, "0 %"),
    (0.1234, 1, "12.3 %"), (float("nan"), 0, "–"),
])
def test_percent(share, digits, shown):
    assert svg.percent(share, digits) == shown


@pytest.mark.parametrize(("share", "shown"), [(0.031, "+3.1"), (-0.004, "−0.4"), (-1e-9, "+0.0")])
def test_points(share, shown):
    assert svg.points(share) == shown
