"""Linear heads against scikit-learn and against their own equations."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from ecotone.fusion.students import gaussian_head, log_predict, logistic_head


def blobs(n=240, d=6, k=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    x = rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[y]
    return x.astype(np.float32), y, np.eye(k)[y]


def test_logistic_head_agrees_with_scikit_learn_on_hard_labels():
    x, y, targets = blobs()
    c = 0.7
    reference = LogisticRegression(C=c, tol=1e-8, max_iter=2000).fit(x, y)
    head = logistic_head(x, targets, np.ones(len(x)), 1 / (c * len(x)), iterations=500)
    np.testing.assert_allclose(
        np.exp(log_predict(x, head, floor=0)), reference.predict_proba(x), atol=2e-3
    )


def test_logistic_head_weights_rows():
    x, y, targets = blobs()
    twice = logistic_head(
        np.vstack([x, x[:60]]), np.vstack([targets, targets[:60]]), np.ones(300), 1e-2
    )
    weight = np.ones(240)
    weight[:60] = 2
    once = logistic_head(x, targets, weight, 1e-2)
    np.testing.assert_allclose(twice[0], once[0], atol=1e-2)


def test_gaussian_head_is_the_shared_covariance_rule():
    x, _, targets = blobs()
    weight, log_prior = np.ones(len(x)), np.log(np.full(3, 1 / 3))
    w, b = gaussian_head(x, targets, weight, log_prior, 1.0)
    n, d = x.shape
    grand = x.mean(axis=0)
    means = np.stack([(x[t > 0].sum(0) + grand) / ((t > 0).sum() + 1) for t in targets.T])
    within = (
        sum(
            (t[:, None] * x).T @ x - (t > 0).sum() * np.outer(m, m)
            for t, m in zip(targets.T, means, strict=True)
        )
        / n
    )
    sigma = ((n - 1) * within + np.trace(within) * np.eye(d)) / (n - 1 + d)
    sigma += np.eye(d) * 1e-3 * np.trace(within) / d
    logits = np.stack(
        [-0.5 * np.einsum("nd,de,ne->n", x - m, np.linalg.inv(sigma), x - m) for m in means], 1
    )
    expected = logits - logits.max(1, keepdims=True)
    expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_predict(x, (w, b), 0)), expected, atol=2e-3)


def test_gaussian_head_survives_one_row_and_equal_rows():
    for x in (np.ones((1, 4), np.float32), np.ones((5, 4), np.float32)):
        w, b = gaussian_head(x, np.ones((len(x), 2)) / 2, np.ones(len(x)), np.log([0.5, 0.5]), 1)
        assert np.isfinite(w).all() and np.isfinite(b).all()


def test_log_predict_never_vetoes():
    head = (np.array([[100.0, -100.0]], np.float32), np.zeros(2, np.float32))
    assert log_predict(np.ones((1, 1), np.float32), head).min() > np.log(5e-7)
