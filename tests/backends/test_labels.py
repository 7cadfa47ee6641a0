"""Label files in every form that people have them, and counts that must fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.backends.labels import check_count, parse_classes, read_classes
from ecotone.errors import FormatError

NAMES = st.lists(
    st.text(st.characters(codec="utf-8", categories=("L",)), min_size=1, max_size=12),
    min_size=2, max_size=20,
)


@given(NAMES)
def test_forms_agree(names: list[str]) -> None:
    expected = tuple(names)
    assert parse_classes("\n".join(names)) == expected
    assert parse_classes("\r\n".join(names) + "\r\n\r\n") == expected
    for pattern in ("{} {}", "{}: {}", "{},{}", "{}\t{}", "  {}  {}"):
        for start in (0, 1):
            rows = [pattern.format(i + start, n) for i, n in enumerate(names)]
            assert parse_classes("\n".join(reversed(rows))) == expected
    assert parse_classes(json.dumps(names)) == expected
    assert parse_classes(json.dumps({str(i): n for i, n in enumerate(names)})) == expected
    assert parse_classes(json.dumps({"names": {i: n for i, n in enumerate(names)}})) == expected
    if len(set(names)) == len(names):
        assert parse_classes(json.dumps({n: i for i, n in enumerate(names)})) == expected


def test_names_that_begin_with_numbers_stay() -> None:
    three = ("3 toed sloth", "2 toed sloth", "cat")
    assert parse_classes("\n".join(three)) == three
    assert parse_classes("7 up\n9 lives") == ("7 up", "9 lives")


def test_seven_tokens_stay_whole(tmp_path: Path) -> None:
    lines = ["u1;mammalia;carnivora;felidae;felis;catus;domestic cat", "u2;;;;;;blank"]
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    assert read_classes(path) == tuple(lines)


def test_latin1(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("Larus glaucescens × occidentalis\nhibou".encode("latin-1"))
    assert read_classes(path) == ("Larus glaucescens × occidentalis", "hibou")


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "no class names"), ("a\n\nb", "line 2: empty"), ("[1, 2", "not valid JSON"),
     ("[1, 2]", "JSON list of names"), ('{"0": "a", "2": "b"}', "every index")],
)
def test_errors(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=word) as caught:
        read_classes(path)
    assert "labels.txt" in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_classes(tmp_path / "none.txt")


def test_counts() -> None:
    check_count(("a", "b"), 2, "m", "f")
    with pytest.raises(FormatError, match="one name is missing"):
        check_count(("a", "b"), 3, "m", "f")
    with pytest.raises(FormatError, match="one name too many"):
        check_count(("a", "b"), 1, "m", "f")
    with pytest.raises(FormatError, match="label file that came with"):
        check_count(("a", "b"), 9, "m", "f")


def test_real_files(shared_data: Path) -> None:
    assert len(read_classes(shared_data / "models" / "imagenet_labels.txt")) == 1001
    birds = read_classes(shared_data / "models" / "inat_bird_labels.txt")
    assert len(birds) == 965 and birds[-1] == "background"
    for path in (shared_data / "formats" / "speciesnet").glob("*labels*.txt"):
        assert len(read_classes(path)) == 2498
