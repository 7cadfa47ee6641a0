from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from ecotone.errors import ProjectError
from ecotone.store import shards, views
from ecotone.store.mending import forget_damaged
from ecotone.store.npz_maps import members
from ecotone.store.vectors import (
    EmbeddingWriter,
    PosteriorWriter,
    ScoreWriter,
    drop_unfinished_posteriors,
    lookup,
    open_embeddings,
    open_posteriors,
    open_scores,
    posterior_runs,
    read_posteriors,
    write_posteriors,
)
from ecotone.types import GlobalScores, Posteriors

N = 40


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vectors"


def names(rows) -> list[str]:
    return [f"m{i}:0" for i in rows]


def written(catalog, folder, seed: int):
    """Rows of 5 numbers and scores of 6 classes in shards of any size and order, some again."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 5)).astype(np.float16).astype(np.float32)
    p = rng.dirichlet(np.ones(6), N) * (rng.random((N, 6)) < 0.4)
    order = rng.permutation(N)
    with EmbeddingWriter(catalog, folder, "enc", 5) as writer, \
            ScoreWriter(catalog, folder, "net", list("abcdef")) as scores:
        for wrong, part in [(1, order[:3]), *((0, p) for p in np.array_split(order, 1 + seed))]:
            writer.append(names(part), x[part] + wrong)  # what is written again counts
            scores.append(names(part), p[part])
            writer.flush()
            scores.flush()
    return x, p


@pytest.mark.parametrize("seed", range(6))
def test_a_view_gives_what_an_array_gives(catalog, folder, seed):
    x, p = written(catalog, folder, seed)
    rng = np.random.default_rng(100 + seed)
    asked = rng.permutation(N)
    view = open_embeddings(catalog, folder, "enc", [*names(asked), "m99:0"])
    whole = np.concatenate([x[asked], np.zeros((1, 5), np.float32)])
    np.testing.assert_array_equal(view[:], whole)
    assert view.shape == (N + 1, 5) and view.dtype == np.float32
    assert view.present.tolist() == [True] * N + [False]
    mask = rng.random(N + 1) < 0.3
    for rows in (slice(3, 9), np.array([5, 0, 5, 40]), mask, slice(0, 0), np.array([], dtype=int)):
        np.testing.assert_array_equal(view[rows], whole[rows])
        np.testing.assert_array_equal(view.take(rows), whole[rows])
    np.testing.assert_array_equal(view[-1], whole[-1])
    np.testing.assert_array_equal(np.asarray(view), whole)
    np.testing.assert_array_equal(view.subset(mask)[1:], whole[mask][1:])
    np.testing.assert_array_equal(np.concatenate([b for _, b in view.blocks(7)]), whole)
    scores = open_scores(catalog, folder, "net", names(asked))
    expected = GlobalScores(sparse.csr_matrix(p[asked]), tuple("abcdef"))
    some = np.array([7, 3, 3, 20])
    for rows in (slice(None), some):
        one, other = scores.take(rows).values, expected.take(rows).values
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    assert len(scores.subset(some)) == 4


def test_members_are_mapped_where_they_lie(tmp_path):
    arrays = {"a": np.arange(7, dtype=np.float16), "b": np.asfortranarray(np.ones((3, 2))),
              "c": np.array([b"x", b"yyy"]), "none": np.empty((0, 4))}
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    found = members(path)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name].map(path), values)
    assert isinstance(found["a"].map(path), np.memmap)
    np.savez_compressed(path, **arrays)
    assert members(path) == {}


def test_few_files_are_open_at_once(catalog, folder, monkeypatch):
    monkeypatch.setattr(views, "OPEN", 1)
    with EmbeddingWriter(catalog, folder, "enc", 2) as writer:
        for i in range(12):
            writer.append(names([i]), np.full((1, 2), i))
            writer.flush()
    view = open_embeddings(catalog, folder, "enc", names(range(12)))
    assert view[:][:, 0].tolist() == list(range(12))
    assert len(view._shelf._open) == 1


def test_a_missing_shard_is_one_line(catalog, folder):
    written(catalog, folder, 1)
    view = open_embeddings(catalog, folder, "enc", names(range(N)))
    for path in folder.rglob("*.npz"):
        path.unlink()
    with pytest.raises(ProjectError, match="missing or damaged"):
        view[:]


def test_posteriors_that_lost_a_shard_are_not_read_in_part(catalog, folder):
    values = np.random.default_rng(0).dirichlet([1, 1], N).astype(np.float32)
    writer = PosteriorWriter(catalog, folder, "r", ["a", "b"])
    for part in np.array_split(np.arange(N), 3):
        writer.append(names(part), values[part])
        writer.flush()
    writer.finish()
    lost = sorted(folder.rglob("*.npz"))[1]
    lost.unlink()
    with pytest.raises(ProjectError, match="missing or damaged"):
        read_posteriors(catalog, folder, "r")
    assert forget_damaged(catalog, folder) == [("posteriors", "r", 13)]
    for read in (lambda: read_posteriors(catalog, folder), lambda: read_posteriors(
            catalog, folder, "r"), lambda: open_posteriors(catalog, folder, "r", names([0])),
            lambda: lookup(catalog, folder, "posteriors", "r")):
        with pytest.raises(ProjectError, match="of r were damaged; run: ecotone fuse"):
            read()


def test_posteriors_are_there_when_they_are_finished(catalog, folder):
    old = Posteriors(names([0]), np.ones((1, 1)), ("a",))
    write_posteriors(catalog, folder, "old", old)
    values = np.random.default_rng(0).dirichlet([1, 1], N).astype(np.float32)
    writer = PosteriorWriter(catalog, folder, "new", ["a", "b"])
    for part in np.array_split(np.arange(N), 3):
        writer.append(names(part), values[part])
        writer.flush()
    assert posterior_runs(catalog) == ["old"]
    assert read_posteriors(catalog, folder).classes == ("a",)
    with pytest.raises(ProjectError, match="there are: old"):
        read_posteriors(catalog, folder, "new")
    writer.finish()
    back = read_posteriors(catalog, folder)
    assert back.id.tolist() == names(range(N)) and posterior_runs(catalog) == ["old", "new"]
    np.testing.assert_array_equal(back.values, values)
    view = open_posteriors(catalog, folder, "new", names([3, 99]))
    np.testing.assert_array_equal(view[0], values[3])
    assert np.isnan(view[1]).all()


def test_what_a_killed_run_left_is_removed(catalog, folder):
    writer = PosteriorWriter(catalog, folder, "left", ["a"])
    writer.append(names([0]), np.ones((1, 1)))
    writer.flush()
    assert list(folder.rglob("*.npz"))
    drop_unfinished_posteriors(catalog, folder)
    assert not list(folder.rglob("*.npz")) and shards.sets(catalog, "posteriors") == []
