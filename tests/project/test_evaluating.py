"""`ecotone evaluate` on generated projects: hold-out, cross-validation, files, errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ecotone.config import Config
from ecotone.errors import InputError, ProjectError
from ecotone.evaluation.baselines import BY_NAMES, LOCAL_ONLY, PREFERRED
from ecotone.project import evaluating
from ecotone.project.gathering import Gathered
from ecotone.types import Detections
from tests.evaluation.problems import LOCAL, world

PLAIN = (LOCAL_ONLY, BY_NAMES)


class FakeCatalog:
    """Pictures in bursts of two at `places` places, and a list of runs."""

    def __init__(self, rows: int, places: int) -> None:
        self.finished: list[tuple[str, str]] = []
        self.table = SimpleNamespace(
            id=np.array([f"m{i}" for i in range(rows)], dtype=object),
            deployment_id=np.array([f"cam{i // 2 % places}" for i in range(rows)], dtype=object),
            event_id=np.array([f"e{i // 2}" for i in range(rows)], dtype=object),
            content_hash=np.array([f"h{i}" for i in range(rows)], dtype=object),
        )

    def media(self) -> Any:
        return self.table

    def start_run(self, command: str, settings: dict[str, Any], seed: int) -> str:
        json.dumps(settings)
        return f"{command}-1"

    def finish_run(self, run: str, status: str, summary: dict[str, Any]) -> None:
        json.dumps(summary)
        self.finished.append((run, status))


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(labels: int, rows: int = 200, places: int = 2, scores: bool = True, **config: Any):
        x, s, truth, _ = world(rows)
        ids = np.array([f"m{i}:0" for i in range(rows)], dtype=object)
        detections = Detections(
            ids, [i[:-2] for i in ids], np.tile([0, 0, 1, 1], (rows, 1)), ["animal"] * rows,
            np.ones(rows),
        )
        names = np.array([LOCAL[k] if i < labels else None for i, k in enumerate(truth)], object)
        gathered = Gathered(detections, x, {"model": s} if scores else {}, names, ids, LOCAL, None,
                            "model")
        monkeypatch.setattr(evaluating, "gather", lambda *a, **k: gathered)
        return SimpleNamespace(path=tmp_path, catalog=FakeCatalog(rows, places),
                               config=Config(**config))

    return make


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_enough_labels_give_a_learning_curve(make_project, tmp_path):
    project = make_project(150, evaluation_counts=(10, 40), evaluation_seeds=2)
    result = evaluating.evaluate(project, methods=PLAIN)
    assert result.mode == "hold-out" and result.split == "event" and result.labelled == 150
    assert {r["n_labels"] for r in result.records} == {10, 40, 112}
    assert len(result.records) == 2 * 3 * 2
    assert project.catalog.finished == [("evaluate-1", "done")]
    kept = evaluating.read_evaluation(project)
    assert kept["records"] == json.loads(json.dumps(result.records))
    assert kept["classes"] == list(LOCAL) and len(kept["kinds"]) == len(LOCAL)
    assert len(read(tmp_path / "evaluation" / "records.csv")) == 12
    rows = read(tmp_path / "evaluation" / "summary.csv")
    assert len(rows) == 6 and 0 <= float(rows[0]["accuracy"]) <= 1
    text = "\n".join(result.lines())
    assert "local only" in text and "unknown" in text and "bursts" in text


def test_places_are_held_out_whole_where_there_are_five(make_project):
    project = make_project(150, places=6)
    result = evaluating.evaluate(project, counts=[20], seeds=1, methods=(LOCAL_ONLY,))
    assert result.split == "location"
    project = make_project(150, places=6, group_by="event")
    result = evaluating.evaluate(project, counts=[20], seeds=1, methods=(LOCAL_ONLY,))
    assert result.split == "event"


def test_few_labels_are_cross_validated_and_it_says_so(make_project):
    project = make_project(20)
    result = evaluating.evaluate(project, seeds=2, methods=PLAIN)
    assert result.mode == "cross-validation"
    assert {r["n_labels"] for r in result.records} == {10, 16}
    assert any("too few to hold out" in note for note in result.notes)


def test_the_fusion_takes_part(make_project):
    project = make_project(100)
    result = evaluating.evaluate(project, counts=[12], seeds=1, methods=(LOCAL_ONLY, PREFERRED))
    best = {r["method"]: r["accuracy"] for r in result.records if r["n_labels"] == 76}
    assert best[PREFERRED] >= best[LOCAL_ONLY] - 0.1


def test_fractions_and_no_scores(make_project):
    project = make_project(120, scores=False)
    result = evaluating.evaluate(project, counts=[0.25, 0.5], seeds=1, methods=PLAIN)
    assert {r["n_labels"] for r in result.records} == {22, 45, 90}
    assert {r["method"] for r in result.records} == {LOCAL_ONLY}


def test_mistakes_are_named_and_a_failed_run_is_marked(make_project, tmp_path, monkeypatch):
    with pytest.raises(ProjectError, match="3 labelled detections.*ecotone add labels"):
        evaluating.evaluate(make_project(3))
    with pytest.raises(InputError, match="count -1"):
        evaluating.evaluate(make_project(50), counts=[-1])
    with pytest.raises(InputError, match="unknown method 'magic'"):
        evaluating.evaluate(make_project(50), methods=("magic",))
    project = make_project(150)
    assert evaluating.read_evaluation(project) is None

    def stop(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluating, "_measure", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluating.evaluate(project, methods=PLAIN)
    assert project.catalog.finished == [("evaluate-1", "interrupted")]
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "records.json").write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError, match="make it again"):
        evaluating.read_evaluation(project)
