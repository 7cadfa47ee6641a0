from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.store import locate as module
from ecotone.store.locate import as_bytes, locate

TEXTS = st.lists(st.text("abcé:0123", min_size=1, max_size=20), max_size=30)


def slow(asked: list[str], stored: list[str]) -> list[int]:
    last = {name: place for place, name in enumerate(stored)}
    return [last.get(name, -1) for name in asked]


@settings(deadline=None)
@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_places_are_those_of_a_dictionary(stored, others, random):
    asked = [*stored, *others, *stored[:3]]
    random.shuffle(asked)
    found = locate(as_bytes(asked), as_bytes(stored))
    assert found.tolist() == slow(asked, stored)
    assert locate(as_bytes(stored), as_bytes(stored)).tolist() == slow(stored, stored)


def test_ids_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(module, "_hashes", lambda ids: np.zeros(len(ids), np.uint64))
    stored = ["a", "b", "a", "c"]
    assert locate(as_bytes(["c", "x", "a", "b"]), as_bytes(stored)).tolist() == [3, -1, 2, 1]


def test_nothing_asked_and_nothing_stored():
    assert locate(as_bytes([]), as_bytes(["a"])).tolist() == []
    assert locate(as_bytes(["a"]), as_bytes([])).tolist() == [-1]
