"""The detector: false alarms as chosen, new rows found, the same answer alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecotone.discovery import NoveltyDetector
from ecotone.errors import InputError

MEANS = np.random.default_rng(99).normal(size=(12, 24)) * 1.2


def draw(classes: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (MEANS[classes] + rng.normal(size=(len(classes), 24))).astype(np.float32)


def few(per_class: int, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(n_classes), per_class)
    return draw(labels, seed), labels


def posterior(x: np.ndarray, n_classes: int) -> np.ndarray:
    logits = -0.5 * ((x[:, None] - MEANS[:n_classes]) ** 2).sum(axis=2)
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("per_class", "n_classes", "rate", "least", "most"), [
    (5, 8, 0.05, 0.02, 0.09),
    (5, 3, 0.1, 0.04, 0.18),
    (40, 8, 0.05, 0.03, 0.07),
])
def test_known_rows_are_flagged_at_the_chosen_rate(per_class, n_classes, rate, least, most):
    shares = []
    for seed in range(8):
        x, labels = few(per_class, n_classes, seed)
        new = draw(np.arange(400) % n_classes, seed + 1000)
        shares.append(NoveltyDetector(rate).fit(x, labels).predict(new).mean())
    assert least <= np.mean(shares) <= most


def test_rate_holds_with_a_class_of_one_row():
    shares = []
    for seed in range(12):
        x, labels = few(6, 6, seed)
        keep = np.flatnonzero(labels > 0)
        keep = np.append(keep, 0)
        new = draw(np.arange(300) % 5 + 1, seed + 500)
        shares.append(NoveltyDetector(0.1).fit(x[keep], labels[keep]).predict(new).mean())
    assert 0.03 <= np.mean(shares) <= 0.17


def test_one_row_a_class_flags_few_and_says_so():
    x, labels = few(1, 10, 0)
    detector = NoveltyDetector().fit(x, labels)
    assert "alone in their class" in " ".join(detector.notes_)
    assert detector.predict(draw(np.arange(200) % 10, 5)).mean() < 0.12


def test_new_classes_are_found_and_rows_count_the_same_alone():
    x, labels = few(20, 8, 0)
    detector = NoveltyDetector().fit(x, labels)
    known, new = draw(np.arange(160) % 8, 7), draw(8 + np.arange(120) % 4, 8)
    assert detector.predict(new).mean() > 0.5
    both = np.concatenate([known, new])
    score = detector.score(both)
    alone = np.array([detector.score(both[i : i + 1])[0] for i in range(0, len(both), 17)])
    np.testing.assert_allclose(score[::17], alone, rtol=1e-6)
    assert (score > detector.threshold_).tolist() == detector.predict(both).tolist()
    below = detector.p_value(both) < 0.05
    assert (below == detector.predict(both)).mean() > 0.99


def test_order_of_rows_and_names_of_classes_change_nothing():
    x, labels = few(6, 5, 0)
    new = draw(np.arange(20) % 12, 3)
    order = np.random.default_rng(0).permutation(len(x))
    first = NoveltyDetector().fit(x, labels).score(new)
    second = NoveltyDetector().fit(x[order], labels[order]).score(new)
    names = [f"species {k}" for k in labels[order]]
    third = NoveltyDetector().fit(x[order], names).score(new)
    np.testing.assert_allclose(first, second, rtol=1e-9)
    np.testing.assert_allclose(first, third, rtol=1e-9)


def test_mass_is_near_the_share_of_new_rows():
    x, labels = few(30, 8, 0)
    for share, classes in ((0.0, np.arange(600) % 8), (0.25, np.r_[np.arange(450) % 8,
                                                                   8 + np.arange(150) % 4])):
        pool = draw(classes, 11)
        both = np.concatenate([x, pool])
        target = np.r_[labels, np.full(len(pool), -1)]
        proba = posterior(both, 8)
        detector = NoveltyDetector().fit(both, target, proba=proba)
        mass = detector.novelty_proba(pool, proba[len(x) :])
        assert abs(mass.mean() - share) < (0.02 if share == 0 else 0.08)
        table = detector.predict_proba(pool, proba[len(x) :])
        assert table.shape == (len(pool), 9)
        np.testing.assert_allclose(table.sum(axis=1), 1.0)
        first = table.argmax(axis=1) == 8
        assert not (first & ~detector.predict(pool, proba[len(x) :])).any()
        if share:
            assert detector.share_.low < share < detector.share_.high + 0.05
            assert mass[classes >= 8].mean() > 5 * mass[classes < 8].mean()


def test_a_class_without_a_label_is_judged_by_the_posterior():
    x, labels = few(20, 8, 0)
    keep = labels != 3
    target = np.where(keep, labels, -1)
    proba = posterior(x, 8)
    detector = NoveltyDetector().fit(x, target, proba=proba)
    new = draw(np.full(100, 3), 4)
    flagged = detector.predict(new, posterior(new, 8)).mean()
    without = NoveltyDetector().fit(x[keep], np.where(labels > 3, labels - 1, labels)[keep])
    assert flagged < 0.3 < 0.4 < without.predict(new).mean()


def test_outliers_at_hand_help():
    x, labels = few(15, 8, 0)
    # New rows between the known ones: hard to tell by distance.
    known = draw(np.arange(300) % 8, 3)
    new, outliers = (0.45 * draw(8 + np.arange(n) % 4, n) for n in (300, 80))
    truth = np.r_[np.zeros(300), np.ones(300)]
    both = np.concatenate([known, new])
    plain = NoveltyDetector().fit(x, labels)
    exposed = NoveltyDetector().fit(x, labels, outliers=outliers)
    assert "exposure" in exposed.weights_
    assert roc_auc_score(truth, exposed.score(both)) > roc_auc_score(truth, plain.score(both))
    assert roc_auc_score(truth, exposed.score_parts(both)["exposure"]) > 0.9


@pytest.mark.parametrize("case", ["one row", "one class", "equal rows", "zeros", "wide", "names"])
def test_tiny_and_odd_input(case):
    x, labels = few(4, 3, 0)
    new = draw(np.arange(12), 2)
    if case == "one row":
        x, labels = x[:1], labels[:1]
    elif case == "one class":
        labels = np.zeros_like(labels)
    elif case == "equal rows":
        x = np.repeat(x[:1], len(x), axis=0)
    elif case == "zeros":
        x, new = np.zeros_like(x), np.zeros_like(new)
    elif case == "wide":
        x = np.tile(x, (1, 30))
        new = np.tile(new, (1, 30))
    else:
        labels = [None, *(f"s{k}" for k in labels[1:])]
    detector = NoveltyDetector().fit(x, labels)
    assert np.isfinite(detector.score(new)).all()
    assert detector.predict(new[:0]).shape == (0,)
    k = len(detector.classes_)
    table = detector.predict_proba(new, np.full((len(new), k), 1.0 / k))
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    if case == "one row":
        assert not detector.predict(new).any() and detector.notes_


def test_bursts_stay_together():
    x, labels = few(3, 4, 0)
    burst = np.repeat(np.arange(len(x)), 5)
    near = x[burst] + np.random.default_rng(1).normal(0, 0.01, (len(burst), 24))
    new = draw(np.arange(400) % 4, 9)
    split = NoveltyDetector(0.1).fit(near, labels[burst]).predict(new).mean()
    kept = NoveltyDetector(0.1).fit(near, labels[burst], groups=burst).predict(new).mean()
    assert kept < 0.3 < split


def test_soft_labels_and_numbers_agree():
    x, labels = few(6, 3, 0)
    soft = np.full((len(x), 3), 0.1)
    soft[np.arange(len(x)), labels] = 0.8
    new = draw(np.arange(12), 1)
    np.testing.assert_array_equal(
        NoveltyDetector().fit(x, soft).score(new), NoveltyDetector().fit(x, labels).score(new)
    )


def test_bad_input_is_one_clear_line():
    x, labels = few(4, 3, 0)
    bad = x.copy()
    bad[5, 0] = np.nan
    with pytest.raises(InputError, match="row 5"):
        NoveltyDetector().fit(bad, labels)
    with pytest.raises(InputError, match="no row has a label"):
        NoveltyDetector().fit(x, [None] * len(x))
    with pytest.raises(InputError, match="fit first"):
        NoveltyDetector().score(x)
    with pytest.raises(InputError, match="false_alarm"):
        NoveltyDetector(0.0).fit(x, labels)
    with pytest.raises(InputError, match="scores"):
        NoveltyDetector(scores=("magic",)).fit(x, labels)
    detector = NoveltyDetector().fit(x, labels, proba=posterior(x, 3))
    with pytest.raises(InputError, match="fit had them"):
        detector.score(x)
    with pytest.raises(InputError, match="row 5"):
        detector.score(bad, posterior(x, 3))


def test_judge_is_predict_and_novelty_proba():
    x, labels = few(10, 5, 0)
    both = draw(np.arange(60) % 9, 7)
    proba = posterior(x, 5)
    pool = np.concatenate([x, both])
    target = np.concatenate([labels, np.full(60, -1)])
    detector = NoveltyDetector(0.05).fit(
        pool, target, np.concatenate([proba, posterior(both, 5)]))
    flagged, novelty = detector.judge(both, posterior(both, 5))
    np.testing.assert_array_equal(flagged, detector.predict(both, posterior(both, 5)))
    np.testing.assert_array_equal(novelty, detector.novelty_proba(both, posterior(both, 5)))
