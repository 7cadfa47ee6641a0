"""Known, new, or cannot tell: P(known) and its thresholds, learned by leaving individuals out.

n trials: a picture (or an encounter) of a known individual against a gallery that holds the
individual's other encounters, and against one without the individual. P(known) is a logistic
function of what the whole gallery says and of its size. The threshold between known and new
maximises the geometric mean of the balanced accuracies on known and on new individuals; an answer
that is not sure enough for the wanted precision is "cannot tell".
Source: Adam et al. 2025, AnimalCLEF (the measure); own design.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ecotone.errors import InputError

KNOWN, NEW, UNSURE = "known", "new", "cannot tell"
TEMPERS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
POINTS = 400  # of the curve
RIDGE = np.array([1e-3, 1.0, 1.0])  # pull towards "as the evidence says"
PRIOR = np.array([0.0, 1.0, 0.0])
LOW = -30.0  # log evidence of an empty gallery


@dataclass(frozen=True, eq=False)
class OpenSetCurve:
    """What each threshold between known and new would do, (T,) float each, thresholds rising."""

    threshold: np.ndarray
    baks: np.ndarray
    baus: np.ndarray
    geometric_mean: np.ndarray


@dataclass(frozen=True, eq=False)
class Trials:
    """person: (n,) int, the true individual. known: (n,) bool, in this trial's gallery. right: (n,)
    bool, the best candidate is the true one. best, new: (n,) P(best candidate), P(new)."""

    person: np.ndarray
    known: np.ndarray
    right: np.ndarray
    best: np.ndarray
    new: np.ndarray

    @property
    def odds(self) -> np.ndarray:
        """(n,) best against best or new."""
        return odds_of(self.best, self.new)


def odds_of(best: np.ndarray, new: np.ndarray) -> np.ndarray:
    """P(best candidate) / (P(best candidate) + P(new))."""
    return best / np.maximum(best + new, 1e-300)


@dataclass(frozen=True, eq=False)
class KnownModel:
    """P(known) of a query. temper: of the log ratios. beta: (3,) of 1, the log evidence of the
    gallery, and the log of how many individuals it has, from `centre`. learned: whether from
    trials."""

    temper: float = 1.0
    beta: tuple[float, float, float] = (0.0, 1.0, 0.0)
    centre: float = 0.0
    learned: bool = False

    def probability(self, summed: np.ndarray, individuals: np.ndarray) -> np.ndarray:
        """summed: (Q,) of `Evidence.summed`. individuals: (Q,)."""
        p = expit(_features(summed, individuals, self.centre) @ np.array(self.beta))
        return np.where(np.isneginf(summed), 0.0, p)


def _features(summed: np.ndarray, individuals: np.ndarray, centre: float) -> np.ndarray:
    size = np.log(np.maximum(individuals, 1)) - centre
    return np.stack([np.ones(len(summed)), np.maximum(summed, LOW), size], axis=1)


def fit_known(
    summed: np.ndarray, individuals: np.ndarray, known: np.ndarray, weight: np.ndarray,
    temper: float,
) -> KnownModel:
    """Learn P(known) on n trials: summed, individuals, known (n,) as above; weight (n,) >= 0.

    Kept as the evidence says where trials of one kind are missing.
    """
    if not (known.any() and (~known).any()):
        return KnownModel(temper)
    centre = float(np.mean(np.log(np.maximum(individuals, 1))))
    x = _features(summed, individuals, centre)
    w = weight / weight.sum() * len(weight)
    beta = PRIOR.copy()

    def loss(b: np.ndarray) -> float:
        f = x @ b
        return float(w @ (np.logaddexp(0, f) - known * f) + 0.5 * RIDGE @ (b - PRIOR) ** 2)

    now = loss(beta)
    for _ in range(100):
        p = expit(x @ beta)
        gradient = x.T @ (w * (p - known)) + RIDGE * (beta - PRIOR)
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + np.diag(RIDGE)
        step, scale = np.linalg.solve(hessian, gradient), 1.0
        while loss(beta - scale * step) > now and scale > 1e-8:
            scale /= 2
        beta = beta - scale * step
        before, now = now, loss(beta)
        if before - now < 1e-10 * (1 + abs(now)):
            break
    beta[1] = max(beta[1], 1e-3)  # more evidence never speaks against
    return KnownModel(temper, tuple(float(b) for b in beta), centre, True)


@dataclass(frozen=True, eq=False)
class Thresholds:
    """between: known from this share of best against new. known: the least P(best candidate) of
    "known"; new: the least P(new) of "new". curve: of `between`. notes: what to know."""

    between: float = 0.5
    known: float = 0.0
    new: float = 0.0
    curve: OpenSetCurve | None = None
    notes: tuple[str, ...] = ()

    def decide(self, best: np.ndarray, new: np.ndarray) -> np.ndarray:
        """(Q,) "known", "new" or "cannot tell"."""
        said = self.two_way(best, new)
        sure = np.where(said == KNOWN, best >= self.known, new >= self.new)
        return np.where(sure, said, UNSURE).astype(object)

    def two_way(self, best: np.ndarray, new: np.ndarray) -> np.ndarray:
        """(Q,) "known" or "new", however unsure."""
        near = (odds_of(best, new) >= self.between) & (best > 0)
        return np.where(near, KNOWN, NEW).astype(object)


def fit_thresholds(trials: Trials, precision: float | None = 0.9) -> Thresholds:
    """Thresholds from trials. precision: wanted share of right answers among "known" and among
    "new", each individual counting alike and known and new ones equally often; None: no answer is
    "cannot tell". Raises InputError when precision is not in 0..1."""
    if precision is not None and not 0 < precision < 1:
        raise InputError(f"precision {precision}: expected between 0 and 1, or None.")
    if not (trials.known.any() and (~trials.known).any()):
        return Thresholds(notes=(
            "no individual that came twice beside another one: the threshold between known and new "
            "is not learned, 0.5 is used",))
    weight = balanced(trials.person, trials.known)
    curve = _curve(trials, weight)
    top = curve.geometric_mean.max()
    if top <= 0:
        return Thresholds(curve=curve, notes=(
            "known and new individuals look alike in this embedding: the threshold is not learned, "
            "0.5 is used",))
    flat = np.flatnonzero(curve.geometric_mean >= top - 1e-12)
    run = flat[: 1 + np.flatnonzero(np.diff(np.append(flat, len(flat) + flat[-1] + 9)) != 1)[0]]
    between = float(curve.threshold[run].mean())
    if precision is None:
        return Thresholds(between, curve=curve)
    said = trials.odds >= between
    notes: list[str] = []
    known = _least(trials.best[said], (trials.known & trials.right)[said], weight[said], precision,
                   KNOWN, notes)
    new = _least(trials.new[~said], ~trials.known[~said], weight[~said], precision, NEW, notes)
    return Thresholds(between, known, new, curve, tuple(notes))


def balanced(person: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) weights by which each individual counts alike, known and new ones half each."""
    out = np.zeros(len(person))
    for side in (True, False):
        rows = np.flatnonzero(known == side)
        if len(rows):
            _, place, count = np.unique(person[rows], return_inverse=True, return_counts=True)
            out[rows] = 0.5 / (len(count) * count[place])
    return out


