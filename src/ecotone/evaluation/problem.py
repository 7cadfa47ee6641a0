"""One learning problem as every baseline gets it: training rows, few labels, test rows.

N training rows, M test rows, D embedding dimensions, d projected ones, K local classes, S global
classes of one global model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecotone.errors import InputError
from ecotone.types import GlobalScores

DIMENSIONS = 256


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method may know, and the test rows it must predict.

    embeddings: (N, D) float32. features: (N, d) of unit length, see `project_rows`. scores: by
    global model, N rows each; empty without any. labels: (N,) int columns, -1 where unlabelled.
    test_*: the same for the M test rows, which are in no other array. name_weights: by global
    model, (K, S), how much each local class is related to each global class by name; a model may
    be missing. groups: (N,) int, rows of one location or burst. seed: for all that is random.
    """

    classes: tuple[str, ...]
    embeddings: np.ndarray
    features: np.ndarray
    scores: Mapping[str, GlobalScores]
    labels: np.ndarray
    test_embeddings: np.ndarray
    test_features: np.ndarray
    test_scores: Mapping[str, GlobalScores]
    name_weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None
    seed: int = 0

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def labelled(self) -> np.ndarray:
        """Indices of the labelled rows."""
        return np.flatnonzero(self.labels >= 0)

    @property
    def counts(self) -> np.ndarray:
        """Labels of each class, (K,) int."""
        return np.bincount(self.labels[self.labelled], minlength=self.n_classes)

    @property
    def prior(self) -> np.ndarray:
        """Class prior (K,): counts plus one half, scaled to sum to 1."""
        counts = self.counts + 0.5
        return counts / counts.sum()

    @property
    def names(self) -> list[str | None]:
        """The labels as class names, None where unlabelled: what FusionClassifier.fit takes."""
        return [self.classes[k] if k >= 0 else None for k in self.labels]


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; rows of zeros stay zero."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def project_rows(
    train: np.ndarray, test: np.ndarray, dimensions: int = DIMENSIONS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows, principal components of the training rows, and unit length again.

    train: (N, D), all training rows, labelled or not. Returns (N, d) and (M, d) float64 with
    d = min(dimensions, N - 1, D). Rows are not whitened.
    """
    from sklearn.decomposition import PCA

    a, b = unit_rows(np.asarray(train, float)), unit_rows(np.asarray(test, float))
    d = min(dimensions, len(a) - 1, a.shape[1])
    if d < 1:
        return a, b
    pca = PCA(d, random_state=seed).fit(a)
    return unit_rows(pca.transform(a)), unit_rows(pca.transform(b))


def as_scores(scores: object) -> dict[str, GlobalScores]:
    """Scores of one global model or several, as a dict by model name.

    scores: None, GlobalScores, or a mapping of names to GlobalScores.
    """
    if scores is None:
        return {}
    if isinstance(scores, GlobalScores):
        return {"global": scores}
    if isinstance(scores, Mapping) and all(isinstance(v, GlobalScores) for v in scores.values()):
        return dict(scores)
    raise InputError(
        f"scores are of type {type(scores).__name__}; give GlobalScores, or a dict by model name."
    )


def label_columns(labels: Sequence[str | None], classes: Sequence[str]) -> np.ndarray:
    """Labels (N,) as columns of `classes`, -1 for None, "" and NaN.

    Raises InputError for a label that is none of the classes.
    """
    place = {name: k for k, name in enumerate(classes)}
    columns = np.full(len(labels), -1, dtype=np.int64)
    for row, label in enumerate(labels):
        if label is None or label == "" or label != label:
            continue
        if str(label) not in place:
            raise InputError(f"label {label!r} in row {row} is none of the {len(place)} classes.")
        columns[row] = place[str(label)]
    return columns


def make_problem(
    classes: Sequence[str],
    embeddings: np.ndarray,
    scores: Mapping[str, GlobalScores],
    labels: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    *,
    features: tuple[np.ndarray, np.ndarray] | None = None,
    name_weights: Mapping[str, np.ndarray] | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Problem:
    """The problem of training on rows `train` and predicting rows `test` (indices).

    labels: (all rows,) int; only those that the method may see are >= 0 among `train`.
    """
    if features is None:
        features = project_rows(embeddings[train], embeddings[test], seed=seed)
    return Problem(
        classes=tuple(classes),
        embeddings=embeddings[train],
        features=features[0],
        scores={name: s.take(train) for name, s in scores.items()},
        labels=labels[train],
        test_embeddings=embeddings[test],
        test_features=features[1],
        test_scores={name: s.take(test) for name, s in scores.items()},
        name_weights=dict(name_weights or {}),
        groups=None if groups is None else groups[train],
        seed=seed,
    )
