"""Pictures, boxes and scores as detectors and classifiers give them, for the writers' tests."""

from __future__ import annotations

from hypothesis import strategies as st

from ecotone.hierarchy.ensemble_rows import Decision
from ecotone.ingest.results import FoundBox, ImageResult

DEER = "u1;mammalia;artiodactyla;cervidae;cervus;elaphus;red deer"
FOX = "u2;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
LABELS = (DEER, FOX, "grey fox", "Wild Boar", "animal")
BOX = FoundBox((0.1, 0.2, 0.3, 0.4), "animal", 0.9, ((DEER, 0.7), (FOX, 0.2)))


def cut(value: float, decimals: int) -> float:
    return round(value, decimals)


@st.composite
def boxes(draw, conf: int = 3, videos: bool = False):
    """A box that its format holds exactly: 4 decimals, a confidence with `conf`."""
    x, y = (draw(st.integers(0, 9_000)) for _ in range(2))
    width, height = (draw(st.integers(1, 10_000 - corner)) for corner in (x, y))
    bbox = tuple(v / 10_000 for v in (x, y, width, height))
    sure = draw(st.integers(0, 10**conf)) / 10**conf
    kind = draw(st.sampled_from(["animal", "human", "vehicle"]))
    frame = draw(st.integers(0, 99)) if videos else None
    return FoundBox(bbox, kind, sure, draw(scores(conf)), None, frame)


@st.composite
def scores(draw, decimals: int = 3):
    """Up to five classes, best first, each above 0."""
    names = draw(st.lists(st.sampled_from(LABELS), max_size=4, unique=True))
    values = sorted(draw(st.lists(st.integers(1, 10**decimals), min_size=len(names),
                                  max_size=len(names))), reverse=True)
    return tuple((n, v / 10**decimals) for n, v in zip(names, values, strict=True))


FILES = st.lists(
    st.text("abcé0 _-", min_size=1, max_size=6).filter(str.strip).map(lambda t: f"cam/{t}.jpg"),
    max_size=5,
)
__all__ = ["BOX", "DEER", "Decision", "FILES", "FOX", "FoundBox", "ImageResult", "LABELS", "boxes",
           "scores"]