def _curve(trials: Trials, weight: np.ndarray) -> OpenSetCurve:
    odds = trials.odds
    values = np.unique(odds)
    some = values[np.unique(np.linspace(0, len(values) - 1, POINTS).round().astype(int))]
    at = np.concatenate([[some[0] / 2], (some[1:] + some[:-1]) / 2, [(some[-1] + 1) / 2]])
    good, strange = trials.known & trials.right, ~trials.known
    order = np.argsort(odds)
    place = np.searchsorted(odds[order], at)  # trials before are below the threshold
    below = np.concatenate([[0.0], np.cumsum((2 * weight * strange)[order])])
    above = np.concatenate([[0.0], np.cumsum((2 * weight * good)[order])])
    baus, baks = below[place], above[-1] - above[place]
    return OpenSetCurve(at, baks, baus, np.sqrt(np.maximum(baks * baus, 0.0)))


def _least(
    score: np.ndarray, right: np.ndarray, weight: np.ndarray, precision: float, what: str,
    notes: list[str],
) -> float:
    """The lowest score from which answers are right in the wanted share, inf if there is none."""
    if not len(score):
        return 0.0
    order = np.argsort(-score, kind="stable")
    score, gain, mass = score[order], np.cumsum((weight * right)[order]), np.cumsum(weight[order])
    last = np.append(score[1:] != score[:-1], True)  # equal scores stand or fall together
    good = np.flatnonzero(last & (gain / mass >= precision))
    if not len(good):
        notes.append(f'no answer "{what}" is right in {precision:.0%} of the cases: all of them '
                     f'are "{UNSURE}"')
        return float("inf")
    at = good[-1]
    return 0.0 if at == len(score) - 1 else float((score[at] + score[at + 1]) / 2)
