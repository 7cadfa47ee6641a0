"""Step three: how much each candidate counts, by held-out labels and by held-out agreement.

n labelled rows, C candidates, K local classes. The fused predictor and the local model are linear
opinion pools of the candidates. Pool weights are the MAP estimate of

    sum_i log sum_c w_c p_c(y_i)  +  sum_c alpha_c log w_c,

with p_c out of fold. alpha carries what is known before any label speaks: labels-only members are
trusted unless a student, on rows it never saw, explains what the global models say there
("agreement"; a model of pure noise is explained by nobody, and so costs nothing).
Source: the pool is that of Genest and Zidek 1986; the agreement is the likelihood of the map in
docs/methods.md with the student in place of the class prior.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.fusion.local_model import softmax

PRIOR_STRENGTH = 10.0  # alpha sums to so many pseudo-labels
AGREEMENT_WEIGHT = 15.0  # one nat of agreement counts like so many nats of label evidence
LOCAL_BONUS = 2.0
SHARPENING = 0.03  # with many labels, candidates fall behind by so much of their log-likelihood gap
MIN_WEIGHT = 0.01
GUARD = 0.02  # out-of-fold probabilities are mixed with so much of the uniform distribution


@dataclass(frozen=True, eq=False)
class Selection:
    """The candidates and how they did on labels they had not seen.

    table: one dict a candidate (name, loss, accuracy: out of fold, None without folds; agreement;
    weight: in the fused pool; local_weight: in the local model; chosen). chosen: the heaviest name.
    n: N. labelled: (m,) numbers of the labelled rows. held_proba, held_local: (m, K) their
    out-of-fold fused posteriors and the local model's, NaN without folds. loss, local_loss:
    out-of-fold log-loss of the two pools, None without folds.
    """

    table: tuple[dict, ...]
    chosen: str
    n: int
    labelled: np.ndarray
    held_proba: np.ndarray
    held_local: np.ndarray
    loss: float | None
    local_loss: float | None
    temperature: float
    local_temperature: float

    @property
    def oof_proba(self) -> np.ndarray:
        """(N, K) out-of-fold fused posteriors, NaN where unlabelled."""
        return self._full(self.held_proba)

    @property
    def oof_local(self) -> np.ndarray:
        """(N, K) out-of-fold posteriors of the local model, NaN where unlabelled."""
        return self._full(self.held_local)

    def _full(self, held: np.ndarray) -> np.ndarray:
        out = np.full((self.n, held.shape[1]), np.nan, dtype=np.float32)
        out[self.labelled] = held
        return out

    def __iter__(self) -> Iterator[dict]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        rows = sorted(self.table, key=lambda row: -row["weight"])
        lines = [f"{'candidate':44s}   loss  weight  local"]
        for row in rows:
            loss = "      -" if row["loss"] is None else f"{row['loss']:7.3f}"
            lines.append(
                f"{row['name']:44s}{loss}  {row['weight']:6.2f} {row['local_weight']:6.2f}"
            )
        return "\n".join(lines)


def make_folds(
    labels: np.ndarray, keys: np.ndarray, groups: np.ndarray | None, n_folds: int
) -> np.ndarray:
    """Fold number (n,) of each labelled row.

    labels: (n,) class numbers; keys: (n,) content keys: equal rows share a fold. groups: whole
    groups (locations, bursts) share a fold when at least five of them hold labels.
    """
    if groups is not None:
        names, group_of = np.unique(groups, return_inverse=True)
        if len(names) >= 5:
            first_key = np.full(len(names), np.iinfo(np.uint64).max, dtype=np.uint64)
            np.minimum.at(first_key, group_of, keys)
            size = np.bincount(group_of, minlength=len(names))
            fold_of_group, load = np.zeros(len(names), dtype=int), np.zeros(n_folds)
            for g in np.lexsort((first_key, -size)):
                fold_of_group[g] = load.argmin()
                load[fold_of_group[g]] += size[g]
            return fold_of_group[group_of]
    fold = np.zeros(len(labels), dtype=int)
    start = 0
    by_class = sorted(np.unique(labels), key=lambda k: int(keys[labels == k].min()))
    for k in by_class:
        rows = np.flatnonzero(labels == k)
        distinct = {int(key): i for i, key in enumerate(np.unique(keys[rows]))}
        for row in rows:
            fold[row] = (start + distinct[int(keys[row])]) % n_folds
        start += len(distinct)
    return fold


def agreement(log_student: np.ndarray, evidence: np.ndarray) -> float:
    """Mean over rows of log sum_k student_k * likelihood ratio_k: how well a student that never
    saw these rows foretells what the global models say of them. 0 says nothing is explained."""
    if not len(evidence):
        return 0.0
    p = (1.0 - GUARD) * np.exp(log_student) + GUARD / evidence.shape[1]
    top = evidence.max(axis=1, keepdims=True)
    return float((np.log((p * np.exp(evidence - top)).sum(axis=1)) + top[:, 0]).mean())


def guarded(log_proba: np.ndarray) -> np.ndarray:
    """Probabilities mixed with a little of the uniform distribution."""
    return (1.0 - GUARD) * np.exp(log_proba) + GUARD / log_proba.shape[1]


def pool_weights(
    likelihood: np.ndarray | None, agreements: np.ndarray, is_local: np.ndarray,
    label_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Pool weights (C,) that sum to 1.

    likelihood: (C, n) out-of-fold probability of the true class, or None without folds.
    agreements: (C,) agreement above that of the class prior; is_local: (C,) bool. label_weight:
    (n,) how many labels each counts as; None for one.
    """
    score = AGREEMENT_WEIGHT * np.maximum(agreements, 0.0) + LOCAL_BONUS * is_local
    alpha = PRIOR_STRENGTH * softmax(score[None, :].astype(np.float64))[0]
    weight = alpha / alpha.sum()
    if likelihood is not None:
        counts = np.ones(likelihood.shape[1]) if label_weight is None else label_weight
        for _ in range(200):
            share = weight[:, None] * likelihood
            share /= share.sum(axis=0)
            weight = (share * counts).sum(axis=1) + alpha
            weight /= weight.sum()
        total = (counts * np.log(likelihood)).sum(axis=1)
        weight = weight * np.exp(SHARPENING * (total - total.max()))
        weight /= weight.sum()
    weight = np.where(weight >= min(MIN_WEIGHT, weight.max()), weight, 0.0)
    return weight / weight.sum()


