from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.errors import InputError, ProjectError
from ecotone.store import shards
from ecotone.store.catalog import Catalog
from ecotone.store.tables import NewMedium
from ecotone.store.vectors import (
    EmbeddingWriter,
    ScoreWriter,
    done_ids,
    embedding_models,
    posterior_runs,
    read_embeddings,
    read_posteriors,
    read_scores,
    score_models,
    write_posteriors,
)
from ecotone.types import Posteriors

IDS = ["m0:0", "m1:0", "m2:0", "m3:0"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vectors"


def test_scores_come_back_in_the_order_asked(catalog, folder):
    with ScoreWriter(catalog, folder, "net", ["a", "b"], complete=True) as writer:
        writer.append(IDS[:2], np.array([[0.25, 0.75], [1.0, 0.0]]))
        writer.append(IDS[2:3], sparse.csr_matrix([[0.5, 0.5]]))
    scores = read_scores(catalog, folder, "net", ["m2:0", "m4:0", "m0:0"])
    np.testing.assert_allclose(scores.values.toarray(), [[0.5, 0.5], [0, 0], [0.25, 0.75]])
    assert scores.classes == ("a", "b") and scores.complete
    assert score_models(catalog) == {"net": 3}


def test_embeddings_are_half_precision_and_tell_what_is_missing(catalog, folder):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 8)).astype(np.float32)
    with EmbeddingWriter(catalog, folder, "enc", 8) as writer:
        writer.append(IDS[:3], values)
    back, present = read_embeddings(catalog, folder, "enc", ["m3:0", "m1:0"])
    assert present.tolist() == [False, True] and back.dtype == np.float32
    np.testing.assert_array_equal(back[1], values[1].astype(np.float16).astype(np.float32))
    assert embedding_models(catalog) == {"enc": 3}


def test_what_is_written_again_counts_and_is_counted_once(catalog, folder):
    for value in (1.0, 2.0):
        with EmbeddingWriter(catalog, folder, "enc", 2) as writer:
            writer.append(IDS[:2], np.full((2, 2), value))
    values, _ = read_embeddings(catalog, folder, "enc", IDS[:2])
    assert (values == 2.0).all()
    assert embedding_models(catalog) == {"enc": 2}


def test_a_writer_knows_what_is_done_stored_or_waiting(catalog, folder):
    with EmbeddingWriter(catalog, folder, "enc", 2) as writer:
        writer.append(IDS[:1], np.ones((1, 2)))
        writer.flush()
        writer.append(IDS[1:2], np.ones((1, 2)))
        assert writer.done_ids() == set(IDS[:2])
        assert done_ids(catalog, folder, "embeddings", "enc") == set(IDS[:1])
    assert done_ids(catalog, folder, "embeddings", "enc") == set(IDS[:2])
    assert done_ids(catalog, folder, "embeddings", "other") == set()


def test_finished_rows_are_stored_even_when_the_block_fails(catalog, folder):
    with pytest.raises(RuntimeError), EmbeddingWriter(catalog, folder, "enc", 2) as writer:
        writer.append(IDS[:1], np.ones((1, 2)))
        raise RuntimeError
    assert done_ids(catalog, folder, "embeddings", "enc") == set(IDS[:1])


def test_other_classes_begin_a_set_anew_with_the_first_row_not_before(catalog, folder):
    with ScoreWriter(catalog, folder, "net", ["a", "b"]) as writer:
        writer.append(IDS[:2], np.full((2, 2), 0.5))
    with ScoreWriter(catalog, folder, "net", ["x", "y", "z"]) as writer:
        assert writer.done_ids() == set()
    assert score_models(catalog) == {"net": 2}
    with ScoreWriter(catalog, folder, "net", ["x", "y", "z"]) as writer:
        writer.append(IDS[2:3], [[0.1, 0.2, 0.3]])
    scores = read_scores(catalog, folder, "net", IDS)
    assert scores.classes == ("x", "y", "z")
    assert np.diff(scores.values.indptr).tolist() == [0, 0, 3, 0]


