"""Holding classes out: the figures are scikit-learn's, near is near, a run repeats exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ecotone.discovery import evaluate_novelty, lineages_of, relation, summarise_novelty
from ecotone.discovery.hold_out import novelty_figures
from ecotone.discovery.novelty_models import auroc
from ecotone.errors import InputError
from ecotone.taxonomy.tree import Taxonomy

NAMES = ("Vulpes vulpes", "Vulpes corsac", "Meles meles", "Cervus elaphus", "Lepus timidus")


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(150) % 5
    means = rng.normal(size=(5, 12)) * 2
    return rng.normal(size=(150, 12)) + means[truth], np.array(NAMES, dtype=object)[truth]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=60))
def test_figures_are_those_of_scikit_learn(rows):
    novel = np.array([r[0] for r in rows] + [True, False])
    score = np.array([r[1] for r in rows] + [3, 2], dtype=float)
    found = novelty_figures(novel, score)
    fpr, tpr, _ = roc_curve(novel, score, drop_intermediate=False)
    assert found["auroc"] == pytest.approx(roc_auc_score(novel, score))
    assert found["auroc"] == pytest.approx(auroc(score[~novel], score[novel]))
    assert found["aupr"] == pytest.approx(average_precision_score(novel, score))
    assert found["fpr95"] == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-12)])


def test_near_shares_genus_or_family():
    rows = [{"scientificName": n, "genus": n.split()[0], "family": f}
            for n, f in zip(NAMES, ("Canidae", "Canidae", "Mustelidae", "Cervidae", "Leporidae"),
                            strict=True)]
    rows.append({"scientificName": "Canis lupus", "genus": "Canis", "family": "Canidae"})
    taxonomy = Taxonomy.from_rows(rows)
    known = lineages_of([*NAMES, "Canis lupus"], taxonomy)
    assert relation("Canis lupus", NAMES, known) == "near"
    assert relation("Meles meles", ["Lepus timidus"], known) == "far"
    by_name = lineages_of(NAMES)
    assert relation("Vulpes corsac", ["Vulpes vulpes"], by_name) == "near"
    assert relation("blank", NAMES, lineages_of([*NAMES, "blank"])) == "far"


def test_each_held_class_is_measured_and_repeats():
    x, names = scene()
    held = [["Vulpes corsac"], ["Vulpes vulpes", "Meles meles"]]
    options = dict(held=held, lineages=lineages_of(NAMES), seeds=[3],
                   peers={"length": lambda known, labels, new: np.linalg.norm(new, axis=1)})
    records = evaluate_novelty(x, names, **options)
    kinds = {(r.held, r.relation) for r in records}
    assert (("Vulpes corsac",), "near") in kinds
    assert (("Meles meles", "Vulpes vulpes"), "far") in kinds
    assert {r.score for r in records} >= {"combined", "softmax", "knn", "length"}
    combined = [r for r in records if r.score == "combined" and r.relation == "all"]
    assert min(r.auroc for r in combined) > 0.75
    assert all(r.known == 30 or r.known == 22 for r in combined)
    again = evaluate_novelty(x, names, **options)
    assert [r.auroc for r in again] == [r.auroc for r in records]
    table = summarise_novelty(records)
    row = next(r for r in table if r["score"] == "combined" and r["relation"] == "all")
    assert row["runs"] == 2
    assert row["auroc"] == pytest.approx(np.mean([r.auroc for r in combined]))
    assert row["auroc_sd"] == pytest.approx(np.std([r.auroc for r in combined]))


def test_posteriors_of_a_classifier_are_used_and_see_no_held_label():
    x, names = scene()
    order = sorted(NAMES)
    seen = []

    def predict(labels: np.ndarray, stay: np.ndarray) -> np.ndarray:
        seen.append((set(labels[labels >= 0]), set(stay)))
        return np.full((len(labels), len(stay)), 1.0 / len(stay))

    records = evaluate_novelty(x, names, held=[["Meles meles"]], predict=predict, seeds=[0])
    away = order.index("Meles meles")
    assert all(away not in labels and away not in stay for labels, stay in seen)
    flat = next(r for r in records if r.score == "softmax")
    assert flat.auroc == pytest.approx(0.5)


def test_bad_held_classes_are_refused():
    x, names = scene()
    for held in (0, 5, [["wolf"]], [list(NAMES)]):
        with pytest.raises(InputError, match="held"):
            evaluate_novelty(x, names, held=held)
    with pytest.raises(InputError, match="one kind"):
        novelty_figures(np.ones(3, dtype=bool), np.arange(3.0))
