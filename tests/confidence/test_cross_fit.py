"""Sets measured on labels that did not set their thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.confidence import ConformalSets, cross_fit_sets
from ecotone.errors import InputError
from tests.confidence.worlds import draw


def test_coverage_is_near_what_was_asked_for():
    proba, target = draw(3000, np.random.default_rng(0))
    report = cross_fit_sets(ConformalSets(0.1, "softmax", "marginal", allow_empty=True), proba,
                            target)
    assert report.n == 3000 and report.coverage == pytest.approx(0.9, abs=0.02)


def test_whole_groups_are_left_out():
    rng = np.random.default_rng(1)
    proba, target = draw(60, rng)
    again = np.repeat(np.arange(60), 5)
    sets = ConformalSets(0.1)
    grouped = cross_fit_sets(sets, proba[again], target[again], again)
    # Copies of a row set its threshold where groups are not told.
    loose = cross_fit_sets(sets, proba[again], target[again])
    assert grouped.n == loose.n == 300
    assert not hasattr(sets, "threshold_")
    same = cross_fit_sets(sets, proba[again], target[again], again)
    assert same.coverage == grouped.coverage


def test_one_group_is_refused():
    proba, target = draw(10, np.random.default_rng(2))
    with pytest.raises(InputError, match="one group"):
        cross_fit_sets(ConformalSets(), proba, target, ["a"] * 10)
