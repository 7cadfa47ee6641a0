"""MegaDetector json: what is written is valid to its own validator and comes back as it was."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.export.categories import Categories, short_name
from ecotone.export.megadetector import write_megadetector
from ecotone.ingest.results import FoundBox, ImageResult
from ecotone.ingest.results_file import read_results
from tests.export.results import BOX, DEER, FILES, FOX, Decision, boxes


def validated(path: Path) -> dict:
    """What the validator of megadetector-utils says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from megadetector.postprocessing.validate_batch_results import validate_batch_results
    return validate_batch_results(str(path))["validation_results"]


def write(folder, images, **options):
    path = Path(folder) / "md.json"
    written = write_megadetector(images, path, **{"detector": "md_v5a", **options})
    told = validated(path)
    assert told["errors"] == [] and told["warnings"] == []
    return written, json.loads(path.read_text(encoding="utf-8"))


@st.composite
def pictures(draw):
    out = []
    for file in draw(FILES):
        found = draw(st.none() | st.lists(boxes(), max_size=4).map(tuple))
        facts = draw(st.fixed_dictionaries({}, optional={
            "width": st.integers(1, 9999), "datetime": st.just("2024-05-01 06:30:00"),
            "exif": st.just({"Make": "X"})}))
        failure = "image access failure" if found is None else ""
        out.append(ImageResult(file, found, (), failure, **facts))
    return out


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_read_again_it_is_the_same(images):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, images)
        results = read_results(Path(folder) / "md.json")
    assert results.images == [i._replace(file=i.file.strip()) for i in images]
    assert results.kind == "MegaDetector 1.6" and results.problems == []


@st.composite
def videos(draw):
    out = []
    for n in range(draw(st.integers(0, 3))):
        found = draw(st.none() | st.lists(boxes(videos=True), max_size=4).map(tuple))
        if found is None:
            out.append(ImageResult(f"{n}.mp4", None, (), "video access failure", frame_rate=-1.0,
                                   frames_processed=()))
            continue
        looked = {b.frame_number for b in found} | draw(st.sets(st.integers(0, 99), max_size=5))
        rate = draw(st.sampled_from([10.0, 29.97, 0.5]))
        out.append(ImageResult(f"cam/{n}.AVI", found, frame_rate=rate,
                               frames_processed=tuple(sorted(looked))))
    return out


@settings(max_examples=40, deadline=None)
@given(videos())
def test_videos_read_again_are_the_same(images):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, images)
        results = read_results(Path(folder) / "md.json")
    assert results.images == images and results.problems == []


