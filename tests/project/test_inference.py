"""`classify` and `embed`: store, resume, collect failures, retry, and never mix settings."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ecotone.backends.base as base
from ecotone.backends.fingerprint import fingerprints
from ecotone.backends.registry import Registry
from ecotone.engine.sparse import keep_large
from ecotone.errors import BackendError, ProjectError
from ecotone.media.preprocess import Preprocessing
from ecotone.project import Project
from ecotone.project.inference import classify, embed
from ecotone.store.tables import Box, NewLabel, NewMedium
from ecotone.store.vectors import read_embeddings, read_scores


class Colours:
    """A model of three classes: how much of each colour there is. Fails or waits when told to."""

    preprocessing = Preprocessing(6, 6, "uint8", "NHWC")
    classes: tuple[str, ...] = ("red", "green", "blue")
    dimension = 3
    calls = 0
    stop_after = 10**9

    def __init__(self, argument: str) -> None:
        self.argument = argument

    def classify(self, batch: np.ndarray) -> np.ndarray:
        means = batch.mean(axis=(1, 2)) + 1.0
        return (means / means.sum(axis=1, keepdims=True)).astype(np.float32)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        type(self).calls += 1
        if type(self).calls > type(self).stop_after:
            raise KeyboardInterrupt
        return batch.mean(axis=(1, 2)).astype(np.float32)

    def info(self) -> dict:
        return {"spec": "colours", "setting": self.argument}


def open_colours(argument: str, classes: Path | None = None, **options: object) -> Colours:
    return Colours(argument)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> type[Colours]:
    monkeypatch.setitem(base.BACKENDS.built_in, "colours", f"{__name__}:open_colours")
    monkeypatch.setattr(Colours, "calls", 0)
    monkeypatch.setattr(Colours, "stop_after", 10**9)
    return Colours


def fill(project: Project, folder: Path, count: int) -> None:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    rows = []
    for i in range(count):
        Image.new("RGB", (20, 10), (10 * i, 200 - 10 * i, 7)).save(folder / f"{i:02d}.png")
        rows.append(NewMedium(id=f"m{i:02d}", root=str(folder), file_path=f"{i:02d}.png"))
    project.catalog.add_media(rows)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.init(tmp_path / "reserve") as opened:
        fill(opened, tmp_path / "pictures", 20)
        yield opened


def stored(project: Project, model: str = "colours") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, folder = project.catalog.detections().id, project.path / "vectors"
    scores = read_scores(project.catalog, folder, model, ids)
    values, present = read_embeddings(project.catalog, folder, model, ids)
    return scores.values.toarray(), values, present


def test_scores_and_embeddings_in_one_run(project: Project) -> None:
    seen: list[tuple[int, int | None]] = []
    report = classify(
        project, "colours", batch_size=6, progress=lambda done, total, _: seen.append((done, total))
    )
    assert (report.model, report.done, report.skipped, report.failed) == ("colours", 20, 0, [])
    assert (report.classes, report.dimension) == (3, 3)
    assert seen[0] == (0, 20) and seen[-1] == (20, 20)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    scores, values, present = stored(project)
    assert present.all()
    np.testing.assert_allclose(values[:, 0], np.arange(20) * 10, rtol=1e-3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=2e-3)
    run = project.catalog.runs()[-1]
    assert (run.command, run.status, run.summary["done"]) == ("classify", "done", 20)
    assert project.catalog.note("backend colours")["preprocessing"]["width"] == 6


def test_second_run_has_nothing_to_do(project: Project) -> None:
    classify(project, "colours")
    before = stored(project)
    Colours.calls = 0
    report = classify(project, "colours")
    assert (report.done, report.skipped, Colours.calls) == (0, 20, 0)
    for old, new in zip(before, stored(project), strict=True):
        np.testing.assert_array_equal(old, new)
    assert embed(project, "colours").done == 0


def test_new_pictures_only(project: Project, tmp_path: Path) -> None:
    embed(project, "colours")
    folder = tmp_path / "pictures"
    (folder / "new.png").write_bytes((folder / "03.png").read_bytes())
    project.catalog.add_media([NewMedium(id="n1", root=str(folder), file_path="new.png")])
    report = embed(project, "colours")
    assert (report.done, report.skipped, report.classes) == (1, 20, 0)
    assert classify(project, "colours").done == 21  # scores are missing everywhere


def test_interrupted_run_keeps_its_work_and_goes_on(project: Project) -> None:
    Colours.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        classify(project, "colours", batch_size=5)
    assert project.catalog.runs()[-1].status == "interrupted"
    assert stored(project)[2].sum() == 10
    Colours.stop_after = 10**9
    report = classify(project, "colours", batch_size=5)
    assert (report.done, report.skipped) == (10, 10)
    assert stored(project)[2].all()


def test_failures_are_recorded_retried_and_cleared(project: Project, tmp_path: Path) -> None:
    broken = tmp_path / "pictures" / "04.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pictures" / "07.png").unlink()
    report = classify(project, "colours", batch_size=3)
    assert report.done == 18 and len(report.failed) == 2
    assert "04.png" in report.failed[0] and "missing" in report.failed[1]
    failures = project.catalog.failures()
    assert failures[1].reason == "the file is missing"
    assert [(f.media_id, f.step) for f in failures] == [("m04", "classify"), ("m07", "classify")]
    broken.write_bytes(whole)
    again = classify(project, "colours")
    assert (again.done, len(again.failed)) == (1, 1)
    assert [f.media_id for f in project.catalog.failures()] == ["m07"]


def test_boxes_are_cut_out(project: Project, tmp_path: Path) -> None:
    from PIL import Image

    image = Image.new("RGB", (200, 100), (0, 0, 0))
    image.paste((250, 0, 0), (100, 0, 200, 100))
    image.save(tmp_path / "pictures" / "00.png")
    boxes = [Box((0.0, 0.2, 0.3, 0.6), "animal", 0.9), Box((0.65, 0.2, 0.3, 0.6), "animal", 0.8)]
    project.catalog.replace_boxes({"m00": boxes}, "md")
    embed(project, "colours")
    detections = project.catalog.detections()
    rows = np.flatnonzero(detections.media_id == "m00")
    values = stored_embeddings(project, detections.id[rows])
    assert values[:, 0].tolist() == pytest.approx([0, 250], abs=2)


def stored_embeddings(project: Project, ids: np.ndarray) -> np.ndarray:
    folder = project.path / "vectors"
    values, present = read_embeddings(project.catalog, folder, "colours", ids)
    assert present.all()
    return values


def test_other_settings_do_not_mix(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    classify(project, "colours")
    monkeypatch.setattr(Colours, "preprocessing", Preprocessing(4, 4, "uint8", "NHWC"))
    Colours.stop_after = Colours.calls + 1
    with pytest.raises(KeyboardInterrupt):
        classify(project, "colours", batch_size=8)
    assert stored(project)[2].sum() == 8  # nothing of the old settings is left
    Colours.stop_after = 10**9
    assert classify(project, "colours").done == 12
    monkeypatch.setattr(Colours, "classes", ("r", "g", "b"))
    assert classify(project, "colours").done == 20
    assert read_scores(
        project.catalog, project.path / "vectors", "colours", project.catalog.detections().id
    ).classes == ("r", "g", "b")


def test_fingerprints_tell_scores_from_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprints(Colours("a"))
    assert first == fingerprints(Colours("a"))
    assert fingerprints(Colours("b"))["embeddings"] != first["embeddings"]
    monkeypatch.setattr(Colours, "classes", ("r", "g", "b"))
    renamed = fingerprints(Colours("a"))
    assert renamed["embeddings"] == first["embeddings"] and renamed["scores"] != first["scores"]


def test_user_mistakes(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Colours, "classes", ())
    with pytest.raises(BackendError, match="--classes"):
        classify(project, "colours")
    monkeypatch.setattr(Colours, "dimension", None)
    monkeypatch.setattr(Colours, "classes", ("a",))
    with pytest.raises(BackendError, match="--embedding"):
        embed(project, "colours")
    with Project.init(tmp_path / "empty") as empty, pytest.raises(ProjectError, match="add images"):
        classify(empty, "colours")


def test_zero_shot_takes_the_projects_classes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict] = []

    def opened(argument: str, classes: Path | None = None, **options: object) -> Colours:
        given.append({"classes": classes, **options})
        return Colours(argument)

    monkeypatch.setattr(Registry, "find", lambda self, spec: (opened, ""))
    labels = [NewLabel("m01", "red fox", "Vulpes vulpes", "red fox"), NewLabel("m02", "deer spp.")]
    project.catalog.add_labels(labels)
    classify(project, "openclip")
    names = {"deer spp.": "deer spp.", "red fox": "Vulpes vulpes (red fox)"}
    assert given == [{"classes": None, "names": names}]


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 400)),
              elements=st.floats(0, 1)))
def test_keep_large_drops_little(raw: np.ndarray) -> None:
    scores = (raw**8 / np.maximum((raw**8).sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    kept = keep_large(scores)
    lost = scores.sum(axis=1) - np.asarray(kept.sum(axis=1)).ravel()
    assert (lost <= 1e-3 + 1e-5).all() and (lost >= -1e-5).all()
    dense = kept.toarray()
    assert (dense[scores >= 1e-4] == scores[scores >= 1e-4]).all()
    assert ((dense == scores) | (dense == 0)).all()


def test_keep_large_makes_flat_rows_neither_empty_nor_smaller() -> None:
    flat = np.full((1, 50_000), 1 / 50_000, np.float32)
    kept = keep_large(flat)
    assert kept.sum() > 0.998 and kept.nnz < 50_000
    peak = np.array([[0.9999, 0.00005, 0.00005]], np.float32)
    assert keep_large(peak).nnz == 1


KILLED = """
import sys, time
sys.path.insert(0, {root!r})
import tests.project.test_inference as t
import ecotone.backends.base as base, ecotone.project.inference as inference
from ecotone.project import Project
base.BACKENDS.built_in["colours"] = "tests.project.test_inference:open_colours"
inference.ROWS = 4
plain = t.Colours.encode
def slow(self, batch):
    print("batch", flush=True); time.sleep(0.05)
    return plain(self, batch)
