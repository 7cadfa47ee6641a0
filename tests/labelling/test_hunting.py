"""The hunt for one species: ranking, scores, bursts, answers, and what does not fit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.labelling.hunting import hunt
from ecotone.types import GlobalScores

CACHE = Path(__file__).resolve().parents[2] / "build" / "benchmarks"


def pool(n=1500, wanted=15, dims=24, seed=0, apart=1.2):
    """Embeddings of ten common groups and of a rare one; which rows are of the rare one."""
    rng = np.random.default_rng(seed)
    group = rng.integers(10, size=n)
    group[:wanted] = 10
    centre = rng.normal(0, apart, (11, dims))
    x = centre[group] + rng.normal(size=(n, dims))
    order = rng.permutation(n)
    return x[order].astype(np.float32), group[order] == 10


def average_precision(ranking, truth):
    hits = truth[ranking.row]
    ranks = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def test_a_rare_species_is_found_from_three_examples():
    x, truth = pool()
    known = np.flatnonzero(truth)[:3]
    ranking = hunt(x, known)
    assert average_precision(ranking, truth) > 0.8
    assert truth[ranking.batch(12)].sum() >= 9
    assert len(ranking) == 1497
    assert not set(known) & set(ranking.row)
    assert (np.diff(ranking.score) <= 0).all()


def test_more_examples_and_scores_help():
    few, more, scored = [], [], []
    for seed in range(6):
        x, truth = pool(seed=seed, apart=0.8)
        known = np.flatnonzero(truth)[:8]
        rest = truth.copy()
        rest[known] = False
        dense = np.where(truth[:, None], [0.5, 0.5], [0.15, 0.85])
        scores = GlobalScores.from_dense(dense, ("a", "b"))
        few.append(average_precision(hunt(x, known[:2], bursts=None), rest))
        more.append(average_precision(hunt(x, known), rest))
        scored.append(average_precision(hunt(x, known, scores=scores), rest))
    assert np.mean(more) > np.mean(few) + 0.03
    assert np.mean(scored) > np.mean(more)


def test_negatives_are_not_ranked_and_count_as_told():
    x, truth = pool()
    known = np.flatnonzero(truth)[:3]
    wrong = hunt(x, known).row[-5:]
    ranking = hunt(x, known, wrong)
    assert not set(wrong) & set(ranking.row)
    mask = np.zeros(len(x), bool)
    mask[known] = True
    assert list(hunt(x, mask, wrong).row) == list(ranking.row)


def test_a_burst_is_asked_once_and_not_again_after_an_answer():
    x, truth = pool(600, 12)
    known = np.flatnonzero(truth)[:3]
    bursts = [f"b{i // 4}" for i in range(600)]
    ranking = hunt(x, known, bursts=bursts)
    asked = [bursts[r] for r in ranking.row]
    assert len(asked) == len(set(asked))
    assert not {bursts[k] for k in known} & set(asked)
    best = {b: max(s for r, s in zip(hunt(x, known).row, hunt(x, known).score, strict=True)
                   if bursts[r] == b) for b in asked[:5]}
    assert ranking.score[:5] == pytest.approx([best[b] for b in asked[:5]])


def test_copies_are_asked_once_and_the_order_of_rows_plays_no_part():
    x, truth = pool(500, 12)
    x[truth.nonzero()[0][5:]] = x[truth.nonzero()[0][5]]
    known = np.flatnonzero(truth)[:3]
    ranking = hunt(x, known)
    assert truth[ranking.row].sum() == 3
    order = np.random.default_rng(0).permutation(500)
    other = hunt(x[order], np.flatnonzero(np.isin(order, known)))
    same = [x[r].tobytes() for r in ranking.row[:50]]
    assert [x[order[r]].tobytes() for r in other.row[:50]] == same


def test_rows_without_embedding_come_last():
    x, truth = pool(300, 10)
    x[::3] = 0
    known = np.flatnonzero(truth & x.any(axis=1))[:3]
    ranking = hunt(x, known)
    last = ranking.row[-int((~x.any(axis=1)).sum()):]
    assert not x[last].any()
    with pytest.raises(InputError, match="none of them has an embedding"):
        hunt(x, [0])


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_tiny_pools(n):
    x = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    ranking = hunt(x, [0])
    assert sorted(ranking.row) == list(range(1, n))
    assert np.isfinite(ranking.score).all()


@pytest.mark.parametrize("change, match", [
    ({"positives": []}, "none given"),
    ({"positives": [99]}, "row numbers 0 to 9"),
    ({"positives": [0.5]}, "row numbers"),
    ({"positives": [True, False]}, "shape"),
    ({"negatives": [0]}, "row 0 is among the positives"),
    ({"share": 0.9}, "share: 0.9"),
    ({"bursts": [1]}, "bursts: 1 entries"),
    ({"scores": np.ones((3, 2)) / 2}, "scores: 3 rows"),
])
def test_what_does_not_fit_is_said(change, match):
    x = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    with pytest.raises(InputError, match=match):
        hunt(x, **{"positives": [0], **change})


def test_real_photographs(shared_data):
    """One species of ten at 1 %, three examples: far better than nearest neighbours."""
    cache = CACHE / "monkeys-imagenet_mobilenet_v2.npz"
    if not cache.is_file():
        pytest.skip(f"no embeddings: {cache} is missing (run benchmarks/monkeys.py)")
    with np.load(cache) as kept:
        x = kept["embeddings"]
    with (shared_data / "monkeys" / "labels.csv").open(encoding="utf-8", newline="") as handle:
        names = np.array([row["vernacularName"] for row in csv.DictReader(handle)])
    ours, near = [], []
    for k, name in enumerate(sorted(set(names))[::3]):
        own = np.random.default_rng(k).permutation(np.flatnonzero(names == name))[:15]
        rows = np.concatenate([own, np.flatnonzero(names != name)])
        truth = names[rows] == name
        truth[:3] = False
        ours.append(average_precision(hunt(x[rows], [0, 1, 2]), truth))
        unit = x[rows] / np.linalg.norm(x[rows], axis=1, keepdims=True)
        order = np.argsort(-(unit @ unit[:3].T).mean(axis=1))
        hits = np.flatnonzero(truth[order[~np.isin(order, [0, 1, 2])]]) + 1
        near.append(float((np.arange(1, len(hits) + 1) / hits).mean()))
    assert np.mean(ours) > 0.8
    assert np.mean(ours) > np.mean(near) + 0.1
