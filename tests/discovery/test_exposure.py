"""Outlier exposure: unsure where outliers are, sure where known rows are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecotone.discovery import fit_exposure
from ecotone.errors import InputError


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(5).normal(size=(6, 16)) * 2
    truth = np.arange(120) % 6
    rows = rng.normal(size=(120, 16)) + means[truth]
    return rows[truth < 4], truth[truth < 4], rows[truth >= 4]


def test_rows_like_the_outliers_score_higher_and_a_run_repeats():
    known, target, outliers = scene(0)
    model = fit_exposure(known, target, outliers)
    new_known, _, new = scene(1)
    score = model.score(np.concatenate([new_known, new]))
    truth = np.r_[np.zeros(len(new_known)), np.ones(len(new))]
    assert roc_auc_score(truth, score) > 0.9
    blind = fit_exposure(known, target, outliers, beta=0.0)
    assert roc_auc_score(truth, score) > roc_auc_score(
        truth, blind.score(np.concatenate([new_known, new]))
    )
    order = np.random.default_rng(0).permutation(len(known))
    again = fit_exposure(known[order], target[order], outliers[::-1])
    np.testing.assert_allclose(
        again.score(new), model.score(new), atol=1e-4
    )


def test_bad_outliers_are_refused():
    known, target, outliers = scene(0)
    with pytest.raises(InputError, match="outliers"):
        fit_exposure(known, target, outliers[:, :3])
    with pytest.raises(InputError, match="outliers"):
        fit_exposure(known, target, outliers[:0])
    bad = outliers.copy()
    bad[2, 0] = np.nan
    with pytest.raises(InputError, match="row 2"):
        fit_exposure(known, target, bad)
    with pytest.raises(InputError, match="beta"):
        fit_exposure(known, target, outliers, beta=-1.0)
