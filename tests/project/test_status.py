from __future__ import annotations

import pytest

from ecotone.project.status import next_step, state


def counts(media=0, detections=None, labels=0):
    return {"media": media, "detections": media if detections is None else detections,
            "labels": labels, "deployments": 1}


def step(c, scores=None, embeddings=None, classes=False, latest=None, evaluated=False,
         reported=False):
    return next_step(
        c, scores or {}, embeddings or {}, classes, latest or {}, evaluated, reported)[0]


@pytest.mark.parametrize(("given", "expected"), [
    ({"c": counts()}, "ecotone add images"),
    ({"c": counts(9)}, "ecotone add labels"),
    ({"c": counts(9), "classes": True}, "ecotone classify"),
    ({"c": counts(9, labels=3)}, "ecotone classify"),
    ({"c": counts(9, labels=3), "scores": {"m": 9}}, "ecotone embed"),
    ({"c": counts(9, labels=3), "embeddings": {"m": 9}}, "ecotone fuse"),
])
def test_one_step_after_the_other(given, expected):
    assert step(**given).startswith(expected)


def test_after_a_fusion_comes_the_report_then_the_export():
    c, m = counts(9, labels=3), {"m": 9}
    latest = {"run": "r", "state": state(c, m, m)}
    assert step(c, m, m, latest=latest) == "ecotone report"
    many = counts(9, labels=9)
    latest = {"run": "r", "state": state(many, m, m)}
    assert step(many, m, m, latest=latest) == "ecotone evaluate"
    assert step(many, m, m, latest=latest, evaluated=True) == "ecotone report"
    latest = {"run": "r", "state": state(c, m, m)}
    assert step(c, m, m, latest=latest, reported=True).startswith("ecotone export")


def test_new_labels_ask_for_a_new_fusion():
    c, m = counts(9, labels=3), {"m": 9}
    latest = {"run": "r", "state": state(c, m, m)}
    command, why = next_step(counts(9, labels=4), m, m, False, latest, True, True)
    assert command == "ecotone fuse" and "added since" in why


def test_missing_embeddings_are_said():
    assert "4 detections have no embedding" in next_step(
        counts(9, labels=3), {}, {"m": 5}, False, {}, False, False)[1]


def test_kept_studies_and_corrected_clocks_are_mentioned(tmp_path, make_picture):
    from ecotone.project import Project
    from tests.project.packages import make_pictures, tables, write_package

    make_pictures(tmp_path / "study", make_picture, tables())
    with Project.init(tmp_path / "p") as project:
        assert project.status().studies == []
        project.add_study(write_package(tmp_path / "study", tables()), kind="camtrapdp")
        project.fix_time(["d-1"], shift="+1h", reason="dst")
        found = project.status()
    assert found.studies == ["oak-study (camtrapdp): 6 media, 6 with a picture here, "
                             "8 observations (sources/1-camtrapdp)"]
    assert found.shifts == ["d-1: +01:00:00, dst"]
    text = "\n".join(found.lines())
    assert "study        oak-study" in text and "clock        d-1: +01:00:00" in text


def test_detectors_are_mentioned(tmp_path, detections_json):
    from ecotone.project import Project

    with Project.init(tmp_path / "reserve") as project:
        project.add_images(tmp_path / "pictures")
        assert "boxes by" not in "\n".join(project.status().lines())
        project.add_detections(detections_json)
        lines = project.status().lines()
    assert any("(boxes by md_v5a.0.0.pt on 24 pictures)" in line for line in lines)


def test_status_goes_through_no_table_of_media_or_detections(small_project, monkeypatch):
    small_project.fuse()

    def refuse(*_):
        raise AssertionError("status reads a whole table")

    for name in ("media", "detections", "places", "blocks", "files"):
        monkeypatch.setattr(type(small_project.catalog), name, refuse)
    assert small_project.status().counts["detections"] == 90
