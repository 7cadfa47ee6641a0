"""Adding real files, as the field's tools write them."""

from __future__ import annotations

import shutil

import pytest

from ecotone.project import Project
from ecotone.store.vectors import score_models
from tests.project.adding_files import numbers


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "reserve") as opened:
        yield opened


def test_the_real_monkeys(project, shared_data):
    assert project.add_images(shared_data / "monkeys/images").added == 1301
    report = project.add_labels(shared_data / "monkeys/labels.csv")
    assert numbers(report) == (1301, 0, 0) and report.problems == []
    assert numbers(project.add_labels(shared_data / "monkeys/labels.csv")) == (0, 0, 1301)
    assert len(set(project.catalog.current_labels().values())) == 10
    assert project.catalog.label_names()["mantled howler"] == ("Alouatta palliata",
                                                               "mantled howler")


def test_the_real_camera_traps_and_odd_pictures(project, shared_data):
    assert project.add_images(shared_data / "camera_traps").added == 61
    report = project.add_images(shared_data / "robustness")
    assert report.added == 5 and "zero_bytes.jpg (the file is empty" in report.problems[0]
    assert numbers(project.add_labels(shared_data / "camera_traps/labels.csv")) == (61, 0, 0)
    converted = shared_data / "formats/speciesnet/file.json"
    report = project.add_detections(converted)
    assert report.added > 10 and "10 of 14 entries name no picture" in report.problems[0]
    assert project.add_scores(converted).added > 10
    detections = project.catalog.detections()
    assert (detections.confidence >= 0.2).all()
    assert project.add_taxonomy(shared_data / "formats/speciesnet/taxonomy_release.txt").added == (
        3538)


def test_the_real_deepfaune_and_zamba_files(project, shared_data, tmp_path, make_picture):
    formats = shared_data / "formats"
    # The files of DeepFaune's own table, made anew below another root.
    for line in (formats / "deepfaune/deepfaune-test.csv").read_text().splitlines()[1:]:
        parts = line.split(",")[0].split("\\")[-3:]
        make_picture(tmp_path / "testdata" / "/".join(parts), size=(8, 8), seed=len(line))
    for line in (formats / "zamba_ena24/labels.csv").read_text().splitlines()[1:]:
        make_picture(tmp_path / "ena" / line.split(",")[0], size=(8, 8))
    project.add_images(tmp_path / "testdata")
    report = project.add_scores(formats / "deepfaune/deepfaune-test.csv")
    assert report.added == 41 and report.problems == []
    project.add_images(tmp_path / "ena")
    assert project.add_labels(formats / "zamba_ena24/labels.csv").added == 21
    assert project.add_scores(formats / "zamba_ena24/md_annotations.json").added == 21
    assert project.catalog.counts()["detections"] == 41 + 21
    assert list(score_models(project.catalog)) == ["deepfaune-test", "ecosystem1_v2"]


def test_the_real_ain_labels_with_several_for_one_picture(
    project, shared_data, tmp_path, make_picture
):
    lines = (shared_data / "ain/classifications.csv").read_text(encoding="utf-8").splitlines()
    names = {line.split(",")[0] for line in lines[1:300]}
    source = make_picture(tmp_path / "one.jpg", size=(8, 8))
    (tmp_path / "flat").mkdir()
    for name in names:
        shutil.copy(source, tmp_path / "flat" / name)
    project.add_images(tmp_path / "flat")
    report = project.add_labels(shared_data / "ain/classifications.csv")
    assert report.added >= len(names) and report.updated == len(names)
    assert any("several labels" in p and "15.1_droite_53.JPG" in p for p in report.problems)
    media = project.catalog.media()
    assert set(media.deployment_id) <= {"15.1", "7.1", "7.2", "15.2", "3.2", "16.1", "26.1"}
    assert all(media.event_id) and len(set(media.event_id)) > 10
    assert project.add_labels(shared_data / "ain/classifications.csv").added == 0
