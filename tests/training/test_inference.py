"""What a held-out loss tells of a network."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from ecotone.training.inference import (  # noqa: E402
    cross_entropy,
    softmax,
    tempered_cross_entropy,
)


def test_the_loss_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 4)) * 3, rng.integers(0, 4, 50)
    assert cross_entropy(np.eye(4)[y], logits) == pytest.approx(
        log_loss(y, softmax(logits), labels=range(4)))


def test_against_sure_and_wrong_labels_a_network_that_has_learned_is_still_the_better_one() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 10, 500)
    said = np.where(rng.random(500) < 0.4, truth, rng.integers(0, 10, 500))
    target = np.where(np.eye(10)[said] > 0, 0.91, 0.01)
    learned, nothing = 5.0 * np.eye(10)[truth], np.zeros((500, 10))
    assert cross_entropy(target, learned) > cross_entropy(target, nothing)
    assert tempered_cross_entropy(target, learned) < tempered_cross_entropy(target, nothing)
    assert tempered_cross_entropy(target, nothing) == pytest.approx(np.log(10))
