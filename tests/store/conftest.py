from __future__ import annotations

import pytest

from ecotone.store.catalog import Catalog
from ecotone.store.tables import NewMedium


@pytest.fixture
def catalog(tmp_path):
    """A catalogue with five media m0 ... m4: a/0.jpg, a/1.jpg, b/2.jpg, b/3.jpg, b/4.jpg."""
    with Catalog.open(tmp_path / "catalog.sqlite", create=True) as opened:
        opened.add_media([
            NewMedium(f"m{i}", "/pics", f"{'a' if i < 2 else 'b'}/{i}.jpg",
                      "a" if i < 2 else "b", content_hash=f"h{i}", width=4, height=3)
            for i in range(5)
        ])
        yield opened
