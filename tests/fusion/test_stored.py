"""Rows on a disk give the same fusion, bit by bit, as the same rows in one array."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ecotone import FusionClassifier
from ecotone.simulate.worlds import make_world
from ecotone.store.catalog import Catalog
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter, open_embeddings, open_scores


@pytest.fixture(scope="module")
def world():
    return make_world("gaussian", n=900, dim=24, seed=3)


def stored(folder, world, seed):
    """Views of the world's rows, in shards of any size, in any order."""
    rng = np.random.default_rng(seed)
    n = len(world.embeddings)
    ids, order = [f"m{i}:0" for i in range(n)], rng.permutation(n)
    cuts = np.sort(rng.integers(0, n, 5))
    with Catalog.open(folder / "catalog.sqlite", create=True) as catalog:
        with EmbeddingWriter(catalog, folder, "e", world.embeddings.shape[1]) as embeddings, \
                ScoreWriter(catalog, folder, "s", world.scores.classes,
                            world.scores.complete) as scores:
            for part in np.split(order, cuts):
                if len(part):
                    embeddings.append([ids[i] for i in part], world.embeddings[part])
                    scores.append([ids[i] for i in part], world.scores.values[part])
                    embeddings.flush()
                    scores.flush()
        return (open_embeddings(catalog, folder, "e", ids), open_scores(catalog, folder, "s", ids))


@pytest.mark.parametrize(("seed", "max_rows"), [(0, 16000), (1, 300)])
def test_the_same_result_as_in_one_piece(tmp_path, world, seed, max_rows):
    labels = world.some_labels(40)
    view, scores = stored(tmp_path, world, seed)
    x = view[:]
    np.testing.assert_array_equal(x, world.embeddings.astype(np.float16).astype(np.float32))
    one, other = (
        FusionClassifier(world.local_classes, world.global_classes, max_rows=max_rows).fit(
            values, given, labels, groups=[str(i // 9) for i in range(len(labels))])
        for values, given in ((x, scores.take(slice(None))), (view, scores))
    )
    assert one.selection_.table == other.selection_.table
    np.testing.assert_array_equal(one.selection_.oof_proba, other.selection_.oof_proba)
    np.testing.assert_array_equal(one.local_model_.weights, other.local_model_.weights)
    whole = one.predict_proba(x, scores.take(slice(None)))
    np.testing.assert_array_equal(whole, other.predict_proba(view, scores))
    assert one.pseudo_labels_.shape == whole.shape and other.pseudo_labels_ is None


def test_a_memory_map_is_an_array(tmp_path, world):
    labels = world.some_labels(40)
    half = world.embeddings.astype(np.float16)
    np.save(tmp_path / "x.npy", half)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    given = (half.astype(np.float32), mapped)
    one, other = (
        FusionClassifier(world.local_classes, world.global_classes).fit(x, world.scores, labels)
        for x in given
    )
    np.testing.assert_array_equal(one.pseudo_labels_, other.pseudo_labels_)


class Made:
    """Rows that are made when asked for: what is kept of them is kept by who asks."""

    dtype = np.dtype(np.float32)

    def __init__(self, n: int, dim: int) -> None:
        self.shape = (n, dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows) -> np.ndarray:
        number = np.arange(len(self))[rows]
        wave = np.sin(np.outer(number % 997 + 1.0, np.arange(1, self.shape[1] + 1)))
        wave[:, 0] += 3.0 * (number % 2)
        return wave.astype(np.float32)


def peak(n: int) -> int:
    labels = np.full(n, None, dtype=object)
    labels[:20:2], labels[1:20:2] = "a", "b"
    x = Made(n, 256)
    tracemalloc.start()
    try:
        clf = FusionClassifier(["a", "b"], max_rows=200, max_dimensions=8).fit(x, None, labels)
        for start in range(0, n, 8192):
            clf.predict_proba(x[start : start + 8192])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_as_the_embeddings_do():
    small, large = 8_000, 24_000
    grown = peak(large) - peak(small)
    assert grown < 0.2 * 4 * 256 * (large - small)  # of what the rows take as float32


def test_discovery_of_rows_on_a_disk_is_the_same(tmp_path, world):
    from ecotone.discovery import Clusterer, NoveltyDetector, propose_classes

    view, _ = stored(tmp_path, world, 4)
    view, labels = view.subset(np.arange(300)), world.some_labels(120)[:300]
    x = view[:]
    one, other = (Clusterer(random_state=1).fit(values) for values in (x, view))
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_array_equal(one.embedding_, other.embedding_)
    first, second = (propose_classes(values, labels, replicates=0) for values in (x, view))
    np.testing.assert_array_equal(first.labels, second.labels)
    new, same = (NoveltyDetector().fit(values, labels).score(values) for values in (x, view))
    np.testing.assert_array_equal(new, same)


def test_evaluation_of_rows_on_a_disk_is_the_same(tmp_path, world):
    from ecotone.evaluation.curves import learning_curves

    view, scores = stored(tmp_path, world, 5)
    labels, given = world.some_labels(60), scores.take(slice(None))
    one, other = (
        learning_curves(values, given, labels, counts=(20,), seeds=1,
                        methods=["nearest neighbours"], classes=world.local_classes)
        for values in (view[:], view))
    assert one == other


def test_more_labels_than_a_sample_takes(world):
    from ecotone.fusion.sampling import choose_rows

    target = np.zeros(900, dtype=int)
    rows, chance = choose_rows(None, {}, target, np.arange(900, dtype=np.uint64), 300)
    assert len(rows) == 900 and (chance == 1).all()


def test_rows_in_another_order_are_read_when_asked_for(world):
    from ecotone.fusion.features import Reordered

    x = world.embeddings
    rows = np.random.default_rng(0).permutation(len(x))[:50]
    some = Reordered(x, rows)
    assert len(some) == 50 and some.shape == (50, x.shape[1])
    np.testing.assert_array_equal(some[10:20], x[rows[10:20]])
    np.testing.assert_array_equal(some[np.array([4, 1])], x[rows[[4, 1]]])
    np.testing.assert_array_equal(np.asarray(some), x[rows])


def test_more_labels_than_are_learned_from(world, monkeypatch):
    monkeypatch.setattr("ecotone.fusion.sampling.LEAST_LABELS", 20)
    labels = world.some_labels(500)
    clf = FusionClassifier(world.local_classes, world.global_classes, max_labels=200)
    weight = np.random.default_rng(0).uniform(0.5, 1, sum(v is not None for v in labels))
    clf.fit(world.embeddings, world.scores, labels, label_weight=weight)
    used = clf.selection_.labelled
    assert 150 < len(used) < 500 and all(labels[row] is not None for row in used)
    known = [v for v in labels if v is not None]
    rare = {c for c in set(known) if known.count(c) <= 20}
    assert rare <= {labels[row] for row in used}
    assert clf.pseudo_labels_.shape == (900, len(world.local_classes))
    report = clf.score_report(world.embeddings, world.scores, labels)
    assert report.accuracy > 0.5
