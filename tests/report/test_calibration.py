from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from ecotone.report.calibration import bins_of, reliability_chart
from tests.report.conftest import held_out


@pytest.mark.parametrize("rows", [1, 7, 90, 1000])
def test_bins_hold_every_row_and_few_of_them_few_bins(rows):
    held = held_out(rows)
    bins = bins_of(held.truth, held.proba)
    assert bins.rows.sum() == rows
    assert len(bins.rows) <= max(1, min(10, rows // 10))
    share = np.average(bins.accuracy, weights=bins.rows)
    assert share == pytest.approx(np.mean(held.predicted == held.truth))
    assert (bins.low <= bins.accuracy + 1e-9).all() and (bins.accuracy <= bins.high + 1e-9).all()


def test_a_point_lies_where_its_bin_says():
    held = held_out(90)
    bins = bins_of(held.truth, held.proba)
    root = ElementTree.fromstring(reliability_chart(bins, held.proba.max(axis=1)))
    dots = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == len(bins.rows)
    order = np.argsort([float(d.get("cx")) for d in dots])
    np.testing.assert_array_equal(order, np.argsort(bins.confidence))
