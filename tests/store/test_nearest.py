"""Exact search over shards, against one multiplication."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.store.nearest import nearest
from ecotone.store.vectors import EmbeddingWriter


def write(catalog, folder, ids, values):
    with EmbeddingWriter(catalog, folder, "network", values.shape[1]) as writer:
        for start in range(0, len(ids), 7):
            writer.append(ids[start : start + 7], values[start : start + 7])
            writer.flush()


@pytest.mark.parametrize("like", [[3], [3, 17, 20]])
def test_the_nearest_are_those_of_a_whole_multiplication(catalog, tmp_path, like):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40, 6)).astype(np.float16).astype(np.float32)
    ids = [f"m{n}:0" for n in range(40)]
    write(catalog, tmp_path, ids, values)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    query = unit[like].mean(axis=0)
    cosine = unit @ (query / np.linalg.norm(query))
    found, alike = nearest(catalog, tmp_path, "network", [ids[i] for i in like], 12)
    assert found == [ids[i] for i in np.argsort(-cosine)[:12]]
    np.testing.assert_allclose(alike, np.sort(cosine)[::-1][:12], atol=1e-5)


def test_what_was_written_again_counts_as_written_last(catalog, tmp_path):
    values = np.eye(4, dtype=np.float32)
    ids = [f"m{n}:0" for n in range(4)]
    write(catalog, tmp_path, ids, values)
    write(catalog, tmp_path, ids[1:2], values[:1])
    found, alike = nearest(catalog, tmp_path, "network", ids[:1], 4)
    assert found[:2] == ids[:2] and alike[:2] == pytest.approx([1, 1])
    assert sorted(found) == ids


def test_without_an_embedding_it_says_what_to_run(catalog, tmp_path):
    write(catalog, tmp_path, ["m0:0"], np.ones((1, 3)))
    with pytest.raises(ProjectError, match="ecotone embed"):
        nearest(catalog, tmp_path, "network", ["m9:0"], 3)
