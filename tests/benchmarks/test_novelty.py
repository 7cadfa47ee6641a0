"""The benchmark of novelty: what counts as behind, and which classes it hides."""

from __future__ import annotations

import importlib

import numpy as np

from ecotone.discovery import HoldOutFigures
from tests.benchmarks.test_benchmarks import FOLDER


def figures(score: str, auroc: float) -> HoldOutFigures:
    return HoldOutFigures(0, ("a",), "all", score, auroc, 0.5, 0.5, 5, 5, 0.05, 0.5)


def test_the_combination_may_not_fall_behind(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = importlib.import_module("novelty")
    good = [figures("combined", 0.9), figures("softmax", 0.8), figures("knn", 0.905)]
    assert benchmark.report("good", good)
    assert "best single knn 90.5 (-0.5)" in capsys.readouterr().out
    assert not benchmark.report("behind softmax", [figures("combined", 0.79), *good[1:2]])
    assert not benchmark.report("behind knn", [*good[:2], figures("knn", 0.95)])


def test_hidden_classes_have_rows_and_pairs_are_two(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    names = np.array(["a"] * 30 + ["b"] * 30 + ["c"] * 25 + ["rare"] * 3 + ["blank"] * 50)
    sets = importlib.import_module("novelty").held_sets(names, 10, 2, 0)
    assert sorted(s[0] for s in sets[:3]) == ["a", "b", "c"]
    assert [len(s) for s in sets[3:]] == [2, 2]
