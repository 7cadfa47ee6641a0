"""Thresholds between known and new, by hand and against a slow search; names of new ones."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.deciding import peoples_word
from ecotone.reid.evidence import individual_evidence, pool
from ecotone.reid.fused_similarity import SimilarityFusion
from ecotone.reid.metrics import open_set, probability_ece
from ecotone.reid.naming import name_groups, new_names
from ecotone.reid.openset import Thresholds, Trials, fit_known, fit_thresholds
from ecotone.reid.unlabelled import guess_calibrator


def trials(n: int = 300, people: int = 20, seed: int = 0) -> Trials:
    rng = np.random.default_rng(seed)
    person, known = rng.integers(0, people, n), rng.random(n) < 0.6
    best = np.clip(rng.beta(4, 2, n) * np.where(known, 1.0, 0.55), 1e-6, 1 - 1e-6)
    new = (1 - best) * rng.random(n)
    return Trials(person, known, known & (rng.random(n) < 0.9), best, new)


def test_the_threshold_maximises_the_geometric_mean():
    t = trials()
    found = fit_thresholds(t, None)
    truth = np.where(t.known, t.person.astype(str), [f"n{p}" for p in t.person])

    def score(at: float) -> float:
        said = np.where(t.odds >= at, np.where(t.right, t.person.astype(str), "wrong"), "new")
        return open_set(truth, said, t.person.astype(str))["geometric_mean"]

    slow = max(score(at) for at in [*t.odds, 1.1])
    assert found.curve.geometric_mean.max() == pytest.approx(slow, abs=1e-9)
    assert score(found.between) == pytest.approx(slow, abs=1e-9)
    at = len(found.curve.threshold) // 3
    assert found.curve.geometric_mean[at] == pytest.approx(score(found.curve.threshold[at]))


def test_unsure_answers_are_withheld_for_precision():
    t = trials(3000)
    found = fit_thresholds(t, 0.9)
    said = found.decide(t.best, t.new)
    assert set(said) == {"known", "new", "cannot tell"}
    assert (t.known & t.right)[said == "known"].mean() > 0.85
    assert (~t.known)[said == "new"].mean() > 0.8
    assert "cannot tell" not in fit_thresholds(t, None).decide(t.best, t.new)


def test_without_trials_nothing_is_learned():
    none = np.zeros(0)
    empty = Trials(none.astype(int), none.astype(bool), none.astype(bool), none, none)
    found = fit_thresholds(empty)
    assert found.between == 0.5 and "came twice" in found.notes[0]
    assert Thresholds().decide(np.array([0.0, 0.9]), np.array([1.0, 0.1])).tolist() == [
        "new", "known"]
    with pytest.raises(InputError, match="precision 2"):
        fit_thresholds(empty, 2.0)


def test_p_known_is_calibrated_and_grows_with_the_evidence():
    rng = np.random.default_rng(0)
    known = rng.random(4000) < 0.5
    summed = rng.normal(np.where(known, 1.5, -0.5), 1.0)
    size = rng.integers(5, 200, 4000)
    model = fit_known(summed, size, known, np.ones(4000), 1.0)
    p = model.probability(summed, size)
    assert probability_ece(p, known) < 0.03
    assert (np.diff(model.probability(np.linspace(-9, 9, 50), np.full(50, 30))) > 0).all()
    assert model.probability(np.array([-np.inf]), np.array([1]))[0] == 0.0


def test_evidence_by_hand():
    index = np.array([[0, 1, 2], [2, -1, -1], [-1, -1, -1]])
    ratio = np.array([[0.5, 2.0, 1.0], [0.0, np.nan, np.nan], [np.nan] * 3])
    found = individual_evidence(index, ratio, np.array([0, 0, 1]), np.array([4, 4, 4]))
    assert found.query.tolist() == [0, 0, 1] and found.individual.tolist() == [0, 1, 1]
    assert found.row.tolist() == [1, 2, 2] and found.log_ratio.tolist() == [2.0, 1.0, 0.0]
    summed = found.summed(1.0)
    assert summed[0] == pytest.approx(np.log((np.exp(2) + np.exp(1)) / 4))
    assert summed[1] == pytest.approx(np.log(1 / 4)) and summed[2] == -np.inf
    share = found.share(1.0)
    assert share[0] == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(1))) and share[2] == 1.0
    both = pool(found, np.array([0.8, 0.4, 0.0]), share, np.array([0, 0, 1]))
    assert both.new.tolist() == pytest.approx([0.4, 1.0])
    assert both.individual.tolist() == [1, 0]  # 0.4 + 0.8 * 0.27 against 0.8 * 0.73
    assert both.probability.sum() == pytest.approx(0.6)
    assert both.first.tolist() == [1, -1] and both.best[1] == 0.0


def test_names_of_new_individuals():
    assert new_names(2, ["new-0007", "fox", "new-x"]) == ["new-0008", "new-0009"]
    group = np.array([2, 5, 2, -1, 5, 9])
    named = name_groups(group, ["c", "b", "a", "z", "d", "0"])
    assert named.tolist() == ["new-0001", "new-0002", "new-0001", "", "new-0002", "new-0003"]


def test_fused_similarities_rank_better_than_each():
    rng = np.random.default_rng(0)
    same = rng.random(6000) < 0.1
    a, b = rng.normal(same * 1.5), 30 * rng.normal(same * 1.5)
    fusion = SimilarityFusion().fit({"a": a[:3000], "b": b[:3000]}, same[:3000])
    p = fusion.probability({"a": a[3000:], "b": b[3000:]})
    alone = fusion.calibrators_["a"].probability(a[3000:])

    def loss(q: np.ndarray) -> float:
        return float(-np.mean(np.log(np.where(same[3000:], q, 1 - q))))

    assert loss(p) < 0.9 * loss(alone) and probability_ece(p, same[3000:]) < 0.02
    some = b[3000:].copy()
    some[:10] = np.nan
    assert not np.isnan(fusion.probability({"a": a[3000:], "b": some})).any()
    with pytest.raises(InputError, match="not calibrated"):
        fusion.probability({"c": a})


def test_guessed_probabilities_of_two_clear_kinds_of_pairs():
    rng = np.random.default_rng(0)
    same = rng.random(5000) < 0.05
    x = rng.normal(np.where(same, 0.8, 0.1), 0.1)
    calibrator = guess_calibrator(x, same & (rng.random(5000) < 0.5), np.full(5000, -1))
    p = calibrator.probability(x)
    assert ((p > 0.5) == same).mean() > 0.99 and "guessed" in calibrator.note_


def test_peoples_word_by_hand():
    # queries 0 1 2 3, gallery 4 (a) 5 (a) 6 (b)
    codes, together = np.array([0, 0, 1]), np.array([0, 0, 1, 2])
    word = peoples_word(4, codes, together, [(2, 5)], [(3, 4), (0, 3)])
    assert word.unit.tolist() == [0, 0, 1, 2]
    assert word.said.tolist() == [-1, 0, -1]
    assert word.not_one.tolist() == [[2, 0]]
    assert word.apart.tolist() == [[0, 2], [1, 2]]
