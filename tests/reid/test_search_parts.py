"""A gallery searched in parts gives what one search gives, ties and exclusions included."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.engine.runners import InOrderRunner
from ecotone.errors import InputError
from ecotone.reid import search_parts
from ecotone.reid.matching import match
from ecotone.reid.search import top_k


class Packed(InOrderRunner):
    """Sends function and items as to another process."""

    def map(self, function, items):
        function = pickle.loads(pickle.dumps(function))
        return (function(pickle.loads(pickle.dumps(item))) for item in items)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.booleans(), st.booleans())
def test_as_in_one_piece(seed: int, k: int, some: bool, keyed: bool) -> None:
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(60, 6)).astype(np.float16)
    gallery[rng.integers(0, 60, 20)] = gallery[3]  # ties
    queries = np.concatenate([rng.normal(size=(7, 6)), gallery[:3]]).astype(np.float32)
    options = {"rows": np.flatnonzero(rng.random(60) < 0.7)} if some else {}
    if keyed:
        options |= {"query_keys": rng.integers(-1, 5, 10), "gallery_keys": rng.integers(-1, 5, 60)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_parts, "LEAST", 7)
        patch.setattr(search_parts, "PARTS", 9)
        parts = top_k(queries, gallery, k, runner=Packed(), **options)
    whole = top_k(queries, gallery, k, **options)
    np.testing.assert_array_equal(parts.index, whole.index)
    np.testing.assert_allclose(parts.similarity, whole.similarity, atol=1e-6)
    assert parts.similarity.dtype == whole.similarity.dtype


def test_within_species_and_viewpoints() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 4)), rng.normal(size=(30, 4))
    columns = {"query_species": list("abcabcabc"), "gallery_species": list("aab" * 10),
               "query_viewpoints": list("lr ") * 3, "gallery_viewpoints": list("lr") * 15}
    one, other = match(x, y, 5, **columns), match(x, y, 5, runner=Packed(), **columns)
    np.testing.assert_array_equal(one.index, other.index)


def test_what_is_wrong_is_told_by_its_row() -> None:
    gallery = np.ones((5, 3))
    gallery[4] = 0
    with pytest.raises(InputError, match="gallery: row 4 is all zeros"):
        top_k(np.ones((1, 3)), gallery, 1, runner=Packed())
    with pytest.raises(InputError, match="queries: row 0 is NaN"):
        top_k(np.full((1, 3), np.nan), gallery[:4], 1, runner=Packed())
    assert top_k(np.ones((0, 3)), gallery[:4], 2, runner=Packed()).index.shape == (0, 2)
