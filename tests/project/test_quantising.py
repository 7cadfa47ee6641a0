"""`--int8`: quantised once, kept, compared honestly, under a name of its own; or refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ecotone.backends.quantise import quantise
from ecotone.bundle import onnx_proto as o
from ecotone.errors import BackendError, MissingExtraError
from ecotone.project import Project
from ecotone.project.networks import network_note, note_network
from ecotone.project.quantising import Int8Report, int8_model
from ecotone.store.vectors import read_scores


@pytest.fixture
def project(tmp_path, pictures):
    with Project.init(tmp_path / "project") as opened:
        opened.add_images(pictures)
        yield opened


def label_all(project: Project, pictures: Path, tmp_path: Path) -> None:
    rows = ["filePath,vernacularName"]
    for path in sorted(pictures.rglob("*.jpg")):
        rows.append(f"{path.relative_to(pictures).as_posix()},"
                    f"{path.name.rsplit('_', 1)[0].replace('_', ' ')}")
    (tmp_path / "all.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    project.add_labels(tmp_path / "all.csv")


def test_a_network_in_8_bits_is_made_once_and_its_cost_is_told(
    project, onnx_model, pictures, tmp_path
) -> None:
    classes = onnx_model.with_name("classes.txt")
    plain = project.classify(str(onnx_model), classes)
    first = project.classify(str(onnx_model), classes, int8=True)
    assert (plain.model, first.model, first.done) == ("model", "model-int8", 24)
    assert "the same top class on 100.0%" in first.notes[0]
    assert "cosine of embeddings 0.99" in first.notes[0] or "1.000" in first.notes[0]
    assert "too few" in first.notes[1]
    made = list((project.path / "cache" / "int8").rglob("model.onnx"))
    assert len(made) == 1
    when = made[0].stat().st_mtime_ns
    ids = project.catalog.detections().id
    a, b = (read_scores(project.catalog, project.vectors, name, ids).values.toarray()
            for name in ("model", "model-int8"))
    assert (a.argmax(1) == b.argmax(1)).all() and not np.array_equal(a, b)
    label_all(project, pictures, tmp_path)
    again = project.classify(str(onnx_model), classes, int8=True)
    assert (again.done, again.skipped) == (0, 24)
    assert made[0].stat().st_mtime_ns == when
    assert "labelled detections, out of fold" in again.notes[1] and "points)" in again.notes[1]
    assert project.embed(str(onnx_model), int8=True).notes


def test_pictures_that_come_later_leave_the_network_as_it_is(
    project, onnx_model, make_picture, tmp_path
) -> None:
    classes = onnx_model.with_name("classes.txt")
    first, _, report = int8_model(project, str(onnx_model), classes, {})
    make_picture(tmp_path / "more" / "cam" / "a.jpg", seed=900)
    project.add_images(tmp_path / "more")
    second, _, told = int8_model(project, str(onnx_model), classes, {})
    assert first == second and told == report


def test_a_network_that_has_seen_the_labels_stays_marked(project, onnx_model) -> None:
    classes = onnx_model.with_name("classes.txt")
    note_network(project.catalog, "model", accepted=True, scores=True, embeddings=True)
    project.classify(str(onnx_model), classes, int8=True)
    assert network_note(project.catalog, "model-int8")["accepted"] is False


def net(path: Path, kind: str = "plain") -> Path:
    x = o.FLOAT16 if kind == "half" else o.FLOAT
    weight = np.ones((4, 3, 1, 1), np.float16 if kind == "half" else np.float32)
    nodes = [o.node("Conv", ["image", "w"], ["c"]), o.node("GlobalAveragePool", ["c"], ["p"])]
    if kind == "no layer":
        nodes = [o.node("GlobalAveragePool", ["image"], ["p"])]
    if kind == "unknown":
        nodes.append(o.node("Nonsense", ["p"], ["q"]))
    out = nodes[-1].output[0]
    o.save_model(o.make_model(nodes, [o.value_info("image", x, ["n", 3, 8, 8])],
                              [o.value_info(out, x, ["n", 4, 1, 1])], [o.tensor("w", weight)],
                              name="net", opset_version=17), path)
    return path


@pytest.mark.parametrize(("kind", "words"), [
    ("half", "not in single precision"), ("no layer", "no layer that 8 bits make faster"),
    ("unknown", "cannot be quantised"),
])
def test_what_cannot_be_quantised_is_refused_in_one_line(tmp_path, kind, words) -> None:
    batch = np.zeros((2, 3, 8, 8), np.float32)
    with pytest.raises(BackendError, match=words) as told:
        quantise(net(tmp_path / "net.onnx", kind), tmp_path / "out.onnx", batch)
    assert "\n" not in str(told.value) and "leave --int8 out" in str(told.value)
    assert not (tmp_path / "out.onnx").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_twice_quantised_and_other_files_are_refused(project, tmp_path) -> None:
    batch = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    quantise(net(tmp_path / "net.onnx"), tmp_path / "out.onnx", batch)
    with pytest.raises(BackendError, match="quantised already"):
        quantise(tmp_path / "out.onnx", tmp_path / "again.onnx", batch)
    with pytest.raises(BackendError, match=r"only \.onnx networks"):
        project.embed("timm:resnet18", int8=True)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[int8\]"):
        quantise(net(tmp_path / "net.onnx"), tmp_path / "out.onnx", np.zeros((1, 3, 8, 8)))


def test_lines_for_people() -> None:
    report = Int8Report("m", 64, 128, 0.969, 0.989, 0.98, 300, 0.957, 0.96, 2.0)
    assert report.lines()[1].endswith("(+0.3 points)")
    assert "2.0 times as fast" in report.lines()[0]
