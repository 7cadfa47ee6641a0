"""SIGKILL at any moment: the same command, run again, ends where an undisturbed one ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.store.vectors import embedding_models, read_embeddings, read_scores, score_models

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
COLOURS = ((150, 70, 40), (120, 120, 130), (40, 35, 30))


@pytest.fixture
def many(tmp_path, make_picture) -> Path:
    """Sixty pictures, and one that is none."""
    for i in range(60):
        make_picture(tmp_path / "PHOTOS" / f"cam{i % 3}" / f"{i:03d}.jpg", COLOURS[i % 3],
                     size=(320, 240), seed=i, taken=f"2024:05:01 06:{i:02d}:00")
    (tmp_path / "PHOTOS" / "cam0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    return tmp_path / "PHOTOS"


@pytest.fixture
def crowd(many) -> Path:
    """The same pictures in six more folders: enough work to be interrupted in the middle of it."""
    for n in range(6):
        shutil.copytree(many / "cam1", many / f"copy{n}")
    return many


def contents(folder: Path) -> dict[str, object]:
    """All that a project holds of pictures, scores and embeddings."""
    with Project(folder) as project:
        catalog = project.catalog
        media, detections = catalog.media(), catalog.detections()
        order = np.argsort(detections.id)
        ids = detections.id[order]
        found: dict[str, object] = {
            "files": sorted(media.file_path), "hashes": sorted(media.content_hash),
            "events": len(set(media.event_id)), "ids": ids.tolist(),
            "failed": sorted((f.media_id, f.step) for f in catalog.failures()),
        }
        for name in score_models(catalog):
            scores = read_scores(catalog, project.vectors, name, ids)
            found[f"scores {name}"] = scores.values.toarray().tolist()
        for name in embedding_models(catalog):
            values, present = read_embeddings(catalog, project.vectors, name, ids)
            found[f"embeddings {name}"] = np.where(present[:, None], values, -1).tolist()
    return found


def killed_after(seconds: float, words: list[str]) -> bool:
    """Start a command, kill it after some time; whether it was still running then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ecotone", *words], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(seconds)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def disturbed(words: list[str]) -> None:
    """Run a command to its end, killed at several moments before."""
    kills = sum(killed_after(seconds, words) for seconds in (0.1, 0.35, 0.6, 0.9))
    assert kills, "the command was never killed in time"
    assert cli.run(words) == 0


@pytest.fixture
def two_projects(tmp_path) -> tuple[Path, Path]:
    for name in ("calm", "killed"):
        Project.init(tmp_path / name).close()
    return tmp_path / "calm", tmp_path / "killed"


def test_add_images_goes_on_after_a_kill(many, two_projects, capsys):
    calm, killed = two_projects
    assert cli.run(["add", "images", str(many), "--project", str(calm)]) == 0
    disturbed(["add", "images", str(many), "--project", str(killed)])
    assert contents(killed) == contents(calm)


def test_classify_and_embed_go_on_after_a_kill(many, two_projects, onnx_model, capsys):
    calm, killed = two_projects
    classify = ["classify", "--model", str(onnx_model), "--classes",
                str(onnx_model.with_name("classes.txt")), "--batch-size", "4"]
    for folder in two_projects:
        assert cli.run(["add", "images", str(many), "--project", str(folder)]) == 0
    for words in (classify, ["embed"]):
        assert cli.run([*words, "--project", str(calm)]) == 0
        disturbed([*words, "--project", str(killed)])
    expected = contents(calm)
    assert contents(killed) == expected
    assert {"scores model", "embeddings model", "embeddings handcrafted"} <= set(expected)
    assert expected["failed"]


def test_an_interrupt_ends_with_130_and_what_was_done_stays(crowd, two_projects, onnx_model):
    calm, stopped = two_projects
    for folder in two_projects:
        assert cli.run(["add", "images", str(crowd), "--project", str(folder)]) == 0
    words = ["embed", "--batch-size", "1", "--project"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ecotone", *words, str(stopped)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        # A suite that runs in the background of a shell hands its deafness to SIGINT down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with Project(stopped) as project:
        while not any(run.command == "embed" for run in project.catalog.runs()):
            assert process.poll() is None, "it ended before it could be interrupted"
            time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "ecotone: stopped; run again to continue\n")
    for folder in two_projects:
        assert cli.run([*words, str(folder)]) == 0
    assert contents(stopped) == contents(calm)
