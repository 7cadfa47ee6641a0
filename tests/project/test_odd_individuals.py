"""Odd sets of individuals at the command line: one clear line each, and the run still ends well."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.store.vectors import EmbeddingWriter
from tests.project.test_identifying import photos  # noqa: F401

D = 16


def made(folder, photos, rows: dict[str, tuple[str, str, str]], same: bool = False):  # noqa: F811
    """A project of the pictures; rows: file -> species, individualID, viewpoint."""
    lines = ["filePath,scientificName,individualID,viewpoint"]
    lines += [f"cam1/{name}.jpg,{','.join(row)}" for name, row in rows.items()]
    labels = folder / "labels.csv"
    labels.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Project.init(folder / "project") as project:
        project.add_images(photos)
        project.add_labels(labels)
        embed(project, "made-up", D, same)
    return folder / "project"


def embed(project, name: str, dimension: int, same: bool = False) -> None:
    media = project.catalog.media()
    file = dict(zip(media.id, media.file_path, strict=True))
    found = project.catalog.detections()
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(14, dimension))
    order = sorted(range(len(found)), key=lambda n: file[found.media_id[n]])
    values = [np.ones(dimension) if same else centres[int(file[found.media_id[n]][6:8])]
              + 0.3 * rng.normal(size=dimension) for n in order]
    with EmbeddingWriter(project.catalog, project.vectors, name, dimension) as writer:
        writer.append([found.id[n] for n in order], np.array(values, dtype=np.float32))


def matched(path, capsys, *more: str) -> list[str]:
    """The notes of a match at the command line."""
    capsys.readouterr()
    assert cli.run(["individuals", "match", "--json", "--project", str(path), *more]) == 0
    return json.loads(capsys.readouterr().out)["notes"]


def everyone(known: int = 10, pictures: int = 3, side: str = "left") -> dict:
    return {f"p{p:02d}_{n}": ("Panthera pardus",
                              f"Ada{p:02d}" if p < known and n < pictures else "", side)
            for p in range(14) for n in range(5)}


def once(notes: list[str], text: str) -> bool:
    return sum(text in note for note in notes) == 1 and all("\n" not in note for note in notes)


def test_individuals_with_one_picture(tmp_path, photos, capsys):  # noqa: F811
    rows = everyone()
    for n in (1, 2):
        rows[f"p00_{n}"] = ("Panthera pardus", "", "left")
    notes = matched(made(tmp_path, photos, rows), capsys)
    assert once(notes, "1 of 10 individuals have one picture")


def test_every_individual_with_one_picture(tmp_path, photos, capsys):  # noqa: F811
    path = made(tmp_path, photos, everyone(pictures=1))
    assert once(matched(path, capsys), "10 of 10 individuals have one picture")
    assert cli.run(["individuals", "train", "--project", str(path)]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err
    assert cli.run(["individuals", "evaluate", "--project", str(path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "nothing to evaluate" in said and "no individual with enough pictures" in said


def test_a_species_with_one_individual(tmp_path, photos, capsys):  # noqa: F811
    rows = everyone()
    for n in range(5):
        rows[f"p00_{n}"] = ("Uncia uncia", "Ada00" if n < 3 else "", "left")
    path = made(tmp_path, photos, rows)
    assert once(matched(path, capsys), "one individual alone in Uncia uncia")
    assert cli.run(["individuals", "evaluate", "--json", "--repeats", "1", "--project",
                    str(path)]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("Uncia uncia left (one individual, nothing to tell apart)" in n for n in notes)


def test_one_individual_alone(tmp_path, photos, capsys):  # noqa: F811
    path = made(tmp_path, photos, everyone(known=1))
    assert once(matched(path, capsys), "one individual alone in Panthera pardus")
    for way in (["--rerank", "auto"], ["--expand", "on"]):
        assert matched(path, capsys, *way)


def test_identical_pictures(tmp_path, photos, capsys):  # noqa: F811
    notes = matched(made(tmp_path, photos, everyone(), same=True), capsys)
    assert once(notes, "identical to another one")
    assert once(notes, "identical pictures carry different individuals")


def test_missing_viewpoints(tmp_path, photos, capsys):  # noqa: F811
    rows = everyone()
    for n in range(5):
        rows[f"p01_{n}"] = (*rows[f"p01_{n}"][:2], "")
    notes = matched(made(tmp_path, photos, rows), capsys)
    assert any("pictures have no viewpoint: they are compared with all viewpoints" in n
               for n in notes)
    other = tmp_path / "none"
    other.mkdir()
    path = made(other, photos, everyone(side=""))
    assert not any("no viewpoint" in n for n in matched(path, capsys))


def test_a_head_of_embeddings_of_another_dimension(tmp_path, photos, capsys):  # noqa: F811
    path = made(tmp_path, photos, everyone())
    assert cli.run(["individuals", "train", "--head", "whitening", "--project", str(path)]) == 0
    with Project(path) as project:
        embed(project, "other", 2 * D)
    assert matched(path, capsys, "--embedding", "other") == []  # the head is trained anew
    head = ["individuals", "embed", "--head", "latest", "--project", str(path)]
    assert cli.run([*head, "--model", "handcrafted"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "trained on embeddings of 'made-up', not of 'handcrafted'" in said
    with Project(path) as project:
        embed(project, "made-up", D + 5)  # the same name, another network
    assert cli.run(head) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f"{D + 5}" in said[-1] and f"{D}" in said[-1] and "train" in said[-1], said


def test_a_file_that_is_no_checkpoint(tmp_path, photos, capsys):  # noqa: F811
    path = made(tmp_path, photos, everyone())
    broken = tmp_path / "net.onnx"
    broken.write_bytes(b"no network")
    assert cli.run(["individuals", "embed", "--model", str(broken), "--project", str(path)]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "net.onnx" in said[-1]


def test_a_checkpoint_of_another_architecture(tmp_path, photos, capsys):  # noqa: F811
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    pytest.importorskip("pytorch_metric_learning")
    path = made(tmp_path, photos, everyone())
    weights = tmp_path / "other.pt"
    torch.save({"architecture": "resnet50", "state": {}}, weights)
    assert cli.run(["individuals", "train", "--network", "resnet10t", "--weights", str(weights),
                    "--project", str(path)]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "resnet50" in said and "resnet10t" in said