t.Colours.encode = slow
with Project({path!r}) as project:
    inference.classify(project, "colours", batch_size=2)
"""


def test_kill_loses_nothing_stored(project: Project, tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = KILLED.format(root=root, path=str(project.path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    for _ in range(5):  # two batches are stored when the fifth begins
        assert process.stdout.readline() == "batch\n"
    time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    kept = int(stored(project)[2].sum())
    assert 4 <= kept < 20
    report = classify(project, "colours")
    assert (report.done, report.skipped) == (20 - kept, kept)
    interrupted = stored(project)
    with Project.init(tmp_path / "other") as other:
        fill(other, tmp_path / "pictures", 20)
        classify(other, "colours")
        for ours, theirs in zip(interrupted, stored(other), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_real_model_on_real_pictures(shared_data: Path, tmp_path: Path) -> None:
    names = ["animl_2021-05-28_SYFR0041_deer.JPG", "ena24_2480.jpg", "speciesnet_blank.jpg"]
    rows = [NewMedium(id=f"m{i}", root=str(shared_data / "camera_traps" / "images"), file_path=n)
            for i, n in enumerate(names)]
    damaged = ["african_elephants_truncated_file.jpg", "zero_bytes.jpg", "african_elephants_bw.jpg"]
    rows += [NewMedium(id=f"r{i}", root=str(shared_data / "robustness"), file_path=n)
             for i, n in enumerate(damaged)]
    model = shared_data / "models" / "imagenet_mobilenet_v2.tflite"
    with Project.init(tmp_path / "reserve") as project:
        project.catalog.add_media(rows)
        labels = shared_data / "models" / "imagenet_labels.txt"
        report = classify(project, str(model), str(labels), threads=1)
        assert (report.model, report.done, len(report.failed)) == ("imagenet_mobilenet_v2", 4, 2)
        assert (report.classes, report.dimension) == (1001, 1280)
        reasons = {f.media_id: f.reason for f in project.catalog.failures()}
        assert "truncated" in reasons["r0"] and "empty" in reasons["r1"]
        found = read_scores(
            project.catalog, project.path / "vectors", report.model, ["r2:0", "m0:0", "r0:0"]
        )
        backend = base.open_backend(str(model), labels, threads=1)
        batch = backend.preprocessing.prepare(
            shared_data / "robustness" / damaged[2], [(0, 0, 1, 1)]
        )
        np.testing.assert_allclose(found.values[0].toarray(), backend.classify(batch), atol=1e-6)
        assert found.values[2].nnz == 0 and not found.complete
