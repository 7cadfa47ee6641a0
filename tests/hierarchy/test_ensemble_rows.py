"""The decision on rows of scores: the best classes of a row, float32, rows that say nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.errors import InputError
from ecotone.hierarchy import ensemble_rows
from ecotone.hierarchy.ensemble import EnsembleThresholds, SpeciesNetEnsemble
from ecotone.hierarchy.ensemble_rows import Decision, as_written, best_of, boxes_of
from ecotone.taxonomy.rollup import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE
from ecotone.types import GlobalScores
from tests.hierarchy.speciesnet_labels import FOX, JAY, RED_DEER, ROE, RULES, SPECIES, TAXONOMY

CLASSES = (*SPECIES, BLANK, HUMAN, VEHICLE)
ENSEMBLE = SpeciesNetEnsemble(TAXONOMY, RULES)


def rows(*dense, classes=CLASSES) -> GlobalScores:
    table = np.zeros((len(dense), len(classes)), dtype=np.float32)
    for i, row in enumerate(dense):
        for label, score in row.items():
            table[i, classes.index(label)] = score
    return GlobalScores.from_dense(table, classes)


def test_rows_of_every_kind():
    scores = rows({JAY: 0.9}, {BLANK: 0.8}, {}, {HUMAN: 0.6}, {JAY: 0.9}, {RED_DEER: 0.9}, {})
    categories = ["animal", "", "human", "person", None, "animal", None]
    found = ENSEMBLE.decide_rows(
        scores, categories, [0.5, 0.9, 0.9, 0.3, 0.9, 0.9, float("nan")],
        countries=["NZL", None, None, "", "DEU", "GBR", None],
    )
    assert found.label[:2].tolist() == [JAY, BLANK] and found[3] == (HUMAN, 0.6, "classifier")
    assert found[5].source == "classifier+geofence+rollup_to_family"
    for row in (2, 4, 6):
        assert found.label[row] == found.source[row] == "" and np.isnan(found.score[row])
    assert len(found) == 7 and [type(d) for d in found] == [Decision] * 7


def test_one_place_for_all_rows():
    scores = rows({FOX: 0.9}, {RED_DEER: 0.9})
    found = ENSEMBLE.decide_rows(scores, ["animal"] * 2, [0.9] * 2, "usa", "HI")
    assert "geofence" not in found.source[0] and "rollup_to_order" in found.source[1]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_rows_are_decided_like_single_boxes(data):
    n = data.draw(st.integers(1, 8))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dense = draw.dirichlet(np.full(len(CLASSES), 0.15), n).astype(np.float32)
    dense[draw.random(dense.shape) < 0.3] = 0
    scores = GlobalScores.from_dense(dense, CLASSES)
    boxes = draw.choice(["animal", "human", "vehicle", ""], n).tolist()
    sure = draw.random(n).round(2)
    known = [("GBR", ""), ("USA", "HI"), ("NZL", ""), ("", "")]
    places = [known[i] for i in draw.integers(0, 4, n)]
    found = ENSEMBLE.decide_rows(scores, boxes, sure, *map(list, zip(*places, strict=True)))
    for i in range(n):
        row = as_written(scores.values[i].toarray()[0])
        order = [c for c in np.argsort(-row, kind="stable") if row[c] > 0]
        expected = ENSEMBLE.decide(
            [CLASSES[c] for c in order], row[order], boxes[i], sure[i], *places[i]
        )
        assert str(found[i]) == str(expected)
    mixed = draw.permutation(n)
    again = ENSEMBLE.decide_rows(
        scores.take(mixed), [boxes[i] for i in mixed], sure[mixed],
        *map(list, zip(*[places[i] for i in mixed], strict=True)),
    )
    assert [str(d) for d in again] == [str(found[i]) for i in mixed]


def test_the_numbers_are_those_that_were_written():
    written = np.array([0.2, 0.65, 0.8, 0.1234, 0.99, 1.0, 0.0, 1e-9, 0.123456])
    assert as_written(written.astype(np.float32)).tolist() == [*written[:-2], np.float32(1e-9),
                                                               written[-1]]
    raw = np.float32([0.9922401905059814, 0.35000002])
    assert as_written(raw).tolist() == [0.9922401905059814, float(np.float32(0.35000002))]
    assert as_written(written) is not None and as_written(written).tolist() == written.tolist()


def test_float32_does_not_exceed_its_own_threshold():
    scores = rows({JAY: 0.8}, {JAY: 0.65}, {JAY: 0.66})  # float32(0.8) is a little over 0.8
    found = ENSEMBLE.decide_rows(scores, ["human", "animal", "animal"], np.float32([0.2] * 3))
    assert found.source.tolist() == ["classifier+rollup_to_class", "classifier",
                                     "classifier+rollup_to_class"]
    assert found.label[1] == UNKNOWN and found.score[0] == 0.8


def test_equal_scores_go_in_the_order_of_the_classes():
    flat = EnsembleThresholds(animal_alone=0.1)
    for classes in (CLASSES, CLASSES[::-1]):
        scores = rows({JAY: 0.3, ROE: 0.3, FOX: 0.3}, classes=classes)
        found = SpeciesNetEnsemble(TAXONOMY, thresholds=flat).decide_rows(scores, [""], [0.0])
        assert found.label[0] == min((JAY, ROE, FOX), key=classes.index)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.one_of(st.none(), st.integers(1, 20)),
       st.sampled_from([1, 7, 40, 10_000]))
def test_the_best_classes_of_a_row(seed, width, top, cells):
    draw = np.random.default_rng(seed)
    dense = draw.integers(0, 6, (int(draw.integers(0, 12)), width)) / 8
    keep, ensemble_rows.CELLS = ensemble_rows.CELLS, cells
    try:
        blocks = list(best_of(sparse.csr_matrix(dense.astype(np.float32)), top))
    finally:
        ensemble_rows.CELLS = keep
    assert [start for start, *_ in blocks] == np.cumsum(
        [0, *(len(lengths) for *_, lengths in blocks)])[:-1].tolist()
    found = [
        list(zip(columns[i, :length].tolist(), scores[i, :length].tolist(), strict=True))
        for _, columns, scores, lengths in blocks for i, length in enumerate(lengths)
    ]
    expected = [
        sorted(((c, s) for c, s in enumerate(row) if s), key=lambda p: -p[1])[:top] for row in dense
    ]
    assert found == expected


def test_what_is_odd_is_told():
    other = "id;mammalia;cetartiodactyla;bovidae;syncerus;caffer;african buffalo"
    lost = "id;fungi;agaricales;amanitaceae;amanita;muscaria;fly agaric"
    scores = rows({other: 0.9}, {lost: 0.4, JAY: 0.5}, classes=(other, lost, JAY, BLANK, UNKNOWN))
    found = ENSEMBLE.decide_rows(scores, ["animal"] * 2, [0.9] * 2)
    assert found.notes[:-1] == ENSEMBLE.labels.notes
    assert found.notes[-1].startswith("2 of 5 classes have no taxon of this taxonomy above") and (
        lost in found.notes[-1]
    )
    assert found[1] == (ANIMAL, pytest.approx(0.9), "classifier+rollup_to_kingdom")
    assert ENSEMBLE.decide_rows(rows({JAY: 0.9}), [""], [0]).notes == ENSEMBLE.labels.notes


@pytest.mark.parametrize(
    ("categories", "sure", "countries", "message"),
    [
        (["animal"], [0.9, 0.9], None, "2 rows of scores, 1 categories, 2 confidences"),
        (["animal", "bird"], [0.9, 0.9], None, "row 1: box 'bird'"),
        (["animal"] * 2, [0.9, float("nan")], None, "row 1: confidence nan"),
        (["animal"] * 2, [0.9, 0.9], ["DEU"], "2 rows of scores, 1 countries"),
        (["animal"] * 2, [0.9, 0.9], ["DEU", "DE"], "row 1: country 'DE'"),
    ],
)
def test_what_is_refused_names_the_row(categories, sure, countries, message):
    with pytest.raises(InputError, match=message):
        ENSEMBLE.decide_rows(rows({JAY: 0.9}, {JAY: 0.8}), categories, sure, countries)


def test_another_models_classes_are_refused():
    scores = GlobalScores.from_dense(np.ones((1, 2)) / 2, ("red deer", JAY))
    with pytest.raises(InputError, match="label 'red deer': 1 tokens"):
        ENSEMBLE.decide_rows(scores, ["animal"], [0.9])


def test_a_blank_row_has_what_its_surest_box_had():
    assert boxes_of(["blank", "blank", "animal"], np.float32([0.85, 1.0, 0.2]), 3) == [
        ("animal", 0.15), ("animal", 0.0), ("animal", 0.2)
    ]


def test_many_rows_take_little_time():
    n = 20_000
    draw = np.random.default_rng(1)
    values = draw.dirichlet(np.full(5, 0.5), n).astype(np.float32) * 0.99
    columns = np.argsort(draw.random((n, len(CLASSES))), axis=1)[:, :5]
    table = sparse.csr_matrix(
        (values.ravel(), columns.ravel(), np.arange(0, 5 * n + 1, 5)), (n, len(CLASSES))
    )
    scores = GlobalScores(table, CLASSES)
    start = time.process_time()
    found = ENSEMBLE.decide_rows(scores, ["animal"] * n, np.full(n, 0.3), "USA")
    assert time.process_time() - start < 60 * n / 1e6 * 4  # room for a busy machine
    assert (found.label != "").all()
