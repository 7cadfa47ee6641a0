from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.export.detections import (
    REFINED,
    class_columns,
    posterior_columns,
    posterior_pieces,
)
from ecotone.export.tables import write_table
from ecotone.types import Detections, GlobalScores, Posteriors


@pytest.fixture
def world():
    detections = Detections(
        ["m1:0", "m1:1", "m2:0"], ["m1", "m1", "m2"],
        [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.1, 0.1], [0, 0, 1, 1]],
        ["animal", "human", "animal"], [0.9, 0.8, 1.0],
    )
    media = SimpleNamespace(
        id=np.array(["m2", "m1"], object), file_path=np.array(["b.jpg", "cam/a.jpg"], object),
        deployment_id=np.array(["", "cam"], object),
        timestamp=np.array(["", "2024-05-01T06:30:00"], object),
    )
    posteriors = Posteriors(
        ["m2:0", "m1:0"], [[0.2, 0.3, 0.5], [0.9999, 0.0001, 0.0]], ("fox", "deer spp.", "boar")
    )
    return detections, media, posteriors


def test_one_row_a_detection(world):
    detections, media, posteriors = world
    scores = {
        "a": GlobalScores(sparse.csr_matrix([[0.1, 0.6], [0, 0], [0.3, 0.2]]), ("x", "y")),
        "b": GlobalScores(sparse.csr_matrix([[0.5], [0], [0.9]]), ("z",)),
    }
    found = posterior_columns(
        detections, media, posteriors, labels={"m1:0": "fox"}, scores=scores, run_id="run-1",
        scientific_names={"fox": "Vulpes vulpes"},
    )
    rows = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    assert [r["filePath"] for r in rows] == ["cam/a.jpg", "cam/a.jpg", "b.jpg"]
    assert [r["deploymentID"] for r in rows] == ["cam", "cam", ""]
    assert [r["localClass"] for r in rows] == ["fox", "", "boar"]
    assert [r["scientificName"] for r in rows] == ["Vulpes vulpes", "", ""]
    assert [r["alternatives"] for r in rows] == ["deer spp.:0.0001", "",
                                                 "deer spp.:0.3000 | fox:0.2000"]
    assert rows[0]["classificationProbability"] == pytest.approx(0.9999)
    assert np.isnan(rows[1]["classificationProbability"])
    assert [(r["globalModel"], r["globalLabel"]) for r in rows] == [("a", "y"), ("", ""),
                                                                    ("b", "z")]
    expected = pytest.approx([0.6, np.nan, 0.9], nan_ok=True)
    assert [r["globalScore"] for r in rows] == expected
    assert [r["label"] for r in rows] == ["fox", "", ""]
    assert {r["runID"] for r in rows} == {"run-1"}
    assert rows[0]["bboxWidth"] == pytest.approx(0.3)


def test_without_anything_but_pictures(world):
    detections, media, _ = world
    found = posterior_columns(detections, media)
    assert list(found["localClass"]) == ["", "", ""]
    assert list(found["globalLabel"]) == ["", "", ""]
    assert {len(v) for v in found.values()} == {3}


def test_pieces_are_the_whole(world, tmp_path):
    detections, media, posteriors = world
    whole = posterior_columns(detections, media, posteriors)
    pieces = list(posterior_pieces(detections, media, posteriors, size=2))
    assert [len(p["filePath"]) for p in pieces] == [2, 1]
    write_table(tmp_path / "a.csv", whole)
    write_table(tmp_path / "b.csv", pieces)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_an_empty_project_has_the_same_columns(world):
    detections, media, posteriors = world
    none = Detections([], [], np.zeros((0, 4)), [], [])
    assert list(posterior_columns(none, media, posteriors)) == list(
        posterior_columns(detections, media, posteriors)
    )


def test_a_refinement_adds_its_columns_at_the_end(world, tmp_path):
    detections, media, posteriors = world
    refined = {"m1:0": ("red deer", "Cervus elaphus", "species", 0.93, "climb", "a;b;;;;;deer"),
               "m2:0": ("boar", "Sus scrofa", "species", np.nan, "people", "animal")}
    found = posterior_columns(detections, media, posteriors, refined=refined)
    assert list(found)[-6:] == list(REFINED)
    assert found["refinedLabel"].tolist() == ["red deer", "", "boar"]
    assert found["refinedProbability"].dtype == np.float32
    np.testing.assert_allclose(found["refinedProbability"], [0.93, np.nan, np.nan], rtol=1e-6)
    assert found["refinedStage"].tolist() == ["climb", "", "people"]
    assert found["labelBefore"].tolist() == ["a;b;;;;;deer", "", "animal"]
    none = Detections([], [], np.zeros((0, 4)), [], [])
    assert list(posterior_columns(none, media, refined=refined)) == list(found)
    assert "refinedLabel" not in posterior_columns(detections, media, posteriors)
    write_table(tmp_path / "a.csv", found)
    assert ",red deer,Cervus elaphus,species,0.93,climb,a;b;;;;;deer" in (
        tmp_path / "a.csv").read_text(encoding="utf-8")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 5), st.integers(0, 99))
def test_classes_are_ranked_as_a_plain_sort_ranks_them(k, n, seed):
    values = np.random.default_rng(seed).dirichlet(np.full(k, 0.3), n).astype(np.float32)
    names = [f"c{i}" for i in range(k)]
    found = class_columns(values, names, [""] * k)
    for row, best, others, sure in zip(
        values, found["localClass"], found["alternatives"], found["classificationProbability"],
        strict=True,
    ):
        order = sorted(range(k), key=lambda i: (-row[i], i))[:6]
        assert best == names[order[0]] and sure == row[order[0]]
        listed = [text.rpartition(":")[0] for text in others.split(" | ")] if others else []
        assert listed == [names[i] for j, i in enumerate(order[1:]) if j == 0 or row[i] >= 1e-3]


def test_alternatives_and_global_maxima_are_those_of_a_slow_reading():
    from ecotone.export.detections import _alternatives, _four_digits, _row_maxima

    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(2000), [0, 1, 0.00005, 0.12345, 0.99995, 1.2, -0.1]])
    values = values.astype(np.float32)
    assert _four_digits(values).tolist() == [f"{v:.4f}" for v in values]
    p = rng.dirichlet(np.full(8, 0.2), 50).astype(np.float32)
    order = np.argsort(-p, axis=1)[:, 1:5]
    slow = [" | ".join(f"{'abcdefgh'[c]}:{row[c]:.4f}" for i, c in enumerate(o)
                       if i == 0 or row[c] >= 1e-3) for row, o in zip(p, order, strict=True)]
    assert _alternatives(p, order, "abcdefgh").tolist() == slow
    table = sparse.random(60, 9, 0.2, "csr", np.float32, random_state=1)
    table.data = np.round(table.data, 1) + np.float32(0.1)  # some are equal
    top, column = _row_maxima(table)
    dense = table.toarray()
    np.testing.assert_array_equal(top, dense.max(axis=1))
    np.testing.assert_array_equal(column, dense.argmax(axis=1))
