"""The hunt for one wanted species in a huge pool, from a few examples and no counter-examples.

N detections, P positives, d dimensions, S global classes.

Everything that nobody labelled is background, in which the wanted species is rare. The score of a
row is a discriminant with the pool's own covariance, w = Sigma^-1 (mu_wanted - mu_pool), beside the
log likelihood ratio of the global model's scores. The rows that then stand far out are taken for
half an example each, and the discriminant is refitted. Negatives move mu_pool towards themselves.
Sources: the shared-covariance discriminant of `fusion.students`; Elkan and Noto 2008 (unlabelled
rows as background with weights); the likelihood ratio is that of `fusion.mapping`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.inputs import check_embeddings
from ecotone.fusion.mapping import log_evidence, source_prior
from ecotone.fusion.threads import one_blas_thread
from ecotone.labelling.situation import one_model, project, row_keys, units_of
from ecotone.types import GlobalScores

DIMENSIONS = 64
SHARE = 0.01  # of the pool, that is expected to be wanted
ROUNDS = 1
PART = 0.5  # of an example, that a row which stands far out counts for
STEEP = 4.0
AGAINST = 0.5  # share of the negatives in the background's mean, once there are many
SCORES_WEIGHT = 0.5
KAPPA = 2.0  # pseudo-counts of the pool in the wanted species' distribution of global classes
BLOCK = 65536


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows that nobody labelled, the most probable first.

    row: (M,) row numbers, one a burst. score: (M,) standard deviations above the pool's mean.
    """

    row: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def batch(self, n: int = 50) -> np.ndarray:
        """The n rows to look at next."""
        return self.row[:n]


