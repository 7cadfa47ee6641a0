"""Timelapse's file, held against the rules of its importer as its source has them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.export.timelapse import write_timelapse
from ecotone.ingest.results import FoundBox, ImageResult
from ecotone.ingest.results_file import read_results
from tests.export.results import BOX, DEER, FILES, FOX, boxes
from tests.export.test_megadetector import validated


def write(folder, images, **options):
    path = Path(folder) / "recognitionData.json"
    written = write_timelapse(images, path, **{"detector": "md_v5a", **options})
    assert validated(path)["errors"] == []
    return written, json.loads(path.read_text(encoding="utf-8"))


def imported(data: dict, files: set[str]) -> dict[str, list[tuple]]:
    """What Timelapse keeps: file -> (category, conf, class name, its conf), by the rules of
    Recognition/RecognitionDatabases.cs and Database/FileDatabase.cs."""
    detectors, classes = data["detection_categories"], data.get("classification_categories", {})
    if classes and classes[min(classes, key=int)] in detectors.values():
        raise ValueError("AddaxAI ran outside Timelapse")
    names = [name.lower() for name in classes.values()]
    assert len(set(names)) == len(names)  # else it asks to merge
    info = data["info"]
    box_least = max(0.03, info["detector_metadata"]["conservative_detection_threshold"] / 2.5)
    class_least = max(
        0.03, info["classifier_metadata"]["typical_classification_threshold"] / 2.5)
    kept: dict[str, list[tuple]] = {}
    for image in data["images"]:
        if image["detections"] is None or image["file"].replace("/", "\\") not in files:
            continue
        rows = kept.setdefault(image["file"], [])
        for box in image["detections"]:
            if box["conf"] < box_least:
                continue
            if not image["file"].lower().endswith((".jpg", ".jpeg")) and not (
                box.get("frame_number", -1) >= 0 and image.get("frame_rate", 0) > 0
            ):
                continue
            found = [c for c in box.get("classifications", ()) if c[1] >= class_least]
            best = max(found, key=lambda c: c[1], default=None)
            name = classes[best[0]] if best else None
            rows.append((detectors[box["category"]], box["conf"], name, best and best[1]))
        if not rows:
            rows.append(("Empty", 0, None, None))
    return kept


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FILES.filter(bool).map(lambda f: f[0]),
                          st.none() | st.lists(boxes(), max_size=3).map(tuple)), max_size=4,
                unique_by=lambda t: t[0]))
def test_timelapse_keeps_every_box_that_is_not_warned_of(pairs):
    images = [ImageResult(file, found, (), "" if found is not None else "broken")
              for file, found in pairs]
    with tempfile.TemporaryDirectory() as folder:
        written, data = write(folder, images)
    kept = imported(data, {i["file"].replace("/", "\\") for i in data["images"]})
    told = str(written.warnings)
    for image in images:
        file = image.file
        if image.boxes is None:
            assert file not in kept
            continue
        strong = [b for b in image.boxes if b.confidence >= 0.03]
        rows = kept[file]
        assert len(rows) == max(len(strong), 1)
        assert len(strong) == len(image.boxes) or "a box below 0.03" in told
        for row, box in zip(rows, strong, strict=False):
            sure = box.scores[0][1] if box.scores else 0
            assert (row[2] is not None) == (bool(box.scores) and sure >= 0.2)
            assert not box.scores or sure >= 0.2 or "a class below 0.2" in told


def test_one_class_a_box_and_thresholds(tmp_path):
    written, data = write(tmp_path, [ImageResult("cam1/1.JPG", (BOX,))], classifier="net",
                          threshold=0.04, classification_threshold=0.6)
    assert data["images"] == [{"file": "cam1/1.JPG", "detections": [
        {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4],
         "classifications": [["0", 0.7]]}]}]
    assert data["info"]["detector_metadata"] == {
        "megadetector_version": "unknown", "typical_detection_threshold": 0.04,
        "conservative_detection_threshold": 0.04}
    assert data["info"]["classifier_metadata"] == {"typical_classification_threshold": 0.6}
    assert "0" not in data["detection_categories"] and written.warnings == []


def test_names_of_the_detector_are_not_used_twice(tmp_path):
    scores = [("animal", 0.9), ("Person", 0.9), ("empty", 0.9), (DEER, 0.9), ("Red deer", 0.9)]
    images = [ImageResult(f"{n}.jpg", (BOX._replace(scores=(s,)),)) for n, s in enumerate(scores)]
    written, data = write(tmp_path, images)
    assert list(data["classification_categories"].values()) == [
        "animal (class)", "Person (class)", "empty (class)", "red deer", "Red deer (2)"]
    assert "a class is renamed, since its name was taken (4: animal -> animal (class)" in (
        written.warnings[0])
    imported(data, set())  # raises where Timelapse would refuse


def test_pictures_that_timelapse_takes_for_videos_are_warned_of(tmp_path):
    images = [ImageResult(f, (BOX,)) for f in ("a.png", "b.TIF", "c.jpeg", "d.webp")]
    images += [ImageResult("e.png", ()), ImageResult(
        "f.mp4", (BOX._replace(frame_number=0),), frame_rate=20.0, frames_processed=(0,))]
    written, data = write(tmp_path, images)
    (warning,) = written.warnings
    assert "takes a picture that is no JPEG for a video" in warning
    assert "(3: a.png, b.TIF, d.webp)" in warning
    kept = imported(data, {i["file"] for i in data["images"]})
    assert kept["a.png"][0][0] == "Empty" and kept["f.mp4"][0][0] == "animal"


def test_paths_are_relative_to_the_folder_of_the_image_set(tmp_path):
    root = tmp_path / "PHOTOS"
    root.mkdir()
    images = [ImageResult(str(root / "cam1" / "1.jpg"), ()), ImageResult("./cam1//2.jpg", ()),
              ImageResult("cam1\\3.jpg", ())]
    written, data = write(root, images, root=root)
    assert [i["file"] for i in data["images"]] == ["cam1/1.jpg", "cam1/2.jpg", "cam1/3.jpg"]
    assert written.warnings == []
    written, _ = write(tmp_path, images[1:], root=root)
    assert "looks for this file in the folder of the pictures" in written.warnings[0]


@pytest.mark.parametrize(("file", "what"), [
    ("/photos/1.jpg", "is an absolute path, which Timelapse cannot match"),
    ("C:\\photos\\1.jpg", "is an absolute path"), ("../1.jpg", "leads out of the folder"),
    ("a/../../1.jpg", "leads out of the folder"), ("\\\\server\\x.jpg", "is an absolute path"),
])
def test_paths_that_timelapse_could_not_match_are_refused(tmp_path, file, what):
    with pytest.raises(InputError, match=what) as caught:
        write(tmp_path, [ImageResult(file, ())])
    assert file in str(caught.value) and not list(tmp_path.iterdir())


def test_absolute_paths_outside_the_root_are_refused(tmp_path):
    with pytest.raises(InputError, match="lies outside"):
        write(tmp_path, [ImageResult("/elsewhere/1.jpg", ())], root=tmp_path)


@pytest.mark.parametrize("name", ["threshold", "conservative", "classification_threshold"])
def test_thresholds_are_shares(tmp_path, name):
    with pytest.raises(InputError, match=f"{name} is 20"):
        write(tmp_path, [], **{name: 20})


def test_failures_are_left_unmarked_and_empties_empty(tmp_path):
    blank = FoundBox((0.0, 0.0, 1.0, 1.0), "blank", 0.9)
    _, data = write(tmp_path, [ImageResult("1.jpg", (blank,)), ImageResult("2.jpg", ()),
                               ImageResult("3.jpg", None, (), "image access failure")])
    assert imported(data, {"1.jpg", "2.jpg", "3.jpg"}) == {
        "1.jpg": [("Empty", 0, None, None)], "2.jpg": [("Empty", 0, None, None)]}


def test_it_is_read_again_with_the_best_class(tmp_path):
    images = [ImageResult("1.jpg", (BOX, BOX._replace(scores=((FOX, 0.4),), category="human"))),
              ImageResult("2.jpg", ())]
    write(tmp_path, images)
    results = read_results(tmp_path / "recognitionData.json")
    assert results.threshold == 0.2
    expected = images[0]._replace(boxes=tuple(
        b._replace(scores=b.scores[:1]) for b in images[0].boxes))
    assert results.images == [expected, images[1]]
