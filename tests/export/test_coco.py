from __future__ import annotations

import contextlib
import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings

from ecotone.errors import InputError
from ecotone.export.coco import write_coco
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.ingest.coco import read_coco
from ecotone.study import Study
from tests.export.studies import medium, observation, small_study, studies


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def sound(path):
    """Whether MegaDetector's own check finds nothing wrong with a file."""
    check = pytest.importorskip("megadetector.data_management.integrity_check_json_db")
    options = check.IntegrityCheckOptions()
    options.requireInfo, options.validateBoxes = True, "error"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        _, data, errors = check.integrity_check_json_db(str(path), options)
    assert not any(errors.values())
    return data


def test_images_annotations_and_categories(tmp_path):
    path = tmp_path / "coco.json"
    written = write_coco(small_study(metadata={"title": "Test", "version": "2"}), path)
    data = load(path)
    assert data["info"]["description"] == "Test" and data["info"]["version"] == "2"
    first = data["images"][0]
    assert first["file_name"] == "d1/m1.jpg" and first["datetime"] == "2024-05-01 06:30:00"
    assert (first["location"], first["width"], first["height"]) == ("ridge d1", 200, 100)
    assert (first["seq_id"], first["seq_num_frames"], first["frame_num"]) == ("e1", 2, 0)
    assert data["images"][1]["frame_num"] == 1 and "seq_id" not in data["images"][3]
    fox = data["annotations"][0]
    assert fox["bbox"] == [20, 25, 100, 12.5] and fox["count"] == 2
    names = {c["id"]: c["name"] for c in data["categories"]}
    assert names[0] == "empty" and names[fox["category_id"]] == "red fox"
    assert data["annotations"][1]["category_id"] == 0
    events = [a for a in data["annotations"] if a.get("sequence_level_annotation")]
    assert [a["image_id"] for a in events] == ["m1", "m2"]
    assert written.counts == {"media": 4, "observations": 6, "categories": 4, "deployments": 2}


def test_what_models_said_is_written_only_when_asked_for_and_marked(tmp_path):
    path = tmp_path / "coco.json"
    written = write_coco(small_study(), path)
    assert "1 observations of models are left out" in written.warnings[0]
    assert "lagopus" not in path.read_text() and load(path)["info"]["classificationMethod"] == (
        "human")
    assert not write_coco(small_study(), path, machine=True).warnings
    marked = [a for a in load(path)["annotations"] if a.get("classificationMethod") == "machine"]
    assert [a["classificationProbability"] for a in marked] == ["0.75"]
    rows = list(read_coco(path).observations)
    assert [r["observationID"] for r in rows if r["classificationMethod"] == "machine"] == ["o6"]


def test_it_is_read_again_as_it_was(tmp_path):
    study = small_study()
    write_coco(study, tmp_path / "coco.json", machine=True)
    again = read_coco(tmp_path / "coco.json")
    assert list(again.media) == study.media and list(again.observations) == study.observations
    assert list(again.deployments) == study.deployments and again.problems == again.repairs == ()


@settings(deadline=None, max_examples=40)
@given(studies())
def test_read_write_read_gives_the_same_rows(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("c")
    write_coco(study, folder / "one.json", machine=True)
    first = read_coco(folder / "one.json")
    assert list(first.media) == study.media
    assert list(first.observations) == study.observations
    write_coco(first, folder / "two.json", machine=True)
    assert (folder / "two.json").read_bytes() == (folder / "one.json").read_bytes()
    sound(folder / "one.json")


def test_events_of_one_name_in_two_deployments_are_two_sequences(tmp_path):
    media = [medium("a", "d1", "2024-05-01T06:00:00", eventID="1"),
             medium("b", "d2", "2024-06-01T06:00:00", eventID="1")]
    rows = [observation("o", None, deploymentID="d2", eventID="1", label="fox",
                        eventStart="2024-06-01T06:00:00", eventEnd="2024-06-01T06:00:00")]
    write_coco(Study((), media, rows), tmp_path / "c.json")
    data = sound(tmp_path / "c.json")
    assert [i["seq_id"] for i in data["images"]] == ["d1 1", "d2 1"]
    assert [a["image_id"] for a in data["annotations"]] == ["b"]
    again = read_coco(tmp_path / "c.json")
    assert list(again.media) == media and list(again.observations) == rows


def test_what_hangs_in_the_air_is_left_out_and_told(tmp_path):
    one = medium("a", "d1", "2024-05-01T06:00:00")
    lost = medium("z", "d1", "2024-05-01T06:00:00")
    rows = [observation("o", one, scientificName="A b", vernacularName="fox"),
            observation("o", one, scientificName="C d", vernacularName="fox"),
            observation("p", lost), observation("q", None, eventID="e", deploymentID="d1")]
    written = write_coco(Study((), [one, one], rows), tmp_path / "c.json")
    data = sound(tmp_path / "c.json")
    assert [c["name"] for c in data["categories"]] == ["empty", "fox", "fox (C d)"]
    assert len({a["id"] for a in data["annotations"]}) == 2
    told = "\n".join(written.warnings)
    for what in ("1 observations are of media that the study does not have", "an id that stands "
                 "twice", "1 observations are of events without pictures"):
        assert what in told


def test_the_real_examples_pass_the_check_of_others(tmp_path, shared_data):
    real = read_coco(shared_data / "formats/zamba_ena24/coco_annotations.json")
    write_coco(real, tmp_path / "c.json")
    data = sound(tmp_path / "c.json")
    given = load(shared_data / "formats/zamba_ena24/coco_annotations.json")
    assert [a["bbox"] for a in data["annotations"]] == [a["bbox"] for a in given["annotations"]]
    assert list(read_coco(tmp_path / "c.json").observations) == list(real.observations)


def test_a_real_camtrap_dp_comes_back_whole(tmp_path, shared_data):
    study = read_camtrapdp(shared_data / "formats/camtrapdp_example")
    written = write_coco(study, tmp_path / "c.json", machine=True)
    sound(tmp_path / "c.json")
    again = read_coco(tmp_path / "c.json")
    assert written.counts["media"] == 423 and not again.problems
    assert list(again.deployments) == list(study.deployments)
    for one, two in ((study.media, again.media), (study.observations, again.observations)):
        for row, other in zip(one, two, strict=True):
            assert {c: other[c] for c in row} == row


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "c.json"
    path.write_text("old")

    def broken():
        yield medium("a", "d1", "")
        raise InputError("no more")

    class Rows:
        def __iter__(self):
            return broken()

    with pytest.raises(InputError):
        write_coco(Study((), Rows(), ()), path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["c.json"]


def test_a_large_study_needs_little_memory(tmp_path):
    class Rows:
        def __init__(self, make):
            self.make = make

        def __iter__(self):
            return (self.make(n) for n in range(3000))

    def one(n):
        return medium(f"m{n}", "d1", "2024-05-01T06:00:00", eventID=f"e{n // 3}")

    study = Study((), Rows(one), Rows(lambda n: observation(f"o{n}", one(n), label="fox")))
    tracemalloc.start()
    write_coco(study, tmp_path / "c.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 450_000 < (tmp_path / "c.json").stat().st_size, peak
