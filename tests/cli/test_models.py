from __future__ import annotations

import json

import pytest

from ecotone.cli.models import FIELDS, declared
from ecotone.errors import FormatError, InputError


def options(**given):
    return {"pre_base": None, **{f"pre_{name}": None for name, _ in FIELDS.values()}, **given}


def test_nothing_given_declares_nothing():
    assert declared(options()) is None


def test_a_preset_alone_is_passed_on():
    assert declared(options(pre_base="imagenet")) == "imagenet"


def test_options_change_single_fields_of_a_preset():
    fields = declared(options(pre_base="imagenet", pre_size="320x224", pre_resize="crop"))
    assert fields == {"preprocessing": {
        "preset": "imagenet", "width": 320, "height": 224, "resize": "crop"}}


def test_options_change_single_fields_of_a_file(tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"preprocessing": {"scale": 1.0, "mean": [0]}}), encoding="utf-8")
    fields = declared(options(pre_base=str(path), pre_mean="0.5,0.4,0.3", pre_scale="0.1"))
    assert fields == {"preprocessing": {"scale": 0.1, "mean": [0.5, 0.4, 0.3]}}


def test_options_are_taken_out():
    values = options(pre_size="224", threads=2)
    assert declared(values) == {"preprocessing": {"width": 224, "height": 224}}
    assert values == {"threads": 2}


@pytest.mark.parametrize(("name", "text"), [("size", "big"), ("mean", "a,b"), ("scale", "x")])
def test_a_wrong_number_names_the_option(name, text):
    with pytest.raises(InputError, match=f"--{name} '{text}'"):
        declared(options(**{f"pre_{name}": text}))


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "net.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match=r"net\.json: not valid json"):
        declared(options(pre_base=str(path), pre_scale="1"))
