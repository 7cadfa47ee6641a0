"""How many clusters there are, estimated."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.discovery.clustering import (
    estimate_by_eigengap,
    estimate_by_silhouette,
    estimate_number,
)

from .worlds import blobs


@pytest.mark.parametrize("number", [1, 3, 7])
def test_the_eigengap_counts_clouds(number):
    x, _ = blobs([60] * number, dim=8, apart=12.0)
    assert estimate_by_eigengap(x) == number == estimate_number(x)


def test_maps_of_two_dimensions_go_by_the_silhouette():
    x, _ = blobs([50, 40, 30], dim=2, apart=30.0, seed=2)
    assert estimate_number(x) == estimate_by_silhouette(x) == 3


@pytest.mark.parametrize("n", [3, 4, 5, 12])
def test_few_rows_have_a_number(n):
    x = np.random.default_rng(n).normal(size=(n, 5))
    assert 1 <= estimate_number(x) <= n
