"""Answers from distances, against the rule written out row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ecotone.hierarchy.centroids import Centroids, unit_rows
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.scoring import Scorer, levels
from ecotone.hierarchy.tree import ClassTree
from tests.hierarchy.five_stage_world import COMMON, LINES

SETTINGS = FiveStageSettings()
CLASSES = [*COMMON, "canidae", "mammalia", "blank", "human"]
TREE = ClassTree.build(CLASSES, LINES[:-2])
LIMIT = {"species": 0.25, "genus": 0.3, "family": 0.35, "order": 0.4, "class": 0.45, "": 0.25}


def make_scorer(rng, classes=CLASSES, settings=SETTINGS, occurs=None, tree=TREE, dim=4):
    c = len(classes)
    centroids = Centroids(unit_rows(rng.normal(size=(c, dim))), rng.uniform(0, 0.3, c),
                          rng.uniform(0, 0.2, c), rng.uniform(0.05, 0.3), np.full(c, 9), 1.0)
    node = np.array([tree.class_node[tree.classes.index(name)] for name in classes])
    here = np.ones(len(tree.nodes), bool) if occurs is None else occurs
    return Scorer(tree, node, centroids, here, settings)


def slow_answer(far: np.ndarray, scorer: Scorer, at: int) -> int:
    """The rule of one row, step by step, along paths of the tree."""
    tree, c, s = scorer.tree, scorer.centroids, scorer.settings
    scale = c.median / s.typical_distance
    limit = [LIMIT[r] * scale if r in LIMIT else np.inf for r in tree.rank]
    limit[0] = np.inf
    order = sorted(range(len(far)), key=lambda k: (far[k], k))
    first, d1 = order[0], far[order[0]]
    d2 = far[order[1]] if len(far) > 1 else np.inf
    own = scorer.node[first]
    z = (d1 - c.mean[first]) / max(c.sd[first], 1e-6)
    node = own
    if not (z <= 2 and d2 - d1 >= 0.02 and d1 <= limit[own]):
        reach = c.sd[first] if d2 - d1 >= 0.02 else max(c.sd[first], 0.02)
        pool = [k for k in range(len(far)) if far[k] <= d1 + reach]
        paths = [tree.above(int(scorer.node[k])) for k in pool]
        node = next(n for n in paths[0] if all(n in p for p in paths))
        if node == own and (z > 2 or len(pool) == 1):
            node = tree.parent[node]
        while node > 0 and d1 > limit[node]:
            node = tree.parent[node]
    while node > 0 and not scorer.occurs_[node]:
        node = tree.parent[node]
    rank_fine = tree.rank[node] in ("species", "genus", "family", "order", "class")
    below = at >= 0 and node != at and at in tree.above(int(node))
    return int(node) if rank_fine and below else -1


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6))
def test_answers_follow_the_rule(seed):
    rng = np.random.default_rng(seed)
    some = [n for n in CLASSES if rng.random() < 0.7] or CLASSES[:1]
    here = np.array([TREE.nodes.index(n) for n in ("vulpes lagopus", "cervidae", "turdus merula")])
    every = np.arange(len(TREE.nodes))
    present = (TREE.holds(here[:, None], every) | TREE.holds(every, here[:, None])).any(axis=0)
    scorer = make_scorer(rng, some, occurs=present if rng.random() < 0.5 else None)
    features = scorer.centroids.vectors[rng.integers(len(some), size=25)]
    features = unit_rows(features + rng.normal(0, rng.choice([0.02, 0.2, 0.5]), features.shape))
    at = rng.integers(-1, 6, 25)
    found = scorer.score(features, at)
    far = 1 - features @ scorer.centroids.vectors.T
    expected = [slow_answer(row, scorer, int(a)) for row, a in zip(far, at, strict=True)]
    assert list(found.node) == expected
    np.testing.assert_allclose(found.first_distance, far.min(axis=1), atol=1e-9)
    if len(some) > 1:
        np.testing.assert_allclose(found.second_distance, np.sort(far, axis=1)[:, 1], atol=1e-9)


def place(distances, mean=0.1, sd=0.05, **more):
    """A scorer and one row at given distances from red fox, arctic fox, red deer and blank."""
    classes = ["red fox", "arctic fox", "red deer", "blank"]
    tree = ClassTree.build(classes, LINES[:-2])
    vectors = np.eye(4)
    settings = replace(SETTINGS, typical_distance=0.0, **more)
    stats = (np.full(4, mean), np.full(4, sd), 0.1, np.full(4, 9), 1.0)
    node = tree.class_node
    scorer = Scorer(tree, node, Centroids(vectors, *stats), np.ones(len(tree.nodes), bool),
                    settings)
    return scorer, 1 - np.array([distances])


@pytest.mark.parametrize(("distances", "answer", "limit"), [
    ((0.10, 0.50, 0.60, 0.9), "vulpes vulpes", 0.25),
    ((0.10, 0.11, 0.60, 0.9), "vulpes", 0.30),  # too close to each other
    ((0.24, 0.50, 0.60, 0.9), "vulpes", 0.30),  # far for a fox
    ((0.33, 0.50, 0.60, 0.9), "canidae", 0.35),  # too far for a genus
    ((0.10, 0.50, 0.11, 0.9), "mammalia", 0.45),
    ((0.60, 0.80, 0.80, 0.9), "", 0.25),  # too far for anything
    ((0.90, 0.91, 0.92, 0.1), "", 0.25),  # nearest to what is no animal
    ((0.10, 0.90, 0.92, 0.11), "", 0.25),  # or perhaps
])
def test_typical_rows(distances, answer, limit):
    scorer, row = place(distances)
    animal = scorer.tree.node_of("animal")
    for at in (0, animal):
        found = scorer.score(row, np.array([at]))
        assert (scorer.tree.nodes[found.node[0]] if found.node[0] >= 0 else "") == answer
        assert found.threshold[0] == pytest.approx(limit)
    assert scorer.score(row, np.array([-1])).node[0] == -1


def test_an_answer_stands_strictly_below_the_label_before():
    scorer, row = place((0.10, 0.11, 0.60, 0.9))
    node = scorer.tree.nodes.index
    for before, good in (("mammalia", True), ("canidae", True), ("vulpes", False),
                         ("cervidae", False), ("vulpes vulpes", False)):
        found = scorer.score(row, np.array([node(before)]))
        assert (found.node[0] >= 0) == good, before


def test_an_absent_class_competes_and_is_not_replaced():
    scorer, row = place((0.10, 0.50, 0.60, 0.9))
    node = scorer.tree.nodes.index
    scorer.occurs_[node("vulpes vulpes")] = False
    assert scorer.score(row, np.array([0])).node[0] == node("vulpes"), "its present relative's"
    scorer.occurs_[[node(n) for n in ("vulpes", "vulpes lagopus", "canidae", "carnivora")]] = False
    assert scorer.score(row, np.array([0])).node[0] == node("mammalia")
    assert scorer.score(row, np.array([node("mammalia")])).node[0] == -1


def test_without_the_stage_the_nearest_is_the_answer():
    scorer, row = place((0.80, 0.81, 0.82, 0.9), scoring=False)
    found = scorer.score(row, np.array([0]))
    assert scorer.tree.nodes[found.node[0]] == "vulpes vulpes"
    assert np.isnan(found.threshold[0])


def test_one_class_has_no_second():
    rng = np.random.default_rng(0)
    scorer = make_scorer(rng, ["red fox"])
    scorer.centroids.mean[:], scorer.centroids.sd[:] = 0.1, 0.1
    found = scorer.score(scorer.centroids.vectors, np.array([0]))
    assert TREE.nodes[found.node[0]] == "vulpes vulpes"
    assert found.second[0] == -1 and np.isnan(found.second_distance[0])
    assert len(scorer.score(np.zeros((0, 4)), np.zeros(0, int)).node) == 0


def test_blocks_do_not_change_answers(monkeypatch):
    rng = np.random.default_rng(3)
    scorer = make_scorer(rng)
    features = unit_rows(rng.normal(size=(40, 4)))
    whole = scorer.score(features, np.zeros(40, int))
    monkeypatch.setattr("ecotone.hierarchy.scoring.ENTRIES", 100)
    parts = scorer.score(features, np.zeros(40, int))
    np.testing.assert_array_equal(whole.node, parts.node)
    np.testing.assert_allclose(whole.first_distance, parts.first_distance)


def test_limits_grow_with_the_distances_within_classes():
    rng = np.random.default_rng(4)
    scorer = make_scorer(rng)
    scale = scorer.centroids.median / SETTINGS.typical_distance
    assert scorer.limit_[TREE.nodes.index("vulpes")] == pytest.approx(0.30 * scale)
    assert np.isinf(scorer.limit_[[0, TREE.node_of("animal")]]).all()


def test_levels_of_nodes_with_and_without_ranks():
    parents = {"red fox": "dogs", "wolf": "dogs", "dogs": "beasts", "cow": "beasts", "beasts": ""}
    tree = ClassTree.build(["red fox", "wolf", "cow"], parents)
    assert {n: int(v) for n, v in zip(tree.nodes, levels(tree), strict=True)} == {
        "": 5, "animal": 5, "beasts": 2, "dogs": 1, "red fox": 0, "wolf": 0, "cow": 0}
    assert dict(zip(TREE.nodes, levels(TREE), strict=True))["carnivora"] == 3
