"""The way of a user through all commands, in order, in one folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ecotone import cli


@pytest.fixture
def here(tmp_path, monkeypatch, pictures, labels_csv, scores_csv, onnx_model) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    return tmp_path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_commands_in_their_order(here, call, detections_json, taxonomy_csv):
    call("init", "my-reserve")
    assert "24 pictures added" in call("add", "images", "pictures", "--project", "my-reserve")
    assert "add labels" in call("status")
    assert "6 labels added" in call("add", "labels", "labels.csv")
    call("add", "detections", "md.json")
    call("add", "scores", "scores.csv")
    call("add", "taxonomy", "taxonomy.csv")
    assert "25 detections classified" in call(
        "classify", "--model", "model.onnx", "--classes", "classes.txt")
    call("embed")
    fused = call("fuse")
    assert "local model:" in fused
    call("evaluate", "--seeds", "1")
    assert "report.html" in call("report")
    call("export", "csv", "-o", "out.csv")
    pytest.importorskip("pyarrow")
    call("export", "parquet", "-o", "out.parquet")
    call("predict", "pictures", "--model", "my-reserve/models/latest", "-o", "new.csv")
    assert "ecotone export" in call("status")

    rows = rows_of(here / "out.csv")
    assert len(rows) == 25
    classes = {r["localClass"] for r in rows}
    assert classes <= {"red deer", "grey fox", "wild boar", "blank", "human"}
    assert {r["category"] for r in rows} == {"animal", "blank", "human"}
    assert len(rows_of(here / "new.csv")) == 24
    page = (here / "my-reserve/reports/report.html").read_text("utf-8")
    assert "red deer" in page and "https://" not in page.split("<body")[0]


def test_predict_agrees_with_the_project(here, call):
    call("run", "pictures", "--labels", "labels.csv", "--model", "model.onnx", "--classes",
         "classes.txt", "-o", "my-reserve")
    call("export", "csv", "--of", "local", "-o", "out.csv")
    (here / "away").mkdir()
    (here / "my-reserve/models/latest").resolve().rename(here / "away/model")
    call("predict", "pictures", "--model", "away/model", "-o", "new.csv")
    told = {r["filePath"]: r for r in rows_of(here / "out.csv")}
    for row in rows_of(here / "new.csv"):
        other = told[row["filePath"]]
        assert row["localClass"] == other["localClass"]
        assert float(row["classificationProbability"]) == pytest.approx(
            float(other["classificationProbability"]), abs=1e-4)


def test_run_without_scores_and_model_says_what_it_does(here, call):
    text = call("run", "pictures", "--labels", "labels.csv", "-o", "my-reserve")
    assert "no scores and no model were given" in text and "weight-free" in text
    status = json.loads(call("status", "--json"))
    assert list(status["embeddings"]) == ["handcrafted"] and status["scores"] == {}


def test_run_again_changes_nothing_but_the_run(here, call):
    words = ("run", "pictures", "--labels", "labels.csv", "--scores", "scores.csv", "-o", "p")
    call(*words)
    first = json.loads(call("status", "--json"))
    call("export", "csv", "-o", "first.csv")
    text = call(*words)
    assert "0 pictures added, 24 already there" in text
    second = json.loads(call("status", "--json"))
    same = ("counts", "scores", "embeddings", "failures")
    drop = {"runs"}
    for name in same:
        a, b = first[name], second[name]
        if isinstance(a, dict):
            a, b = ({k: v for k, v in d.items() if k not in drop} for d in (a, b))
        assert a == b
    call("export", "csv", "-o", "second.csv")
    for before, after in zip(rows_of(here / "first.csv"), rows_of(here / "second.csv"),
                             strict=True):
        assert {**before, "runID": ""} == {**after, "runID": ""}


@pytest.mark.parametrize("words", [
    ["init", "other"], ["add", "images", "pictures"], ["add", "labels", "labels.csv"],
    ["add", "scores", "scores.csv"], ["embed"], ["fuse"], ["evaluate", "--seeds", "1"],
    ["report"], ["export", "csv", "-o", "out.csv"], ["status"],
    ["classify", "--model", "model.onnx", "--classes", "classes.txt"],
    ["predict", "pictures", "--model", "my-reserve/models/latest", "-o", "new.csv"],
], ids=lambda words: words[0] if words[0] != "add" else "-".join(words[:2]))
def test_json_is_json_and_nothing_else(small_run, call, words):
    value = json.loads(call(*words, "--json"))
    assert value and isinstance(value, dict)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_picture) -> Path:
    """A small project that has been run to its end, made once."""
    folder = tmp_path_factory.mktemp("finished")
    colours = {"red deer": (150, 70, 40), "grey fox": (120, 120, 130)}
    lines = ["filePath,vernacularName"]
    for i in range(16):
        name = list(colours)[i % 2]
        make_picture(folder / f"pictures/cam{i // 8}/{i:02d}.jpg", colours[name], seed=i)
        lines.append(f"cam{i // 8}/{i:02d}.jpg,{name}")
    (folder / "labels.csv").write_text("\n".join(lines[:9]) + "\n", encoding="utf-8")
    assert cli.run(["run", str(folder / "pictures"), "--labels", str(folder / "labels.csv"),
                    "-o", str(folder / "my-reserve")]) == 0
    return folder


@pytest.fixture
def small_run(finished, monkeypatch, onnx_model, scores_csv) -> Path:
    monkeypatch.chdir(finished)
    monkeypatch.setenv("ECOTONE_PROJECT", "my-reserve")
    for name in ("model.onnx", "model.json", "classes.txt"):
        (finished / name).write_bytes((onnx_model.parent / name).read_bytes())
    rng = np.random.default_rng(0)
    lines = ["filePath,deer,fox"]
    for path in sorted((finished / "pictures").rglob("*.jpg")):
        p = rng.uniform()
        lines.append(f"{path.relative_to(finished / 'pictures').as_posix()},{p:.3f},{1 - p:.3f}")
    (finished / "scores.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return finished
