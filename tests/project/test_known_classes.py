"""Known classes before and after, on the labels that both fusions held out."""

from __future__ import annotations

import pytest

from ecotone.project.known_classes import compare_known


def record(classes, rows):
    """rows: id -> (label, predicted)."""
    return {
        "run": "r", "classes": classes, "out_of_fold": {
            "ids": list(rows), "labels": [label for label, _ in rows.values()],
            "proba": [[float(c == said) for c in classes] for _, said in rows.values()]}}


def test_only_the_same_labels_of_known_classes_count():
    before = record(["fox", "deer"], {"a": ("fox", "fox"), "b": ("deer", "deer"),
                                      "c": ("deer", "fox"), "gone": ("fox", "fox"),
                                      "moved": ("fox", "fox")})
    after = record(["fox", "deer", "lynx"], {
        "a": ("fox", "lynx"), "b": ("deer", "deer"), "c": ("deer", "deer"),
        "moved": ("lynx", "lynx"), "d": ("lynx", "lynx")})
    found = compare_known(before, after)
    assert found["new_classes"] == ["lynx"] and found["labels"] == 3
    assert found["before"] == pytest.approx(2 / 3) and found["after"] == pytest.approx(2 / 3)
    assert found["per_class_before"] == pytest.approx(0.75)
    assert found["per_class_after"] == pytest.approx(0.5)
    assert found["worst"] == {"name": "fox", "labels": 1, "before": 1.0, "after": 0.0}
    assert found["low"] < 0 < found["high"]


def test_nothing_new_says_nothing():
    same = record(["fox", "deer"], {"a": ("fox", "fox"), "b": ("deer", "fox")})
    assert compare_known(same, same) == {} and compare_known({}, {}) == {}
    fewer = record(["fox", "deer", "lynx"], {"z": ("fox", "fox")})
    assert compare_known(same, fewer) == {}