def test_extending_appends_classes_and_keeps_the_old_rows(catalog, folder):
    with ScoreWriter(catalog, folder, "net", ["a", "b"], complete=True) as writer:
        writer.append(IDS[:2], [[0.5, 0.5], [1.0, 0.0]])
    with ScoreWriter(catalog, folder, "net", ["c", "a"], extend=True) as writer:
        writer.append(IDS[1:3], [[0.3, 0.1], [0.0, 0.2]])
    scores = read_scores(catalog, folder, "net", IDS[:3])
    assert scores.classes == ("a", "b", "c") and not scores.complete
    np.testing.assert_allclose(
        scores.values.toarray(), [[0.5, 0.5, 0], [0.1, 0, 0.3], [0.2, 0, 0]], rtol=1e-6)


def test_files_that_were_never_registered_do_not_count_and_go(catalog, folder):
    with EmbeddingWriter(catalog, folder, "enc", 2) as writer:
        writer.append(IDS[:1], np.ones((1, 2)))
    place = shards.set_folder(folder, "embeddings", "enc")
    (place / "000099.npz").write_bytes(b"half a shard")
    (place / "000100.npz.tmp").write_bytes(b"")
    assert read_embeddings(catalog, folder, "enc", IDS)[1].tolist() == [True, False, False, False]
    EmbeddingWriter(catalog, folder, "enc", 2).close()
    assert len(list(place.iterdir())) == 1


def test_model_names_of_all_kinds_keep_apart(catalog, folder):
    names = ["kaggle:a/b", "kaggle:a_b", "../up", "é è", "x" * 200]
    for n, name in enumerate(names):
        with EmbeddingWriter(catalog, folder, name, 1) as writer:
            writer.append(IDS[:1], [[n + 1.0]])
    for n, name in enumerate(names):
        assert read_embeddings(catalog, folder, name, IDS[:1])[0][0, 0] == n + 1
    assert all(folder in path.parents for path in folder.rglob("*.npz"))
    assert list(embedding_models(catalog)) == names


def test_posteriors_by_run_and_the_latest(catalog, folder):
    for run, value in (("one", 0.2), ("two", 0.4)):
        values = np.array([[value, 1 - value]] * 2)
        write_posteriors(catalog, folder, run, Posteriors(IDS[:2], values, ("a", "b")))
    assert read_posteriors(catalog, folder).values[0, 0] == np.float32(0.4)
    assert read_posteriors(catalog, folder, "one").values[0, 0] == np.float32(0.2)
    write_posteriors(catalog, folder, "one", Posteriors(IDS[:1], [[1.0, 0.0]], ("a", "b")))
    assert posterior_runs(catalog) == ["two", "one"]
    assert read_posteriors(catalog, folder).id.tolist() == IDS[:1]


def test_errors_say_what_is_there(catalog, folder):
    with pytest.raises(ProjectError, match="run: ecotone fuse"):
        read_posteriors(catalog, folder)
    with EmbeddingWriter(catalog, folder, "enc", 2) as writer:
        writer.append(IDS[:1], np.ones((1, 2)))
        with pytest.raises(InputError, match=r"shape \(1, 3\), expected \(1, 2\)"):
            writer.append(IDS[:1], np.ones((1, 3)))
        with pytest.raises(InputError, match="NaN"):
            writer.append(IDS[:1], np.full((1, 2), np.nan))
    with pytest.raises(ProjectError, match="no embeddings of 'other'.*there are: enc"):
        read_embeddings(catalog, folder, "other", IDS)
    (path,) = shards.set_folder(folder, "embeddings", "enc").iterdir()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ProjectError, match=f"{path.name}: missing or damaged"):
        read_embeddings(catalog, folder, "enc", IDS)


rows = st.lists(st.tuples(st.integers(0, 7), st.floats(0, 1, width=32)), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_reading_is_the_last_write_of_each_id(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("v")
    with Catalog.open(folder / "c.sqlite", create=True) as catalog:
        catalog.add_media([NewMedium(f"m{i}", "/", f"{i}.jpg") for i in range(8)])
        last: dict[str, float] = {}
        for batch in batches:
            with ScoreWriter(catalog, folder, "net", ["a"]) as writer:
                for medium, value in batch:
                    writer.append([f"m{medium}:0"], [[value]])
                    last[f"m{medium}:0"] = value
        ids = [f"m{i}:0" for i in range(8)]
        scores = read_scores(catalog, folder, "net", ids)
        expected = [np.float32(last.get(i, 0.0)) for i in ids]
        np.testing.assert_array_equal(scores.values.toarray().ravel(), expected)
        assert score_models(catalog) == {"net": len(last)}
