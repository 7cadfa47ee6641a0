"""Known or new on generated coats, by `ReIdentifier` end to end; part "open" of `coats.py`.

Eight species, light, pose, night and sharpness as in the field (variation 1). Half of the
individuals are known by the first half of their encounters; the others are new. Whatever decides
(head, calibration, P(known), threshold) is learned from the gallery alone, by leaving individuals
out. Needs the extras `torch`, `tflite` and `local`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coats_worlds import LARGE, SMALL, Frozen, coats
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.local_features import extract_local_features, local_scores
from ecotone.reid.metrics import open_set
from ecotone.simulate.individuals import CoatPictures

PIXELS = 160  # at 96 too few key points are left
PICTURES = 16  # of an individual that is known, both flanks, in encounters of one or two; new: half
SHORTLIST = 60


class LocalScore:
    """Scores of local features of pairs of pictures, each pair computed once."""

    def __init__(self, pictures: np.ndarray) -> None:
        grey = (pictures @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        self.found = [extract_local_features(g) for g in grey]
        self.kept: dict[tuple[int, int], float] = {}

    def between(self, rows: np.ndarray, others: np.ndarray
                ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The score as `ReIdentifier` asks for it: places in `rows` and in `others`."""
        def score(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            a, b = rows[left], others[right]
            pairs = list(zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True))
            missing = sorted(set(pairs) - self.kept.keys())
            if missing:
                values = local_scores(self.found, self.found, np.array(missing))
                self.kept.update(zip(missing, values.tolist(), strict=True))
            return np.array([self.kept[pair] for pair in pairs])
        return score


def gallery_rows(pictures: CoatPictures) -> np.ndarray:
    """(N,) bool: the first half of the encounters of every other individual."""
    number = np.array([int(name.rsplit(" ", 1)[1]) for name in pictures.individual])
    met = np.array([int(e.rsplit("/ ", 1)[1]) for e in pictures.encounter])
    last = {n: met[pictures.individual == n].max() for n in set(pictures.individual)}
    early = [2 * m < last[n] for m, n in zip(met, pictures.individual, strict=True)]
    return (number % 2 == 0) & np.array(early)


def open_part(seed: int, individuals: int = 8, variation: float = 1.0) -> dict[str, float]:
    """Geometric mean of BAKS and BAUS of the embedding alone and fused with local features."""
    numbers = [PICTURES if i % 2 == 0 else PICTURES // 2 for i in range(individuals)]
    counts = {s: numbers for s in SMALL + LARGE}
    world = coats(counts, seed, variation, PIXELS, per_encounter=2)
    known = gallery_rows(world)
    rows, asked = np.flatnonzero(known), np.flatnonzero(~known)
    embeddings, local = Frozen().features(world.pictures), LocalScore(world.pictures)
    gallery, queries = world.take(known), world.take(~known)
    out: dict[str, float] = {}
    for name in ("embedding", "with local features"):
        both = name != "embedding"
        reid = ReIdentifier(precision=None, shortlist=SHORTLIST, random_state=seed).fit(
            embeddings[rows], gallery.individual, gallery.species, gallery.viewpoint,
            gallery.encounter, scores={"local": local.between(rows, rows)} if both else None)
        for way in ("encounter", "picture"):
            found = reid.predict(
                embeddings[asked], queries.species, queries.viewpoint,
                queries.encounter if way == "encounter" else None,
                scores={"local": local.between(asked, rows)} if both else None)
            made = open_set(queries.individual, found.answer, set(gallery.individual))
            out |= {f"{name}, by {way}: {label}": made[key] for label, key in (
                ("BAKS", "baks"), ("BAUS", "baus"), ("geometric mean", "geometric_mean"))}
    return out
