"""Coverage of prediction sets on labels that did not set their thresholds.

n held-out labelled rows, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import clone

from ecotone.confidence.checks import check_groups, check_held_out
from ecotone.confidence.sets import ConformalSets, SetReport, set_report
from ecotone.errors import InputError

FOLDS = 5


def cross_fit_sets(
    sets: ConformalSets, proba: np.ndarray, target: np.ndarray,
    groups: Sequence[object] | None = None, folds: int = FOLDS, random_state: int = 0,
) -> SetReport:
    """How good sets are: thresholds from four fifths of the rows, measured on the fifth, in turn.

    On the very rows that set a threshold the coverage is what was asked for, whatever the truth.
    proba (n, K), target (n,), as in `ConformalSets.fit`. groups: (n,) whole groups go into a fold.
    Thresholds of fewer rows are a little wider: the figure leans to larger sets.

    Raises InputError when an argument does not fit, or there are fewer than two groups.
    """
    proba, target = check_held_out(proba, target)
    names, group_of = np.unique(check_groups(groups, len(proba)), return_inverse=True)
    folds = min(folds, len(names))
    if folds < 2:
        raise InputError("one group of labels only: nothing is left to measure sets on.")
    rng = np.random.default_rng(random_state)
    fold = (rng.permutation(len(names)) % folds)[group_of]
    inside = np.zeros(proba.shape, dtype=bool)
    for f in range(folds):
        held = fold == f
        inside[held] = clone(sets).fit(proba[~held], target[~held]).predict_set(proba[held])
    return set_report(inside, target)
