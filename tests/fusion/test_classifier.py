"""FusionClassifier: what it promises on every kind of input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from ecotone import FusionClassifier
from ecotone.errors import InputError
from ecotone.types import GlobalScores

NAMES = ["red fox", "roe deer", "wild boar", "badger"]
MODEL = ["Vulpes vulpes (red fox)", "Capreolus capreolus (roe deer)", "Sus scrofa (wild boar)"]


def reserve(n=160, k=4, d=12, labelled=12, seed=0, noise=False):
    """Pictures of four species of which the model knows three."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    x = (rng.normal(size=(n, d)) + 2.2 * rng.normal(size=(k, d))[y]).astype(np.float32)
    truth = np.vstack([np.eye(3), np.full((1, 3), 1 / 3)])[np.minimum(y, 3)]
    p = 0.75 * truth + 0.25 * rng.dirichlet(np.ones(3), n)
    if noise:
        p = rng.dirichlet(np.ones(3), n)
    labels = [NAMES[c] if i < labelled else None for i, c in enumerate(y)]
    return x, p, labels, y


def accuracy(proba, y):
    return (proba.argmax(axis=1) == y).mean()


def test_fit_predict_shapes_and_attributes():
    x, p, labels, y = reserve()
    clf = FusionClassifier(NAMES, MODEL).fit(x, p, labels)
    proba = clf.predict_proba(x, p)
    assert list(clf.classes_) == NAMES
    assert proba.shape == (160, 4)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(clf.local_model_.predict_proba(x).sum(axis=1), 1, atol=1e-5)
    assert clf.pseudo_labels_.shape == (160, 4)
    assert (clf.pseudo_labels_[:12].argmax(axis=1) == y[:12]).all()
    assert clf.mapping_.theta.shape == (4, 3)
    assert clf.mapping_.explain("red fox")[0][0] == MODEL[0]
    assert sum(row["weight"] for row in clf.selection_) == pytest.approx(1)
    assert np.isfinite(clf.selection_.oof_proba[:12]).all()
    assert np.isnan(clf.selection_.oof_proba[12:]).all()
    assert "labels only" in repr(clf.selection_)
    report = clf.score_report(x, p, [NAMES[c] for c in y])
    assert report.accuracy == pytest.approx(accuracy(proba, y))
    assert 0 <= report.ece <= 1 and report.local.n == 160


def test_a_class_without_a_label_is_predicted():
    x, p, labels, y = reserve(labelled=30)
    labels = [None if name == "roe deer" else name for name in labels]
    clf = FusionClassifier(NAMES, MODEL).fit(x, p, labels)
    found = clf.predict_proba(x, p).argmax(axis=1)
    assert (found[y == 1] == 1).mean() > 0.8
    assert (clf.local_model_.predict(x)[y == 1] == "roe deer").mean() > 0.8


def test_few_labels_gain_and_noise_costs_nothing():
    gain, loss = [], []
    for seed in range(4):
        x, p, labels, y = reserve(n=300, labelled=8, seed=seed)
        test = np.arange(8, 300)
        alone = FusionClassifier(NAMES).fit(x, None, labels).predict_proba(x)
        fused = FusionClassifier(NAMES, MODEL).fit(x, p, labels).predict_proba(x, p)
        gain.append(accuracy(fused[test], y[test]) - accuracy(alone[test], y[test]))
        x, p, labels, y = reserve(n=300, labelled=60, seed=seed, noise=True)
        test = np.arange(60, 300)
        alone = FusionClassifier(NAMES).fit(x, None, labels).predict_proba(x)
        fused = FusionClassifier(NAMES, MODEL).fit(x, p, labels).predict_proba(x, p)
        loss.append(accuracy(alone[test], y[test]) - accuracy(fused[test], y[test]))
    assert np.mean(gain) > 0.05
    assert np.mean(loss) < 0.015


@pytest.mark.parametrize("labelled", [0, 1, 2, 5, 160])
def test_any_number_of_labels(labelled):
    x, p, labels, _ = reserve(labelled=labelled)
    proba = FusionClassifier(NAMES, MODEL).fit(x, p, labels).predict_proba(x, p)
    assert np.isfinite(proba).all()


@pytest.mark.parametrize(
    "scores",
    [
        None,
        np.zeros((160, 3)),
        sparse.csr_matrix((160, 3)),
        GlobalScores(sparse.csr_matrix(np.tile([0.6, 0.0, 0.1], (160, 1))), tuple(MODEL)),
    ],
    ids=["none", "zeros", "empty sparse", "truncated"],
)
def test_any_scores(scores):
    x, _, labels, _ = reserve()
    proba = FusionClassifier(NAMES, MODEL).fit(x, scores, labels).predict_proba(x, scores)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


