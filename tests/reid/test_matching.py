"""Who meets whom, by species, viewpoint and key; and the individuals behind the pictures."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.matching import match, rank_individuals

ROWS = np.random.default_rng(0).normal(size=(40, 6))


def met(k=50, **names):
    """For each query the set of gallery rows it met."""
    queries = len(names["query_species"])
    found = match(ROWS[:queries], ROWS[10 : 10 + len(names["gallery_species"])], k, **names)
    return [set(row[row >= 0].tolist()) for row in found.index]


def test_within_species_and_viewpoint_and_a_missing_viewpoint_meets_all():
    gallery = {"gallery_species": ["a", "a", "a", "b", "b", None],
               "gallery_viewpoints": ["left", "right", None, "left", "", "left"]}
    queries = {"query_species": ["a", "a", "a", "b", "b", "c", ""],
               "query_viewpoints": ["left", "right", float("nan"), "right", "left", "left", "left"]}
    assert met(**gallery, **queries) == [{0, 2}, {1, 2}, {0, 1, 2}, {4}, {3, 4}, set(), {5}]


def test_without_names_all_meet_and_the_best_comes_first():
    found = match(ROWS[:5], ROWS, 3)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(5))
    np.testing.assert_allclose(found.similarity[:, 0], 1, atol=1e-6)
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def test_keys_keep_a_picture_from_itself_and_from_its_encounter():
    keys = ["e1", "e1", "e2", None, None]
    found = match(ROWS[:5], ROWS[:5], 5, query_keys=keys, gallery_keys=keys)
    sets = [set(row[row >= 0].tolist()) for row in found.index]
    assert sets == [{2, 3, 4}, {2, 3, 4}, {0, 1, 3, 4}, set(range(5)), set(range(5))]


def test_order_of_rows_changes_nothing():
    rng = np.random.default_rng(3)
    sides = rng.choice(["l", "r", ""], 40)
    before = match(ROWS[:10], ROWS, 4, query_viewpoints=sides[:10], gallery_viewpoints=sides)
    order, turn = rng.permutation(40), rng.permutation(10)
    after = match(ROWS[:10][turn], ROWS[order], 4, query_viewpoints=sides[:10][turn],
                  gallery_viewpoints=sides[order])
    np.testing.assert_array_equal(order[after.index], before.index[turn])
    np.testing.assert_allclose(after.similarity, before.similarity[turn], atol=1e-6)


def test_nothing_to_meet():
    found = match(ROWS[:2], np.empty((0, 6)), 3, query_species=["a", "b"], gallery_species=[])
    assert found.index.tolist() == [[-1] * 3] * 2 and np.isnan(found.similarity).all()
    assert match(np.empty((0, 6)), ROWS, 3).index.shape == (0, 3)
    with pytest.raises(InputError, match="queries: row 1"):
        match(np.array([[1.0], [0.0]]), np.empty((0, 1)))


def test_names_for_one_side_or_of_another_length():
    with pytest.raises(InputError, match="viewpoints of the queries without viewpoints of the gal"):
        match(ROWS, ROWS, query_viewpoints=["left"] * 40)
    with pytest.raises(InputError, match="query species: 39 values, expected 40"):
        match(ROWS, ROWS, query_species=["a"] * 39, gallery_species=["a"] * 40)


def test_individuals_by_their_best_picture():
    gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.7, 0.7], [0.0, 1.0]])
    matches = match(np.array([[1.0, 0.0], [0.0, 2.0]]), gallery, 4)
    found = rank_individuals(matches, ["ann", "ann", "bo", "cy"], 3)
    assert found.individual.tolist() == [["ann", "bo", "cy"], ["cy", "bo", "ann"]]
    assert found.index.tolist() == [[0, 2, 3], [3, 2, 1]]
    np.testing.assert_allclose(found.similarity[0], [1, 0.5**0.5, 0], atol=1e-6)
    more = rank_individuals(match(gallery[:1], gallery[:2], 3), ["ann", "ann"], 2)
    assert more.individual.tolist() == [["ann", ""]] and np.isnan(more.similarity[0, 1])


def test_individuals_that_do_not_fit():
    matches = match(ROWS[:2], ROWS[:4], 2)
    with pytest.raises(InputError, match="names, but row"):
        rank_individuals(matches, ["a"], 2)
    with pytest.raises(InputError, match="row 1 has none"):
        rank_individuals(matches, ["a", None, "b", "c"], 2)
