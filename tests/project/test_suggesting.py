"""`ecotone suggest` on a project: cold, warm, the hunt, the csv, the answers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ecotone import cli
from ecotone.errors import InputError, ProjectError
from ecotone.labelling.suggesting import RARE, REASONS, UNREACHED
from ecotone.project import Project
from ecotone.project.chosen import chosen_rows, label_weight_of
from ecotone.project.gathering import gather
from ecotone.project.suggesting import class_called
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter
from tests.project.conftest import DIM, N


@pytest.fixture
def unlabelled(tmp_path, vectors):
    """90 media without label and class, three pictures an event."""
    with Project.init(tmp_path / "fresh") as project:
        project.catalog.add_media([
            NewMedium(f"m{i:02d}", str(tmp_path), f"cam{i // 30}/{i:02d}.jpg",
                      deployment_id=f"cam{i // 30}", content_hash=f"hash{i}", width=9, height=9)
            for i in range(N)])
        project.catalog.set_events({f"m{i:02d}": f"e{i // 3}" for i in range(N)})
        with EmbeddingWriter(project.catalog, project.vectors, "enc", DIM) as writer:
            writer.append([f"m{i:02d}:0" for i in range(N)], vectors[0])
        yield project


def fill(path, name_of, every=1):
    """Fill in the label column of a csv of questions, every so many-th row."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for i, row in enumerate(rows):
        if i % every == 0:
            row["label"] = name_of(row)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_cold_one_question_a_burst_over_the_sites(unlabelled):
    result = unlabelled.suggest(n=12)
    assert result.mode == "cold" and result.gain is None and result.labelled == 0
    events = [q.event_id for q in result.questions]
    assert len(events) == 12 == len(set(events))
    assert {q.deployment_id for q in result.questions} == {"cam0", "cam1", "cam2"}
    assert {q.expected_class for q in result.questions} == {""}
    assert [q.rank for q in result.questions] == list(range(1, 13))


def test_the_csv_goes_back_in_and_the_answered_are_not_asked_again(unlabelled, truth, tmp_path):
    path = tmp_path / "q.csv"
    first = unlabelled.suggest(n=6, output=path)
    rows = fill(path, lambda row: truth[int(row["mediaID"][1:])], every=2)
    assert list(rows[0]) == [
        "filePath", "deploymentID", "eventID", "timestamp", "reason", "expectedClass", "label",
        "mediaID", "detectionID", "bboxX", "bboxY", "bboxWidth", "bboxHeight"]
    added = unlabelled.add_labels(path)
    assert added.added == 3 and "3 rows have no label" in added.problems[0]
    table = unlabelled.catalog.suggestions(first.run)
    assert table.answered.tolist() == [True, False] * 3
    again = unlabelled.suggest(n=8, gain=False)
    assert again.mode == "warm" and again.labelled == 3
    answered = {q.event_id for q in first.questions[::2]}
    assert not answered & {q.event_id for q in again.questions}
    assert len(unlabelled.catalog.newest_suggestions()) == 8
    assert chosen_rows(unlabelled, gather(unlabelled)).sum() == 3


def test_warm_asks_the_same_of_a_stored_fusion_as_of_a_fit_made_here(small_project):
    fresh = small_project.suggest(n=5, gain=False)
    small_project.fuse()
    stored = small_project.suggest(n=5, gain=False)
    assert [q.detection_id for q in fresh.questions] == [q.detection_id for q in stored.questions]
    assert [q.expected_class for q in fresh.questions] == \
        [q.expected_class for q in stored.questions]
    assert {q.reason for q in stored.questions} <= set(REASONS)
    same = small_project.suggest(n=5, gain=False)
    assert [q.detection_id for q in same.questions] == [q.detection_id for q in stored.questions]


def test_classes_that_are_rare_or_out_of_reach_come_first(small_project):
    small_project.catalog.add_labels([NewLabel("m13", "okapi")])
    result = small_project.suggest(n=12, gain=False)
    urgent = [q.reason in (RARE, UNREACHED) for q in result.questions]
    assert urgent == sorted(urgent, reverse=True)


