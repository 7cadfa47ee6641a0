"""Texts for zero-shot scores, from names and from people's descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecotone.backends.descriptions import read_texts, texts_of
from ecotone.errors import FormatError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_texts_of_names() -> None:
    texts = texts_of(["grey_fox", "Vulpes vulpes (Red Fox)", "blank", "vehicle"])
    assert texts["grey_fox"][0] == "a photo of grey fox."
    assert texts["Vulpes vulpes (Red Fox)"][0] == (
        "a photo of Vulpes vulpes with common name red fox."
    )
    assert any("without any animal" in t for t in texts["blank"])
    assert any("vehicle" in t for t in texts["vehicle"])
    assert texts_of({"fox": "Vulpes vulpes (Red Fox)"}) == {
        "fox": texts["Vulpes vulpes (Red Fox)"]
    }
    assert texts_of([]) == {}


def test_forms_agree(tmp_path: Path) -> None:
    told = {"fox": ["red fur", "a bushy tail"], "deer": ["antlers"]}
    one = write(tmp_path / "a.json", json.dumps({**told, "deer": "antlers"}))
    rows = "label,description\nfox,red fur\nfox,a bushy tail\ndeer,antlers\n"
    two = write(tmp_path / "a.csv", rows)
    latin = "ScientificName, Description\nfox, red fur\nfox, a bushy tail\ndeer, antlers\n"
    three = write(tmp_path / "b.csv", latin)
    assert read_texts(one) == read_texts(two) == read_texts(three) == told


def test_label_files_become_templates(tmp_path: Path) -> None:
    plain = write(tmp_path / "names.txt", "grey fox\nred deer\n")
    numbered = write(tmp_path / "names.json", '{"0": "grey fox", "1": "red deer"}')
    assert read_texts(plain) == read_texts(numbered) == texts_of(["grey fox", "red deer"])


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.json", '{"fox": [""]}', "'fox': expected a text"),
        ("a.json", '{"fox": ', "not valid JSON"),
        ("a.csv", "animal,description\nfox,red\n", "no column of names"),
        ("a.csv", "label,description\nfox,\n", "row 2"),
        ("a.csv", "label,description\n", "no rows"),
    ],
)
def test_errors(tmp_path: Path, name: str, text: str, word: str) -> None:
    with pytest.raises(FormatError, match=word) as caught:
        read_texts(write(tmp_path / name, text))
    assert name in str(caught.value)
    with pytest.raises(FormatError, match="cannot be read"):
        read_texts(tmp_path / "missing.json")
