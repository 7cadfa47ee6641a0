"""The benchmarks of individuals, small: the peer of matching, and who is held out of the nyala."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
from PIL import Image

from ecotone.reid.search import top_k
from tests.benchmarks.test_benchmarks import FOLDER, load


def test_both_ways_of_matching_find_the_same(tmp_path):
    matching = load("matching")
    stored = matching.make_gallery(tmp_path / "gallery.npy", 9000, 12)
    queries = np.random.default_rng(1).normal(size=(50, 12)).astype(np.float32)
    index, value = matching.bare(matching.unit(queries), matching.unit(stored), 7)
    found = top_k(queries, stored, 7)
    np.testing.assert_array_equal(index, found.index)
    np.testing.assert_allclose(value, found.similarity, atol=1e-5)


@pytest.fixture
def nyala(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["filePath", "individualID", "viewpoint"])
        for i in range(90):
            rows.writerow([f"{i}.png", i // 10 if i < 60 else i, ["left", "right"][i % 3 == 0]])
            pixels = np.random.default_rng(i // 10).integers(0, 255, (60, 80), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    module = load("nyala")
    return module, module.Nyala(tmp_path)


def test_whole_individuals_are_held_out_and_the_protocol_holds(nyala):
    module, data = nyala
    held = [data.held(s) for s in range(3)]
    for part in held:
        assert not set(data.individual[part]) & set(data.individual[~part])
        assert len(set(data.individual[part])) == 12
    rows = data.asked(np.ones(90, dtype=bool))
    assert set(data.individual[rows]) == {str(i) for i in range(6)}
    pairs = data.pairs(rows)
    assert (data.viewpoint[pairs[:, 0]] == data.viewpoint[pairs[:, 1]]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_local_scores_are_kept_and_only_missing_ones_are_made(nyala, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    module, data = nyala
    pairs = np.array([[1, 2], [1, 11]])
    first = module.local_matrix(data, pairs, tmp_path / "local.npz")
    assert first[1, 2] == first[2, 1] > 10 > first[1, 11] and first[1, 3] == 0
    monkeypatch.setattr(module, "local_scores", None)  # would fail if it were called
    np.testing.assert_array_equal(first, module.local_matrix(data, pairs, tmp_path / "local.npz"))


def test_the_table_says_whether_the_bar_is_reached(nyala, capsys):
    module, _ = nyala
    figures = {"frozen": [(0.1, 0.2, 0.3, 0.1)] * 2, "head": [(0.15, 0.3, 0.4, 0.2)] * 2}
    assert module.show(figures) == 1
    figures["fusion"] = [(0.2, 0.3, 0.4, 0.2), (0.22, 0.3, 0.4, 0.2)]
    assert module.show(figures) == 0 and "2.10" in capsys.readouterr().out


def test_all_of_predict_is_measured(capsys):
    assert load("matching").identifier(30, 200, 16) > 0
    assert "predict, s" in capsys.readouterr().out


def test_a_third_of_the_pictures_is_asked_for_and_a_sixth_of_the_individuals_is_new(nyala):
    module = load("nyala_match")
    rows, asked = module.chosen(nyala[1].folder, 12, seed=3)
    names = {r["individualID"] for r in rows}
    hidden = {r["individualID"] for r, a in zip(rows, asked, strict=True) if a}
    shown = {r["individualID"] for r, a in zip(rows, asked, strict=True) if not a}
    assert len(names) == 12 and len(hidden - shown) == 2
    assert (rows, asked) == module.chosen(nyala[1].folder, 12, seed=3)
    assert sum(asked) <= len(rows) / 3 + 1 or hidden == hidden - shown
