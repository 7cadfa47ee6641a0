"""Map, co-train, select on one set of rows: folds, pools, and what they are worth.

n rows of the sample, m labelled ones, K local classes, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecotone.fusion.cotraining import Candidate, TrainingSet, fit_candidates
from ecotone.fusion.evidence import EvidenceModel
from ecotone.fusion.local_model import FLOOR, softmax
from ecotone.fusion.selection import (
    Selection,
    agreement,
    fit_temperature,
    guarded,
    make_folds,
    mean_of,
    pool_weights,
    selection_table,
)
from ecotone.fusion.threads import side_by_side
from ecotone.types import GlobalScores

FOLDS = 3
MARGIN = 0.95  # fused posteriors are preferred when their loss is below so much of the local one


@dataclass(frozen=True, eq=False)
class Rows:
    """The sample: features (n, d), scores by model, target (n,) class number or -1, weight (n,)
    inverse inclusion probability, keys (n,), groups (m,) and label_weight (m,) of the labelled rows
    or None."""

    features: np.ndarray
    scores: dict[str, GlobalScores]
    target: np.ndarray
    weight: np.ndarray
    keys: np.ndarray
    groups: np.ndarray | None
    label_weight: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Pool:
    """A linear opinion pool of candidates with a temperature."""

    members: tuple[Candidate, ...]
    weight: np.ndarray
    temperature: float

    def proba(self, features: np.ndarray, evidence: np.ndarray, rival: np.ndarray) -> np.ndarray:
        """Pooled, calibrated probabilities (n, K) float32."""
        pooled = np.zeros((len(features), evidence.shape[1]), dtype=np.float32)
        for member, weight in zip(self.members, self.weight, strict=True):
            pooled += np.float32(weight) * np.exp(member.log_proba(features, evidence, rival))
        return softmax(np.log(pooled + FLOOR) / np.float32(self.temperature))


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `fit_pools` found. out_of_fold: (m, K) fused and local, NaN without folds."""

    evidence: EvidenceModel
    fused: Pool
    local: Pool
    preferred: str
    table: tuple[dict, ...]
    labelled: np.ndarray
    out_of_fold: tuple[np.ndarray, np.ndarray]
    losses: tuple[float | None, float | None]
    trust: float

    def selection(self, sample: np.ndarray, n: int) -> Selection:
        """The selection, with the row numbers of labelled rows in the whole data of n rows."""
        best = max(self.table, key=lambda row: row["weight"])["name"]
        held = (proba.astype(np.float32) for proba in self.out_of_fold)
        return Selection(
            self.table, best, n, sample[self.labelled], *held, *self.losses,
            self.fused.temperature, self.local.temperature,
        )

    def clamp(self, target: np.ndarray) -> np.ndarray:
        """Label distributions (n, K) of class numbers, at the trust given to labels."""
        return clamped(target, len(self.evidence.classes), self.trust).astype(np.float32)


def clamped(target: np.ndarray, k: int, trust: float) -> np.ndarray:
    """Label distributions (n, K): trust on the label, the rest on the others."""
    if k == 1:
        return np.ones((len(target), 1))
    out = np.full((len(target), k), (1.0 - trust) / (k - 1))
    out[np.arange(len(target)), target] = trust
    return out


@dataclass(frozen=True, eq=False)
class _Trained:
    """Maps and candidates fitted on some rows; evidence and rival (n, K) of all rows by them."""

    model: EvidenceModel
    candidates: list[Candidate]
    evidence: np.ndarray
    rival: np.ndarray


def _train(rows: Rows, evidence: EvidenceModel, use: np.ndarray, trust: float) -> _Trained:
    """Maps and candidates from the rows in `use` (n,) bool."""
    labelled = np.flatnonzero(use & (rows.target >= 0))
    targets = clamped(rows.target[labelled], len(evidence.classes), trust)
    fitted = evidence.fit(rows.scores, labelled, targets)
    total, rival = fitted.log_evidence(rows.scores, len(rows.features))
    data = TrainingSet(
        features=rows.features,
        evidence=total,
        rival=rival,
        labelled=labelled,
        targets=targets.astype(np.float32),
        use=use,
        weight=rows.weight,
        log_prior=np.log(fitted.class_prior).astype(np.float32),
    )
    candidates = fit_candidates(data, informed=bool(rows.scores))
    return _Trained(fitted, candidates, total, rival)


