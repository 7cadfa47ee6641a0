"""An index of vectors on disk: what is found, what is kept, what a killed writer leaves."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ecotone.errors import InputError, MissingExtraError, ProjectError
from ecotone.reid.search import top_k
from ecotone.store.neighbors import FAISS, NeighborIndex, write_index

X = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
NAMES = [f"d{i:03d}" for i in range(400)]


@pytest.fixture
def index(tmp_path):
    return write_index(tmp_path / "a" / "index", NAMES, (X[:7], X[7:7], X[7:]), 16)


def test_finds_what_the_array_search_finds(index):
    queries = np.random.default_rng(1).normal(size=(9, 16))
    found = NeighborIndex(index.folder).search(queries, 5)
    kept = top_k(queries, index.vectors, 5)
    np.testing.assert_array_equal(found.index, kept.index)
    assert found.ids[0].tolist() == [NAMES[i] for i in kept.index[0]]
    assert found.index[:, 0].tolist() == top_k(queries, X, 1).index[:, 0].tolist()
    assert isinstance(index.vectors, np.memmap) and index.vectors.dtype == np.float16


def test_equal_vectors_in_the_order_of_the_index(tmp_path):
    same = write_index(tmp_path / "same", ["b", "a", "c"], [np.ones((3, 4))], 4)
    for method in ("exact", "auto"):
        assert same.search(np.ones((1, 4)), 5, method).ids.tolist() == [["b", "a", "c", "", ""]]


def test_an_empty_index(tmp_path):
    empty = write_index(tmp_path / "empty", [], [], 4)
    found = empty.search(np.ones((2, 4)), 3)
    assert (found.ids == "").all() and np.isnan(found.similarity).all() and len(empty) == 0


def test_is_replaced_whole_and_a_failure_leaves_the_old_one(index):
    write_index(index.folder, ["x"], [X[:1]], 16)
    assert NeighborIndex(index.folder).ids.tolist() == ["x"]
    for blocks, says in (([X[:3]], "3 vectors, 2 ids|more vectors"), ([X[:1]], "1 vectors, 2 ids"),
                         ([X[:1], np.zeros((1, 16))], "row 1 is all zeros"),
                         ([X[:2, :5]], "expected 16")):
        with pytest.raises(InputError, match=says):
            write_index(index.folder, ["y", "z"], blocks, 16)
    assert NeighborIndex(index.folder).ids.tolist() == ["x"]
    assert [p.name for p in index.folder.parent.iterdir()] == ["index"]


def test_ids_that_repeat_or_are_empty_and_folders_of_others(tmp_path):
    with pytest.raises(InputError, match="'a' is given 2 times"):
        write_index(tmp_path / "i", ["a", "a"], [X[:2]], 16)
    with pytest.raises(InputError, match="one is empty"):
        write_index(tmp_path / "i", ["a", ""], [X[:2]], 16)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="holds other files"):
        write_index(tmp_path / "mine", ["a"], [X[:1]], 16)
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_folders_that_are_no_index(tmp_path, index):
    with pytest.raises(ProjectError, match="build it again"):
        NeighborIndex(tmp_path / "nowhere")
    data = (index.folder / "vectors.npy").read_bytes()
    (index.folder / "vectors.npy").write_bytes(data[:100])
    with pytest.raises(ProjectError, match="build it again"):
        NeighborIndex(index.folder)


def test_method_and_missing_faiss(index, monkeypatch):
    with pytest.raises(InputError, match="method 'fast' is none of"):
        index.search(X[:1], 2, "fast")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[faiss\]"):
        index.search(X[:1], 2, "faiss")


@pytest.mark.filterwarnings("ignore:builtin type")
def test_faiss_finds_nearly_the_same_and_keeps_its_file(index):
    pytest.importorskip("faiss")
    exact, found = index.search(X[:50], 5), index.search(X[:50], 5, "faiss")
    np.testing.assert_array_equal(found.index[:, 0], np.arange(50))
    shared = [len(set(a) & set(b)) for a, b in zip(exact.index, found.index, strict=True)]
    assert np.mean(shared) > 4.5
    assert (np.diff(found.similarity, axis=1) <= 1e-6).all()
    assert (index.folder / FAISS).is_file()
    (index.folder / FAISS).write_bytes(b"torn")
    again = index.search(X[:50], 5, "faiss")
    np.testing.assert_array_equal(again.index, found.index)


@pytest.mark.filterwarnings("ignore:builtin type")
def test_past_the_limit_auto_takes_faiss(index, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("ecotone.store.neighbors.FAISS_FROM", 100)
    assert index.search(X[:3], 1).ids.ravel().tolist() == NAMES[:3]
    assert (index.folder / FAISS).is_file()
