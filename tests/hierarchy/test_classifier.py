"""The default way down the tree."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone import GlobalScores, HierarchicalClassifier, Taxonomy
from ecotone.errors import InputError, TaxonomyError
from ecotone.hierarchy.metrics import hierarchical_scores
from ecotone.hierarchy.results import UNCHANGED
from ecotone.simulate.worlds import make_world
from tests.hierarchy.trees import SPECIES, rows, taxonomy

NAMES = list(SPECIES)


class Savanna:
    """Pictures of five species, a global model that knows them, and some labels."""

    def __init__(self, n=300, noise=1.0, sure=0.9, seed=0):
        rng = np.random.default_rng(seed)
        self.truth = rng.integers(5, size=n)
        mean = rng.normal(size=(5, 12)) * 2
        self.x = (mean[self.truth] + noise * rng.normal(size=(n, 12))).astype(np.float32)
        p = np.full((n, 5), (1 - sure) / 4)
        p[np.arange(n), self.truth] = sure
        self.scores = GlobalScores.from_dense(p, NAMES)
        self.names = np.array(NAMES, dtype=object)[self.truth]
        self.labels = np.full(n, None, dtype=object)
        self.was = ["animal"] * n

    def label(self, count, only=None):
        classes = range(5) if only is None else only
        for k in classes:
            here = np.flatnonzero(self.truth == k)[:count]
            self.labels[here] = self.names[here]
        return self


@pytest.fixture(scope="module")
def world():
    return make_world("gaussian", n=700, dim=64, seed=5, top_k=5)


@pytest.fixture(scope="module")
def labelled(world):
    labels = np.full(700, None, dtype=object)
    rows = np.random.default_rng(1).permutation(700)[:120]
    labels[rows] = world.labels[rows]
    return labels


@pytest.fixture(scope="module")
def fitted(world, labelled):
    tree = Taxonomy.from_rows(world.taxonomy)
    return HierarchicalClassifier(tree, alpha=0.1).fit(
        world.embeddings, world.scores, labelled, groups=None
    )


def test_answers_hold_the_truth_as_promised(world, labelled, fitted):
    rows = np.array([lab is None and t in fitted.classes_
                     for lab, t in zip(labelled, world.labels, strict=True)])
    answer = fitted.predict(world.embeddings, world.scores, ["animal"] * 700)
    scores = hierarchical_scores(answer, world.labels, fitted.tree_, rows)
    assert scores.held > 0.85 and scores.coverage > 0.85
    assert scores.species_share > 0.5
    alone = HierarchicalClassifier(Taxonomy.from_rows(world.taxonomy), alpha=0.01)
    assert fitted.threshold(0.01) >= fitted.threshold_ >= fitted.threshold(0.5)
    assert alone.alpha == 0.01


def test_it_repeats_and_rows_may_change_places(world, labelled, fitted):
    order = np.random.default_rng(0).permutation(700)
    again = HierarchicalClassifier(Taxonomy.from_rows(world.taxonomy), alpha=0.1).fit(
        world.embeddings[order], world.scores.take(order), labelled[order]
    )
    first = fitted.predict(world.embeddings, world.scores)
    second = again.predict(world.embeddings[order], world.scores.take(order))
    assert (first.node[order] == second.node).mean() > 0.99
    same = HierarchicalClassifier(Taxonomy.from_rows(world.taxonomy), alpha=0.1).fit(
        world.embeddings, world.scores, labelled
    )
    assert (same.predict(world.embeddings, world.scores).node == first.node).all()
    assert same.threshold_ == fitted.threshold_


def test_an_answer_is_below_the_label_before_or_nothing_changes():
    s = Savanna().label(20)
    model = HierarchicalClassifier(rows(), alpha=0.1).fit(s.x, s.scores, s.labels)
    was = np.array(["animal", "Mammalia", "Aves", "felidae", "blank", "Panthera leo"] * 50)
    answer = model.predict(s.x, s.scores, was)
    bird = s.names == "Struthio camelus"
    assert (answer.stage[(was == "Aves") & ~bird] == UNCHANGED).all()
    assert (answer.node[(was == "Aves") & bird] == "Struthio camelus").all()
    assert (answer.stage[(was == "Mammalia") & bird] == UNCHANGED).all()
    assert (answer.stage[was == "Panthera leo"] == UNCHANGED).all()
    assert (answer.node[was == "blank"] == s.names[was == "blank"]).mean() > 0.95
    assert (answer.node[~answer.changed] == was[~answer.changed]).all()
    assert (answer.rank[answer.changed] == "species").all()
    assert ((answer.probability >= 0) & (answer.probability <= 1 + 1e-9)).all()


def test_a_group_that_holds_all_that_the_label_before_held_is_no_answer():
    s = Savanna(noise=6.0, sure=0.3).label(30)
    tree = [{**row, "phylum": "Chordata"} for row in rows()]
    model = HierarchicalClassifier(tree, alpha=0.05).fit(s.x, s.scores, s.labels)
    answer = model.predict(s.x, s.scores, s.was)
    assert (answer.stage == UNCHANGED).any() and "chordata" not in set(answer.node)
    blank = model.predict(s.x, s.scores, ["blank"] * 300)  # no blank among the classes
    assert "chordata" not in set(blank.node)


def test_local_classes_at_different_ranks():
    s = Savanna().label(25)
    named = {"Panthera leo": "Felidae", "Panthera pardus": "Felidae", "Caracal caracal": "Felidae"}
    truth = np.array([named.get(n, n) for n in s.names], dtype=object)
    labels = np.array([None if v is None else named.get(v, v) for v in s.labels], dtype=object)
    model = HierarchicalClassifier(taxonomy(), 0.1).fit(s.x, s.scores, labels)
    answer = model.predict(s.x, s.scores, s.was)
    scores = hierarchical_scores(answer, truth, model.tree_)
    assert scores.held > 0.9 and scores.exact_accuracy > 0.9
    assert set(answer.rank[answer.node == "Felidae"]) == {"family"}


def test_an_absent_species_is_not_forced_onto_its_nearest_relative():
    s = Savanna().label(25, only=(1, 3))
    present = ["Panthera pardus", "Equus quagga", "no such species"]
    model = HierarchicalClassifier(taxonomy(), 0.05, present=present).fit(s.x, s.scores, s.labels)
    answer = model.predict(s.x, s.scores, s.was)
    lion, leopard = s.names == "Panthera leo", s.names == "Panthera pardus"
    assert not (answer.node[lion] == "Panthera pardus").any()
    assert set(answer.node[lion]) <= {"panthera", "felidae", "carnivora", "mammalia", "animal"}
    assert (answer.node[leopard] == "Panthera pardus").mean() > 0.9
    assert not np.isin(answer.node, ["Panthera leo", "Caracal caracal", "Struthio camelus"]).any()
    assert any("no such species" in note for note in answer.notes)


def test_a_listed_species_without_a_label_is_known_by_its_name():
    s = Savanna().label(25, only=(0, 1, 2, 4))
    model = HierarchicalClassifier(taxonomy(), 0.1, present=NAMES).fit(s.x, s.scores, s.labels)
    answer = model.predict(s.x, s.scores, s.was)
    zebra = s.names == "Equus quagga"
    assert (answer.node[zebra] == "Equus quagga").mean() > 0.9


def test_bursts_are_decided_together():
    s = Savanna(n=400, noise=2.6, sure=0.35).label(20)
    order = np.argsort(s.truth, kind="stable")
    bursts = np.empty(400, dtype=object)
    bursts[order] = [f"b{i // 4}" for i in range(400)]
    alone = HierarchicalClassifier(taxonomy(), 0.1).fit(s.x, s.scores, s.labels)
    joint = HierarchicalClassifier(taxonomy(), 0.1).fit(s.x, s.scores, s.labels, bursts=bursts)
    accuracy = [
        (m.classes_[m.posteriors(s.x, s.scores, b).argmax(axis=1)] == s.names).mean()
        for m, b in ((alone, None), (joint, bursts))
    ]
    assert accuracy[1] > accuracy[0] + 0.03


def test_too_few_labels_for_alpha_leave_everything_unchanged_and_say_so():
    s = Savanna().label(2)
    model = HierarchicalClassifier(taxonomy(), 0.01).fit(s.x, s.scores, s.labels)
    answer = model.predict(s.x, s.scores, s.was)
    assert not answer.changed.any() and (answer.node == "animal").all()
    assert any("needs at least 99" in note for note in answer.notes)


def test_one_class_only_is_an_honest_unchanged():
    s = Savanna().label(60, only=(0,))
    model = HierarchicalClassifier(taxonomy(), 0.05).fit(s.x, s.scores, s.labels)
    answer = model.predict(s.x, s.scores, s.was)
    assert not answer.changed.any()
    assert any("one class only" in note for note in answer.notes)


def test_all_embeddings_equal_is_an_honest_unchanged():
    s = Savanna().label(20)
    model = HierarchicalClassifier(taxonomy(), 0.05).fit(np.ones((300, 12)), None, s.labels)
    assert not model.predict(np.ones((300, 12)), None, s.was).changed.any()


def test_scores_truncated_to_two_and_no_scores():
    s = Savanna().label(20)
    dense = s.scores.values.toarray()
    dense[dense < np.sort(dense, axis=1)[:, [-2]]] = 0
    two = GlobalScores(dense, tuple(NAMES))
    for scores in (two, None, {"a": two, "b": s.scores}):
        model = HierarchicalClassifier(taxonomy(), 0.1).fit(s.x, scores, s.labels)
        answer = model.predict(s.x, scores, s.was)
        assert (answer.node == s.names).mean() > 0.9


def test_bad_input_is_said_in_one_line():
    s = Savanna(n=60).label(5)
    with pytest.raises(InputError, match="no trusted row"):
        HierarchicalClassifier(taxonomy()).fit(s.x, s.scores, [None] * 60)
    with pytest.raises(TaxonomyError, match="own ancestor"):
        HierarchicalClassifier({"a": "b", "b": "a"}).fit(s.x, s.scores, s.labels)
    with pytest.raises(TaxonomyError, match="no row of its own"):
        HierarchicalClassifier({"a": "x", "c": "y"}).fit(s.x, s.scores, s.labels)
    odd = s.labels.copy()
    odd[0] = "Panthera lio"
    with pytest.raises(TaxonomyError, match="did you mean 'panthera leo'"):
        HierarchicalClassifier(taxonomy()).fit(s.x, s.scores, odd)
    with pytest.raises(InputError, match="alpha: 1.5"):
        HierarchicalClassifier(taxonomy(), alpha=1.5).fit(s.x, s.scores, s.labels)
    with pytest.raises(InputError, match="call fit"):
        HierarchicalClassifier(taxonomy()).predict(s.x)
    broken = s.x.copy()
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="row 3"):
        HierarchicalClassifier(taxonomy()).fit(broken, s.scores, s.labels)
    model = HierarchicalClassifier(taxonomy(), 0.2).fit(s.x, s.scores, s.labels)
    with pytest.raises(InputError, match="was: 2 labels, expected 60"):
        model.predict(s.x, s.scores, ["animal", "animal"])
