"""The map without a student is that of the whole fit."""

from __future__ import annotations

import numpy as np

from ecotone import FusionClassifier
from ecotone.fusion.map_view import map_view
from ecotone.types import GlobalScores
from tests.fusion.test_classifier import MODEL, NAMES, reserve


def test_it_is_the_map_of_the_classifier():
    x, p, labels, _ = reserve()
    clf = FusionClassifier(NAMES, MODEL).fit(x, p, labels)
    scores = {"model": GlobalScores.from_dense(p.astype(np.float32), tuple(MODEL))}
    target = np.array([NAMES.index(v) if v else -1 for v in labels])
    mapped, mappings = map_view(scores, target, NAMES)
    np.testing.assert_allclose(mapped, clf.map_proba(p), atol=1e-5)
    assert list(mappings["model"].kind) == list(clf.mapping_.kind)


def test_it_needs_no_label():
    _, p, _, y = reserve()
    scores = {"model": GlobalScores.from_dense(p.astype(np.float32), tuple(MODEL))}
    mapped, _ = map_view(scores, np.full(len(p), -1), NAMES)
    known = y < 3
    assert (mapped.argmax(axis=1) == y)[known].mean() > 0.7
