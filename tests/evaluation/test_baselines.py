"""Every baseline: probabilities in all corners, and its equation recomputed the slow way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecotone.evaluation import local_baselines as local
from ecotone.evaluation import map_baselines as maps
from ecotone.evaluation import transductive_baselines as transductive
from ecotone.evaluation.baselines import BASELINES, LOCAL_ONLY, without_scores
from tests.evaluation.problems import problem, with_missing

CORNERS = {
    "twenty labels": {"labels": 20},
    "a class without a label": {"labels": 20, "hide": (3,)},
    "one label": {"labels": 1},
    "no label": {"labels": 0},
    "one class": {"labels": 8, "hide": (1, 2, 3)},
    "no scores": {"labels": 20, "scores": False},
    "all labels": {"labels": 180},
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("method", BASELINES)
def test_probabilities_everywhere(method, corner):
    made, truth = problem(**CORNERS[corner])
    proba = BASELINES[method](made)
    assert proba.shape == (len(truth), 4)
    assert np.isfinite(proba).all() and proba.min() >= 0
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(proba, BASELINES[method](made)), "the same twice"


@pytest.mark.parametrize("method", BASELINES)
def test_a_problem_is_left_as_it_was(method):
    made, _ = problem()
    before = [made.features.copy(), made.labels.copy(), made.scores["global"].values.toarray()]
    BASELINES[method](made)
    after = [made.features, made.labels, made.scores["global"].values.toarray()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("method", without_scores(tuple(BASELINES)))
def test_what_learns_from_labels_learns(method):
    made, truth = problem(labels=60)
    assert (BASELINES[method](made).argmax(axis=1) == truth).mean() > 0.8


def test_local_only_beats_the_default_ridge_with_few_labels():
    gains = []
    for seed in range(5):
        made, truth = problem(labels=16, seed=seed)
        found = [(BASELINES[m](made).argmax(axis=1) == truth).mean()
                 for m in (LOCAL_ONLY, "default logistic regression")]
        gains.append(found[0] - found[1])
    assert np.mean(gains) >= 0


def test_unlabelled_classes_keep_their_prior():
    made, _ = problem(labels=20, hide=(3,))
    proba = local.local_only(made)
    assert np.allclose(proba[:, 3], made.prior[3]) and made.prior[3] > 0


def test_penalty_is_chosen_by_held_out_loss():
    made, _ = problem(labels=100)
    rows = made.labelled
    x, y = made.features[rows], made.labels[rows]
    assert local.choose_penalty(x[:20], y[:20], np.arange(20), made) == local.PENALTIES[-1]
    noise = np.random.default_rng(0).normal(size=x.shape)
    assert local.choose_penalty(noise, y, np.arange(100), made) == local.PENALTIES[0]


def test_names_move_each_global_class_to_its_nearest_relative():
    made, _ = problem()
    proba = maps.by_names(made)
    scores = made.test_scores["global"].values.toarray()
    dropped = 1 - scores[:, :3].sum(axis=1)
    assert np.allclose(proba[:, :3], scores[:, :3] + dropped[:, None] / 4, atol=1e-6)
    assert np.allclose(proba[:, 3], dropped / 4, atol=1e-6)


def test_names_shared_by_two_local_classes_are_split_evenly():
    made, _ = problem()
    weights = np.zeros((4, 6))
    weights[[0, 1, 2, 2], [0, 0, 2, 3]] = [0.35, 0.35, 0.4, 0.4]
    proba = maps.by_names(replace(made, name_weights={"global": weights}))
    assert np.allclose(proba[:, 0], proba[:, 1])


def test_leep_is_the_expected_empirical_prediction():
    made, _ = problem(labels=30)
    theta, test = made.scores["global"].values.toarray(), made.test_scores["global"].values
    joint = np.zeros((4, 6))
    for row in made.labelled:
        joint[made.labels[row]] += theta[row]
    wanted = test.toarray() @ (joint / joint.sum(axis=0)).T
    assert np.allclose(maps.leep(made), wanted, atol=1e-6)


def test_blm_counts_the_top_class_and_smooths_by_one():
    made, _ = problem(labels=30)
    theta, test = made.scores["global"].values.toarray(), made.test_scores["global"].values
    counts = np.zeros((6, 4))
    for row in made.labelled:
        counts[theta[row].argmax(), made.labels[row]] += 1
    omega = counts / (counts.sum(axis=1, keepdims=True) + 1)
    omega /= omega.sum(axis=0)
    logits = np.log(test.toarray() + maps.TINY) @ omega
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.allclose(maps.blm(made), e / e.sum(axis=1, keepdims=True), atol=1e-3)


def test_blm_plus_uses_the_top_three_and_differs():
    made, _ = problem(labels=30)
    assert np.allclose(maps.blm_plus(made, k=6).sum(axis=1), 1)
    assert not np.allclose(maps.blm_plus(made), maps.blm(made))
    top = maps._top(made.scores["global"].values, 3)
    assert set(np.diff(top.indptr)) == {3}
    full = made.scores["global"].values.toarray()
    assert np.allclose(np.sort(top.toarray())[:, -3:], np.sort(full)[:, -3:])


def test_rows_without_scores_get_the_prior_from_the_maps():
    made, _ = problem(labels=30)
    gone = np.array([0, 5])
    made = replace(made, test_scores={"global": with_missing(made.test_scores["global"], gone)})
    assert np.allclose(maps.leep(made)[gone], made.prior, atol=1e-6)
    assert np.allclose(maps.by_names(made)[gone], 0.25)


def test_two_models_are_averaged():
    made, _ = problem(labels=30)
    one = maps.leep(made)
    both = replace(
        made, scores={**made.scores, "b": made.scores["global"]},
        test_scores={**made.test_scores, "b": made.test_scores["global"]},
    )
    assert np.allclose(maps.leep(both), one)


def test_neighbours_vote_by_similarity():
    made, _ = problem(labels=12)
    cosine = made.test_features @ made.features[made.labelled].T
    first = made.labels[made.labelled][cosine.argmax(axis=1)]
    assert np.array_equal(local.nearest_neighbours(made, k=1).argmax(axis=1), first)


def test_gaussian_head_is_bayes_with_the_shrunken_covariance():
    made, _ = problem(labels=40)
    x, y = made.features[made.labelled], made.labels[made.labelled]
    means = np.stack([(x[y == k].sum(0) + x.mean(0)) / ((y == k).sum() + 1) for k in range(4)])
    rest = x - means[y]
    within = rest.T @ rest / len(x)
    n, d = x.shape
    shrunk = ((n - 1) * within + np.trace(within) * np.eye(d)) / (n - 1 + d)
    inverse = np.linalg.inv(shrunk)
    logits = np.array([
        [0.5 * (t @ inverse @ m - 0.5 * m @ inverse @ m) for m in means] for t in made.test_features
    ]) + np.log(made.prior)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.allclose(local.gaussian_head(made), e / e.sum(axis=1, keepdims=True), atol=1e-8)


def test_propagation_solves_the_linear_system():
    made, _ = problem(labels=30, rows=120)
    rows, free = made.labelled, np.flatnonzero(made.labels < 0)
    x = np.vstack([made.features[rows], made.features[free], made.test_features])
    graph = transductive.cosine_graph(x, 10, 3.0).toarray()
    assert np.allclose(graph, graph.T) and np.all(np.diag(graph) == 0)
    root = 1 / np.sqrt(graph.sum(axis=1))
    start = np.zeros((len(x), 4))
    start[np.arange(len(rows)), made.labels[rows]] = 1
    spread = np.linalg.solve(np.eye(len(x)) - 0.9 * root[:, None] * graph * root, start)
    test = spread[-len(made.test_features) :]
    wanted = local.with_unseen(made, test / test.sum(axis=1, keepdims=True))
    assert np.allclose(transductive.label_propagation(made), wanted, atol=0.02)


def test_cache_model_without_labels_is_the_names():
    made, _ = problem(labels=0)
    assert np.allclose(transductive.cache_model(made), maps.by_names(made), atol=1e-3)


def test_transclip_keeps_to_the_cache_and_uses_the_neighbours():
    better = []
    for seed in range(4):
        made, truth = problem(labels=8, seed=seed)
        found = [(m(made).argmax(axis=1) == truth).mean()
                 for m in (transductive.transclip, maps.by_names)]
        better.append(found[0] - found[1])
    assert np.mean(better) > 0
