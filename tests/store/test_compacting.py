from __future__ import annotations

import numpy as np
import pytest

from ecotone.store import compacting, shards
from ecotone.store.compacting import compact
from ecotone.store.vectors import (
    EmbeddingWriter,
    ScoreWriter,
    embedding_models,
    read_embeddings,
    read_scores,
)

IDS = [f"m{i}:0" for i in range(5)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vectors"


def fill(catalog, folder, rounds: int = 6):
    """Every detection again in every round, one shard a row."""
    embeddings = EmbeddingWriter(catalog, folder, "e", 2)
    scores = ScoreWriter(catalog, folder, "s", "abc")
    for number in range(rounds):
        for row, name in enumerate(IDS):
            embeddings.append([name], np.array([[number, row]]))
            scores.append([name], np.array([[0.1 * number, 0, 0.1 * row]]))
            embeddings.flush()
            scores.flush()


def read(catalog, folder):
    return (read_embeddings(catalog, folder, "e", IDS)[0],
            read_scores(catalog, folder, "s", IDS).values.toarray())


def files(catalog, folder, kind, name):
    known = shards.find_set(catalog, kind, name)
    there = {p.name for p in shards.set_folder(folder, kind, name).iterdir()}
    assert there == set(known.files)
    return len(known.files)


def test_small_shards_are_joined_and_say_the_same(catalog, folder, monkeypatch):
    monkeypatch.setattr(compacting, "ROWS", 7)
    fill(catalog, folder)
    before = read(catalog, folder)
    assert compact(catalog, folder, "embeddings", "e", many=31) == 0
    for kind, name in (("embeddings", "e"), ("scores", "s")):
        assert compact(catalog, folder, kind, name, many=2) == 25
        assert files(catalog, folder, kind, name) == 5
    for one, other in zip(before, read(catalog, folder), strict=True):
        np.testing.assert_array_equal(one, other)
    assert embedding_models(catalog) == {"e": 5}
    with EmbeddingWriter(catalog, folder, "e", 2) as writer:  # the next file has a new name
        writer.append(IDS[:1], np.array([[9, 9]]))
    assert read(catalog, folder)[0][0].tolist() == [9, 9]
    assert files(catalog, folder, "embeddings", "e") == 6


def test_a_writer_joins_what_many_stops_left(catalog, folder, monkeypatch):
    monkeypatch.setattr(compacting, "MANY", 10)
    fill(catalog, folder)
    before = read(catalog, folder)[0]
    with EmbeddingWriter(catalog, folder, "e", 2):
        pass
    assert files(catalog, folder, "embeddings", "e") == 1
    np.testing.assert_array_equal(read(catalog, folder)[0], before)


@pytest.mark.parametrize("step", ["DELETE FROM shard", "INSERT INTO shard", "UPDATE sqlite"])
def test_a_stop_in_between_loses_nothing(catalog, folder, monkeypatch, step):
    fill(catalog, folder, 2)
    before, real = read(catalog, folder), catalog.connection

    class Stopped:
        def __getattr__(self, name):
            return getattr(real, name)

        def execute(self, text, *values):
            if text.startswith(step):
                raise KeyboardInterrupt
            return real.execute(text, *values)

        def executemany(self, text, rows):
            if text.startswith(step):
                raise KeyboardInterrupt
            return real.executemany(text, rows)

    catalog.connection = Stopped()
    with pytest.raises(KeyboardInterrupt):
        compact(catalog, folder, "embeddings", "e", many=2)
    catalog.connection = real
    np.testing.assert_array_equal(read(catalog, folder)[0], before[0])
    assert compact(catalog, folder, "embeddings", "e", many=2) == 9
    np.testing.assert_array_equal(read(catalog, folder)[0], before[0])
    assert files(catalog, folder, "embeddings", "e") == 1
