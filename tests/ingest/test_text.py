from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.text import looks_like, read_json, read_text, some


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_text_is_read_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes("filePath;Name\r\né.jpg;bléreau café\r\n".encode(encoding))
    assert read_text(path) == "filePath;Name\r\né.jpg;bléreau café\r\n"


@pytest.mark.parametrize(("data", "what"), [
    (b"", "is empty"), (b" \n ", "is empty"), (b"PK\x03\x04rest", "Excel"),
    (b"\xff\xd8\xff\xe0", "JPEG"), (b"ab\x00cd", "not a text file"), (b"PAR1xx", "parquet"),
])
def test_what_is_no_text_is_named(tmp_path, data, what):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=what) as caught:
        read_text(path)
    assert "a.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FormatError, match=r"no\.csv: cannot be read"):
        read_text(tmp_path / "no.csv")


GOOD = json.dumps({"images": [{"file": "a.jpg", "detections": [{"conf": 0.5, "é": [1, 2]}]}] * 3},
                  indent=1, ensure_ascii=False).encode()


@settings(deadline=None)
@given(st.integers(1, len(GOOD) - 1))
def test_a_cut_off_json_is_one_line_with_the_place(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("j") / "md.json"
    path.write_bytes(GOOD[:length])
    with pytest.raises(FormatError) as caught:
        read_json(path)
    text = str(caught.value)
    assert "md.json: not valid json" in text and "\n" not in text
    assert "line " in text and "column " in text and "cut off" in text


def test_a_mistake_within_a_json_is_not_called_cut_off(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1,\n "b": oops,\n "c": [1, 2, 3]}', encoding="utf-8")
    with pytest.raises(FormatError, match="line 2, column 7.*mend it there"):
        read_json(path)


def test_json_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes("\ufeff[1]".encode())
    assert read_json(path) == [1]


@pytest.mark.parametrize(("value", "what"), [
    ({"instances": []}, "instances.json"), ({"images": [], "annotations": []}, "COCO"),
    ({"resources": [], "profile": ""}, "datapackage"), ([], "a list"), (3, "int"),
    ({"b": 1, "a": 2}, "a, b"),
])
def test_other_files_are_recognised(value, what):
    assert what in looks_like(value)


def test_many_names_are_cut_short():
    assert some(["a", "b"]) == "a, b" and some(list("abcde")) == "a, b, c and 2 more"
