"""Groups of classes: terciles, kinds, classes without a label."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.evaluation.groups import class_groups, group_accuracy, tercile_groups


def test_terciles_of_distinct_counts_are_thirds():
    names = tercile_groups(np.array([1, 90, 50, 3, 8, 200]))
    assert list(names) == ["tail", "head", "middle", "tail", "middle", "head"]


def test_classes_of_one_count_are_in_one_group():
    assert set(tercile_groups(np.full(10, 7))) == {"middle"}
    names = tercile_groups(np.array([5, 5, 5, 5, 1, 1, 1, 1]))
    assert list(names) == ["head"] * 4 + ["tail"] * 4


def test_groups_hold_the_accuracy_of_their_own_classes():
    truth = np.array([0, 0, 1, 1, 1, 2])
    predicted = np.array([0, 1, 1, 1, 0, 0])
    groups = class_groups(np.array([9, 5, 0]), np.array([2, 1, 0]), ["exact", "split", "exact"])
    found = group_accuracy(truth, predicted, groups)
    assert found["no label"] == {
        "classes": 1, "rows": 1, "accuracy": 0.0, "per_class_accuracy": 0.0
    }
    assert found["exact"]["rows"] == 3 and found["exact"]["classes"] == 2
    assert found["exact"]["accuracy"] == pytest.approx(1 / 3)
    assert found["exact"]["per_class_accuracy"] == pytest.approx(0.25)
    assert found["head"]["accuracy"] == 0.5 and found["split"]["accuracy"] == pytest.approx(2 / 3)


def test_a_group_without_test_rows_is_left_out():
    groups = class_groups(np.array([9, 5, 1]), np.array([2, 1, 1]), None)
    found = group_accuracy(np.array([0]), np.array([0]), groups)
    assert set(found) == {"head"}


def test_what_is_known_only_by_relatives_is_unknown_to_the_global_model():
    kinds = ["relative", "exact", "unknown"]
    groups = class_groups(np.array([9, 5, 1]), np.ones(3), kinds)
    assert list(groups["unknown"]) == [True, False, True] and "relative" not in groups
