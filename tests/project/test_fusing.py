from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.bundle.folder import load_bundle
from ecotone.errors import InputError, ProjectError
from ecotone.project import Project
from ecotone.project.gathering import gather
from ecotone.project.records import read_record
from ecotone.store.tables import NewLabel
from ecotone.store.vectors import read_embeddings, read_posteriors


def test_a_fusion_leaves_posteriors_a_model_and_a_record(small_project, truth):
    result = small_project.fuse()
    found = read_posteriors(small_project.catalog, small_project.vectors)
    assert len(found) == len(truth)
    np.testing.assert_allclose(found.values.sum(axis=1), 1, atol=1e-5)
    predicted = np.array(found.classes, dtype=object)[found.values.argmax(axis=1)]
    assert (predicted == truth).mean() > 0.9
    assert result.labelled == 12 and result.classes == tuple(sorted(set(truth)))
    assert result.scores["accuracy"] > 0.6
    run = small_project.catalog.runs()[-1]
    assert (run.id, run.command, run.status, run.seed) == (result.run, "fuse", "done", 0)
    assert run.settings["score_models"] == ["world"]


def test_the_saved_model_agrees_with_the_projects_posteriors(small_project):
    result = small_project.fuse()
    catalog, folder = small_project.catalog, small_project.vectors
    stored = read_posteriors(catalog, folder, f"{result.run}-local")
    x, present = read_embeddings(catalog, folder, "enc", stored.id)
    assert present.all()
    bundle = load_bundle(small_project.models / "latest")
    assert bundle.classes == stored.classes
    np.testing.assert_allclose(bundle.predict_proba(x), stored.values, atol=1e-4)


def test_the_record_holds_what_a_report_needs(small_project):
    result = small_project.fuse()
    record = read_record(small_project)
    stored = json.loads((small_project.runs / f"{result.run}.json").read_text("utf-8"))
    assert {**record, "checksum": stored["checksum"]} == stored
    assert record["label_counts"] == {"red deer": 4, "grey fox": 4, "wild boar": 4}
    assert record["counts"]["detections"] == 90 and record["counts"]["labelled"] == 12
    assert record["preferred"] in ("fused", "local")
    assert record["selection"]["chosen"] in [r["name"] for r in record["selection"]["table"]]
    links = record["mapping"]["world"]["explain"]["red deer"]
    assert links[0][0] == "Cervus elaphus (Red Deer)"
    held = record["out_of_fold"]
    assert len(held["ids"]) == len(held["labels"]) == len(held["proba"]) == 12
    assert record["versions"]["ecotone"] and record["seed"] == 0


def test_the_same_seed_gives_the_same_posteriors(small_project):
    runs = [small_project.fuse(seed=3).run for _ in range(2)]
    first, second = (
        read_posteriors(small_project.catalog, small_project.vectors, run) for run in runs
    )
    np.testing.assert_array_equal(first.values, second.values)


def test_classes_without_a_label_are_predicted(small_project, truth):
    small_project.fuse(classes=["red deer", "grey fox", "wild boar", "badger"])
    found = read_posteriors(small_project.catalog, small_project.vectors)
    assert found.classes[-1] == "badger" or "badger" in found.classes


def test_labels_outside_the_given_classes_are_said(small_project):
    result = small_project.fuse(classes=["red deer", "grey fox"])
    assert any("wild boar" in note for note in result.notes)
    assert result.labelled == 8


def test_the_newest_label_counts(small_project):
    small_project.catalog.add_labels([NewLabel("m00", "grey fox")])
    gathered = gather(small_project)
    row = gathered.detections.id.tolist().index("m00:0")
    assert gathered.labels[row] == "grey fox"


def test_whole_deployments_are_groups(small_project):
    gathered = gather(small_project)
    assert len(set(gathered.groups)) == 6


def test_unknown_models_are_named(small_project):
    with pytest.raises(InputError, match="no scores of a model 'other'.*world"):
        small_project.fuse(score_models=["other"])
    with pytest.raises(InputError, match="no embeddings of 'other' here; there are: enc"):
        small_project.fuse(embedding_model="other")


def test_an_empty_project_says_what_is_missing(tmp_path):
    with Project.init(tmp_path / "p") as project:
        with pytest.raises(ProjectError, match="ecotone add images"):
            project.fuse()
        with pytest.raises(ProjectError, match="ecotone fuse"):
            read_record(project)


def test_a_failed_fusion_is_recorded_and_leaves_the_old_model(small_project, monkeypatch):
    first = small_project.fuse()

    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr("ecotone.project.fusing.fit", broken)
    with pytest.raises(MemoryError):
        small_project.fuse()
    assert small_project.catalog.runs()[-1].status == "failed"
    assert read_record(small_project)["run"] == first.run
    assert load_bundle(small_project.models / "latest").folder.name == first.run


def test_status_leads_on(small_project):
    assert small_project.status().next == "ecotone fuse"
    result = small_project.fuse()
    status = small_project.status()
    assert status.fused == result.run and status.next == "ecotone evaluate"
    assert status.scores == {"world": 90} and status.embeddings == {"enc": 90}
    small_project.catalog.add_labels([NewLabel("m20", "wild boar")])
    assert small_project.status().next == "ecotone fuse"
    assert any("labels" in line for line in status.lines())
