"""Stage 4: a space in which crops of one taxon lie together.

n crops, C classes, D embedding dimensions, d dimensions of the space.

A head maps x = e / |e| through linear layers, with max(0, .) between them, to length 1. The closed
form is one layer and needs no training: with S the within-class covariance, shrunken, its columns
are S^(-1/2) (U, R), where U are the axes of the class means after whitening by S (C - 1 of them:
linear discriminant analysis) and R the main axes of what is left. Without R two classes would have
one axis, on which every new animal lies exactly at one of the two.
Sources: Markoff and Galaktionovs 2025, arXiv:2510.14594 (stage "metric learning"); Fisher 1936,
Rao 1948 (discriminant axes); Kubokawa and Srivastava 2008 (shrinkage). The axes R are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ecotone.errors import MissingExtraError
from ecotone.fusion.features import fit_projection
from ecotone.hierarchy.centroids import (
    Centroids,
    Crops,
    FitSpace,
    build_centroids,
    class_sums,
    unit_rows,
)
from ecotone.hierarchy.five_stage_settings import FiveStageSettings

CHUNK = 8192
AXES = 256  # principal axes of the embedding that the closed form looks at
MOST_ROWS = 20000  # crops that these axes are found on


@dataclass(frozen=True, eq=False)
class Head:
    """weights, bias: one (D, d), (d,) a layer; no layer leaves the embedding as it is.

    kind: "none", "closed-form" or "triplet".
    """

    kind: str = "none"
    weights: tuple[np.ndarray, ...] = ()
    bias: tuple[np.ndarray, ...] = ()

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Unit rows (N, d) float32 of embeddings (N, D), in blocks so that memory is bounded."""
        parts = [self._block(embeddings[i : i + CHUNK]) for i in range(0, len(embeddings), CHUNK)]
        return np.vstack(parts) if parts else self._block(np.asarray(embeddings))

    def _block(self, embeddings: np.ndarray) -> np.ndarray:
        values = unit_rows(np.asarray(embeddings, dtype=np.float32))
        for number, (weights, bias) in enumerate(zip(self.weights, self.bias, strict=True)):
            values = (np.maximum(values, 0.0) if number else values) @ weights + bias
        return unit_rows(values)


def fit_space(
    crops: Crops, settings: FiveStageSettings, seed: int = 0
) -> tuple[Head, Centroids]:
    """The head of the settings, and the centroids in its space.

    "auto" is the closed form, and the trained head where torch is installed and puts more held-out
    crops nearest to their own centroid. Raises MissingExtraError when "triplet" is asked for and
    torch is not installed.
    """
    kinds = head_kinds(settings, int(crops.target.max()) + 1)
    tried = [build_centroids(crops, _fit(kind, settings, seed), settings.drop_farthest,
                             settings.folds) for kind in kinds]
    best = int(np.argmax([np.nan_to_num(centroids.held_accuracy) for _, centroids in tried]))
    return tried[best]


def head_kinds(settings: FiveStageSettings, classes: int) -> tuple[str, ...]:
    """The heads that are tried: of "none", "closed-form" and "triplet"."""
    if not settings.metric_head or settings.head == "none" or classes < 2:
        return ("none",)
    torch = find_spec("torch") is not None
    if settings.head == "triplet" and not torch:
        raise MissingExtraError("five_stage: a metric head trained with triplet loss", "torch")
    if settings.head == "auto":
        return ("closed-form", "triplet") if torch else ("closed-form",)
    return (settings.head,)


def _fit(kind: str, settings: FiveStageSettings, seed: int) -> FitSpace:
    def fit(embeddings: np.ndarray, target: np.ndarray, keys: np.ndarray) -> Head:
        return fit_head(kind, embeddings, target, keys, settings, seed)

    return fit


def fit_head(
    kind: str, embeddings: np.ndarray, target: np.ndarray, keys: np.ndarray,
    settings: FiveStageSettings, seed: int = 0,
) -> Head:
    """A head fitted to unit embeddings (n, D) of classes `target` (n,); keys: of their content.

    With one class there is nothing to learn, and the embedding stays as it is.
    """
    if kind == "none" or len(np.unique(target)) < 2:
        return Head()
    if kind == "triplet":
        from ecotone.hierarchy.triplet import train_triplet

        return Head("triplet", *train_triplet(embeddings, target, keys, settings, seed))
    return closed_form(embeddings, target, settings.whitened_axes)


def closed_form(embeddings: np.ndarray, target: np.ndarray, more: int = 16) -> Head:
    """The head without training: discriminant axes and `more` main axes of the whitened rest."""
    rows = np.arange(len(embeddings))
    # Crops come by class and content: every so-many-th is a fair part of all classes.
    mean, axes = fit_projection(embeddings, rows[:: len(rows) // MOST_ROWS + 1], AXES)
    features = np.vstack([
        (np.asarray(embeddings[i : i + CHUNK], dtype=np.float64) - mean) @ axes
        for i in range(0, len(rows), CHUNK)
    ])
    labels, number = np.unique(target, return_inverse=True)
    means = class_sums(features, number, len(labels)) / np.bincount(number)[:, None]
    white = whitening(features - means[number])
    between = (means - features.mean(axis=0)) @ white
    found = main_axes(between, len(labels) - 1)
    rest = features @ white
    rest = rest - rest.mean(axis=0)
    rest -= (rest @ found) @ found.T
    found = np.hstack([found, main_axes(rest, more)])
    turn = np.asarray(axes, dtype=np.float64) @ white @ found
    return Head("closed-form", (turn.astype(np.float32),),
                ((-(mean @ turn)).astype(np.float32),))


def whitening(residuals: np.ndarray) -> np.ndarray:
    """S^(-1/2) (d, d) of residuals (n, d) around their class means, S shrunken to the sphere."""
    rows, dims = residuals.shape
    within = residuals.T @ residuals / rows
    spread = max(float(np.trace(within)), 1e-12)
    shrunken = ((rows - 1) * within + spread * np.eye(dims)) / (rows - 1 + dims)
    shrunken += 1e-6 * spread / dims * np.eye(dims)
    values, vectors = np.linalg.eigh(shrunken)
    return (vectors / np.sqrt(values)) @ vectors.T


def main_axes(values: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal axes (d, at most `most`) along which rows (n, d) differ, the longest first."""
    squares, axes = np.linalg.eigh(values.T @ values)
    squares, axes = squares[::-1], axes[:, ::-1]
    real = squares > 1e-10 * max(float(squares[0]), 1e-300)
    return axes[:, real][:, :most]
