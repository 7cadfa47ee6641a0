from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest

from ecotone.report import HeldOut, ReportData
from ecotone.report.classes import class_rows, dumbbells, found_bar, recall_bar
from ecotone.report.svg import wilson


def test_a_row_counts_what_people_and_model_said():
    # class a: 3 rows, 2 right, one taken for b; class b: 1 row, right; class c: nothing
    truth = np.array([0, 0, 0, 1])
    proba = np.eye(3)[[0, 0, 1, 1]]
    data = ReportData("t", classes=("a", "b", "c"), label_counts=np.array([3, 1, 0]),
                      held_out=HeldOut(truth, proba))
    a, b, c = class_rows(data)
    assert (a.name, a.labels, a.rows, a.mixed_with) == ("a", 3, 3, "b")
    assert a.recall == pytest.approx(2 / 3) and a.precision == 1.0
    assert (a.low, a.high) == wilson(2, 3)
    assert b.precision == 0.5 and b.mixed_with == ""
    assert c.recall is None and c.precision is None and c.found is None
    assert recall_bar(c) == "" and found_bar(c, 5.0) == ""
    ElementTree.fromstring(recall_bar(a))


def test_the_detector_says_nothing_of_species(whole):
    maps = (*whole.maps, dataclasses.replace(
        whole.maps[0], model="detector", kinds=dict.fromkeys(whole.classes, "relative")))
    rows = class_rows(dataclasses.replace(whole, maps=maps))
    assert {r.relation for r in rows} == {"its own name"}


def test_dumbbells_show_losses_as_losses():
    out = dumbbells([("tail", 0.5, 0.4, "3 classes"), ("head", 0.5, 0.9, "2 classes")], "t")
    assert "−10" in out and "+40" in out and "join down" in out
    assert dumbbells([], "t") == ""