def test_one_class_one_column_one_row_equal_rows():
    x, p, labels, _ = reserve()
    one = FusionClassifier(["red fox"], MODEL).fit(x, p, ["red fox"] + [None] * 159)
    assert (one.predict_proba(x, p) == 1).all()
    FusionClassifier(NAMES, ["animal"]).fit(x, np.ones((160, 1)), labels)
    FusionClassifier(NAMES, MODEL).fit(x[:1], p[:1], labels[:1])
    FusionClassifier(NAMES, MODEL).fit(np.ones_like(x), p, labels)


def test_rows_and_classes_in_any_order_give_the_same():
    x, p, labels, _ = reserve(labelled=40)
    first = FusionClassifier(NAMES, MODEL).fit(x, p, labels).predict_proba(x, p)
    order = np.random.default_rng(1).permutation(160)
    rows = FusionClassifier(NAMES, MODEL).fit(x[order], p[order], [labels[i] for i in order])
    np.testing.assert_allclose(rows.predict_proba(x, p), first, atol=1e-3)
    classes = FusionClassifier(NAMES[::-1], MODEL).fit(x, p, labels).predict_proba(x, p)
    np.testing.assert_allclose(classes[:, ::-1], first, atol=1e-3)
    columns = FusionClassifier(NAMES, MODEL[::-1]).fit(x, p[:, ::-1], labels)
    np.testing.assert_allclose(columns.predict_proba(x, p[:, ::-1]), first, atol=1e-3)
    again = FusionClassifier(NAMES, MODEL).fit(x, p, labels).predict_proba(x, p)
    np.testing.assert_array_equal(again, first)


def test_several_models_each_with_its_weight():
    x, p, labels, y = reserve(labelled=60)
    noise = np.random.default_rng(5).dirichlet(np.ones(2), 160)
    scores = {"good": p, "noise": noise}
    names = {"good": MODEL, "noise": ["car", "table"]}
    clf = FusionClassifier(NAMES, names).fit(x, scores, labels)
    assert set(clf.mapping_) == {"good", "noise"}
    weight = clf._evidence.weight
    assert weight["good"] > weight["noise"]
    assert accuracy(clf.predict_proba(x, scores), y) > 0.8
    # a model that is missing at prediction time says nothing
    assert np.isfinite(clf.predict_proba(x, {"good": p})).all()


def test_groups_and_a_sample_of_rows():
    x, p, labels, y = reserve(n=600, labelled=40)
    groups = [f"site {i % 9}" for i in range(600)]
    clf = FusionClassifier(NAMES, MODEL, max_rows=200).fit(x, p, labels, groups)
    assert accuracy(clf.predict_proba(x, p), y) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["red fix"] + [None] * 159}, "red fix.*did you mean 'red fox'"),
        ({"embeddings": np.zeros((3, 12))}, "3 rows"),
        ({"embeddings": np.full((160, 12), np.nan)}, "NaN"),
        ({"scores": np.full((160, 3), 5.0)}, "probabilities"),
        ({"scores": np.zeros((160, 2))}, "2 score columns, 3 classes"),
        ({"groups": ["a"]}, "1 entries"),
    ],
)
def test_clear_errors(change, message):
    x, p, labels, _ = reserve()
    given = {"embeddings": x, "scores": p, "labels": labels, "groups": None} | change
    with pytest.raises(InputError, match=message):
        FusionClassifier(NAMES, MODEL).fit(**given)


def test_errors_before_fit_and_of_class_lists():
    with pytest.raises(InputError, match="fit before"):
        FusionClassifier(NAMES).predict_proba(np.zeros((1, 2)))
    with pytest.raises(InputError, match="twice"):
        FusionClassifier(["a", "a"]).fit(np.zeros((2, 2)), None, [None, None])
    with pytest.raises(InputError, match="no classes"):
        FusionClassifier([]).fit(np.zeros((2, 2)), None, [None, None])


def test_taxonomy_as_lines_rows_or_nothing_else():
    x, p, labels, y = reserve(labelled=4)
    lines = [
        "1;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
        "2;mammalia;carnivora;mustelidae;meles;meles;badger",
    ]
    clf = FusionClassifier(NAMES, MODEL, taxonomy=lines).fit(x, p, labels)
    assert clf.mapping_.explain("red fox")[0][0] == MODEL[0]
    rows = [{"scientificName": "Vulpes vulpes", "vernacularName": "red fox", "genus": "Vulpes"}]
    FusionClassifier(NAMES, MODEL, taxonomy=rows).fit(x, p, labels)
    with pytest.raises(InputError, match="taxonomy: found int"):
        FusionClassifier(NAMES, MODEL, taxonomy=7).fit(x, p, labels)


def test_it_is_a_scikit_learn_estimator_and_can_be_kept():
    import pickle

    from sklearn.base import clone

    x, p, labels, _ = reserve()
    clf = clone(FusionClassifier(NAMES, MODEL, random_state=3)).fit(x, p, labels)
    assert clf.get_params()["random_state"] == 3
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(x, p), clf.predict_proba(x, p))
