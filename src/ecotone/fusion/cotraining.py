"""Step two: the candidates. Students that learn from the map's pseudo-labels, anchored to the map.

n training rows, d feature dimensions, K local classes.

    q <- softmax(b * evidence + log prior); labelled rows clamped
    repeat: fit a student on (z, q, w); s <- log student(z); q <- softmax(s + beta * evidence)

Every round multiplies the student by the global evidence again, so that it cannot drift away from
it. Sources: StatA, Zanella et al., CVPR 2025 (why the anchor is needed); Saerens et al. 2002 and
Dawid and Skene 1979 (the generative relatives); Blum and Mitchell 1998 (co-training).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.fusion.local_model import softmax
from ecotone.fusion.students import Head, gaussian_head, log_predict, logistic_head

FIRST_EXPONENT = 0.7  # b: the evidence of one picture is over-confident, scores being correlated
UNLABELLED_WEIGHT = 0.3
LOCAL_STRENGTHS = (10.0, 300.0)  # C of the labels-only logistic regressions


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What the candidates learn from.

    features: (n, d). evidence: (n, K) log likelihood ratios of the global models together.
    rival: (n, K) the same by the expected empirical predictor (LEEP). labelled: (m,) row numbers.
    targets: (m, K) clamped label distributions. use: (n,) bool, rows that may be learned from.
    weight: (n,) inverse sampling probability of each row. log_prior: (K,).
    """

    features: np.ndarray
    evidence: np.ndarray
    rival: np.ndarray
    labelled: np.ndarray
    targets: np.ndarray
    use: np.ndarray
    weight: np.ndarray
    log_prior: np.ndarray


@dataclass(frozen=True, eq=False)
class Candidate:
    """One member of the family: a linear head, and how strongly the evidence is multiplied in.

    anchor 0 is the student alone. own_evidence: "map", or "rival" for the hard product.
    is_student: whether it may serve in a local model that sees no global scores. temperature:
    divides the log probabilities; found on held-out labels.
    """

    name: str
    head: Head
    anchor: float
    own_evidence: str = "map"
    is_student: bool = False
    temperature: float = 1.0

    def log_proba(
        self, features: np.ndarray, evidence: np.ndarray, rival: np.ndarray
    ) -> np.ndarray:
        """Log probabilities (n, K) of rows with their features and evidence."""
        if not self.anchor:
            return log_predict(features, self.tempered_head())
        s = log_predict(features, self.head)
        fused = s + self.anchor * (evidence if self.own_evidence == "map" else rival)
        return np.log(softmax(fused / np.float32(self.temperature)) + np.float32(1e-7))

    def tempered_head(self) -> Head:
        """The head with its logits divided by the temperature."""
        t = np.float32(self.temperature)
        return self.head[0] / t, self.head[1] / t


@dataclass(frozen=True)
class Recipe:
    """A student's schedule: kind "gaussian" or "logistic", its strength (scale or ridge), anchor,
    and the rounds after which it is kept as a candidate."""

    kind: str
    strength: float
    anchor: float
    keep: tuple[int, ...]

    @property
    def label(self) -> str:
        """What people read: the gaussian schedule is EM of a generative model (its exponents a on
        features and b on evidence), the logistic one plain co-training."""
        if self.kind == "gaussian":
            return f"generative EM, a={self.strength:g} b={self.anchor:g}"
        return f"logistic co-training, b={self.anchor:g}"


RECIPES = (
    Recipe("gaussian", 0.25, 0.7, (1,)),
    Recipe("gaussian", 0.5, 0.7, (4, 12)),
    Recipe("gaussian", 1.0, 0.7, (2, 4)),
    Recipe("gaussian", 1.0, 0.3, (4, 12)),
    Recipe("logistic", 3e-4, 0.7, (1, 4)),
)


def _clamped(q: np.ndarray, data: TrainingSet) -> np.ndarray:
    q[data.labelled] = data.targets
    return q


def _row_weight(data: TrainingSet) -> np.ndarray:
    weight = UNLABELLED_WEIGHT * data.weight
    weight[data.labelled] = 1.0
    return weight[data.use]


def cotrain(data: TrainingSet, recipe: Recipe) -> list[Candidate]:
    """Run one schedule; the kept rounds, each as student alone and as student times evidence."""
    q = _clamped(softmax(FIRST_EXPONENT * data.evidence + data.log_prior), data)
    weight, learn = _row_weight(data), data.features[data.use]
    head: Head | None = None
    kept: list[Candidate] = []
    for step in range(1, max(recipe.keep) + 1):
        if recipe.kind == "gaussian":
            head = gaussian_head(learn, q[data.use], weight, data.log_prior, recipe.strength)
        else:
            head = logistic_head(learn, q[data.use], weight, recipe.strength, head)
        s = log_predict(data.features, head)
        q = _clamped(softmax(s + recipe.anchor * data.evidence), data)
        if step in recipe.keep:
            name = f"{recipe.label}, round {step}"
            kept.append(Candidate(name, head, 0.0, is_student=True))
            kept.append(Candidate(f"{name}, fused", head, recipe.anchor))
    return kept


def labels_only(data: TrainingSet) -> list[Candidate]:
    """The members that look at nothing but the labels; without labels there are none."""
    rows = data.labelled[data.use[data.labelled]]
    targets = data.targets[data.use[data.labelled]]
    if not len(rows):
        return []
    z, weight = data.features[rows], np.ones(len(rows))
    found = []
    for strength in LOCAL_STRENGTHS:
        head = logistic_head(z, targets, weight, 1.0 / (strength * len(rows)), iterations=100)
        found.append(Candidate(f"labels only, logistic C={strength:g}", head, 0.0, is_student=True))
    head = gaussian_head(z, targets, weight, data.log_prior, 1.0)
    found.append(Candidate("labels only, gaussian", head, 0.0, is_student=True))
    return found


def map_only(data: TrainingSet) -> Candidate:
    """The map's own posterior: a head that knows only the class prior, times the evidence."""
    dims = data.features.shape[1]
    head = (np.zeros((dims, len(data.log_prior)), np.float32), data.log_prior.astype(np.float32))
    return Candidate("map only", head, FIRST_EXPONENT)


def hard_product(data: TrainingSet, local: Candidate) -> list[Candidate]:
    """LEEP posterior times the labels-only student over the prior; a student retrained on it."""
    s = log_predict(data.features, local.head)
    q = _clamped(softmax(s + data.rival), data)
    head = logistic_head(data.features[data.use], q[data.use], _row_weight(data), 1e-4)
    return [
        Candidate("hard product", head, 0.0, is_student=True),
        Candidate("hard product, fused", head, 1.0, own_evidence="rival"),
    ]


def fit_candidates(data: TrainingSet, informed: bool) -> list[Candidate]:
    """Every candidate, fitted. informed: whether there is any global evidence at all."""
    local = labels_only(data)
    found = [*local, map_only(data)]
    for recipe in RECIPES:
        found += cotrain(data, recipe)
    if informed and local:
        found += hard_product(data, local[0])
    if not informed:  # without evidence, fused and alone are the same
        found = [c for c in found if not c.anchor]
    return found
