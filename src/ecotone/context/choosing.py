"""How much context counts: decided out of fold, image-only unless context is better beyond doubt.

n labelled pictures, L pictures of labelled units, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.context.when import name_numbers
from ecotone.fusion.local_model import softmax
from ecotone.hierarchy.bursts import FEW, pool_bursts

BLOCK = 65536  # pairs looked at at once
ENOUGH = 200  # labels from which on the gate may depend on how unsure the image is
LEVELS = (0.25, 0.5, 0.75, 1.0)  # of the gate; 0, image only, is the candidate beside them all
SLOPES = (0.0, -0.8, 0.8)
MAY_LOSE = 0.003  # of accuracy, out of fold
GUARD = 0.02  # share of the uniform distribution in every loss
FEW_UNITS = 30.0  # with so many bursts labelled, twice the standard errors are asked for
LEAST_UNITS = 25  # bursts with labels, below which the image is alone
SITE_LABELS = 10  # labels from which on a site is looked at alone
MOST_ODDS = 20.0
POOLS = ((0.5, 4.0), (0.5, 20.0), (1.0, 4.0))  # share of mates, odds of one class in a burst


@dataclass(frozen=True)
class Gate:
    """g(u) = level * clip(1 + slope * (2u - 1), 0, 1), u the entropy of the image in 0..1."""

    level: float
    slope: float = 0.0

    def of(self, image: np.ndarray) -> np.ndarray:
        """(N, 1) gate of image posteriors (N, K)."""
        entropy = -(image * np.log(np.maximum(image, 1e-12))).sum(axis=1, keepdims=True)
        unsure = entropy / np.log(max(image.shape[1], 2))
        return self.level * np.clip(1.0 + self.slope * (2.0 * unsure - 1.0), 0.0, 1.0)

    def apply(self, image: np.ndarray, context: np.ndarray) -> np.ndarray:
        """Posteriors (N, K); exactly the image's where the gate is shut."""
        if self.level == 0.0:
            return image
        return softmax(np.log(image) + self.of(image) * context)


