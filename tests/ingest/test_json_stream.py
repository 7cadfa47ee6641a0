"""A json object read piece by piece: the same values as json.loads, or an error with its place."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest import json_stream
from ecotone.ingest.json_stream import open_json

LEAVES = st.none() | st.booleans() | st.integers(-9, 10**9) | st.floats(
    allow_nan=False, allow_infinity=False) | st.text(max_size=6)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
    st.text(max_size=4), inner, max_size=3), max_leaves=12)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)
ENTRY = {"file": "a/b.jpg", "detections": [{"conf": 0.5, "bbox": [0.1, 0.2, 0.3, 0.4]}]}


def small(block: int = 16, tail: int = 1 << 20):
    """Windows so small that every place is at the end of one."""
    return patch.multiple(json_stream, BLOCK=block, TAIL=tail)


def written(content: bytes | str, folder: str) -> Path:
    path = Path(folder) / "md.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def everything(path: Path) -> dict:
    """What a document holds, read through its interface."""
    document = open_json(path)
    if not isinstance(document.outline, dict):
        return document.outline
    return {k: list(document.entries(k)) if isinstance(v, list) else v
            for k, v in document.outline.items()}


@settings(max_examples=80, deadline=None)
@given(OBJECTS, st.sampled_from([None, 1, "\t"]), st.integers(1, 40), st.booleans())
@example({"0\x1f\x1f": -0.0}, 1, 23, False)  # a window that ends within a number
def test_the_same_as_json_loads(value, indent, block, plain):
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    with tempfile.TemporaryDirectory() as folder, small(block):
        path = written(text.encode("utf-8", "surrogatepass") if plain else text, folder)
        assert everything(path) == value
        outline = open_json(path).outline
        assert outline == {k: v[:1] if isinstance(v, list) else v for k, v in value.items()}


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES.filter(lambda v: not isinstance(v, list)),
                       max_size=4), st.lists(VALUES, max_size=20),
       st.sampled_from([None, 1]), st.integers(16, 60))
def test_the_end_of_the_file_tells_what_is_behind_the_list(values, entries, indent, tail):
    pairs = list(values.items())
    value = dict([*pairs[:1], ("the list", entries), *pairs[1:]])
    with tempfile.TemporaryDirectory() as folder, small(8, tail):
        path = written(json.dumps(value, indent=indent), folder)
        assert everything(path) == value


def test_a_large_file_is_not_gone_through_for_its_outline(tmp_path):
    value = {"images": [ENTRY] * 400, "info": {"v": [1, 2], "s": "],}"}, "last": [1, 2]}
    path = written(json.dumps(value, indent=1), str(tmp_path))
    with small(64, 256), patch.object(json_stream, "_outline", side_effect=AssertionError):
        assert open_json(path).outline == {"images": [ENTRY], "info": value["info"], "last": [1]}
        assert everything(path) == value


def test_two_long_lists_are_refused_where_the_first_may_have_hidden_something(tmp_path):
    value = {"images": [ENTRY] * 9, "other": [ENTRY] * 9, "info": {}}
    path = written(json.dumps(value), str(tmp_path))
    with small(64, 64):
        document = open_json(path)
        if "other" not in document.outline:
            with pytest.raises(FormatError, match="'other' was not expected .* put 'images' last"):
                list(document.entries("images"))
    assert everything(path) == value  # within a megabyte both are seen


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40))
def test_a_cut_file_is_told_with_its_place(cut, block):
    text = json.dumps({"info": {"v": "1.6"}, "images": [ENTRY] * 3, "names": {"1": "x"}}, indent=1)
    text = text[: cut % len(text)]
    with tempfile.TemporaryDirectory() as folder, small(block):
        path = written(text, folder)
        with pytest.raises(FormatError, match=r"md\.json") as caught:
            everything(path)
    told = str(caught.value)
    assert "\n" not in told and ("cut off" in told or "empty" in told)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=3)),
                min_size=1, max_size=4), st.integers(30, 200))
def test_damaged_bytes_are_read_or_told(changes, tail):
    data = bytearray(json.dumps({"images": [ENTRY] * 4, "info": {"v": 1.5}}).encode())
    for place, new in changes:
        place %= len(data)
        data[place : place + len(new)] = new
    with tempfile.TemporaryDirectory() as folder, small(20, tail):
        path = written(bytes(data), folder)
        try:
            everything(path)
        except FormatError as error:
            assert "md.json" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(("content", "what"), [
    ('{"a": [1, 2,]}', r"a value was expected at line 1, column 13 .* in 'a', entry 3"),
    ('{"a": [1 2]}', r"',' or '\]' was expected"),
    ('{"a": 1,}', "a key in double quotes"), ('{"a" 1}', "':' after a key"),
    ('{"a": 1} {"b": 2}', "something follows the end"), ("{", "cut off"),
    ('{"a": 1, "b": 2, "a": 3}', "'a' stands there twice, again at line 1, column 23"),
    ('{"images": [], "images": []}', "'images' stands there twice"),
    ('{"a": ' + "9" * 5000 + "}", "a number with too many digits"),
    ('{"a": "\x01"}', "invalid control character"), ('{"a": tru}', "a value was expected"),
    ('{"a": ' + "[" * 100_000, "nested too deeply"), ('{"a": "\\q"}', "escape"),
    ('{"a":\n\n [{"b":\n x}]}', r"line 4, column 2 \(character 16\) in 'a', entry 1"),
])
def test_errors_name_the_place(tmp_path, content, what):
    with pytest.raises(FormatError, match=what):
        everything(written(content, str(tmp_path)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be",
                                      "cp1252"])
def test_encodings_and_line_ends(tmp_path, encoding):
    value = {"images": [{"file": "über/é.jpg"}] * 3, "info": {"detector": "ñ"}}
    text = json.dumps(value, ensure_ascii=False, indent=1).replace("\n", "\r\n")
    with small(7):
        assert everything(written(text.encode(encoding), str(tmp_path))) == value


def test_what_says_it_is_utf_16_and_is_not_is_told(tmp_path):
    with pytest.raises(FormatError, match="UTF-16"):
        open_json(written(b"\xff\xfe{\x00\"\x00\x00\xd8\x00\x00}\x00", str(tmp_path)))


@pytest.mark.parametrize(("content", "outline"), [("[1, 2]", [1, 2]), ("3", 3), ('"x"', "x")])
def test_what_is_no_object_is_whole(tmp_path, content, outline):
    assert open_json(written(content, str(tmp_path))).outline == outline


@pytest.mark.parametrize(("content", "what"), [
    (b"", "is empty"), (b"PK\x03\x04xx", "zip"), (b"\x1f\x8b\x08xx", "gzip"), (b"a,b\n", "json"),
])
def test_other_files_are_named(tmp_path, content, what):
    with pytest.raises(FormatError, match=what):
        open_json(written(content, str(tmp_path)))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        open_json(tmp_path / "none.json")


def test_memory_does_not_grow_with_the_list(tmp_path):
    path = written(json.dumps({"images": [ENTRY] * 30_000}), str(tmp_path))
    with small(1 << 14, 1 << 14):
        tracemalloc.start()
        assert sum(1 for _ in islice(open_json(path).entries("images"), 20_000)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < path.stat().st_size / 8


def test_one_huge_entry_is_read_in_a_few_tries(tmp_path):
    value = {"images": [{"file": "x" * 200_000}, ENTRY]}
    path = written(json.dumps(value), str(tmp_path))
    tries = 0
    scan = json_stream._SCAN

    def counted(text: str, at: int):
        nonlocal tries
        tries += 1
        return scan(text, at)

    with small(64), patch.object(json_stream, "_SCAN", counted):
        assert list(open_json(path).entries("images")) == value["images"]
    assert tries < 80
