"""Proposals: what has no label and stands apart; known classes stay known; people name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from ecotone.discovery import known_class_effect, propose_classes
from ecotone.discovery.number import count_classes
from ecotone.discovery.proposals import usual_labels
from ecotone.errors import InputError
from ecotone.types import GlobalScores

from .worlds import blobs

NAMES = np.array(["deer", "fox", "boar", "lynx", "otter"])


def world(sizes=(120, 100, 80, 60, 40), known=3, each=5, seed=0):
    x, y = blobs(list(sizes), dim=24, apart=10, seed=seed)
    labels: list[str | None] = [None] * len(y)
    for k in range(known):
        for row in np.flatnonzero(y == k)[:each]:
            labels[row] = str(NAMES[k])
    return x, y, labels


def test_two_unknown_species_are_proposed_and_three_known_are_not():
    x, y, labels = world()
    found = propose_classes(x, labels, replicates=4)
    assert len(found) == 2
    for proposal in found:
        species, count = np.unique(y[proposal.rows], return_counts=True)
        assert species[count.argmax()] in (3, 4) and count.max() / proposal.size > 0.97
        assert proposal.size >= 0.9 * (y == species[count.argmax()]).sum()
        assert proposal.nearest_class in NAMES[:3] and proposal.distance > 3
        assert 0.5 < proposal.stability <= 1 and 0.9 < proposal.cohesion <= 1
        assert list(proposal.exemplars) == list(proposal.rows[:9])
        assert all(found.labels[r] == proposal.number - 1 for r in proposal.rows)
        centre = x[y == species[count.argmax()]].mean(axis=0)
        far = np.linalg.norm(x[proposal.rows] - centre, axis=1)
        assert far[:9].mean() < far.mean(), "exemplars are typical"
    assert [p.number for p in found] == [1, 2]
    assert found.items[0].confidence >= found.items[1].confidence
    number = found.number_of_classes
    assert number.low <= 5 <= number.high and number.known + number.proposed == 5
    assert (found.labels[[i for i, v in enumerate(labels) if v]] == -1).all()


def test_nothing_new_where_all_classes_have_labels():
    x, _, labels = world(sizes=(120, 100, 80), known=3)
    assert len(propose_classes(x, labels, replicates=2)) == 0


def test_order_plays_no_part():
    x, _, labels = world()
    order = np.random.default_rng(5).permutation(len(x))
    first = propose_classes(x, labels, replicates=2)
    second = propose_classes(x[order], [labels[i] for i in order], replicates=2)
    np.testing.assert_array_equal(first.labels[order], second.labels)
    assert first.number_of_classes == second.number_of_classes


def test_without_labels_every_cluster_is_a_proposal():
    x, _, _ = world(sizes=(90, 80, 70))
    found = propose_classes(x, replicates=0)
    assert len(found) == 3 and found.number_of_classes.known == 0
    assert all(p.nearest_class is None and p.distance == np.inf for p in found)


def test_what_the_models_say():
    x, y, labels = world()
    values = np.zeros((len(y), 2))
    values[np.arange(len(y)), (y == 3).astype(int)] = 0.7
    scores = GlobalScores(sparse.csr_matrix(values), ("other", "cat"))
    posteriors = np.full((len(y), 3), 1 / 3)
    found = propose_classes(x, labels, scores=scores, posteriors=posteriors,
                            classes=["boar", "deer", "fox"], replicates=0)
    said = {p.global_classes[0][0]: p for p in found}
    assert set(said) == {"cat", "other"}
    assert said["cat"].global_classes[0][1] == pytest.approx(0.7, abs=0.05)
    assert said["cat"].explained == pytest.approx(1 / 3)


def test_only_people_name_and_known_classes_stay_as_good():
    x, y, labels = world()
    found = propose_classes(x, labels, replicates=0)
    names = {p.number: str(NAMES[np.bincount(y[p.rows]).argmax()]) for p in found}
    named = found.named(names)
    assert {v for v in named if v} == {"lynx", "otter"}
    assert named.count("lynx") == found.usual == usual_labels([5, 5, 5]) == 5
    assert found.named(names, most=12).count("lynx") == 12
    effect = known_class_effect(x, labels, named, folds=3)
    assert effect.classes == ("boar", "deer", "fox") and effect.new_classes == ("lynx", "otter")
    assert effect.change == pytest.approx(effect.overall_after - effect.overall_before)
    assert effect.overall_before > 0.9 and effect.change > -0.1
    assert effect.new_accuracy > 0.9 and effect.n.sum() == 15
    with pytest.raises(InputError, match="proposal 9"):
        found.named({9: "lynx"})
    with pytest.raises(InputError, match="empty name"):
        found.named({1: " "})


class Nearest:
    """A classifier that takes the class of the nearest labelled row."""

    def __init__(self, names):
        self.names = names

    def fit(self, embeddings, scores, labels):
        rows = [i for i, v in enumerate(labels) if v is not None]
        assert {labels[i] for i in rows} <= set(self.names)
        self.x, self.y = embeddings[rows], np.array([labels[i] for i in rows], dtype=object)

    def predict(self, embeddings, scores):
        return self.y[((embeddings[:, None] - self.x) ** 2).sum(axis=2).argmin(axis=1)]


def test_a_named_class_that_takes_known_rows_is_seen():
    x, y = blobs([40, 40], dim=6, apart=9)
    labels = [str(NAMES[k]) if i % 2 else None for i, k in enumerate(y)]
    wrong = ["fox cub" if k == 1 and v is None else None for k, v in zip(y, labels, strict=True)]
    effect = known_class_effect(x, labels, wrong, make_classifier=Nearest)
    fox = effect.classes.index("fox")
    assert effect.before[fox] == 1.0 and effect.after[fox] < 0.7 and effect.change < -0.1
    assert effect.taken[fox] == pytest.approx(1 - effect.after[fox])
    assert effect.after[1 - fox] == 1.0 and effect.taken[1 - fox] == 0.0


@pytest.mark.parametrize("n", [0, 1, 2, 25])
def test_few_or_equal_rows(n):
    for x in (np.random.default_rng(0).normal(size=(n, 3)), np.ones((n, 3))):
        found = propose_classes(x, replicates=2)
        assert found.labels.shape == (n,) and len(found) <= n // 10
    x = np.random.default_rng(0).normal(size=(30, 1))
    labels = ["deer"] + [None] * 29
    assert propose_classes(x, labels, replicates=1).number_of_classes.known == 1


def test_what_does_not_fit_is_said():
    x, _, labels = world()
    bad = x.copy()
    bad[3, 0] = np.inf
    with pytest.raises(InputError, match="row 3"):
        propose_classes(bad, labels)
    with pytest.raises(InputError, match="labels: 1 entries"):
        propose_classes(x, ["deer"])
    with pytest.raises(InputError, match="posteriors: shape"):
        propose_classes(x, labels, posteriors=np.ones((len(x), 2)))
    with pytest.raises(InputError, match="least"):
        propose_classes(x, labels, least=1)
    with pytest.raises(InputError, match="give labels"):
        known_class_effect(x, labels, [None] * len(x))
    with pytest.raises(InputError, match="named"):
        known_class_effect(x, labels, ["a"])


def test_the_interval_of_the_number():
    sure = count_classes(4, 2, [1, 2, 2, 3], 0.9, found=98, tried=98)
    assert (sure.estimate, sure.low, sure.known, sure.proposed) == (6, 5, 4, 2)
    assert sure.high == 7 and sure.found_again == 1.0
    half = count_classes(4, 2, [2, 2], 0.9, found=49, tried=98)
    draws = np.random.default_rng(0).negative_binomial(3, 0.5, 20000)
    assert half.estimate == 6 + np.median(draws) and half.low == 6
    assert half.high == 6 + np.quantile(draws, 0.95)
    assert count_classes(1, 0, [], 0.9).found_again is None


def test_a_new_class_gets_as_many_labels_as_the_known_have():
    assert usual_labels([]) == usual_labels([0, 0]) == usual_labels([900, 80]) == 20
    assert usual_labels([1, 2, 0]) == 5 and usual_labels([7, 9, 300]) == 9
