from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.taxonomy.words import joined, key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Grey Fox", "gray_fox"),
        ("african_elephants", "African elephant"),
        ("wolves", "wolf"),
        ("Cassin's Finch", "cassins finches"),
        ("white-tailed deer", "White tailed Deer"),
        ("hyaenas", "hyena"),
        ("Éléphant", "elephant"),
        ("walruses", "walrus"),
        ("butterflies", "butterfly"),
        ("magpies", "magpie"),
        ("patas", "patas"),
        ("European badger", "Eurasian badger"),
    ],
)
def test_spellings_of_one_name_agree(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("seal", "Sealyham"), ("hare", "hair"), ("mouse", "moose"), ("ass", "as"), ("fox", "ox")],
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_gaps_do_not_count_when_joined() -> None:
    assert joined(key("wood pigeon")) == joined(key("Woodpigeon"))


@given(st.text(max_size=40))
def test_any_text_has_a_key(text: str) -> None:
    words = key(text)
    assert all(word and word == word.lower() for word in words)
    assert key(text.upper().lower()) == key(text.lower())
