"""The report of a project at every stage, on a real catalogue with small pictures."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project
from ecotone.project.galleries import choose_rows, fair, read_shown
from ecotone.project.records import LATEST, write_json
from ecotone.project.reporting import build_report, collect
from ecotone.store.tables import Box, NewLabel, NewMedium
from ecotone.store.vectors import ScoreWriter, write_posteriors
from ecotone.types import Posteriors

CLASSES = ("grey fox", "human", "red deer", "wild boar")
GLOBAL = ("gray fox, Urocyon cinereoargenteus", "red deer", "swine")


@pytest.fixture
def project(tmp_path, pictures):
    """24 pictures, 6 of them labelled; a box of a person beside the animal in the first."""
    with Project.init(tmp_path / "reserve") as opened:
        files = sorted(pictures.rglob("*.jpg"))
        opened.catalog.add_media([
            NewMedium(f"m{i}", str(pictures), f.relative_to(pictures).as_posix(), f.parent.name,
                      "2024-05-01T06:30:00", f"h{i}", 96, 72)
            for i, f in enumerate(files)
        ])
        animal = Box((0.25, 0.25, 0.5, 0.5), "animal", 0.9)
        person = Box((0.0, 0.0, 0.3, 1.0), "human", 0.9)
        opened.catalog.replace_boxes(
            {f"m{i}": [animal, person] if i == 0 else [animal] for i in range(24)}, "md")
        found = opened.catalog.detections()
        of = {m: f.name.rsplit("_", 1)[0].replace("_", " ")
              for m, f in zip(opened.catalog.media().id, files, strict=True)}
        opened.truth = [of[m] if c == "animal" else "human"
                        for m, c in zip(found.media_id, found.category, strict=True)]
        ids = list(found.id)
        opened.catalog.add_labels([
            NewLabel(m, of[m], detection_id=d)
            for m, d, c in zip(found.media_id, ids, found.category, strict=True)
            if c == "animal" and of[m] and int(m[1:]) % 4 == 0
        ])
        yield opened


def fuse(project):
    """Posteriors, scores and a run record as a fusion leaves them."""
    ids = project.catalog.detections().id
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(4), len(ids)) * 0.3
    values[np.arange(len(ids)), [CLASSES.index(t) for t in project.truth]] += 0.7
    folder = project.path / "vectors"
    with ScoreWriter(project.catalog, folder, "world", GLOBAL) as writer:
        writer.append(list(ids), rng.dirichlet(np.ones(3), len(ids)) * 0.9)
    write_posteriors(project.catalog, folder, "run-1", Posteriors(ids, values, CLASSES))
    known = project.catalog.current_labels()
    held = [i for i in ids if i in known]
    proba = np.full((len(held), 4), 0.1)
    proba[:, 1] = 0.7  # all wrong: nobody labelled a person
    write_json(project.path / "runs" / "run-1.json", {
        "run": "run-1", "created": "2026-11-21T07:30:00+00:00", "seed": 3, "seconds": 1.5,
        "classes": list(CLASSES), "label_counts": {c: 2 for c in CLASSES if c != "human"},
        "preferred": "fused", "score_models": ["world", "detector"], "embedding_model": "encoder",
        "selection": {"chosen": "map only", "table": [{"name": "map only", "loss": None,
                                                       "accuracy": None, "weight": 1.0}]},
        "mapping": {
            "detector": {"kind": {c: "relative" for c in CLASSES}, "notes": [], "explain": {}},
            "world": {"kind": {"red deer": "exact", "human": "unknown"}, "notes": [],
                      "explain": {"red deer": [["red deer", 0.8], ["swine", 0.1]]}},
        },
        "out_of_fold": {"ids": held, "labels": [known[i] for i in held], "proba": proba.tolist()},
        "unresolved": ["'human': nothing like it among the names of world"],
        "settings": {"random_state": 3}, "versions": {"ecotone": "0.1.0"}, "notes": ["a note"],
    })
    project.catalog.set_note(LATEST, {"run": "run-1", "time": 0})


def galleries(project, **changes):
    found, media = project.catalog.detections(), project.catalog.media()
    record = json.loads((project.path / "runs" / "run-1.json").read_text(encoding="utf-8"))
    from ecotone.store.vectors import read_posteriors

    posteriors = read_posteriors(project.catalog, project.path / "vectors", "run-1")
    return replace(read_shown(project, posteriors, record, media, found), **changes)


def test_a_project_without_anything_has_a_report(tmp_path):
    with Project.init(tmp_path / "empty") as project:
        path = build_report(project)
    assert path == project.path / "reports" / "report.html"
    assert "ecotone add images" in path.read_text(encoding="utf-8")


def test_before_the_fusion_the_report_says_what_comes_next(project):
    data = collect(project)
    assert data.run is None and data.held_out is None and data.galleries == ()
    assert data.counts.pictures == 24 and data.counts.detections == 25
    assert dict(zip(data.classes, data.label_counts, strict=True)) == {
        "grey fox": 2, "red deer": 2, "wild boar": 2}
    assert "ecotone fuse" in build_report(project).read_text(encoding="utf-8")


def test_after_the_fusion_everything_is_collected(project):
    fuse(project)
    data = collect(project)
    assert data.run.id == "run-1" and data.run.created == "21 November 2026, 07:30 UTC"
    assert data.found.sum() == pytest.approx(25)
    assert len(data.held_out) == 6 and (data.held_out.predicted == 1).all()
    assert [m.model for m in data.maps] == ["world", "detector"]
    assert data.maps[0].links["red deer"][0] == ("red deer", 0.8)
    assert data.unresolved == ("'human': nothing like it among the names of world",)
    by_key = {g.key: g for g in data.galleries}
    assert set(by_key) >= {"confident", "disputed"}
    assert {p.label for p in by_key["disputed"].pictures} == {"grey fox", "red deer", "wild boar"}
    assert all(p.crop for g in data.galleries for p in g.pictures)
    page = build_report(project, project.path / "here.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 12 and len(page) < 8_000_000
    assert str(project.path) not in page


def test_no_picture_is_in_two_galleries_and_labelled_ones_only_where_needed(project, monkeypatch):
    fuse(project)
    shown = galleries(project)
    rows = choose_rows(project, shown)
    every = [r for part in rows.values() for r in part]
    assert len(every) == len(set(every))
    labelled = [r for r in every if shown.posteriors.id[r] in shown.labels]
    np.testing.assert_allclose(fair(shown)[labelled], np.tile([0.1, 0.7, 0.1, 0.1],
                                                              (len(labelled), 1)))
    monkeypatch.setattr("ecotone.project.galleries.ENOUGH", 5)
    rows = choose_rows(project, shown)
    free = [r for key, part in rows.items() if key != "disputed" for r in part]
    assert not set(shown.posteriors.id[free]) & set(shown.labels)


def test_people_are_hidden_also_beside_an_animal(project):
    fuse(project)
    every = [p for g in collect(project).galleries for p in g.pictures]
    first = project.catalog.media().file_path[0]
    beside = [p for p in every if p.file == first]
    assert beside and all(p.hidden for p in beside)
    assert all(p.hidden for p in every if p.prediction == "human" and not p.label)
    assert any(p.hidden for p in every) and not all(p.hidden for p in every)
    # A person said that it is an animal: that it was taken for a person does not hide it.
    assert not any(p.hidden for p in every if p.label and p.file != first)
    (project.path / "ecotone.toml").write_text("blur_people = false\n", encoding="utf-8")
    with Project(project.path) as again:
        assert not any(p.hidden for g in collect(again).galleries for p in g.pictures)


def test_a_picture_that_is_gone_leaves_a_place_with_the_reason(project, pictures):
    fuse(project)
    for path in pictures.rglob("*.jpg"):
        path.unlink()
    data = collect(project)
    problems = [p.problem for g in data.galleries for p in g.pictures]
    assert problems and all(problems) and not any(str(pictures) in text for text in problems)
    assert "data:image" not in build_report(project).read_text(encoding="utf-8")


def test_failures_are_listed_without_private_folders(project, pictures):
    path = project.catalog.media().path[0]
    project.catalog.record_failure("m0", "classify", f"{path}: truncated")
    (failure,) = collect(project).failures
    assert str(pictures) not in failure.file + failure.reason
    assert failure.reason.endswith(": truncated") and failure.step == "classify"


def test_progress_counts_the_pictures(project):
    fuse(project)
    seen = []
    build_report(project, progress=lambda done, total, text: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_new_labels_after_the_run_are_noted(project):
    fuse(project)
    assert not any("not part of this run" in note for note in collect(project).notes)
    project.catalog.add_labels([NewLabel("m1", "wild boar")])
    assert any("1 label is not part of this run" in note for note in collect(project).notes)


def test_a_broken_record_is_an_error_in_one_line(project):
    fuse(project)
    (project.path / "runs" / "run-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError, match="not valid json.*ecotone fuse"):
        build_report(project)


def test_an_old_report_stays_when_the_new_one_cannot_be_written(project):
    with pytest.raises(ProjectError, match="cannot be written"):
        build_report(project, project.path / "ecotone.toml" / "report.html")
    path = build_report(project)
    assert not list(path.parent.glob("*.tmp"))
    assert re.search("<h1>.*</h1>", path.read_text(encoding="utf-8"))