def mean_of(values: np.ndarray, weight: np.ndarray | None) -> float:
    """The mean of values (n,), by weights (n,) where there are any."""
    return float(values.mean() if weight is None else np.average(values, weights=weight))


def fit_temperature(
    proba: np.ndarray, labels: np.ndarray, label_weight: np.ndarray | None = None
) -> float:
    """The temperature that calibrates pooled probabilities on held-out labels.

    Held near 1 by a prior worth a few labels. label_weight: (n,) how many labels each counts as.
    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    if len(labels) < 10:
        return 1.0
    log_p = np.log(proba + 1e-7)
    grid = np.exp(np.linspace(np.log(0.4), np.log(2.5), 43))
    rows = np.arange(len(labels))
    counts = np.ones(len(labels)) if label_weight is None else label_weight
    cost = [
        -(counts * np.log(guarded(np.log(softmax(log_p / t) + 1e-12))[rows, labels])).sum()
        + 4.0 * np.log(t) ** 2
        for t in grid
    ]
    return float(grid[int(np.argmin(cost))])


def selection_table(
    names: Sequence[str],
    likelihood: np.ndarray | None,
    right: np.ndarray | None,
    agreements: np.ndarray,
    weight: np.ndarray,
    local_weight: np.ndarray,
    label_weight: np.ndarray | None = None,
) -> tuple[dict, ...]:
    """One readable row a candidate; loss and accuracy are means by the weights of the labels."""
    return tuple(
        {
            "name": name,
            "loss": None if likelihood is None else mean_of(-np.log(likelihood[c]), label_weight),
            "accuracy": None if right is None else mean_of(right[c], label_weight),
            "agreement": float(agreements[c]),
            "weight": float(weight[c]),
            "local_weight": float(local_weight[c]),
            "chosen": bool(weight[c] > 0),
        }
        for c, name in enumerate(names)
    )