@dataclass(frozen=True)
class Pool:
    """How bursts are decided together; see `pool_bursts`."""

    share: float
    odds: float

    def apply(self, proba: np.ndarray, event: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Posteriors (N, K) after sharing within events."""
        return pool_bursts(proba, event, prior, 0.0, self.share, self.odds)


def losses(proba: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Log-loss (n,) of soft targets (n, K), with a guard against single disasters."""
    return -(target * np.log((1.0 - GUARD) * proba + GUARD / proba.shape[1])).sum(axis=1)


def hits(proba: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Share (n,) of a picture's label that the most probable class gets, at most 1."""
    best = target[np.arange(len(target)), proba.argmax(axis=1)]
    return best / np.maximum(target.max(axis=1), 1e-12)


def mean_and_error(values: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Mean of (n,) values and its standard error, whole units (bursts, sites) being independent."""
    _, place = np.unique(units, return_inverse=True)
    m = place.max() + 1
    mean = float(values.mean())
    if m < 2:
        return mean, float("inf")
    parts = np.bincount(place, values - mean, minlength=m)
    return mean, float(np.sqrt((parts**2).sum() * m / (m - 1)) / len(values))


def better(
    new: np.ndarray, old: np.ndarray, target: np.ndarray, units: np.ndarray, errors: float = 1.0,
    few: float = FEW_UNITS,
) -> bool:
    """Whether posteriors are better than others by more than so many standard errors of their
    log-loss (more with few units, where errors are themselves uncertain and the best of several
    ways looks good by luck), and not right less often by more than `MAY_LOSE`."""
    errors *= 1.0 + few / len(set(units))
    gain, error = mean_and_error(losses(old, target) - losses(new, target), units)
    right = float((hits(new, target) - hits(old, target)).mean())
    return gain > errors * error and right >= -MAY_LOSE


def harmed(
    new: np.ndarray, old: np.ndarray, target: np.ndarray, sites: np.ndarray, units: np.ndarray,
    errors: float = 2.0,
) -> list[str]:
    """Sites with `SITE_LABELS` labels or more that lose by more than so many standard errors, in
    how often they are right or in log-loss."""
    out = []
    for site in sorted(set(sites) - {""}):
        rows = np.flatnonzero(sites == site)
        if len(rows) < SITE_LABELS:
            continue
        for gain in (
            hits(new[rows], target[rows]) - hits(old[rows], target[rows]),
            losses(old[rows], target[rows]) - losses(new[rows], target[rows]),
        ):
            mean, error = mean_and_error(gain, units[rows])
            if mean < 0 and mean < -errors * error:
                out.append(site)
                break
    return out


def gates_for(n: int) -> list[Gate]:
    """The gates to try with n labels: one level for all below `ENOUGH`."""
    slopes = SLOPES if n >= ENOUGH else SLOPES[:1]
    return [Gate(level, slope) for slope in slopes for level in LEVELS]


def choose_gate(
    image: np.ndarray, context: np.ndarray, target: np.ndarray, units: np.ndarray
) -> tuple[Gate, float]:
    """The gate of least held-out loss among those `better` than the image alone, and that loss;
    a shut gate and infinity where none is. A slope has to pay for itself (BIC, one parameter)."""
    best, least = Gate(0.0), float("inf")
    for gate in gates_for(len(target)) if len(set(units)) >= LEAST_UNITS else []:
        made = gate.apply(image, context)
        cost = float(losses(made, target).mean())
        cost += 0.5 * np.log(len(target)) / len(target) * (gate.slope != 0)
        if cost < least and better(made, image, target, units):
            best, least = gate, cost
    return best, least


def same_share(proba: np.ndarray, event: np.ndarray) -> float:
    """The share of neighbours within events that show the same class, by the posteriors alone.

    Maximum likelihood of s in sum log(s B + 1 - s) over pairs that follow each other, B the Bayes
    factor of one class for both against two; 0 where there are fewer than `FEW` pairs.
    """
    number = name_numbers(event)
    order = np.argsort(number, kind="stable")
    first, second = order[:-1], order[1:]
    pair = (number[first] == number[second]) & (number[first] >= 0)
    if pair.sum() < FEW:
        return 0.0
    prior = np.maximum(proba.mean(axis=0), 1e-6)
    first, second = first[pair], second[pair]
    factor = np.empty(len(first))
    for start in range(0, len(first), BLOCK):
        some = slice(start, start + BLOCK)
        factor[some] = (proba[first[some]] * proba[second[some]] / prior).sum(axis=1)
    share = 0.5
    for _ in range(100):
        share = float((share * factor / (share * factor + 1.0 - share)).mean())
    return share


def default_pool(proba: np.ndarray, event: np.ndarray, share: float) -> Pool | None:
    """Pooling where labels do not tell: if pictures of an event are more often of one class than
    not, by the posteriors themselves."""
    same = same_share(proba, event)
    return Pool(share, min(same / max(1.0 - same, 1e-9), MOST_ODDS)) if same > 0.5 else None


def choose_pool(
    proba: np.ndarray, event: np.ndarray, prior: np.ndarray, rows: np.ndarray, target: np.ndarray,
    units: np.ndarray,
) -> Pool | None:
    """How the events of L pictures are pooled, None for not at all.

    proba: (L, K) held-out posteriors. rows: (n,) the labelled among them; target: (n, K);
    units: (n,). Needs `FEW` labelled members of events, and `same_share` above a half.
    """
    names, size = np.unique(event.astype(str), return_counts=True)
    large = set(names[size > 1]) - {""}
    if sum(e in large for e in event[rows]) < FEW or same_share(proba, event) <= 0.5:
        return None
    ways = [Pool(*p) for p in POOLS]
    made = [w.apply(proba, event, prior)[rows] for w in ways]
    best = int(np.argmin([losses(p, target).mean() for p in made]))
    return ways[best] if better(made[best], proba[rows], target, units, 0.25) else None
