"""The audit row of a detection, and the way back."""

from __future__ import annotations

import numpy as np

from ecotone.hierarchy.audit import Change, audit, revert
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.scoring import Scored
from ecotone.hierarchy.tree import as_taxonomy
from tests.hierarchy.five_stage_world import DEER, LINES

TAXONOMY = as_taxonomy(LINES[:-2])


def rows():
    before = Before.read(["animal", DEER, "", "blank"], TAXONOMY, 4)
    scored = Scored(
        np.array([3, -1, -1, -1]), np.array([0, 1, 0, 1]), np.array([1, 0, -1, 0]),
        np.array([0.1, 0.2, np.nan, 0.4]), np.array([0.3, 0.4, np.nan, 0.5]),
        np.array([0.25, 0.25, np.nan, 0.25]))
    first = Change("bird override", np.array([True, False, False, True]), "aves", "class",
                   np.array([0.6, 0.1, 0.0, 0.9]), 0.5)
    second = Change("centroid", np.array([True, False, False, False]),
                    np.array(["jay", "", "", ""], object), "species", np.nan, scored.threshold)
    return before, scored, audit(before, scored, np.array(["jay", "deer"], object),
                                 [first, second], ("a note",))


def test_a_row_says_what_it_was_what_it_became_and_why():
    _, _, found = rows()
    assert list(found.node) == ["jay", DEER, "", "aves"]
    assert list(found.was) == ["animal", DEER, "", "blank"]
    assert list(found.stage) == ["centroid", "unchanged", "unchanged", "bird override"]
    assert list(found.rank) == ["species", "family", "", "class"]
    assert list(found.first) == ["jay", "deer", "", "deer"]
    assert list(found.second) == ["deer", "jay", "", "jay"]
    np.testing.assert_array_equal(found.probability, [np.nan, np.nan, np.nan, 0.9])
    np.testing.assert_array_equal(found.threshold, [0.25, 0.25, np.nan, 0.5])
    assert found.notes == ("a note",)


def test_without_centroids_there_are_no_distances():
    before, _, _ = rows()
    found = audit(before, None, np.empty(0, object), [], ())
    assert list(found.node) == list(found.was) and set(found.first) == {""}
    assert np.isnan(found.first_distance).all() and np.isnan(found.threshold).all()


def test_answers_are_taken_back_all_or_some():
    _, _, found = rows()
    assert list(revert(found)) == list(found.was)
    assert list(revert(found, np.array([3]))) == ["jay", DEER, "", "blank"]
    mask = np.array([True, False, False, False])
    assert list(revert(found, mask)) == ["animal", DEER, "", "aves"]
    assert list(found.node) == ["jay", DEER, "", "aves"], "the refinement itself stays"
