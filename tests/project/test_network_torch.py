"""Real trainings of a tiny network: from a project and from tables to predictions; what was stopped
goes on."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from ecotone import cli
from ecotone.project import Project
from tests.project.network_world import COLOURS, SPECIES, make_project

pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("onnxscript")

TINY = ("--network", "test_byobnet", "--size", "32", "--epochs", "3", "--batch-size", "16",
        "--set", "workers=1", "--set", "lr=0.01", "--set", "augment=0")


def run(*words: object) -> int:
    return cli.run([str(w) for w in words])


def test_from_fused_posteriors_to_predictions(tmp_path, capsys):
    with make_project(tmp_path) as project:
        project.fuse(use_context=False)
    place = ("--project", tmp_path / "reserve")
    assert run("train", *place, *TINY, "--name", "net") == 0, capsys.readouterr().err
    assert "3 classes from 36 labels and 72 pseudo-labels" in capsys.readouterr().out
    assert run("classify", *place, "--model", "net") == 0
    assert run("status", *place) == 0
    assert "network      net: 3 classes" in capsys.readouterr().out
    folder = tmp_path / "reserve" / "models" / "networks" / "net"
    out = tmp_path / "new.csv"
    assert run("predict", tmp_path / "photos", "--model", folder, "-o", out) == 0
    with out.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    right = [_near(tmp_path / "photos" / r["filePath"]) == r["localClass"] for r in rows]
    assert len(rows) == 108 and np.mean(right) > 0.6
    assert run("export", "addaxai", *place, "--network", "net", "-o", tmp_path / "NET") == 0
    with Project(tmp_path / "reserve") as project:
        assert project.report().is_file()


def _near(path) -> str:
    colour = np.asarray(Image.open(path)).mean(axis=(0, 1))
    return SPECIES[int(np.abs(COLOURS - colour).sum(axis=1).argmin())]


def test_a_round_with_real_networks(tmp_path):
    with make_project(tmp_path) as project:
        before = project.fuse(use_context=False)
        result = project.train(backbone="test_byobnet", image_size=32, epochs=6, batch_size=16,
                               workers=1, lr=0.01, augment=0, rounds=1, folds=2)
        (one,) = result.rounds
        assert one.labels == 36 and one.trainings == 3
        assert one.accepted and one.after["log_loss"] < one.before["log_loss"]
        assert project.status().fused == one.fusion != before.run
        assert not (result.folder / "folds").exists()


def test_the_tables_of_the_recipe_train_a_network(tmp_path, capsys):
    with make_project(tmp_path) as project:
        media = project.catalog.media()
    lines = [f"{file},{_near(path).replace(' ', '_')},{file.split('/')[0]}"
             for file, path in zip(media.file_path, media.path, strict=True)]
    (tmp_path / "data.csv").write_text(
        "filename,category,location\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "map.csv").write_text("input,output\ngrey_fox,fox\nwild_boar,\n", encoding="utf-8")
    words = ["train", tmp_path / "data.csv", tmp_path / "map.csv", "--pictures",
             tmp_path / "photos", "-o", tmp_path / "net", *TINY]
    assert run(*words) == 0, capsys.readouterr().err
    card = json.loads((tmp_path / "net" / "card.json").read_text(encoding="utf-8"))
    assert card["classes"] == ["fox", "red_deer", "wild_boar"]
    assert card["validation"] == {**card["validation"], "kind": "held-out labels", "by": "location"}
    stamp = (tmp_path / "net" / "best.pt").stat().st_mtime_ns
    assert run(*words) == 0  # it is finished: nothing is trained again
    assert (tmp_path / "net" / "best.pt").stat().st_mtime_ns == stamp
    out = tmp_path / "out.csv"
    assert run("predict", tmp_path / "photos", "--model", tmp_path / "net", "-o", out) == 0
