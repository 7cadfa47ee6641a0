"""Counts of species: by hand, and against slow recomputation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.report.tally import MODEL, PEOPLE, UNSURE, accumulation, chao2, tally


def test_counts_by_hand():
    found = tally(
        np.array([0, 0, 1, 0, -1, 1]), np.array([PEOPLE, MODEL, MODEL, MODEL, PEOPLE, UNSURE]),
        np.array([7, 7, 7, 8, 9, 9]), np.array([0, 0, 0, -1, 1, 1]), 2, 2,
    )
    assert (found.people.tolist(), found.model.tolist()) == ([1, 0], [2, 1])
    assert found.unsure.tolist() == [0, 1] and found.detections.tolist() == [3, 1]
    assert found.events.tolist() == [2, 1]  # two detections of one event are one
    assert found.by_site.tolist() == [[1, 0], [1, 0]] and found.sites.tolist() == [1, 1]


def test_without_species_sites_or_rows():
    none = np.zeros(0, dtype=int)
    found = tally(none, none, none, none, 0, 0)
    assert found.by_site.shape == (0, 0)
    found = tally(np.array([0]), np.array([PEOPLE]), np.array([0]), np.array([-1]), 1, 0)
    assert found.events.tolist() == [1] and found.by_site.shape == (1, 0)
    with pytest.raises(InputError, match="one length"):
        tally(none, none, none, np.zeros(1, dtype=int), 1, 1)


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 2), st.integers(0, 5)), max_size=40))
def test_events_are_those_that_a_loop_finds(rows):
    species, who, event = (np.array([r[i] for r in rows], dtype=int) for i in range(3))
    site = event % 3 - 1  # an event is at one site
    found = tally(species, who, event, site, 4, 2)
    seen = {(s, e) for s, w, e in rows if s >= 0 and w != UNSURE}
    assert found.events.tolist() == [sum(s == k for s, _ in seen) for k in range(4)]
    for k in range(4):
        assert found.by_site[k].tolist() == [
            sum(s == k and e % 3 - 1 == j for s, e in seen) for j in range(2)]


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6))
def test_accumulation_is_the_mean_over_all_choices_of_sites(rows):
    seen = np.array(rows)
    slow = [np.mean([seen[:, list(c)].any(axis=1).sum() for c in combinations(range(5), h)])
            for h in range(1, 6)]
    np.testing.assert_allclose(accumulation(seen), slow, atol=1e-9)


def test_chao2_by_hand():
    seen = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]) > 0
    assert chao2(seen) == pytest.approx(4 + 3 / 4 * 2 * 1 / (2 * 2))