@dataclass(eq=False)
class _HeldOut:
    """Out-of-fold log probabilities (C, m, K) and agreements (C,), filled fold by fold; target (m,)
    and how much each label speaks for, (m,) or None."""

    log_proba: np.ndarray
    agreement: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None


def _cross_fit(rows: Rows, fold: np.ndarray, names: list[str], parts: list[_Trained]) -> _HeldOut:
    """What the candidates of each fold's fit say of the rows they did not see.

    fold: (n,) fold of every row, labelled or not; parts: one fit a fold.
    """
    labelled = np.flatnonzero(rows.target >= 0)
    place = {name: i for i, name in enumerate(names)}
    k = parts[0].evidence.shape[1]
    out = _HeldOut(
        np.zeros((len(names), len(labelled), k)), np.zeros(len(names)), rows.target[labelled],
        rows.label_weight,
    )
    for f, part in enumerate(parts):
        at = labelled[fold[labelled] == f]
        held, fresh = fold[labelled] == f, np.flatnonzero((fold == f) & (rows.target < 0))
        log_prior = np.log(part.model.class_prior)
        floor = agreement(np.tile(log_prior, (len(fresh), 1)), part.evidence[fresh])
        for c in part.candidates:
            out.log_proba[place[c.name], held] = c.log_proba(
                rows.features[at], part.evidence[at], part.rival[at]
            )
            # A fused candidate is judged by its student: the evidence cannot vouch for itself.
            alone = Candidate(c.name, c.head, 0.0).log_proba(
                rows.features[fresh], part.evidence[fresh], part.rival[fresh]
            )
            gain = agreement(alone, part.evidence[fresh]) - floor
            out.agreement[place[c.name]] += gain / len(parts)
    return out


def _all_folds(rows: Rows) -> np.ndarray:
    """Fold (n,) of every row: labelled ones by class or group, the others by their keys."""
    labelled = np.flatnonzero(rows.target >= 0)
    fold = ((rows.keys >> np.uint64(17)) % np.uint64(FOLDS)).astype(int)
    if len(labelled) >= 2:
        fold[labelled] = make_folds(rows.target[labelled], rows.keys[labelled], rows.groups, FOLDS)
    else:
        fold[labelled] = FOLDS  # a single label stays in every fold's training rows
    return fold


def _reweigh(rows: Rows, evidence: EvidenceModel, fold: np.ndarray, trust: float) -> EvidenceModel:
    """Exponents of several models, by what their maps say of held-out labels."""
    labelled = np.flatnonzero(rows.target >= 0)
    if len(rows.scores) < 2 or len(labelled) < 2:
        return evidence
    held_out = np.zeros((len(labelled), len(evidence.classes), len(rows.scores)))
    for f in np.unique(fold[labelled]):
        train, test = labelled[fold[labelled] != f], fold[labelled] == f
        targets = clamped(rows.target[train], len(evidence.classes), trust)
        fitted = evidence.fit(rows.scores, train, targets)
        for m, (name, given) in enumerate(rows.scores.items()):
            held_out[test, :, m] = fitted.mappings[name].log_evidence(given.take(labelled[test]))
    return evidence.reweighted(
        rows.scores, held_out, rows.target[labelled], rows.label_weight
    )


