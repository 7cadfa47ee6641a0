"""The head that finds new individuals best: each is tried on individuals that it has not seen.

n pictures, D embedding dimensions. Individuals, with all their pictures and flanks, are dealt into
folds. Each head learns from all folds but one and is judged by the mean average precision of
one-vs-all matching in that one, within species and viewpoint; the identity is judged on the same
pictures. A head is taken only when its mean over the folds is above the identity's by more than
the standard error of the difference, so that out of fold nothing is lost to luck.
Source: the one-standard-error rule of Breiman et al. 1984; evaluation as in MiewID.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone

from ecotone.errors import InputError
from ecotone.fusion.threads import one_blas_thread
from ecotone.reid.arcface import SubCenterArcFace
from ecotone.reid.inputs import check_individuals, check_names, unit_matrix
from ecotone.reid.linear_heads import DiscriminantHead, LinearHead, WhiteningHead
from ecotone.reid.metrics import rank_figures

IDENTITY = "identity"
QUERY_BLOCK = 512


@dataclass(frozen=True, eq=False)
class HeadChoice:
    """head: the chosen one, fitted to all pictures; name: of it. scores: name -> mean average
    precision a fold, NaN where a head could not learn. note: why, in one sentence."""

    head: LinearHead
    name: str
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""

    def fresh(self) -> LinearHead:
        """The chosen head, not fitted."""
        return clone(self.head)


def default_heads(random_state: int = 0) -> dict[str, LinearHead]:
    """The heads that are tried besides the identity."""
    return {
        "whitening": WhiteningHead(),
        "discriminant": DiscriminantHead(),
        "arcface": SubCenterArcFace(random_state=random_state),
    }


@one_blas_thread
def best_head(
    embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
    viewpoints: Sequence[object] | np.ndarray | None = None,
    species: Sequence[object] | np.ndarray | None = None, *,
    heads: Mapping[str, LinearHead] | None = None, folds: int = 3, random_state: int = 0,
) -> HeadChoice:
    """The best head for these embeddings (n, D), fitted to all of them.

    individuals, viewpoints, species: n names (the latter two may be None). heads: name -> head to
    try. Where too few individuals have two pictures to judge by, the identity is chosen and the
    note says so. Raises InputError for wrong shapes and values.
    """
    values = unit_matrix(embeddings, "embeddings")
    who = check_individuals(individuals, len(values)).astype(str)
    sides, kinds = (check_names(v, len(values), what)
                    for v, what in ((viewpoints, "viewpoints"), (species, "species")))
    if int(folds) != folds or folds < 2:
        raise InputError(f"folds: {folds}, expected a whole number from 2.")
    tried = default_heads(random_state) if heads is None else dict(heads)
    group = _groups(kinds, sides, len(values))
    fold = _folds(who, group, int(folds), random_state)
    identity = LinearHead().fit(values, who)
    if fold is None:
        few = "fewer than two individuals with two pictures a fold to judge heads by"
        return HeadChoice(identity, IDENTITY, {}, f"{few}; the embeddings stay as they are")
    scores = {IDENTITY: _scores(LinearHead(), values, who, sides, group, fold)}
    for name, head in tried.items():
        scores[name] = _scores(head, values, who, sides, group, fold)
    name, note = _choose(scores)
    if name == IDENTITY:
        return HeadChoice(identity, name, scores, note)
    return HeadChoice(clone(tried[name]).fit(values, who, sides), name, scores, note)


def _groups(kinds: np.ndarray | None, sides: np.ndarray | None, n: int) -> np.ndarray:
    parts = [np.full(n, "") if v is None else v.astype(str) for v in (kinds, sides)]
    return np.array([f"{a}\x1f{b}" for a, b in zip(*parts, strict=True)], dtype=str)


def _folds(who: np.ndarray, group: np.ndarray, folds: int, seed: int) -> np.ndarray | None:
    """(n,) fold numbers; None where a fold would have fewer than two individuals with pairs."""
    pairs = np.array([f"{w}\x1f{g}" for w, g in zip(who, group, strict=True)], dtype=str)
    flanks, number, count = np.unique(pairs, return_inverse=True, return_counts=True)
    able = np.unique(who[count[number] > 1]) if len(who) else who
    if len(able) < 2 * folds:
        return None
    rng = np.random.default_rng(seed)
    rest = np.setdiff1d(np.unique(who), able)
    dealt = np.concatenate([rng.permutation(able), rng.permutation(rest)])
    place = {name: i % folds for i, name in enumerate(dealt)}
    return np.array([place[name] for name in who])


def _scores(
    head: LinearHead, values: np.ndarray, who: np.ndarray, sides: np.ndarray | None,
    group: np.ndarray, fold: np.ndarray,
) -> tuple[float, ...]:
    out = []
    for number in range(fold.max() + 1):
        train, test = fold != number, fold == number
        try:
            fitted = clone(head).fit(values[train], who[train],
                                     None if sides is None else sides[train])
        except InputError:  # this head cannot learn from so little
            return (float("nan"),) * int(fold.max() + 1)
        out.append(mean_average_precision(fitted.transform(values[test]), who[test], group[test]))
    return tuple(out)


def mean_average_precision(space: np.ndarray, who: np.ndarray, group: np.ndarray) -> float:
    """One-vs-all within groups; the mean over queries that have another picture to find."""
    found = []
    for name in np.unique(group):
        rows = np.flatnonzero(group == name)
        for first in range(0, len(rows), QUERY_BLOCK):
            mine = rows[first : first + QUERY_BLOCK]
            similarity = space[mine] @ space[rows].T
            similarity[np.arange(len(mine)), first + np.arange(len(mine))] = -np.inf
            relevant = who[mine][:, None] == who[rows][None, :]
            found.append(rank_figures(similarity, relevant)[1])
    precision = np.concatenate(found)
    precision = precision[~np.isnan(precision)]
    return float(precision.mean()) if len(precision) else float("nan")


def _choose(scores: Mapping[str, tuple[float, ...]]) -> tuple[str, str]:
    base = np.array(scores[IDENTITY])
    best, name = float(base.mean()), IDENTITY
    for other, each in scores.items():
        gain = np.array(each) - base
        if other == IDENTITY or np.isnan(gain).any():
            continue
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        if gain.mean() > error and np.mean(each) > best:
            best, name = float(np.mean(each)), other
    before = float(base.mean())
    if name == IDENTITY:
        return name, f"no head is surely better than the embeddings ({before:.3f} mAP)"
    return name, f"{before:.3f} mAP of the embeddings, {best:.3f} with the head, on unseen ones"


__all__ = ["HeadChoice", "best_head", "default_heads", "mean_average_precision"]
