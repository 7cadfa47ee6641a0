"""`ecotone accept` on a made-up fusion whose held-out labels are known."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ecotone import cli
from ecotone.confidence import AcceptRule
from ecotone.errors import InputError, ProjectError
from ecotone.project import Project
from ecotone.project.records import LATEST, write_json
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import write_posteriors
from ecotone.types import Posteriors

CLASSES = ("deer", "fox", "lynx")
M, FREE = 300, 200
RUN = "2024-07-01T00-00-00-fuse-1"


def make(path, wrong=()):
    """300 labelled and 200 other pictures; deer are named right, foxes in 80 %, a lynx is rare."""
    rng = np.random.default_rng(0)
    n = M + FREE
    truth = rng.choice(3, n, p=[0.6, 0.35, 0.05])
    proba = rng.dirichlet(np.ones(3), n) * 0.1
    said = np.where((truth == 1) & (rng.random(n) < 0.2), 2, truth)
    proba[np.arange(n), said] += 0.9
    project = Project.init(path)
    project.catalog.add_media([
        NewMedium(f"m{i}", str(path), f"c{i % 6}/{i}.jpg", f"c{i % 6}", content_hash=f"h{i}")
        for i in range(n)])
    given = [CLASSES[t] for t in truth[:M]]
    for i in wrong:
        given[i] = CLASSES[(truth[i] + 1) % 3]
    project.catalog.add_labels([NewLabel(f"m{i}", given[i]) for i in range(M)])
    ids = np.array([f"m{i}:0" for i in range(n)], dtype=object)
    values = proba.astype(np.float32)
    for name in (f"{RUN}-fused", f"{RUN}-local", RUN):
        write_posteriors(project.catalog, project.vectors, name, Posteriors(ids, values, CLASSES))
    write_json(project.path / "runs" / f"{RUN}.json", {
        "run": RUN, "created": "", "classes": list(CLASSES), "preferred": "fused",
        "score_models": [], "versions": {}, "counts": {"labelled": M},
        "out_of_fold": {"ids": ids[:M].tolist(), "labels": given,
                        "proba": np.round(proba[:M], 5).tolist(), "weight": None},
    })
    project.catalog.set_note(LATEST, {"run": RUN, "time": 0.0})
    return project, proba, truth


@pytest.fixture(scope="module")
def reserve(tmp_path_factory):
    project, proba, truth = make(tmp_path_factory.mktemp("accept") / "p")
    yield project, proba, truth
    project.close()


def test_thresholds_are_those_of_the_rule_and_counts_those_of_the_unlabelled(reserve):
    project, proba, truth = reserve
    result = project.accept(0.95)
    p = proba / proba.sum(axis=1, keepdims=True)
    rule = AcceptRule(0.95, 0.1).fit(p[:M], truth[:M], CLASSES)
    rows = {row.name: row for row in result.species}
    for k, own in enumerate(rule.table_):
        row = rows[own.name]
        assert row.labels == own.n and row.called == (p[M:].argmax(axis=1) == k).sum()
        assert (row.threshold is None) == (own.threshold is None)
        if own.threshold is not None:
            assert row.threshold == pytest.approx(own.threshold, abs=1e-4)
            assert row.bound >= 0.95 and row.missing == 0
    assert rows["deer"].accepted > 0.8 * rows["deer"].called
    assert rows["lynx"].threshold is None and rows["lynx"].missing is None
    assert result.accepted == sum(row.accepted for row in result.species)
    assert result.detections == FREE and result.labels == M and result.run == ""


def test_sets_risk_and_shares(reserve):
    project, _, truth = reserve
    result = project.accept()
    assert result.sets["coverage"] >= 0.85 and 1 <= result.sets["mean_size"] <= 3
    assert {c["name"] for c in result.sets["classes"]} == set(CLASSES)
    accuracy = [point["accuracy"] for point in result.risk["points"]]
    assert accuracy[0] >= accuracy[-1] > 0.85
    shares = {row["name"]: row for row in result.prevalence}
    assert sum(row["share"] for row in shares.values()) == pytest.approx(1)
    for k, name in enumerate(CLASSES):
        row = shares[name]
        assert row["low"] <= row["share"] <= row["high"]
        assert row["share"] == pytest.approx((truth[M:] == k).mean(), abs=0.1)
    assert result.noise < 0.2
    same = project.accept()
    assert same == result


def test_more_confidence_accepts_less(reserve):
    project = reserve[0]
    assert project.accept(0.9, confidence=0.99).accepted <= project.accept(0.9).accepted
    assert project.accept(0.5).accepted >= project.accept(0.99).accepted


def test_wrong_labels_are_found_and_go_into_a_csv(tmp_path, capsys):
    project, _, truth = make(tmp_path / "p", wrong=[4, 40, 77])
    deer = [i for i in (4, 40, 77) if truth[i] == 0]
    path = tmp_path / "doubt.csv"
    with project:
        assert cli.run(["accept", "--label-errors", "-o", str(path), "--project",
                        str(project.path)]) == 0
        out = capsys.readouterr().out
        with path.open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        found = {r["detectionID"] for r in rows}
        assert deer and {f"m{i}:0" for i in deer} <= found and "labels look wrong" in out
        rows[0]["label"] = rows[0]["suggested"]
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        assert project.add_labels(path).added == 1
        # A label that was corrected counts as it is now.
        assert len(project.accept().label_errors) == len(rows) - 1


def test_what_is_kept_is_in_the_exports(tmp_path, capsys):
    project, proba, _ = make(tmp_path / "p")
    out = tmp_path / "out.csv"
    with project:
        project.export(out, format="csv")
        assert "accepted" not in out.read_text("utf-8").splitlines()[0]
        assert cli.run(["accept", "--write", "--json", "--project", str(project.path)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["run"] and told["accepted"] > 0
        project.export(out, format="csv")
        with out.open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        assert sum(r["accepted"] == "true" for r in rows) == told["accepted"]
        assert not any(r["accepted"] == "true" and r["label"] for r in rows)
        project.export(out, format="csv", source="local")
        assert "accepted" not in out.read_text("utf-8").splitlines()[0]
        study = project.study()
        tags = [r["observationTags"] for r in study.observations
                if r["classificationMethod"] == "machine"]
        assert sum("accepted:precision 0.95" in t for t in tags) == told["accepted"]
        # Thresholds of another fusion say nothing of this one.
        record = json.loads((project.runs / f"{RUN}.json").read_text("utf-8"))
        write_json(project.runs / "later.json", {**record, "run": "later"})
        ids = project.catalog.detections().id
        write_posteriors(project.catalog, project.vectors, "later",
                         Posteriors(ids, proba.astype(np.float32), CLASSES))
        project.catalog.set_note(LATEST, {"run": "later", "time": 0.0})
        project.export(out, format="csv")
        assert "accepted" not in out.read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize("options, told", [
    ({"precision": 0.0}, "--precision"), ({"precision": 1.5}, "--precision"),
    ({"confidence": 1.0}, "--confidence"), ({"alpha": 2.0}, "--alpha"),
])
def test_numbers_out_of_range(reserve, options, told):
    with pytest.raises(InputError, match=told):
        reserve[0].accept(**options)


def test_without_a_fusion(tmp_path, small_project):
    with pytest.raises(ProjectError, match="ecotone fuse"):
        small_project.accept()
