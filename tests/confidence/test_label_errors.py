"""Labels that are probably wrong: against the slow way, planted errors, and cleanlab."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.confidence.label_errors import METHODS, SCORES, find_label_errors, normalised_margin
from ecotone.errors import InputError
from tests.confidence.worlds import CENTRES, PRIOR, draw, posterior

K = len(PRIOR)


def mislabelled(seed, n, share=0.08, spread=0.5):
    """Rows with labels, some of them of another class; (proba, labels, truth)."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(K, size=n, p=PRIOR)
    proba = posterior(CENTRES[truth] + spread * rng.normal(size=(n, 2)))
    wrong = rng.random(n) < share
    return proba, np.where(wrong, (truth + rng.integers(1, K, size=n)) % K, truth), truth


def slow_joint(proba, target):
    """The confident joint, row by row, and who is off its diagonal."""
    n_classes = proba.shape[1]
    threshold = [np.mean(proba[target == k, k]) if (target == k).any() else np.inf
                 for k in range(n_classes)]
    counts, off = np.zeros((n_classes, n_classes), int), {}
    for i, (p, given_) in enumerate(zip(proba, target, strict=True)):
        reached = [k for k in range(n_classes) if p[k] >= threshold[k] - 1e-9]
        if reached:
            best = max(reached, key=lambda k: (p[k], k == given_))
            counts[given_, best] += 1
            if best != given_ and p[given_] < max(p):
                off[i] = best
    return counts, off


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 5))
def test_against_the_slow_way(seed, n, n_classes):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.4), size=n)
    target = rng.integers(n_classes, size=n)
    found = find_label_errors(proba, target)
    counts, off = slow_joint(proba, target)
    assert np.array_equal(found.counts, counts)
    assert dict(zip(found.row.tolist(), found.suggested.tolist(), strict=True)) == off
    assert found.joint.sum() == pytest.approx(1.0)
    assert found.joint.sum(axis=1) == pytest.approx(np.bincount(target, minlength=n_classes) / n)
    assert found.noise == pytest.approx(1 - np.trace(found.joint))


@pytest.mark.parametrize(("method", "share"), [("confident", 0.7), ("noise rate", 0.9)])
def test_planted_errors_are_found(method, share):
    proba, target, truth = mislabelled(0, 2000)
    found = find_label_errors(proba, target, method=method)
    planted = np.flatnonzero(target != truth)
    assert np.isin(planted, found.row).mean() > share
    worst = found.row[: len(planted) // 2]
    assert (target[worst] != truth[worst]).mean() > 0.95
    assert (found.suggested[: len(worst)] == truth[worst]).mean() > 0.95
    assert found.noise == pytest.approx(len(planted) / 2000, abs=0.03)
    wrong = np.array([(truth[target == k] != k).mean() for k in range(K)])
    assert np.abs(found.class_noise - wrong).max() < 0.08


def test_clean_labels_that_the_model_agrees_with_are_left_alone():
    proba, target, _ = mislabelled(1, 500, share=0.0, spread=0.1)
    found = find_label_errors(proba, target)
    assert len(found) == 0 and found.noise == 0.0 and list(found.rows()) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(METHODS), st.sampled_from(SCORES))
def test_properties(seed, method, score):
    rng = np.random.default_rng(seed)
    proba, target = draw(80, rng)
    target = np.where(rng.random(80) < 0.2, rng.integers(K, size=80), target)
    found = find_label_errors(proba, target, method=method, score=score)
    assert (np.diff(found.score) >= 0).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert (found.given == target[found.row]).all() and (found.suggested != found.given).all()
    assert (found.self_confidence < proba[found.row].max(axis=1)).all()
    order, columns = rng.permutation(80), rng.permutation(K)
    moved = find_label_errors(
        proba[order][:, columns], np.argsort(columns)[target[order]], method=method, score=score
    )
    assert np.array_equal(order[moved.row], found.row)
    assert np.array_equal(columns[moved.suggested], found.suggested)
    assert moved.noise == pytest.approx(found.noise)


def test_rows_name_the_classes():
    proba = np.array([[0.9, 0.1]] * 5 + [[0.05, 0.95]] * 6)
    target = np.array([0] * 5 + [1] * 5 + [0])
    rows = list(find_label_errors(proba, target).rows(["fox", "hare"]))
    assert rows == [{"row": 10, "given": "fox", "suggested": "hare",
                     "score": pytest.approx(0.05), "self_confidence": pytest.approx(0.05)}]


def test_edges():
    one = find_label_errors(np.ones((4, 1)), np.zeros(4, dtype=int))
    assert len(one) == 0 and one.joint.tolist() == [[1.0]]
    assert normalised_margin(np.ones((4, 1)), np.zeros(4, dtype=int)).tolist() == [1.0] * 4
    empty = find_label_errors(np.eye(3)[[0, 1, 2]], np.array([0, 1, 1]))  # nobody says class 2
    assert np.isinf(empty.threshold[2]) and empty.class_noise[2] == 0.0
    single = find_label_errors(np.array([[0.2, 0.8]]), np.array([0]))
    assert len(single) == 0 and single.n == 1


@pytest.mark.parametrize(("options", "words"), [
    ({"method": "prune"}, "method: 'prune'"), ({"score": "entropy"}, "score: 'entropy'"),
])
def test_what_does_not_fit_is_said(options, words):
    with pytest.raises(InputError, match=words):
        find_label_errors(np.ones((1, 1)), np.zeros(1, dtype=int), **options)
    with pytest.raises(InputError, match="2 names, proba has 1"):
        list(find_label_errors(np.ones((1, 1)), np.zeros(1, dtype=int)).rows(["a", "b"]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_cleanlab_agrees(seed):
    """Ran in agreement with cleanlab 2.9.0; skipped where it is not installed."""
    cleanlab = pytest.importorskip("cleanlab", reason="cleanlab, the referee, is not installed")
    from cleanlab.count import compute_confident_joint, estimate_joint
    from cleanlab.filter import find_label_issues

    assert cleanlab.__version__
    proba, target, _ = mislabelled(seed, 1500, spread=1.0)
    found = find_label_errors(proba, target)
    assert np.array_equal(compute_confident_joint(target, proba, calibrate=False), found.counts)
    assert np.abs(estimate_joint(target, proba) - found.joint).max() < 2 / 1500  # whole numbers
    theirs = find_label_issues(
        target, proba, filter_by="confident_learning", n_jobs=1,
        return_indices_ranked_by="normalized_margin",
    )
    assert np.array_equal(found.row, theirs)
    theirs = set(find_label_issues(
        target, proba, filter_by="prune_by_noise_rate", n_jobs=1,
        return_indices_ranked_by="self_confidence",
    ).tolist())
    ours = set(find_label_errors(proba, target, method="noise rate").row.tolist())
    assert len(ours & theirs) >= 0.97 * len(ours | theirs)
