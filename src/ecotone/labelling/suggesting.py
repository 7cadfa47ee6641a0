"""`suggest`: the rows whose labels bring most, with the reason for each.

N detections, D embedding dimensions, K local classes, S global classes, n questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.classifier import FusionClassifier
from ecotone.fusion.threads import one_blas_thread
from ecotone.labelling import diversity
from ecotone.labelling.candidates import draw, representatives
from ecotone.labelling.gain import Gain, expected_gain
from ecotone.labelling.situation import Situation, look
from ecotone.labelling.uncertain import class_shares, need

MOST_CANDIDATES = 4096
FEW = 3  # labels; a class with fewer counts as rare
FAR = 0.9  # of a row that no label covers
TYPICAL = "typical of a group nobody labelled"
UNREACHED = "perhaps a class the global model does not know"
RARE = "perhaps a class with few labels"
DISAGREE = "student and map disagree"
UNCERTAIN = "uncertain"
REASONS = (TYPICAL, UNREACHED, RARE, DISAGREE, UNCERTAIN)


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Questions, the best first.

    row: (n,) row numbers. reason: (n,) str of `REASONS`. score: (n,) what each adds to what the
    ones before it bring; only their order and ratios mean something. expected_class: (n,) str, ""
    where nothing is known. expected_gain: points of accuracy that n more labels bring, from the
    learning curve, or None. reach: share of the expected errors near a label, before and after.
    """

    row: np.ndarray
    reason: np.ndarray
    score: np.ndarray
    expected_class: np.ndarray
    expected_gain: Gain | None
    reach: tuple[float, float]

    def __len__(self) -> int:
        return len(self.row)


@one_blas_thread
def suggest(
    embeddings: np.ndarray,
    scores: object = None,
    labels: Sequence[str | None] | None = None,
    *,
    classifier: FusionClassifier | None = None,
    posteriors: np.ndarray | None = None,
    map_posteriors: np.ndarray | None = None,
    student_posteriors: np.ndarray | None = None,
    reachable: np.ndarray | None = None,
    groups: Sequence[object] | None = None,
    bursts: Sequence[object] | None = None,
    classes: Sequence[str] | None = None,
    n: int = 50,
    curve: tuple[Sequence[float], Sequence[float]] | None = None,
    random_state: int = 0,
) -> Suggestions:
    """What to label next: typical rows without classifier and posteriors; else what is uncertain,
    rare or disputed, spread out. The order of rows plays no part.

    embeddings: (N, D); rows of zeros (no embedding) are never asked. scores: as in
    FusionClassifier. labels: N class names, None where unlabelled. classifier: fitted on these
    rows, with or without labels. posteriors, map_posteriors, student_posteriors: (N, K); default
    the classifier's. reachable: (K,) bool, whether a global model knows the class; default the
    classifier's, else all.
    groups: N sites, to balance over. bursts: N; a burst, and copies of one picture, get one
    question, and none when a row of them has a label. classes: K names; default the
    classifier's. n: questions. curve: label counts and accuracies, see `expected_gain`.
    Raises InputError when something does not fit.
    """
    if n < 1:
        raise InputError(f"n: {n}, expected at least 1 question.")
    now = look(
        embeddings, scores, labels, classifier=classifier, posteriors=posteriors,
        map_posteriors=map_posteriors, student_posteriors=student_posteriors, reachable=reachable,
        groups=groups, bursts=bursts, classes=classes, random_state=random_state,
    )
    return _ask(now, n, None if curve is None else expected_gain(curve[0], curve[1], n))


def _ask(now: Situation, n: int, gain: Gain | None) -> Suggestions:
    rows, weight = _candidates(now)
    if not len(rows):
        empty = np.empty(0, dtype=object)
        return Suggestions(rows, empty, np.empty(0), empty, gain, (1.0, 1.0))
    found = diversity.choose(_pool(now, rows, weight), _known(now, rows), n)
    chosen = rows[found.at]
    return Suggestions(
        row=chosen,
        reason=_reasons(now, chosen, found),
        score=found.coverage + found.by_class,
        expected_class=_expected(now, chosen),
        expected_gain=gain,
        reach=found.reach,
    )