@one_blas_thread
def hunt(
    embeddings: np.ndarray,
    positives: Sequence[int] | np.ndarray,
    negatives: Sequence[int] | np.ndarray | None = None,
    scores: object = None,
    *,
    bursts: Sequence[object] | None = None,
    share: float = SHARE,
    random_state: int = 0,
) -> Ranking:
    """The pool ranked by how probably a row is the wanted species.

    embeddings: (N, D); rows of zeros come last. positives, negatives: row numbers, or (N,) bool;
    at least one positive. scores: (N, S) of a global model, or None. bursts: N; a burst is asked
    once, by its best row, and not at all when it holds a positive or a negative. share: of the
    pool that may be wanted, 0..0.5: a rough guess is enough, rather too small than too large.
    Raises InputError when something does not fit.
    """
    embeddings = check_embeddings(embeddings)
    n = len(embeddings)
    yes, no = _told(positives, negatives, n)
    _check(n, share, bursts)
    keys = row_keys(embeddings, random_state)
    given = one_model(scores, n)
    z = project(embeddings, keys, max(min(DIMENSIONS, embeddings.shape[1] // 2), 1))
    value = np.full(n, -np.inf)
    some = np.flatnonzero(keys)
    if not (keys[yes] > 0).any():
        raise InputError("positives: none of them has an embedding; extract or label others.")
    value[some] = _discriminate(
        z[some], None if given is None else _evidence(given.take(some), np.isin(some, yes)),
        np.flatnonzero(np.isin(some, yes)), np.flatnonzero(np.isin(some, no)), share,
    )
    return _ranked(value, units_of(keys, bursts), keys, np.concatenate([yes, no]))


def _told(
    positives: Sequence[int] | np.ndarray, negatives: Sequence[int] | np.ndarray | None, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the positives and of the negatives, checked."""
    yes, no = _rows(positives, n, "positives"), _rows(negatives, n, "negatives")
    if not len(yes):
        raise InputError("positives: none given; label at least one example of the species.")
    both = np.intersect1d(yes, no)
    if len(both):
        raise InputError(f"negatives: row {both[0]} is among the positives too.")
    return yes, no


def _check(n: int, share: float, bursts: Sequence[object] | None) -> None:
    if not 0 < share <= 0.5:
        raise InputError(f"share: {share}, expected above 0 and at most 0.5.")
    if bursts is not None and len(bursts) != n:
        raise InputError(f"bursts: {len(bursts)} entries, embeddings have {n} rows.")


def _rows(given: Sequence[int] | np.ndarray | None, n: int, what: str) -> np.ndarray:
    array = np.asarray([] if given is None else given)
    if array.dtype == bool:
        if array.shape != (n,):
            raise InputError(f"{what}: shape {array.shape}, expected {(n,)}.")
        return np.flatnonzero(array)
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= n):
        raise InputError(f"{what}: expected row numbers 0 to {n - 1}.")
    return np.unique(array.astype(np.int64))


def _evidence(scores: GlobalScores, yes: np.ndarray) -> np.ndarray:
    """Log likelihood ratio (N,) of the wanted species by the global model's scores. yes: (N,)
    bool, its examples."""
    prior = source_prior(scores)
    seen = np.asarray(scores.values[yes].sum(axis=0), dtype=np.float64).ravel()
    theta = seen + (KAPPA + float(scores.missing[yes].sum())) * prior
    return log_evidence(scores, (theta / theta.sum())[None], prior)[:, 0].astype(np.float64)


def _discriminate(
    z: np.ndarray, evidence: np.ndarray | None, yes: np.ndarray, no: np.ndarray, share: float
) -> np.ndarray:
    """Scores (N,) after all rounds."""
    open_rows = np.ones(len(z), dtype=bool)
    open_rows[yes] = open_rows[no] = False
    more = None if evidence is None else SCORES_WEIGHT * _standard(evidence, open_rows)
    mean = z.mean(axis=0, dtype=np.float64)
    covariance = _covariance(z, mean)
    against = AGAINST * len(no) / (len(no) + 10.0)
    if len(no):
        mean = (1.0 - against) * mean + against * z[no].mean(axis=0, dtype=np.float64)
    part = np.zeros(len(z))
    out = np.zeros(len(z))
    for step in range(ROUNDS + 1):
        part[yes], part[no] = 1.0, 0.0
        wanted = (part @ z) / part.sum()
        out = _standard(z @ np.linalg.solve(covariance, wanted - mean), open_rows)
        out = out if more is None else out + more
        if step < ROUNDS:
            part = _stand_out(out, open_rows, share)
    return out


def _covariance(z: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Shrunken covariance (d, d) of the pool, in blocks."""
    n, dims = z.shape
    second = np.zeros((dims, dims))
    for start in range(0, n, BLOCK):
        block = z[start : start + BLOCK].astype(np.float64) - mean
        second += block.T @ block
    spread = max(float(np.trace(second)) / n, 1e-9)
    return (max(n - 1, 0) / n * second + spread * np.eye(dims)) / (max(n - 1, 0) + dims)


def _standard(value: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Standard deviations above the mean of the open rows."""
    if not rows.any():
        return value - value.mean()
    return (value - value[rows].mean()) / max(float(value[rows].std()), 1e-12)


def _stand_out(value: np.ndarray, open_rows: np.ndarray, share: float) -> np.ndarray:
    """How much of an example each row is, (N,): a half for the highest, none below the edge."""
    part = np.zeros(len(value))
    rows = np.flatnonzero(open_rows)
    if len(rows) < 10:
        return part
    rank = min(max(int(share * len(rows)), 3), len(rows) - 1)
    edge = np.partition(value[rows], len(rows) - 1 - rank)[len(rows) - 1 - rank]
    spread = max(float(value[rows].std()), 1e-12)
    above = value[rows] > edge - spread
    steep = np.clip(STEEP * (value[rows] - edge) / spread, -30, 30)
    part[rows] = above * PART / (1.0 + np.exp(-steep))
    return part


def _ranked(value: np.ndarray, unit: np.ndarray, keys: np.ndarray, told: np.ndarray) -> Ranking:
    """One row a unit that holds no answer yet, the highest first; keys settle ties."""
    order = np.lexsort((keys, -value))
    order = order[~np.isin(unit[order], unit[told])]
    first = np.sort(np.unique(unit[order], return_index=True)[1])
    rows = order[first]
    return Ranking(rows, value[rows])