def test_the_gain_comes_with_an_interval(small_project, truth):
    small_project.catalog.add_labels([NewLabel(f"m{i:02d}", truth[i]) for i in range(12, 48)])
    result = small_project.suggest(n=10)
    assert result.gain is not None and result.gain.low <= result.gain.gain <= result.gain.high
    assert result.gain.more == 10 and "short learning curve over 48 labels" in result.gain_from
    assert any("points of accuracy" in line and "90 % interval" in line
               for line in result.lines())


def test_few_labels_tell_no_gain_and_say_so(small_project):
    result = small_project.suggest(n=4)
    assert result.gain is None and "24 labels" in result.gain_from


def test_the_hunt_finds_the_wanted_species(small_project, truth):
    result = small_project.suggest(n=10, species="RED  deer")
    assert result.mode == "hunt" and {q.species for q in result.questions} == {"red deer"}
    found = [truth[int(q.media_id[1:])] for q in result.questions]
    assert np.mean([name == "red deer" for name in found]) >= 0.9
    assert result.questions[0].score >= result.questions[-1].score


def test_names_of_species(small_project):
    small_project.catalog.add_labels([NewLabel("m20", "okapi", "Okapia johnstoni", "okapi")])
    gathered = gather(small_project)
    assert class_called(small_project, gathered, "okapia Johnstoni") == "okapi"
    with pytest.raises(InputError, match="did you mean 'grey fox'"):
        class_called(small_project, gathered, "grey foks")


def test_errors_are_one_line(small_project, unlabelled, tmp_path, capsys):
    with pytest.raises(InputError, match="-n 0: expected at least 1"):
        small_project.suggest(n=0)
    with pytest.raises(ProjectError, match="no labels in this project yet"):
        unlabelled.suggest(species="lynx")
    with Project.init(tmp_path / "empty") as empty, pytest.raises(ProjectError, match="pictures"):
        empty.suggest()
    assert cli.run(["suggest", "-n", "0", "--project", str(small_project.path)]) == 2
    assert capsys.readouterr().err == "ecotone: -n 0: expected at least 1 question.\n"


def test_fuse_weighs_chosen_labels_and_tells_both_figures(small_project, truth, tmp_path, capsys):
    gathered = gather(small_project)
    assert label_weight_of(small_project, gathered) is None
    result = small_project.fuse()
    assert result.chosen_labels == 0 and result.unweighted == {}
    questions = small_project.suggest(n=10, gain=False).questions
    small_project.catalog.add_labels(
        [NewLabel(q.media_id, truth[int(q.media_id[1:])]) for q in questions])
    gathered = gather(small_project)
    weight = label_weight_of(small_project, gathered)
    assert chosen_rows(small_project, gathered).sum() == 10
    assert len(weight) == 22 and weight.mean() == pytest.approx(1) and weight.std() > 0
    assert cli.run(["fuse", "--json", "--project", str(small_project.path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["chosen_labels"] == 10 and set(told["unweighted"]) == set(told["scores"])
    record = json.loads(next((small_project.path / "runs").glob(f"{told['run']}.json"))
                        .read_text("utf-8"))
    assert record["scores_unweighted"] == told["unweighted"]
    assert len(record["out_of_fold"]["weight"]) == len(record["out_of_fold"]["ids"]) == 22


def test_boxes_are_named_in_the_csv_and_whole_pictures_are_not(small_project, tmp_path):
    from ecotone.store.tables import Box

    catalog = small_project.catalog
    catalog.replace_boxes({f"m{i:02d}": [Box((0.1, 0.2, 0.3, 0.4), "animal", 0.9)]
                           for i in range(45, 90)}, "md")
    ids = [d for d in catalog.detections().id if not d.endswith(":0")]
    rng = np.random.default_rng(0)
    with EmbeddingWriter(catalog, small_project.vectors, "enc", DIM) as writer:
        writer.append(ids, rng.normal(size=(len(ids), DIM)).astype(np.float32))
    path = tmp_path / "q.csv"
    small_project.suggest(n=70, output=path, gain=False)
    rows = fill(path, lambda row: "hare")
    assert {bool(r["detectionID"]) for r in rows} == {True, False}
    assert all(bool(r["bboxX"]) == bool(r["detectionID"]) for r in rows)
    assert small_project.add_labels(path).added == len(rows)
    assert small_project.catalog.newest_suggestions().answered.all()
