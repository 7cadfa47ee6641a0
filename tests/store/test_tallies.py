"""The numbers that triggers keep are those that counting gives."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.store import migrations, shards
from ecotone.store.catalog import Catalog
from ecotone.store.tables import Box, NewMedium
from ecotone.store.vectors import EmbeddingWriter, embedding_models

STEPS = st.lists(st.tuples(st.sampled_from(["boxes", "write", "drop", "media"]),
                           st.integers(0, 5), st.integers(0, 3)), max_size=12)


def counted(catalog: Catalog) -> tuple[int, int, dict[str, int]]:
    one = catalog.connection.execute
    return (
        one("SELECT count(*) FROM medium").fetchone()[0],
        one("SELECT count(*) FROM detection WHERE retired = 0").fetchone()[0],
        dict(one("""SELECT s.name, count(d.medium) FROM vector_set s
            LEFT JOIN vector_row v ON v.vector_set = s.n LEFT JOIN detection d
            ON d.medium = v.medium AND d.number = v.number AND d.retired = 0
            GROUP BY s.n""").fetchall()),
    )


def check(catalog: Catalog) -> None:
    counts = catalog.counts()
    assert (counts["media"], counts["detections"], dict(embedding_models(catalog))) == counted(
        catalog)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture],
          deadline=None)
@given(STEPS)
def test_tallies_follow_every_change(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("tally")
    with Catalog.open(folder / "c.sqlite", create=True) as catalog:
        catalog.add_media([NewMedium(f"m{i}", "/p", f"{i}.jpg") for i in range(3)])
        added = 3
        for what, medium, n in steps:
            if what == "media":
                catalog.add_media([NewMedium(f"m{added}", "/p", f"{added}.jpg")])
                added += 1
            elif what == "boxes":
                boxes = [Box((0.1 * k, 0.1, 0.2, 0.2), "animal", 0.9) for k in range(n)]
                catalog.replace_boxes({f"m{medium}": boxes}, f"detector {n}")
            elif what == "write":
                with EmbeddingWriter(catalog, folder, f"e{n}", 2) as writer:
                    writer.append([f"m{medium}:0", f"m{medium}:1"], np.zeros((2, 2)))
            else:
                shards.drop_set(catalog, "embeddings", f"e{n}")
        check(catalog)


def test_a_catalogue_of_before_is_counted_once(tmp_path, monkeypatch):
    at = migrations.MIGRATIONS.index(migrations._TALLIES)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:at])
        with Catalog.open(tmp_path / "c.sqlite", create=True) as catalog:
            catalog.add_media([NewMedium(f"m{i}", "/p", f"{i}.jpg") for i in range(4)])
            with EmbeddingWriter(catalog, tmp_path, "e", 2) as writer:
                writer.append(["m0:0", "m1:0", "gone:0"], np.zeros((3, 2)))
            catalog.replace_boxes({"m1": [Box((0.1, 0.1, 0.2, 0.2), "animal", 0.9)]}, "d")
    with Catalog.open(tmp_path / "c.sqlite") as catalog:
        check(catalog)
        assert embedding_models(catalog) == {"e": 1}
