"""Which unlabelled rows the students are fitted on, where there are more than they need.

N rows, K local classes.
"""

from __future__ import annotations

import numpy as np

from ecotone.fusion.evidence import EvidenceModel
from ecotone.types import GlobalScores

BLOCK = 16384
LEAST_LABELS = 100  # of a class that all take part, however many others there are


def choose_labels(target: np.ndarray, keys: np.ndarray, most: int) -> np.ndarray:
    """(N,) bool: labelled rows that are learned from, all where they are at most about `most`.

    Of more a share is drawn by content keys (N,), the same of every class but that up to
    `LEAST_LABELS` of each stay. target: (N,) class numbers, -1 where unlabelled.
    """
    labelled = target >= 0
    if labelled.sum() <= most:
        return labelled
    count = np.bincount(target[labelled])
    chance = np.maximum(most / labelled.sum(), LEAST_LABELS / np.maximum(count, 1))
    # Other bits than those that unlabelled rows are drawn by.
    mixed = keys * np.uint64(0x9E3779B97F4A7C15)
    uniform = (mixed >> np.uint64(11)).astype(np.float64) / float(2**53)
    return labelled & (uniform < chance[np.maximum(target, 0)])


def choose_rows(
    evidence: EvidenceModel,
    scores: dict[str, GlobalScores],
    target: np.ndarray,
    keys: np.ndarray,
    max_rows: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (n,) and their inclusion probabilities (n,).

    All labelled rows are in. Of the others, rows whose most likely class by the map is rare are
    kept with a higher probability (proportional to 1/sqrt of the class's share), so that the tail
    does not get lost in the sample; students weight rows by the inverse. keys: (N,) content keys,
    which make the draw repeatable and independent of the order of rows.
    """
    n = len(target)
    if n <= max_rows or (target >= 0).all():
        return np.arange(n), np.ones(n)
    likely = np.zeros(n, dtype=int)
    for start in range(0, n if scores else 0, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        some = {name: s.take(part) for name, s in scores.items()}
        likely[part] = evidence.log_evidence(some, part.stop - start)[0].argmax(axis=1)
    share = np.bincount(likely, minlength=len(evidence.classes)) / n
    want = 1.0 / np.sqrt(np.maximum(share[likely], 1e-9))
    want[target >= 0] = 0.0
    chance = want * (max_rows / want.sum())
    for _ in range(5):  # what is capped at 1 frees room for the others
        sure = chance >= 1.0
        room = max_rows - sure.sum()
        free = want * ~sure
        if room <= 0 or not free.any():
            break
        chance = np.where(sure, 1.0, free * (room / free.sum()))
    chance = np.clip(chance, 0.0, 1.0)
    chance[target >= 0] = 1.0
    uniform = (keys >> np.uint64(11)).astype(np.float64) / float(2**53)
    chosen = np.flatnonzero(uniform < chance)
    return chosen, chance[chosen]
