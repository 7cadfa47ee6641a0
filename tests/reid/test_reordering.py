"""Re-ranking and expansion as options of the identifier: chosen, calibrated, off by default."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.metrics import open_set, probability_ece
from ecotone.reid.reordering import Order, choose_order, first_right, orders, reorder
from ecotone.reid.reranking import expand_queries, rerank
from ecotone.reid.search import Neighbors, top_k
from tests.reid.test_identifier import herd


def world(noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings and names of 60 individuals, and which pictures are the gallery of 40 of them."""
    x, who = herd(60, 10, noise)
    number = np.repeat(np.arange(60), 10)
    return x, who, (number < 40) & (np.tile(np.arange(10), 60) < 6)


@pytest.mark.parametrize("way", [{"rerank": True}, {"expand": True},
                                 {"rerank": True, "expand": True}])
def test_known_and_new_with_calibration_of_its_own(way):
    x, who, gallery = world()
    reid = ReIdentifier(head=None, **way).fit(x[gallery], who[gallery])
    assert reid.shortlist_calibration_ is not reid.calibration_
    found = reid.predict(x[~gallery])
    scores = open_set(who[~gallery], found.answer, reid.classes_)
    assert scores["geometric_mean"] > 0.8
    right = found.candidates[:, 0] == who[~gallery]
    known = np.isin(who[~gallery], reid.classes_)
    assert right[known].mean() > 0.9
    assert probability_ece(found.candidate_probability[:, 0], right) < 0.1


def test_off_by_default_and_auto_is_chosen():
    x, who, gallery = world(1.4)
    plain = ReIdentifier(head=None).fit(x[gallery], who[gallery])
    assert plain.order_ == Order() and plain.shortlist_calibration_ is plain.calibration_
    auto = ReIdentifier(head=None, rerank="auto", expand="auto").fit(x[gallery], who[gallery])
    assert any(auto.order_.name in note for note in auto.notes_)
    known = ~gallery & np.isin(who, plain.classes_)

    def top1(reid):
        return (reid.predict(x[known]).candidates[:, 0] == who[known]).mean()

    assert top1(auto) >= top1(plain) - 0.02
    fixed = ReIdentifier(head=None, rerank=auto.order_.rerank, expand=auto.order_.expand)
    assert np.array_equal(fixed.fit(x[gallery], who[gallery]).predict(x[known]).probability,
                          auto.predict(x[known]).probability)


def test_the_order_of_rows_changes_nothing():
    x, who, gallery = world()
    turn = np.random.default_rng(1).permutation(int(gallery.sum()))
    way = {"head": None, "rerank": True, "expand": True}
    one = ReIdentifier(**way).fit(x[gallery], who[gallery]).predict(x[~gallery])
    two = ReIdentifier(**way).fit(x[gallery][turn], who[gallery][turn]).predict(x[~gallery])
    assert (one.candidates[:, 0] == two.candidates[:, 0]).mean() > 0.99
    np.testing.assert_allclose(one.known, two.known, atol=0.02)


def test_reorder_as_its_parts():
    rng = np.random.default_rng(0)
    gallery, queries = rng.normal(size=(200, 12)), rng.normal(size=(30, 12))
    near = top_k(queries, gallery, 100)
    found = reorder(queries, gallery, near, Order(rerank=True), 25)
    assert np.array_equal(found.index, rerank(queries, gallery, near).index[:, :25])
    found = reorder(queries, gallery, near, Order(expand=True), 25)
    asked = expand_queries(queries, gallery, near)
    for row in range(30):
        cosine = gallery[near.index[row]] @ asked[row]
        cosine /= np.linalg.norm(gallery[near.index[row]], axis=1)
        order = np.argsort(-cosine)[:25]
        assert set(found.index[row]) == set(near.index[row][order])
        np.testing.assert_allclose(found.similarity[row], cosine[order], atol=1e-5)


@pytest.mark.parametrize("order", [Order(), Order(True), Order(False, True), Order(True, True)])
def test_candidates_that_are_left_out_and_none(order):
    gallery, queries = np.eye(4, dtype=np.float32), np.ones((3, 4), dtype=np.float32)
    near = Neighbors(np.array([[-1, 2, 0, -1], [-1] * 4, [0, 1, 2, 3]]),
                     np.array([[np.nan, 0.5, 0.5, 0.3], [np.nan] * 4, [0.5] * 4], np.float32))
    found = reorder(queries, gallery, near, order, 3)
    assert set(found.index[0]) == {2, 0, -1} and found.index[0, 2] == -1
    assert (found.index[1] == -1).all()
    assert (found.index[2] >= 0).all() and np.isfinite(found.similarity[2]).all()
    empty = reorder(queries, gallery[:0], Neighbors(near.index[:, :0], near.similarity[:, :0]),
                    order, 3)
    assert empty.index.shape == (3, 0)


def test_first_right_counts_individuals():
    who = np.array([7, 7, 8, 9])
    index = np.array([[0, 1, 2], [3, -1, -1], [2, 3, 0]])
    np.testing.assert_allclose(first_right(index, who, np.array([8, 8, 7])), [1 / 2, 0, 1 / 3])


def test_chosen_if_better_by_more_than_an_error():
    person = np.repeat(np.arange(20), 3)
    rng = np.random.default_rng(0)
    base = rng.random(60)
    way = Order(rerank=True)
    assert choose_order({Order(): base, way: base + 0.1}, person) == way
    assert choose_order({Order(): base, way: base - 0.1}, person) == Order()
    assert choose_order({Order(): base, way: base + np.tile([0.9, -0.9], 30)}, person) == Order()
    assert choose_order({Order(): base, way: base + 1}, np.zeros(60, dtype=int)) == Order()


def test_tiny_galleries_and_bad_options():
    x, who = herd(3, 2)
    for names in (who, np.full(6, "", dtype=object), np.full(6, "a", dtype=object)):
        reid = ReIdentifier(rerank="auto", expand=True).fit(x, names)
        assert len(reid.predict(x)) == 6
    assert orders("auto", False) == (Order(), Order(rerank=True))
    with pytest.raises(InputError, match="rerank is 'yes', expected True, False or 'auto'"):
        ReIdentifier(rerank="yes")
