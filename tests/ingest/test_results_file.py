"""Whatever is in a file of results: rows that can be stored, or one line that names the file."""

from __future__ import annotations

import copy
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.instances import read_instances
from ecotone.ingest.results import FoundBox, ImageResult, ResultFile
from ecotone.ingest.results_file import read_results, without_collector
from ecotone.types import CATEGORIES
from tests.ingest import write_json

DEER = "u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer"
BOX = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
TOP = {"classes": [DEER, "x"], "scores": [0.7, 0.2]}
MEGADETECTOR = {
    "images": [
        {"file": "a/1.jpg", "width": 10, "height": 5, "datetime": "2024", "exif_metadata": {},
         "detections": [{**BOX, "classifications": [["0", 0.7], ["1", 0.2]]}, BOX,
                        {**BOX, "frame_number": 3, "raw_classifications": [["0", 0.7]],
                         "classifications": [["0", 0.9]]}]},
        {"file": "2.mp4", "frame_rate": 20, "frames_processed": [0, 20], "detections": []},
        {"file": "3.jpg", "detections": None, "failure": "image access failure"},
    ],
    "detection_categories": {"1": "animal", "2": "person"},
    "classification_categories": {"0": "deer", "1": "fox"},
    "classification_category_descriptions": {"0": DEER, "1": ";;;;;;fox"},
    "info": {"format_version": "1.6", "detector": "md", "classifier": "c",
             "detector_metadata": {"typical_detection_threshold": 0.2}},
}
SPECIESNET = {
    "info": {"format_version": "20261015"},
    "predictions": [
        {"filepath": "a/1.jpg", "country": "KEN", "latitude": 1.5, "longitude": 30.0,
         "detections": [{**BOX, "label": "animal", "raw_classifications": TOP,
                         "processed_classification": {"class": DEER, "score": 0.9,
                                                      "source": "classifier"}}],
         "model_version": "4.0.1a"},
        {"filepath": "2.jpg", "failures": ["DETECTOR"], "classifications": TOP,
         "prediction": DEER, "prediction_score": 0.7, "prediction_source": "classifier"},
    ],
}
INSTANCES = {"instances": [{"filepath": "a.jpg", "country": "KEN", "latitude": 1.0,
                            "longitude": 2.0}, {"filepath": "b.jpg", "admin1_region": "CA"}]}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from([10**400, -1, 1e308, "\ud800", "../../etc/passwd", "/abs/x.jpg", "", " ",
                     [], {}, [[]], {"a": {"b": []}}, "C:\\x.jpg", "0", "NaN", [1, 2, 3, 4]]),
)


def nodes(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(
        value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from nodes(inner, (*path, key))


@st.composite
def damaged(draw, whole):
    """A good file with some of its values replaced or taken away."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        paths = [p for p in nodes(value) if p]
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()) or isinstance(parent, list):
            parent[path[-1]] = copy.deepcopy(draw(JUNK))
        else:
            del parent[path[-1]]
    return value


def is_sound(results: ResultFile) -> None:
    for image in results.images:
        assert isinstance(image, ImageResult) and image.file.strip()
        image.file.encode()  # can be stored and printed
        for box in image.boxes or ():
            assert isinstance(box, FoundBox) and box.category in CATEGORIES
            x, y, width, height = box.bbox
            assert min(x, y) >= 0 and width > 0 and height > 0
            assert x + width <= 1 + 1e-5 and y + height <= 1 + 1e-5 and 0 <= box.confidence <= 1
        for name, score in (*image.scores, *(s for b in image.boxes or () for s in b.scores)):
            assert isinstance(name, str) and 0 <= score <= 1
            name.encode()
        for number in (image.latitude, image.longitude, image.frame_rate):
            assert number is None or math.isfinite(number)
    for text in (results.detector, results.classifier, results.kind, *results.problems):
        text.encode()
    assert results.detector and (results.threshold is None or 0 <= results.threshold <= 1)


@settings(max_examples=300, deadline=None)
@given(st.one_of(damaged(MEGADETECTOR), damaged(SPECIESNET)))
def test_damaged_results_are_read_as_far_as_they_go_or_told(value):
    with tempfile.TemporaryDirectory() as folder:
        path = write_json(Path(folder), value)
        try:
            results = read_results(path)
        except FormatError as error:
            assert "md.json" in str(error) and "\n" not in str(error)
        else:
            is_sound(results)


@settings(max_examples=100, deadline=None)
@given(damaged(INSTANCES))
def test_damaged_instances_are_read_as_far_as_they_go_or_told(value):
    with tempfile.TemporaryDirectory() as folder:
        path = write_json(Path(folder), value)
        try:
            found = read_instances(path)
        except FormatError as error:
            assert "md.json" in str(error) and "\n" not in str(error)
        else:
            for row in found.rows:
                assert row.file and len(row.country) in (0, 3)
                assert (row.latitude is None) == (row.longitude is None)
                assert row.latitude is None or abs(row.latitude) <= 90


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([MEGADETECTOR, SPECIESNET]), st.integers(0, 10**6))
def test_cut_results_are_told(value, cut):
    text = json.dumps(value, indent=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "md.json"
        path.write_text(text[: cut % len(text)], encoding="utf-8")
        with pytest.raises(FormatError, match=r"md\.json.*(cut off|is empty)"):
            read_results(path)


@pytest.mark.parametrize("whole", [MEGADETECTOR, SPECIESNET])
def test_good_files_are_sound(tmp_path, whole):
    results = read_results(write_json(tmp_path, whole))
    is_sound(results)
    assert results.problems == [] and results.images


def test_other_json_is_named(tmp_path):
    for value, what in (([1], "a list of int"), ({"a": 1}, "json with the keys a"),
                        (INSTANCES, "instances.json"), (3, "a single int")):
        with pytest.raises(FormatError, match=what):
            read_results(write_json(tmp_path, value))


def test_the_collector_is_on_again_after_an_error():
    import gc

    with pytest.raises(ZeroDivisionError), without_collector():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