def _candidates(now: Situation) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (C,) that may be asked, at most `MOST_CANDIDATES`, and their weights (C,)."""
    told = np.zeros(int(now.unit.max()) + 1 if len(now.unit) else 1, dtype=bool)
    told[now.unit[now.labelled]] = True
    rows = representatives(
        now.features, now.unit, now.keys, now.usable & ~told[now.unit]
    )
    weight = np.ones(len(rows))
    if now.fused is not None and len(rows):
        p = now.fused[rows]
        mapped = None if now.mapped is None else now.mapped[rows]
        student = None if now.student is None else now.student[rows]
        weight = need(p, mapped, student, class_shares(p))
    if not weight.sum() > 0:
        weight = np.ones(len(rows))
    at, chance = draw(weight, now.keys[rows], MOST_CANDIDATES)
    weight = weight[at] / chance
    return rows[at], weight / max(float(weight.sum()), 1e-300)


def _pool(now: Situation, rows: np.ndarray, weight: np.ndarray) -> diversity.Pool:
    p = None if now.fused is None else now.fused[rows]
    return diversity.Pool(
        features=now.features[rows],
        weight=weight,
        affinity=np.sqrt(p) if p is not None else _score_affinity(now, rows),
        posteriors=p,
        site=None if now.site is None else now.site[rows],
        even=p is None,
    )


def _score_affinity(now: Situation, rows: np.ndarray) -> np.ndarray | None:
    """Square roots of the global model's scores, rows of length 1; rows without scores none."""
    if now.scores is None:
        return None
    values = now.scores.values[rows]
    used = np.unique(values.indices)
    dense = values[:, used].toarray()
    total = dense.sum(axis=1, keepdims=True)
    # The rest, and all of a row that says nothing, is a class of its own.
    rest = np.maximum(1.0 - total, 0.0)
    return np.sqrt(np.concatenate([dense, rest], axis=1)).astype(np.float32)


def _known(now: Situation, rows: np.ndarray) -> diversity.Known:
    """What labels cover, and what is a fair share of the questions by site."""
    labelled = now.labelled
    labelled = labelled[now.usable[labelled]]
    affinity = None
    if now.fused is not None:
        affinity = np.eye(len(now.classes), dtype=np.float32)[now.target[labelled]]
    fair = asked = None
    if now.site is not None:
        sites = int(now.site.max()) + 1
        size = np.sqrt(np.bincount(now.site[rows], minlength=sites))
        fair = size / max(float(size.sum()), 1e-300)
        asked = np.bincount(now.site[now.labelled], minlength=sites)
    return diversity.Known(
        features=now.features[labelled],
        affinity=affinity,
        counts=now.counts if len(now.classes) else np.zeros(0),
        worth=np.where(now.reachable, 1.0, diversity.UNREACHED),
        fair=fair,
        asked=asked,
    )


def _expected(now: Situation, rows: np.ndarray) -> np.ndarray:
    if now.fused is None:
        return np.full(len(rows), "", dtype=object)
    return np.asarray(now.classes, dtype=object)[now.fused[rows].argmax(axis=1)]


def _reasons(now: Situation, rows: np.ndarray, found: diversity.Chosen) -> np.ndarray:
    """Why each row was chosen: the first of `REASONS` that holds, but that a class with few labels
    goes before typicality where it weighed more."""
    out = np.full(len(rows), TYPICAL, dtype=object)
    if now.fused is None:
        return out
    likely = now.fused[rows].argmax(axis=1)
    few = now.counts[likely] < FEW
    out[:] = UNCERTAIN
    if now.mapped is not None and now.student is not None:
        differ = now.student[rows].argmax(axis=1) != now.mapped[rows].argmax(axis=1)
        out[differ] = DISAGREE
    out[found.alone > FAR] = TYPICAL
    out[few & (found.by_class > found.coverage)] = RARE
    out[few & ~now.reachable[likely]] = UNREACHED
    return out
