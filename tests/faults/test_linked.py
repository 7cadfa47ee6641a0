"""Shards whose values lie in a Parquet file elsewhere: that file has a checksum too."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project
from ecotone.store import linked, shards
from ecotone.store.vectors import read_embeddings


@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_a_damaged_file_elsewhere_is_found_and_taken_out(copy, tmp_path, how):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    values = arrow.FixedSizeListArray.from_arrays(
        arrow.array(rng.normal(size=36 * 8).astype(np.float16)), 8)
    path = tmp_path / "elsewhere.parquet"
    parquet.write_table(arrow.table({"embedding": values}), path, compression="none")
    with Project(copy) as project:
        catalog, folder = project.catalog, project.vectors
        ids = [str(i) for i in catalog.detections().id]
        made = shards.make_set(catalog, "embeddings", "far", (), 8, True)
        shards.write_shard(catalog, folder, made, ids, linked.link(
            folder, str(path), path.stat().st_size, np.arange(len(ids))))
        assert project.check().whole
        assert read_embeddings(catalog, folder, "far", ids)[1].all()
    content = bytearray(path.read_bytes())
    content[200] ^= 8
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "flip" else content[:200])
    linked._columns.cache_clear()
    with Project(copy) as project:
        with pytest.raises(ProjectError, match="elsewhere.parquet"):
            read_embeddings(project.catalog, project.vectors, "far", ids)
        assert str(path) in project.check().problems[0].what
        assert not project.repair().left
        here = read_embeddings(project.catalog, project.vectors, "handcrafted", ids)[1]
        assert here.sum() == len(ids) - 1  # a box was drawn since
