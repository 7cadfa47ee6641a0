"""Shards carry size and checksum: one changed byte is found, and told before it is used."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.store import shards
from ecotone.store.checksums import find_damage, measure
from ecotone.store.vectors import EmbeddingWriter, read_embeddings

IDS = ["m0:0", "m1:0", "m2:0"]


@pytest.fixture
def shard(catalog, tmp_path):
    with EmbeddingWriter(catalog, tmp_path / "vectors", "enc", 4) as writer:
        writer.append(IDS, np.arange(12).reshape(3, 4))
    return next(p for p in shards.set_folder(tmp_path / "vectors", "embeddings", "enc").iterdir())


def test_size_and_checksum_are_kept_with_a_shard(catalog, shard):
    (kept,) = catalog.connection.execute("SELECT bytes, digest FROM shard").fetchall()
    assert kept == measure(shard) and kept[0] > 0 and len(kept[1]) == 32


@pytest.mark.parametrize("seed", range(5))
def test_any_flipped_bit_is_found(catalog, shard, tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(shard.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    shard.write_bytes(content)
    with pytest.raises(ProjectError, match="its bytes were changed.*ecotone repair"):
        read_embeddings(catalog, tmp_path / "vectors", "enc", IDS)


def test_shards_without_a_checksum_are_read_as_before(catalog, shard, tmp_path):
    catalog.connection.execute("UPDATE shard SET bytes = 0, digest = ''")
    assert read_embeddings(catalog, tmp_path / "vectors", "enc", IDS)[1].all()


def test_folders_are_measured_with_the_names_of_their_files(tmp_path):
    folder = tmp_path / "shard"
    folder.mkdir()
    (folder / "a").write_bytes(b"123")
    (folder / "b").write_bytes(b"4")
    size, digest = measure(folder)
    assert size == 4 and find_damage(folder, size, digest) == ""
    (folder / "a").rename(folder / "c")
    assert find_damage(folder, size, digest) == "its bytes were changed"
    assert find_damage(folder / "none", size, digest, quick=True) == "the file is missing"
    assert find_damage(folder / "b", 3, digest, quick=True) == "1 bytes, expected 3"
