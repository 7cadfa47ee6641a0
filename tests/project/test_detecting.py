"""`detect` in a project and on a folder: boxes stored and written, resumed, never lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import ecotone.backends.detector as registry
from ecotone.backends.detector import Prepared
from ecotone.detection import Boxes
from ecotone.errors import InputError
from ecotone.media.decode import load_picture
from ecotone.media.preprocess import Preprocessing
from ecotone.project import Project
from ecotone.project.detecting_folder import detect_folder
from ecotone.store.detection_log import DetectionLog
from tests.detectors import NAMES, H, W, make_detector, yolov8


class Counting:
    """Two boxes on every picture, one of them not sure; fails, stops or counts when told to."""

    name, threshold, lowest, version = "counting", 0.2, 0.05, "3"
    looked: list[str] = []
    stop_after, boxes = 10**9, 2

    def prepare(self, path):
        type(self).looked.append(str(path))
        return Prepared(str(path), *load_picture(path, (8, 8)).size)

    def detect(self, prepared):
        if len(type(self).looked) > type(self).stop_after:
            raise KeyboardInterrupt
        out = []
        for one in prepared:
            x = (len(one.input) % 7) / 20
            bbox = np.array([[x, 0.1234567, 0.003, 0.002], [0.5, 0.5, 0.3, 0.2]])
            out.append(Boxes(bbox, np.array(["animal", "human"]), np.array([0.87654, 0.1])))
        return out

    def info(self):
        return {"boxes": type(self).boxes}


@pytest.fixture(autouse=True)
def counting(monkeypatch):
    monkeypatch.setitem(registry.DETECTORS.built_in, "counting", f"{__name__}:open_counting")
    monkeypatch.setattr(Counting, "looked", [])
    monkeypatch.setattr(Counting, "stop_after", 10**9)
    monkeypatch.setattr(Counting, "boxes", 2)
    return Counting


def open_counting(argument, declaration=None, **options):
    return Counting()


@pytest.fixture
def project(tmp_path, pictures):
    with Project.init(tmp_path / "reserve") as opened:
        opened.add_images(pictures)
        yield opened


def stored(project):
    found = project.catalog.detections()
    return list(zip(found.id.tolist(), found.category.tolist(), found.bbox.round(6).tolist(),
                    found.confidence.round(6).tolist(), strict=True))


def validated(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from megadetector.postprocessing.validate_batch_results import validate_batch_results
    return validate_batch_results(str(path))["validation_results"]


def test_boxes_become_the_detections_and_importing_the_json_changes_nothing(project, tmp_path):
    report = project.detect("counting", output=tmp_path / "md.json")
    assert (report.done, report.skipped, report.boxes, report.blank) == (24, 0, 24, 0)
    first = stored(project)
    assert len(first) == 24 and {c for _, c, _, _ in first} == {"animal"}
    added = project.add_detections(tmp_path / "md.json")
    assert (added.added, added.updated, added.skipped) == (0, 0, 24)
    assert stored(project) == first
    told = validated(tmp_path / "md.json")
    assert told["errors"] == [] and told["warnings"] == []
    content = json.loads((tmp_path / "md.json").read_text("utf-8"))
    assert content["info"]["format_version"] == "1.6"
    assert len(content["images"][0]["detections"]) == 2  # the one that is not sure, too
    assert content["info"]["detector_metadata"]["typical_detection_threshold"] == 0.2


def test_another_project_with_the_json_has_the_same_catalogue(project, tmp_path, pictures):
    project.detect("counting", output=tmp_path / "md.json")
    with Project.init(tmp_path / "other") as other:
        other.add_images(pictures)
        other.add_detections(tmp_path / "md.json")
        assert stored(other) == stored(project)


def test_run_again_nothing_is_looked_at_and_new_pictures_are(project, pictures, make_picture):
    project.detect("counting")
    Counting.looked.clear()
    assert project.detect("counting").skipped == 24 and Counting.looked == []
    make_picture(pictures / "cam1" / "new.jpg")
    project.add_images(pictures)
    report = project.detect("counting")
    assert (report.done, report.skipped) == (1, 24) and len(Counting.looked) == 1


def test_another_threshold_needs_no_second_look(project, tmp_path):
    project.detect("counting")
    Counting.looked.clear()
    report = project.detect("counting", threshold=0.05, output=tmp_path / "md.json")
    assert report.boxes == 48 and Counting.looked == []
    first = stored(project)
    project.add_detections(tmp_path / "md.json")
    assert stored(project) == first
    blank = project.detect("counting", threshold=0.95)
    assert (blank.boxes, blank.blank) == (0, 24)
    assert {c for _, c, _, _ in stored(project)} == {"blank"}
    back = project.detect("counting", threshold=0.05)
    assert back.boxes == 48 and stored(project) == first


def test_changed_settings_look_again(project):
    project.detect("counting")
    Counting.looked.clear()
    Counting.boxes = 3
    report = project.detect("counting")
    assert report.done == 24 and "not what it was" in report.notes[0]


def test_boxes_that_came_by_file_count_as_seen(project, tmp_path):
    project.detect("counting", output=tmp_path / "md.json")
    with Project.init(tmp_path / "other") as other:
        other.add_images(tmp_path / "pictures")
        other.add_detections(tmp_path / "md.json")
        Counting.looked.clear()
        assert other.detect("counting").skipped == 24 and Counting.looked == []


def test_broken_pictures_are_recorded_and_written_and_tried_again(project, pictures, tmp_path):
    good = (pictures / "cam1" / "grey_fox_0.jpg").read_bytes()
    (pictures / "cam1" / "grey_fox_0.jpg").write_bytes(good[: len(good) // 2])
    (pictures / "cam1" / "grey_fox_1.jpg").write_bytes(b"")
    report = project.detect("counting", output=tmp_path / "md.json")
    assert report.done == 22 and len(report.failed) == 2
    assert "truncated" in report.failed[0] or "truncated" in report.failed[1]
    assert {f.step for f in project.catalog.failures()} == {"detect"}
    entries = {i["file"]: i for i in json.loads((tmp_path / "md.json").read_text())["images"]}
    failed = [i for i in entries.values() if i.get("failure")]
    assert [i["detections"] for i in failed] == [None, None] and len(entries) == 24
    assert {i["failure"] for i in failed} == {"image access failure"}
    assert validated(tmp_path / "md.json")["errors"] == []
    (pictures / "cam1" / "grey_fox_0.jpg").write_bytes(good)
    report = project.detect("counting", output=tmp_path / "md.json")
    assert (report.done, report.skipped, len(report.failed)) == (1, 22, 1)
    assert len(project.catalog.failures()) == 1


def test_stopped_and_run_again_it_ends_where_an_undisturbed_run_ends(
    project, tmp_path, pictures, monkeypatch
):
    monkeypatch.setattr("ecotone.project.detecting.ROWS", 4)
    monkeypatch.setattr(Counting, "stop_after", 14)
    with pytest.raises(KeyboardInterrupt):
        project.detect("counting", batch_size=2)
    monkeypatch.setattr(Counting, "stop_after", 10**9)
    done = (project.path / "detections" / "counting.jsonl").read_bytes().count(b"\n") - 1
    assert 4 <= done < 24
    report = project.detect("counting", output=tmp_path / "a.json")
    assert (report.skipped, report.done) == (done, 24 - done)
    with Project.init(tmp_path / "other") as other:
        other.add_images(pictures)
        other.detect("counting", output=tmp_path / "b.json")
        assert stored(other) == stored(project)
    texts = [json.loads((tmp_path / n).read_text()) for n in ("a.json", "b.json")]
    assert texts[0]["images"] == texts[1]["images"]


def test_what_only_the_log_has_after_a_kill_comes_into_the_catalogue(project, monkeypatch):
    from ecotone.project import detecting

    def killed(self, rows):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(detecting._Run, "_store", killed)
        with pytest.raises(KeyboardInterrupt):
            project.detect("counting")
    assert {c for _, c, _, _ in stored(project)} == {"animal"}
    assert not any(project.catalog.media().detector)
    Counting.looked.clear()
    report = project.detect("counting")
    assert (report.skipped, report.boxes) == (24, 24) and Counting.looked == []


def test_a_torn_line_counts_as_not_written(tmp_path):
    from ecotone.ingest.results import FoundBox, ImageResult

    image = ImageResult("ü\n.jpg", (FoundBox((0.1, 0.2, 0.3, 0.4), "animal", 0.5),), width=9)
    path = tmp_path / "log.jsonl"
    with DetectionLog(path, "x") as log:
        log.append([(str(i), image) for i in range(3)])
        log.append([("1", image._replace(boxes=None, failure="image access failure"))])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-20:-4])
    with DetectionLog(path, "x") as log:
        assert log.done == {"0", "2"} and not log.begun_anew
        assert dict(log.images(["2", "9", "1"]))["2"] == image
        assert dict(log.images(["1"]))["1"].failure == "image access failure"
    assert path.read_bytes() == whole
    with DetectionLog(path, "y") as log:
        assert log.begun_anew and not log.done
    (tmp_path / "other.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(InputError, match="move it away"):
        DetectionLog(tmp_path / "other.jsonl", "x")


class Coloured:
    """A classifier of two classes that wants 32 pixels."""

    preprocessing = Preprocessing(32, 32, "uint8", "NHWC")
    classes = ("bright", "dark")

    def classify(self, batch):
        bright = batch.mean(axis=(1, 2, 3)) / 255
        return np.column_stack([bright, 1 - bright]).astype(np.float32)


def open_coloured(argument, classes=None, **options):
    return Coloured()


def test_every_box_is_classified_even_one_of_six_pixels(project, monkeypatch, tmp_path,
                                                        make_picture):
    """The smallest box of the test detector is 6 pixels wide on a picture of 2000 pixels; others
    are thinner than a pixel, or touch the border."""
    import ecotone.backends.base as base

    make_picture(tmp_path / "pictures" / "cam1" / "large.jpg", size=(2000, 1500))
    project.add_images(tmp_path / "pictures")
    thin = np.array([[0.9999, 0.9999, 0.0001, 0.0001], [0, 0, 1e-4, 1], [0.3, 0.4, 0.003, 0.004],
                     [0, 0, 1, 1]])
    monkeypatch.setattr(Counting, "detect", lambda self, prepared: [
        Boxes(thin, np.array(["animal"] * 4), np.full(4, 0.9)) for _ in prepared])
    monkeypatch.setitem(base.BACKENDS.built_in, "coloured", f"{__name__}:open_coloured")
    report = project.detect("counting")
    assert report.boxes == 4 * 25
    classified = project.classify("coloured")
    assert (classified.done, classified.failed) == (100, [])


def test_more_boxes_than_are_kept_are_told(project, monkeypatch):
    many = Boxes(np.tile([[0.1, 0.1, 0.2, 0.2]], (2, 1)), np.array(["animal"] * 2),
                 np.array([0.9, 0.8]), dropped=7)
    monkeypatch.setattr(Counting, "detect", lambda self, prepared: [many] * len(prepared))
    assert "24 pictures had more boxes" in project.detect("counting").notes[-1]


def test_a_model_that_fails_on_one_picture_goes_on(project, monkeypatch, tmp_path):
    plain = Counting.detect

    def detect(self, prepared):
        return ["scores are NaN" if "grey_fox_0" in p.input else r
                for p, r in zip(prepared, plain(self, prepared), strict=True)]

    monkeypatch.setattr(Counting, "detect", detect)
    report = project.detect("counting", output=tmp_path / "md.json")
    assert report.done == 22 and all("NaN" in line for line in report.failed)
    entries = json.loads((tmp_path / "md.json").read_text())["images"]
    assert sum(i.get("failure") == "inference failure" for i in entries) == 2


def test_a_folder_without_a_project(tmp_path, pictures, monkeypatch):
    (pictures / "cam2" / "empty.jpg").write_bytes(b"")
    output = tmp_path / "out" / "md.json"
    monkeypatch.setattr(Counting, "stop_after", 9)
    with pytest.raises(KeyboardInterrupt):
        detect_folder(pictures, "counting", output, batch_size=2)
    assert not output.exists()
    monkeypatch.setattr(Counting, "stop_after", 10**9)
    report = detect_folder(pictures, "counting", output, batch_size=2)
    assert report.skipped >= 2 and report.done + report.skipped == 24
    assert len(report.failed) == 1 and (report.boxes, report.blank) == (24, 0)
    assert os.listdir(output.parent) == ["md.json"]
    told = validated(output)
    assert told["errors"] == [] and told["warnings"] == []
    entries = json.loads(output.read_text("utf-8"))["images"]
    assert [i["file"] for i in entries] == sorted(i["file"] for i in entries)
    with pytest.raises(InputError, match="no pictures"):
        (tmp_path / "nothing").mkdir()
        detect_folder(tmp_path / "nothing", "counting", output)
    with pytest.raises(InputError, match="is a folder"):
        detect_folder(pictures, "counting", tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_killed_at_any_moment_a_folder_ends_the_same(tmp_path, pictures):
    for n in range(8):
        shutil.copytree(pictures / "cam1", pictures / f"copy{n}")
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, {
        "preset": "unit", "classes": NAMES}, shape=("n", 3, H, W))
    output = tmp_path / "md.json"
    words = ["-c", "import ecotone.project.detecting_folder as d; d.ROWS = 4\n"
             "import sys; from ecotone import cli; sys.exit(cli.run(sys.argv[1:]))",
             "detect", str(pictures), "--model", str(model), "-o", str(output),
             "--batch-size", "2", "--threads", "1"]
    checkpoint = tmp_path / "md.json.checkpoint.jsonl"
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while not (checkpoint.is_file() and checkpoint.read_bytes().count(b"\n") > 8):
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    report = detect_folder(pictures, str(model), output)
    assert report.skipped >= 8 and report.skipped + report.done == 24 + 8 * 12
    whole = json.loads(output.read_text("utf-8"))["images"]
    detect_folder(pictures, str(model), tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text("utf-8"))["images"] == whole


def test_frames_of_videos_have_boxes_of_their_own(project, pictures, tmp_path):
    from tests.videos import make_video

    make_video(pictures / "cam1" / "walk.mp4", 30, 10)
    project.add_images(pictures)
    report = project.detect("counting", output=tmp_path / "md.json")
    assert report.done == 25 and not report.failed
    found, media = project.catalog.detections(), project.catalog.media()
    medium = media.id[media.is_video][0]
    frames = found.frame_number[found.media_id == medium]
    assert sorted(frames.tolist()) == [0, 10, 20] and report.boxes == 24 + 3
    first = stored(project)
    added = project.add_detections(tmp_path / "md.json")
    assert (added.added, added.updated) == (0, 0) and stored(project) == first
    assert validated(tmp_path / "md.json")["errors"] == []
    detect_folder(pictures, "counting", tmp_path / "folder.json")
    entries = [{i["file"]: i for i in json.loads((tmp_path / n).read_text("utf-8"))["images"]}
               for n in ("md.json", "folder.json")]
    video = entries[0]["cam1/walk.mp4"]
    assert video["frames_processed"] == [0, 10, 20] and len(video["detections"]) == 6
    assert entries[1]["cam1/walk.mp4"]["detections"] == video["detections"]
    Counting.looked.clear()
    assert project.detect("counting").skipped == 25 and Counting.looked == []


def test_a_broken_video_is_a_failure(project, pictures, tmp_path):
    pytest.importorskip("av")
    (pictures / "cam1" / "broken.mp4").write_bytes(b"no video at all")
    project.add_images(pictures)
    report = project.detect("counting", output=tmp_path / "md.json")
    assert (report.done, len(report.failed)) == (24, 1)
    report = detect_folder(pictures, "counting", tmp_path / "folder.json")
    assert (report.done, len(report.failed)) == (24, 1)
    assert validated(tmp_path / "folder.json")["errors"] == []