NUMBERS = st.floats(0, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=4))
def test_rounding_moves_numbers_little_and_only_once(rows):
    images = [ImageResult(f"{n}.jpg", (FoundBox((x, y, w, h), "animal", sure, (("fox", score),)),))
              for n, (x, y, w, h, sure, score) in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        write(folder, images)
        once = read_results(Path(folder) / "md.json").images
        write(folder, once)
        assert read_results(Path(folder) / "md.json").images == once
    for image, (x, y, w, h, sure, score) in zip(once, rows, strict=True):
        (box,) = image.boxes
        assert abs(box.confidence - sure) <= 5e-4 and abs(box.scores[0][1] - score) <= 5e-4
        assert abs(box.bbox[0] - x) <= 1.1e-4 and abs(box.bbox[1] - y) <= 1.1e-4
        inside = min(w, 1 - x), min(h, 1 - y)
        assert abs(box.bbox[2] - inside[0]) <= 2.1e-4 and abs(box.bbox[3] - inside[1]) <= 2.1e-4


def test_the_file_as_others_read_it(tmp_path):
    human = FoundBox((0.0, 0.0, 1.0, 1.0), "human", 1.0)
    blank = FoundBox((0.0, 0.0, 1.0, 1.0), "blank", 0.97)
    written, data = write(tmp_path, [
        ImageResult("a\\1.jpg", (BOX, human)), ImageResult("2.jpg", (blank,)),
        ImageResult("3.jpg", None, (), "image access failure"), ImageResult("4.jpg")],
        classifier="net", threshold=0.15, conservative=0.05, classification_threshold=0.6,
        detector_version="v5a.0.1", detected="2026-05-26 19:11:27",
        classified="2026-05-26 19:12:00",
    )
    assert data["info"] == {
        "format_version": "1.6", "detector": "md_v5a", "classifier": "net",
        "detection_completion_time": "2026-05-26 19:11:27",
        "classification_completion_time": "2026-05-26 19:12:00",
        "detector_metadata": {"megadetector_version": "v5a.0.1",
                              "typical_detection_threshold": 0.15,
                              "conservative_detection_threshold": 0.05},
        "classifier_metadata": {"typical_classification_threshold": 0.6}}
    assert data["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    assert data["classification_categories"] == {"0": "red deer", "1": "red fox"}
    assert data["classification_category_descriptions"] == {"0": DEER, "1": FOX}
    one, two, three, four = data["images"]
    assert one == {"file": "a/1.jpg", "detections": [
        {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4],
         "classifications": [["0", 0.7], ["1", 0.2]]},
        {"category": "2", "conf": 1.0, "bbox": [0.0, 0.0, 1.0, 1.0]}]}
    assert two == {"file": "2.jpg", "detections": []}
    assert three == {"file": "3.jpg", "detections": None, "failure": "image access failure"}
    assert four["detections"] is None and four["failure"]
    assert written.counts == {"images": 4, "detections": 2, "classifications": 1, "failures": 2}
    assert written.warnings == [] and written.path == tmp_path / "md.json"


def test_classes_are_the_best_few_in_order(tmp_path):
    scores = (("a", 0.1), ("b", 0.5), ("c", 0.2), ("d", 0.0002))
    image = ImageResult("1.jpg", (BOX._replace(scores=scores),))
    _, data = write(tmp_path, [image], top=3)
    assert data["images"][0]["detections"][0]["classifications"] == [
        ["0", 0.5], ["1", 0.2], ["2", 0.1]]
    _, data = write(tmp_path, [image._replace(boxes=(BOX._replace(scores=scores[3:]),))])
    assert data["images"][0]["detections"][0]["classifications"] == [["0", 0.0]]


def test_descriptions_stand_for_all_classes_or_none(tmp_path):
    image = ImageResult("1.jpg", (BOX._replace(scores=(("deer", 0.6), ("fox", 0.4))),))
    _, data = write(tmp_path, [image], descriptions={"deer": DEER})
    assert data["classification_category_descriptions"] == {"0": DEER, "1": ";;;;;;fox"}
    assert data["classification_categories"] == {"0": "deer", "1": "fox"}
    _, data = write(tmp_path, [image], descriptions={"deer": ";;;;;;deer"})
    assert "classification_category_descriptions" not in data


def test_scores_of_a_whole_picture_go_to_its_animals(tmp_path):
    human = FoundBox((0.5, 0.5, 0.2, 0.2), "human", 0.8)
    bare = BOX._replace(scores=())
    written, data = write(tmp_path, [
        ImageResult("1.jpg", (bare, human), ((DEER, 0.6),)),
        ImageResult("2.jpg", (human,), ((DEER, 0.6),)), ImageResult("3.jpg", (), ((DEER, 0.6),)),
        ImageResult("4.jpg", None, ((DEER, 0.6),), decision=Decision(DEER, 0.9, "classifier"))])
    listed = [[d.get("classifications") for d in i["detections"]] for i in data["images"]]
    assert listed == [[[["0", 0.6]], None], [[["0", 0.6]]], [], [[["0", 0.6]]]]
    assert data["images"][3]["detections"][0]["bbox"] == [0.0, 0.0, 1.0, 1.0]
    told = "\n".join(written.warnings)
    assert "scores of a picture without a box are left out (1: 3.jpg)" in told
    assert "written as one box of the whole (1: 4.jpg)" in told
    assert "another model's decision is left out" in told


def test_videos_need_their_frames(tmp_path):
    framed = BOX._replace(frame_number=20)
    written, data = write(tmp_path, [
        ImageResult("a.mp4", (framed,), frame_rate=20.0, frames_processed=(0, 20)),
        ImageResult("b.MP4", (framed,), frame_rate=20.0), ImageResult("c.mp4", (framed,)),
        ImageResult("d.mp4", (BOX,), frame_rate=20.0), ImageResult("e.mp4", None, (), "broken")])
    assert [i["file"] for i in data["images"]] == ["a.mp4", "b.MP4", "e.mp4"]
    assert data["images"][1]["frames_processed"] == [20]
    assert data["images"][2]["frame_rate"] == -1.0
    assert "a video without frame_rate and frame_number, required, left out (2" in str(
        written.warnings)


@pytest.mark.parametrize(("image", "what"), [
    (ImageResult(" ", ()), "a picture without a name"),
    (ImageResult("a.jpg", (BOX._replace(confidence=float("nan")),)), "a.jpg, confidence is nan"),
    (ImageResult("a.jpg", (BOX._replace(confidence=1.5),)), "confidence is 1.5"),
    (ImageResult("a.jpg", (BOX._replace(bbox=(0, 0, float("inf"), 1)),)), "a.jpg, bbox is"),
    (ImageResult("a.jpg", (BOX._replace(scores=(("x", -1.0),)),)), "a.jpg, score is -1"),
])
def test_wrong_numbers_leave_the_old_file(tmp_path, image, what):
    path = tmp_path / "md.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(InputError, match=what):
        write_megadetector([ImageResult("good.jpg", (BOX,)), image], path, detector="x")
    assert path.read_text(encoding="utf-8") == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        write_megadetector([], tmp_path / "file" / "md.json", detector="x")
    with pytest.raises(InputError, match="top is 0"):
        write_megadetector([], tmp_path / "md.json", detector="x", top=0)


def test_half_characters_and_infinite_exif_are_written_as_json_can(tmp_path):
    image = ImageResult("\ud800.jpg", (BOX._replace(scores=(("\udfff", 0.5),)),),
                        exif={"a": float("inf"), "b": [float("nan"), 1]})
    _, data = write(tmp_path, [image])
    assert data["images"][0]["exif_metadata"] == {"a": None, "b": [None, 1]}
    assert data["images"][0]["file"] == "\ud800.jpg"


def test_pictures_are_written_as_they_come(tmp_path):
    sizes = []

    def many():
        for n in range(400):
            sizes.append(sum(p.stat().st_size for p in tmp_path.iterdir()))
            yield ImageResult(f"{n}.jpg", (BOX,) * 20)

    written = write_megadetector(many(), tmp_path / "md.json", detector="x")
    whole = written.path.stat().st_size
    assert written.counts["detections"] == 8000 and whole > 500_000
    assert sizes == sorted(sizes) and sizes[-1] > whole - 20_000  # less than a buffer is held


def test_names_are_unique_in_any_case():
    categories = Categories({}, taken=("animal", "Empty"))
    labels = [DEER, "Red Deer", "u9;aves;;;;;bird", "u8;mammalia;;;;;Bird", "animal", "EMPTY", "x",
              "X", ";;;;;;animal", "u7;;;;;;"]
    names = [categories.names[categories.id_of(label)] for label in labels]
    assert names == ["red deer", "Red Deer (2)", "bird", "Bird (mammalia)", "animal (class)",
                     "EMPTY (class)", "x", "X (2)", "animal (2)", "unnamed"]
    assert categories.renamed["animal"] == "animal (class)" and DEER not in categories.renamed
    assert short_name("u;mammalia;carnivora;canidae;vulpes;;") == "vulpes"


@pytest.mark.parametrize("name", [
    "zamba_ena24/md_annotations.json", "zamba/megadetector_output.json", "speciesnet/file.json"])
def test_the_real_files_come_back(shared_data, tmp_path, name):
    first = read_results(shared_data / "formats" / name)
    write(tmp_path, first.images, detector=first.detector, classifier=first.classifier)
    again = read_results(tmp_path / "md.json")
    assert again.classifier == first.classifier
    assert [rounded(i) for i in again.images] == [rounded(i) for i in first.images]


def rounded(image):
    boxes = image.boxes and tuple(b._replace(confidence=round(b.confidence, 3))
                                  for b in image.boxes)
    return image._replace(boxes=boxes)
