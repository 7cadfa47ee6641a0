"""`ecotone fuse` with place, time and neighbouring pictures."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.project.records import read_record
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter, read_posteriors
from tests.context.worlds import NAMES, world

DIM = 8


def reserve(folder, effects: bool) -> tuple[Project, np.ndarray]:
    """600 media in bursts of two at 6 deployments, a noisy global model, 200 labels; and the truth.

    Embeddings say nothing, so that all there is to gain is context.
    """
    w = world(7, effects, n=600)
    rng = np.random.default_rng(0)
    project = Project.init(folder)
    start = datetime(2024, 1, 1)
    project.catalog.add_media([
        NewMedium(
            id=f"m{i:03d}", root=str(folder), file_path=f"{w.site[i]}/{i:03d}.jpg",
            deployment_id=w.site[i].replace(" ", "-"),
            timestamp=(start + timedelta(seconds=float(round(w.seconds[i])))).isoformat(),
            content_hash=f"hash{i}", width=100, height=80,
        ) for i in range(600)
    ])
    ids = [f"m{i:03d}:0" for i in range(600)]
    with EmbeddingWriter(project.catalog, project.vectors, "enc", DIM) as writer:
        writer.append(ids, rng.normal(size=(600, DIM)).astype(np.float32))
    with ScoreWriter(project.catalog, project.vectors, "world", tuple(NAMES), True) as writer:
        writer.append(ids, w.proba.astype(np.float32))
    labels = w.labels(200)
    project.catalog.add_labels(
        [NewLabel(f"m{i:03d}", v) for i, v in enumerate(labels) if v is not None], author="test"
    )
    return project, NAMES[w.y]


def right(project: Project, truth: np.ndarray, run: str = "latest") -> float:
    found = read_posteriors(project.catalog, project.vectors, run)
    names = np.array(found.classes, dtype=object)[found.values.argmax(axis=1)]
    return float((names == truth).mean())


@pytest.fixture
def place_and_time(tmp_path):
    project, truth = reserve(tmp_path / "reserve", effects=True)
    with project:
        yield project, truth


def test_posteriors_are_those_with_context_where_it_helps(place_and_time):
    project, truth = place_and_time
    result = project.fuse()
    record = read_record(project)
    said = record["context"]
    assert said["used"] and result.context == said and said["gain"] > 2.0
    assert any("context (neighbours" in note for note in result.notes)
    assert result.scores["accuracy"] > said["image_scores"]["accuracy"] + 0.02
    image = right(project, truth, f"{result.run}-{record['preferred']}")
    assert right(project, truth) > image + 0.02
    held = record["out_of_fold"]  # what thresholds and prediction sets are made of
    names = np.array(record["classes"])[np.array(held["proba"]).argmax(axis=1)]
    assert (names == held["labels"]).mean() == pytest.approx(result.scores["accuracy"])


def test_it_can_be_switched_off_by_option_and_by_setting(place_and_time):
    project, truth = place_and_time
    assert cli.run(["fuse", "--no-context", "--project", str(project.path)]) == 0
    record = read_record(project)
    assert record["context"] == {"used": False} and record["settings"]["use_context"] is False
    plain = read_posteriors(project.catalog, project.vectors)
    image = read_posteriors(
        project.catalog, project.vectors, f"{record['run']}-{record['preferred']}"
    )
    assert np.array_equal(plain.values, image.values)
    settings = project.path / "ecotone.toml"
    settings.write_text(settings.read_text("utf-8") + "\nuse_context = false\n", "utf-8")
    project.reload()
    assert not project.fuse().context["used"]
    assert project.fuse(use_context=True).context["used"]


def test_without_context_nothing_changes_by_more_than_it_may(tmp_path):
    project, truth = reserve(tmp_path / "reserve", effects=False)
    with project:
        result = project.fuse()
        record = read_record(project)
        image = right(project, truth, f"{result.run}-{record['preferred']}")
        assert right(project, truth) >= image - 0.003
        if result.context["used"]:
            before = result.context["image_scores"]["accuracy"]
            assert result.scores["accuracy"] >= before - 0.003


def test_boxes_that_come_back_are_none_without_boxes(place_and_time):
    project, _ = place_and_time
    assert not project.repeats().groups
