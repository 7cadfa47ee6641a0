"""Declarations: those of the documentation are understood, and who wins over whom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ecotone.backends.detector_declare import (
    check_fields,
    find_detector_declaration,
    read_declaration,
    read_names,
)
from ecotone.errors import InputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detection.md"
BLOCKS = re.findall(r"```(toml|json)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
META = {"names": "{0: 'animal', 1: 'person'}", "stride": "32", "imgsz": "[640, 640]",
        "author": "Ultralytics", "task": "detect"}


@pytest.mark.parametrize(("ending", "text"), BLOCKS)
def test_examples_of_the_documentation_are_understood(tmp_path, ending, text):
    path = tmp_path / f"net.{ending}"
    path.write_text(text, "utf-8")
    assert check_fields(read_declaration(path), str(path))["classes"]


def test_there_are_examples():
    assert len(BLOCKS) >= 3


def test_what_is_given_wins_over_what_stands_beside_and_that_over_the_metadata(tmp_path):
    model = tmp_path / "net.onnx"
    inside = json.dumps({"nms_iou": 0.6, "max_detections": 50, "confidence": 0.3})
    (tmp_path / "net.json").write_text('{"detector": {"nms_iou": 0.7, "max_detections": 60}}')
    found = find_detector_declaration(model, {"nms_iou": 0.8}, {**META, "detector": inside})
    assert (found.nms_iou, found.max_detections, found.confidence) == (0.8, 60, 0.3)
    assert found.classes == {0: "animal", 1: "person"} and found.size == (640, 640)
    assert found.preset == "unit" and found.ultralytics
    assert found.source.startswith("declaration, ")


def test_a_classifiers_file_beside_the_model_declares_no_detector(tmp_path):
    (tmp_path / "net.json").write_text('{"preprocessing": {"preset": "imagenet"}}')
    assert not find_detector_declaration(tmp_path / "net.onnx").says_values


def test_other_tasks_are_refused(tmp_path):
    with pytest.raises(InputError, match="'segment'"):
        find_detector_declaration(tmp_path / "n.onnx", None, {**META, "task": "segment"})


@pytest.mark.parametrize(("value", "names"), [
    (["a", "b"], {0: "a", 1: "b"}), ({"1": "a", "3": "b"}, {1: "a", 3: "b"}),
    ("{0: 'a', 1: 'b'}", {0: "a", 1: "b"}), ("['a', 'b']", {0: "a", 1: "b"}),
    ("a\nb\n", {0: "a", 1: "b"}),
])
def test_names_in_every_form(value, names):
    assert read_names(value, "here") == names


@pytest.mark.parametrize("value", [[], {}, {"x": "a"}, 3, ""])
def test_names_that_are_none(value):
    with pytest.raises(InputError, match="classes are"):
        read_names(value, "here")


@pytest.mark.parametrize(("name", "value"), [
    ("nms_iou", "much"), ("max_detections", 0), ("stride", -1), ("pad_value", 300),
    ("antialias", "yes"), ("size", [1, 2, 3]), ("nms", "soft"), ("channels", "RBG"),
    ("strides", 8), ("confidence", float("nan")), ("scale", "x"), ("size", 0), ("preset", "raw"),
])
def test_impossible_values_are_told(name, value):
    with pytest.raises(InputError, match=name):
        check_fields({name: value}, "here")


def test_files_that_cannot_be_read(tmp_path):
    for name, text in (("a.json", "{"), ("b.toml", "a = "), ("c.json", "[]"), ("d.json", "{}")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            read_declaration(tmp_path / name)
    with pytest.raises(InputError, match=r"missing\.toml"):
        read_declaration(tmp_path / "missing.toml")