def fit_pools(rows: Rows, evidence: EvidenceModel, trust: float) -> Fitted:
    """The whole fit on a sample of rows: fused pool, local pool, and the figures behind them."""
    fold = _all_folds(rows)
    evidence = _reweigh(rows, evidence, fold, trust)
    every = np.ones(len(rows.features), dtype=bool)
    uses = [every, *(fold != f for f in range(FOLDS))]
    whole, *parts = side_by_side(lambda use: _train(rows, evidence, use, trust), uses)
    candidates = whole.candidates
    held = _cross_fit(rows, fold, [c.name for c in candidates], parts)
    labelled = np.flatnonzero(rows.target >= 0)
    folded = len(labelled) >= 2
    if folded:
        candidates, held = _calibrated(candidates, held)
    weight, local_weight, table = _weigh(candidates, held, folded)
    fused, fused_oof, fused_loss = _pool(candidates, weight, held, folded)
    local, local_oof, local_loss = _pool(candidates, local_weight, held, folded)
    return Fitted(
        evidence=whole.model,
        fused=fused,
        local=local,
        preferred=_preferred(fused_loss, local_loss),
        table=table,
        labelled=labelled,
        out_of_fold=(fused_oof, local_oof),
        losses=(fused_loss, local_loss),
        trust=trust,
    )


def _weigh(
    candidates: list[Candidate], held: _HeldOut, folded: bool
) -> tuple[np.ndarray, np.ndarray, tuple[dict, ...]]:
    """Weights (C,) in the fused pool and in the local model, and the table that shows them."""
    likelihood = right = None
    if folded:
        inside = np.arange(len(held.target))
        likelihood = np.stack([guarded(p)[inside, held.target] for p in held.log_proba])
        right = held.log_proba.argmax(axis=2) == held.target
    is_local = np.array([c.name.startswith("labels only") for c in candidates])
    student = np.array([c.is_student for c in candidates])
    weight = pool_weights(likelihood, held.agreement, is_local, held.weight)
    local_weight = np.zeros(len(candidates))
    local_weight[student] = pool_weights(
        None if likelihood is None else likelihood[student],
        held.agreement[student],
        is_local[student],
        held.weight,
    )
    names = [c.name for c in candidates]
    table = selection_table(
        names, likelihood, right, held.agreement, weight, local_weight, held.weight
    )
    return weight, local_weight, table


def _preferred(fused_loss: float | None, local_loss: float | None) -> str:
    """The local model needs no global scores later: it is preferred where it is as good."""
    if fused_loss is None or local_loss is None:
        return "fused"
    return "fused" if fused_loss < MARGIN * local_loss else "local"


def _calibrated(
    candidates: list[Candidate], held: _HeldOut
) -> tuple[list[Candidate], _HeldOut]:
    """Each candidate at the temperature that its own held-out predictions ask for, so that the
    pool weighs what candidates know, not how loudly they say it."""
    heated, log_proba = [], np.empty_like(held.log_proba)
    for c, (candidate, log_p) in enumerate(zip(candidates, held.log_proba, strict=True)):
        temperature = fit_temperature(np.exp(log_p), held.target, held.weight)
        heated.append(replace(candidate, temperature=temperature))
        log_proba[c] = np.log(softmax(log_p / temperature) + 1e-7)
    return heated, replace(held, log_proba=log_proba)


def _pool(
    candidates: list[Candidate],
    weight: np.ndarray,
    held: _HeldOut,
    folded: bool,
) -> tuple[Pool, np.ndarray, float | None]:
    """The pool of the weighted candidates, its out-of-fold posteriors (m, K) and their loss."""
    kept, target = np.flatnonzero(weight > 0), held.target
    members, share = tuple(candidates[c] for c in kept), weight[kept].astype(np.float32)
    if not folded:
        blank = np.full((len(target), held.log_proba.shape[2]), np.nan)
        return Pool(members, share, 1.0), blank, None
    pooled = np.einsum("c,cnk->nk", share, np.exp(held.log_proba[kept]))
    temperature = fit_temperature(pooled, target, held.weight)
    proba = softmax(np.log(pooled + FLOOR) / temperature)
    losses = -np.log(guarded(np.log(proba + 1e-12))[np.arange(len(target)), target])
    return Pool(members, share, temperature), proba, mean_of(losses, held.weight)
