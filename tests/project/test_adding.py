"""Adding to a project: pictures, labels, boxes, scores and a taxonomy, from files as they come."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.config import Config
from ecotone.errors import FormatError
from ecotone.project import Project
from ecotone.store.vectors import EmbeddingWriter, read_scores, score_models
from tests.project.adding_files import by_file, found, md, numbers, scores_of, write


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "reserve") as opened:
        yield opened


@pytest.fixture
def filled(project, pictures):
    project.add_images(pictures)
    return project


# Pictures


def test_pictures_with_times_cameras_deployments_and_events(filled):
    media = filled.catalog.media()
    assert len(media) == 24 and set(media.deployment_id) == {"cam1", "cam2"}
    assert media.timestamp.tolist()[0].startswith("2024-05-") and set(media.camera) == {
        "ExampleCam X1"}
    assert all(media.event_id) and len(set(media.content_hash)) == 24
    assert len(filled.catalog.detections()) == 24


def test_adding_again_adds_only_what_is_new(filled, pictures, make_picture):
    before = by_file(filled)
    assert numbers(filled.add_images(pictures)) == (0, 0, 24)
    make_picture(pictures / "cam1/red_deer_0.jpg", seed=99)
    make_picture(pictures / "cam3/new.jpg", seed=98)
    assert numbers(filled.add_images(pictures)) == (1, 1, 23)
    after = by_file(filled)
    assert before.items() <= after.items() and len(after) == 25


def test_a_folder_inside_a_known_one_adds_nothing(filled, pictures):
    assert numbers(filled.add_images(pictures / "cam1")) == (0, 0, 12)
    assert len(filled.catalog.media()) == 24


def test_a_moved_folder_is_found_again(filled, pictures, tmp_path):
    before = by_file(filled)
    pictures.rename(tmp_path / "elsewhere")
    assert numbers(filled.add_images(tmp_path / "elsewhere")) == (0, 24, 0)
    assert by_file(filled) == before
    assert all(str(tmp_path / "elsewhere") in path for path in filled.catalog.media().path)


def test_equal_paths_in_two_folders_are_two_pictures(filled, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "copy")
    assert numbers(filled.add_images(tmp_path / "copy")) == (24, 0, 0)
    assert len(set(filled.catalog.media().id)) == 48
    assert len(set(filled.catalog.media().content_hash)) == 24


def test_a_picture_that_cannot_be_read_is_kept_with_the_reason(project, tmp_path, make_picture):
    make_picture(tmp_path / "p/good.jpg")
    (tmp_path / "p/empty.jpg").write_bytes(b"")
    report = project.add_images(tmp_path / "p")
    assert report.added == 2 and "empty.jpg (the file is empty" in report.problems[0]
    assert [f.step for f in project.catalog.failures()] == ["read"]
    make_picture(tmp_path / "p/empty.jpg")  # copied again, whole this time
    assert numbers(project.add_images(tmp_path / "p")) == (0, 1, 1)
    assert project.catalog.failures() == []


def test_a_folder_without_pictures_is_told(project, tmp_path):
    (tmp_path / "p").mkdir()
    report = project.add_images(tmp_path / "p")
    assert numbers(report) == (0, 0, 0) and "no pictures" in report.problems[0]


def test_pictures_of_one_root_without_folders_are_one_deployment(project, tmp_path, make_picture):
    make_picture(tmp_path / "north/a.jpg")
    make_picture(tmp_path / "south/a.jpg", seed=1)
    project.add_images(tmp_path / "north")
    project.add_images(tmp_path / "south")
    assert project.catalog.media().deployment_id.tolist() == ["north", "south"]


# Boxes


def test_boxes_blanks_and_failures(filled, tmp_path):
    file = write(tmp_path, md(
        {"file": "cam1\\red_deer_0.jpg", "detections": [
            found(0.1, 0.3), found(0.5, 0.8, "2"), found(0.7, 0.1)]},
        {"file": "cam1/red_deer_1.jpg", "detections": []},
        {"file": "cam1/red_deer_2.jpg", "detections": [found(conf=0.15)]},
        {"file": "cam1/red_deer_3.jpg", "failure": "image access failure"},
        {"file": "cam9/x.jpg", "detections": []}), "md.json")
    report = filled.add_detections(file)
    assert numbers(report) == (4, 0, 0)
    assert "cam9/x.jpg" in report.problems[0] and "red_deer_3" in report.problems[1]
    detections = filled.catalog.detections()
    files = by_file(filled)
    rows = {f: [(d.split(":")[1], c, round(float(p), 3)) for d, m, c, p in zip(
        detections.id, detections.media_id, detections.category, detections.confidence,
        strict=True) if m == i] for f, i in files.items()}
    assert rows["cam1/red_deer_0.jpg"] == [("1", "human", 0.8), ("2", "animal", 0.3)]
    assert rows["cam1/red_deer_1.jpg"] == [("0", "blank", 1.0)]
    assert rows["cam1/red_deer_2.jpg"] == [("0", "blank", 0.85)]
    assert rows["cam1/red_deer_3.jpg"] == [("0", "animal", 1.0)]
    assert numbers(filled.add_detections(file)) == (0, 0, 4)


@pytest.mark.parametrize(("config", "in_file", "expected"), [
    (None, None, 2), (None, 0.5, 1), (0.05, 0.5, 3), (0.95, None, 1),
])
def test_the_threshold_is_the_users_else_the_files(filled, tmp_path, config, in_file, expected):
    filled.config = Config(detection_threshold=config)
    file = write(tmp_path, md({"file": "cam1/red_deer_0.jpg", "detections": [
        found(0.1, 0.1), found(0.3, 0.3), found(0.5, 0.9)]}, threshold=in_file), "md.json")
    assert filled.add_detections(file).added == expected


def test_vectors_of_a_box_never_become_those_of_another(filled, tmp_path):
    def add(*boxes):
        return filled.add_detections(write(
            tmp_path, md({"file": "cam1/red_deer_0.jpg", "detections": list(boxes)}), "md.json"))

    add(found(0.1), found(0.5, 0.8))
    with EmbeddingWriter(filled.catalog, filled.vectors, "enc", 1) as writer:
        here = filled.catalog.detections()
        writer.append(here.id, here.bbox[:, :1])
    assert numbers(add(found(0.3, 0.95), found(0.5, 0.8))) == (0, 2, 0)
    from ecotone.store.vectors import read_embeddings

    here = filled.catalog.detections()
    values, present = read_embeddings(filled.catalog, filled.vectors, "enc", here.id)
    np.testing.assert_allclose(values[present, 0], here.bbox[present, 0], rtol=1e-3)
    assert (~present).sum() == 1


def test_files_of_another_kind_are_refused(filled, tmp_path, scores_csv):
    only_boxes = write(
        tmp_path, md({"file": "cam1/red_deer_0.jpg", "detections": [found()]}), "md.json")
    with pytest.raises(FormatError, match="ecotone add detections"):
        filled.add_scores(only_boxes)
    with pytest.raises(FormatError, match="ecotone add scores"):
        filled.add_detections(scores_csv)


# Scores


def test_scores_of_a_table(filled, scores_csv):
    assert numbers(filled.add_scores(scores_csv)) == (24, 0, 0)
    assert numbers(filled.add_scores(scores_csv)) == (0, 0, 24)
    assert score_models(filled.catalog) == {"scores": 24}
    ids = filled.catalog.detections().id
    scores = read_scores(filled.catalog, filled.vectors, "scores", ids)
    assert scores.complete and len(scores.classes) == 3
    np.testing.assert_allclose(scores.values.sum(axis=1), 1, atol=1e-3)
    text = scores_csv.read_text().splitlines()
    text[1] = text[1].split(",")[0] + ",0.1,0.1,0.8"
    scores_csv.write_text("\n".join(text))
    assert numbers(filled.add_scores(scores_csv)) == (0, 1, 23)
    assert filled.add_scores(scores_csv, "another").added == 24
    assert list(score_models(filled.catalog)) == ["scores", "another"]


def test_scores_of_boxes_go_to_their_boxes(filled, tmp_path):
    file = write(tmp_path, md(
        {"file": "cam1/red_deer_0.jpg", "detections": [
            found(0.1, 0.5, classifications=[["0", 0.6]]),
            found(0.5, 0.9, classifications=[["1", 0.7], ["0", 0.2]]),
            found(0.7, 0.1, classifications=[["1", 1.0]])]},
        {"file": "cam1/red_deer_1.jpg", "detections": []}), "md.json")
    report = filled.add_scores(file)  # brings its boxes, since no detector has seen the pictures
    assert numbers(report) == (2, 0, 0)
    assert scores_of(filled, "net") == {
        ("cam1/red_deer_0.jpg", 1): {"fox": 0.7, "deer": 0.2},
        ("cam1/red_deer_0.jpg", 2): {"deer": 0.6}}
    assert filled.catalog.media().detector.tolist().count("md_v5a") == 2
    assert numbers(filled.add_detections(file)) == (0, 0, 3)
    assert numbers(filled.add_scores(file)) == (0, 0, 2)


DEER = "u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer"
FOX = "u2;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
TOP = {"classes": [DEER, FOX], "scores": [0.7, 0.2]}
LEGACY = {"predictions": [
    {"filepath": "x/cam1/red_deer_0.jpg", "classifications": TOP, "model_version": "4.0.1a",
     "detections": [found(0.1, 0.9, label="animal"), found(0.5, 0.5), found(0.7, 0.6, "2")]},
    {"filepath": "x/cam1/red_deer_1.jpg", "classifications": TOP, "detections": []}]}


def test_scores_of_a_picture_go_to_its_animals(filled, tmp_path):
    assert numbers(filled.add_scores(write(tmp_path, LEGACY, "sn.json"))) == (3, 0, 0)
    top = {DEER: 0.7, FOX: 0.2}
    assert scores_of(filled, "speciesnet 4.0.1a") == {
        ("cam1/red_deer_0.jpg", 1): top, ("cam1/red_deer_0.jpg", 3): top,
        ("cam1/red_deer_1.jpg", 0): top}


def test_boxes_that_come_later_take_the_scores_of_their_picture(filled, tmp_path):
    scores = write(tmp_path, "filePath,deer,fox\ncam1/red_deer_0.jpg,0.7,0.2\n", "net.csv")
    boxes = write(tmp_path, md({"file": "cam1/red_deer_0.jpg", "detections": [
        found(0.1), found(0.5), found(0.7, 0.8, "2")]}), "md.json")
    filled.add_scores(scores)
    filled.add_detections(boxes)
    expected = {("cam1/red_deer_0.jpg", n): {"deer": 0.7, "fox": 0.2} for n in (1, 2)}
    assert scores_of(filled, "net") == expected
    assert numbers(filled.add_scores(scores)) == (0, 0, 2)


def test_a_kill_before_the_scores_were_carried_is_made_good(filled, tmp_path, monkeypatch):
    from ecotone.project import adding_results

    boxes = write(tmp_path, md({"file": "cam1/red_deer_0.jpg", "detections": [found()]}), "md.json")
    filled.add_scores(write(tmp_path, "filePath,deer\ncam1/red_deer_0.jpg,0.7\n", "net.csv"))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(adding_results, "carry_scores", killed)
        with pytest.raises(KeyboardInterrupt):
            filled.add_detections(boxes)
    assert scores_of(filled, "net") == {}
    assert numbers(filled.add_detections(boxes)) == (0, 0, 1)
    assert scores_of(filled, "net") == {("cam1/red_deer_0.jpg", 1): {"deer": 0.7}}


def test_the_newest_generation_gives_scores_of_boxes(filled, tmp_path):
    box = found(0.1, 0.9, raw_classifications=TOP)
    data = {"info": {"format_version": "20261015"}, "predictions": [
        {"filepath": "cam1/red_deer_0.jpg", "detections": [box, found(0.5, 0.3)]},
        {"filepath": "cam1/red_deer_1.jpg", "detections": [
            {"category": "0", "conf": 1.0, "bbox": [0, 0, 1, 1], "raw_classifications": TOP}]}]}
    filled.add_scores(write(tmp_path, data, "sn.json"), "sn")
    top = {DEER: 0.7, FOX: 0.2}
    assert scores_of(filled, "sn") == {
        ("cam1/red_deer_0.jpg", 1): top, ("cam1/red_deer_1.jpg", 0): top}


def test_new_classes_in_a_later_file_keep_the_old_scores(filled, tmp_path):
    filled.add_scores(write(tmp_path, "filePath,deer\ncam1/red_deer_0.jpg,0.7\n"), "net")
    filled.add_scores(write(tmp_path, "filePath,fox\ncam1/red_deer_1.jpg,0.6\n"), "net")
    assert scores_of(filled, "net") == {
        ("cam1/red_deer_0.jpg", 0): {"deer": 0.7}, ("cam1/red_deer_1.jpg", 0): {"fox": 0.6}}


@settings(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(["boxes", "labels", "scores", "legacy"]), st.integers(0, 3))
def test_the_order_of_adding_does_not_matter_nor_does_adding_twice(
    tmp_path_factory, pictures, labels_csv, scores_csv, order, twice
):
    folder = tmp_path_factory.mktemp("order")
    boxes = write(folder, md({"file": "cam1/red_deer_0.jpg", "detections": [
        found(0.1, 0.9), found(0.5, 0.5), found(0.7, 0.6, "2")]}), "md.json")
    legacy = write(folder, LEGACY, "sn.json")

    def add(project, what):
        return {"boxes": lambda: project.add_detections(boxes),
                "labels": lambda: project.add_labels(labels_csv),
                "scores": lambda: project.add_scores(scores_csv),
                "legacy": lambda: project.add_scores(legacy, "sn")}[what]()

    states = []
    for name, steps in (("a", ["boxes", "labels", "scores", "legacy"]),
                        ("b", [*order, order[twice]])):
        with Project.init(folder / name) as project:
            project.add_images(pictures)
            for step in steps:
                add(project, step)
            here = project.catalog.detections()
            boxes_of = {(m, *np.round(b, 4)) for m, b in zip(here.media_id, here.bbox, strict=True)}
            labelled = sorted(project.catalog.current_labels().values())
            values = [sorted(str(sorted(v.items())) for v in scores_of(project, n).values())
                      for n in ("scores", "sn")]
            states.append((boxes_of, labelled, values))
    assert states[0] == states[1]


# Taxonomy


def test_a_taxonomy_once_and_once_only(filled, tmp_path):
    text = "scientificName,vernacularName,family\nCervus elaphus,red deer,Cervidae\n" \
           "Vulpes vulpes,red fox,Canidae\n"
    file = write(tmp_path, text)
    assert numbers(filled.add_taxonomy(file)) == (2, 0, 0)
    assert numbers(filled.add_taxonomy(file)) == (0, 0, 2)
    file = write(tmp_path, text.replace("Canidae", "Dogs") + "Sus scrofa,wild boar,Suidae\n")
    assert numbers(filled.add_taxonomy(file)) == (1, 1, 1)
    assert [r["family"] for r in filled.catalog.note("taxonomy")] == ["Cervidae", "Dogs", "Suidae"]
