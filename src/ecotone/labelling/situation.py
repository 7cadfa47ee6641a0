"""What is known when questions are chosen: all rows, what is thought of them, what is said.

N detections, D embedding dimensions, K local classes, S global classes, C candidates (one a burst).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ecotone.errors import InputError
from ecotone.evaluation.splits import link_rows
from ecotone.fusion.classifier import FusionClassifier
from ecotone.fusion.features import content_keys, fit_projection, project_all
from ecotone.fusion.inputs import DEFAULT_MODEL, check_classes, check_embeddings, check_labels
from ecotone.fusion.mapping import Mapping
from ecotone.types import GlobalScores

DIMENSIONS = 64
BLOCK = 16384  # rows looked at at once
FITTED_ON = 4000  # rows that the principal axes are found on
UNKNOWN = "unknown"  # the kind of a class that names and tree do not relate to the global model


@dataclass(frozen=True, eq=False)
class Situation:
    """All rows, in the order of the caller.

    features: (N, d) unit rows. keys: (N,) uint64 by content. target: (N,) class number, -1 where
    unlabelled. unit: (N,) int, rows of one burst or one picture. usable: (N,) bool, rows with an
    embedding. fused, mapped, student: (N, K) posteriors or None. scores: one model or None.
    reachable: (K,) bool, whether the global model knows the class. site: (N,) int or None.
    """

    features: np.ndarray
    keys: np.ndarray
    target: np.ndarray
    unit: np.ndarray
    usable: np.ndarray
    classes: tuple[str, ...]
    fused: np.ndarray | None
    mapped: np.ndarray | None
    student: np.ndarray | None
    scores: GlobalScores | None
    reachable: np.ndarray
    site: np.ndarray | None

    @property
    def labelled(self) -> np.ndarray:
        """Row numbers with a label."""
        return np.flatnonzero(self.target >= 0)

    @property
    def counts(self) -> np.ndarray:
        """Labels of each class, (K,) int."""
        return np.bincount(self.target[self.labelled], minlength=len(self.classes))


def row_keys(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Keys (N,) uint64 by content; 0 for rows of zeros, which stand for "no embedding"."""
    keys = np.maximum(content_keys(embeddings, seed), np.uint64(1))
    for start in range(0, len(keys), BLOCK):  # embeddings may lie on the disk
        part = slice(start, start + BLOCK)
        keys[part] *= np.asarray(embeddings[part]).any(axis=1)
    return keys


def project(embeddings: np.ndarray, keys: np.ndarray, dimensions: int) -> np.ndarray:
    """Unit features (N, d) on the first principal axes; which rows they rest on depends on
    content alone."""
    some = np.flatnonzero(keys != 0)
    order = some[np.argsort(keys[some], kind="stable")][:FITTED_ON]
    if not len(order):
        raise InputError("embeddings: all rows are zero; extract them first.")
    mean, axes = fit_projection(embeddings, order, dimensions)
    return project_all(embeddings, mean, axes)


def units_of(keys: np.ndarray, bursts: Sequence[object] | None) -> np.ndarray:
    """Units (N,) int: rows of one burst, and copies of one picture, also through each other."""
    if bursts is None:
        unit = np.unique(keys, return_inverse=True)[1]
        # Rows of zeros have no embedding, and are no copies of each other.
        unit[keys == 0] = len(keys) + np.arange((keys == 0).sum())
        return np.unique(unit, return_inverse=True)[1]
    names = ["" if b is None or b != b else str(b) for b in bursts]
    return link_rows(len(keys), names, [int(k) or None for k in keys])


def look(
    embeddings: np.ndarray,
    scores: object,
    labels: Sequence[object] | None,
    *,
    classifier: FusionClassifier | None,
    posteriors: np.ndarray | None,
    map_posteriors: np.ndarray | None,
    student_posteriors: np.ndarray | None,
    reachable: np.ndarray | None,
    groups: Sequence[object] | None,
    bursts: Sequence[object] | None,
    classes: Sequence[str] | None,
    random_state: int,
) -> Situation:
    """Everything that is known, checked; see `suggest`. Raises InputError where it does not fit."""
    embeddings = check_embeddings(embeddings)
    n = len(embeddings)
    _check_lengths(n, labels=labels, groups=groups, bursts=bursts)
    names = _classes(classes, classifier, labels, posteriors)
    keys = row_keys(embeddings, random_state)
    fused, mapped, student = posteriors, map_posteriors, student_posteriors
    if classifier is not None:
        fused = classifier.predict_proba(embeddings, scores) if fused is None else fused
        if student is None:
            student = classifier.local_model_.predict_proba(embeddings)
        if mapped is None and scores is not None:
            mapped = classifier.map_proba(scores, n)
    return Situation(
        features=project(embeddings, keys, DIMENSIONS),
        keys=keys,
        target=check_labels([None] * n if labels is None else labels, names or ("",)),
        unit=units_of(keys, bursts),
        usable=keys > 0,
        classes=names,
        fused=_check_posteriors(fused, n, len(names), "posteriors"),
        mapped=_check_posteriors(mapped, n, len(names), "map_posteriors"),
        student=_check_posteriors(student, n, len(names), "student_posteriors"),
        scores=None if fused is not None else one_model(scores, n),
        reachable=_reachable(classifier, len(names), reachable),
        site=None if groups is None else np.unique(list(map(str, groups)), return_inverse=True)[1],
    )


def _check_lengths(n: int, **given: Sequence[object] | None) -> None:
    for name, values in given.items():
        if values is not None and len(values) != n:
            raise InputError(f"{name}: {len(values)} entries, embeddings have {n} rows.")


def _classes(
    classes: Sequence[str] | None,
    classifier: FusionClassifier | None,
    labels: Sequence[object] | None,
    posteriors: np.ndarray | None,
) -> tuple[str, ...]:
    if classes is None and classifier is not None:
        classes = tuple(classifier.classes_)
    if classes is not None:
        return check_classes(classes, "local_classes")
    if posteriors is not None:
        raise InputError("posteriors: give classes too, one name a column.")
    used = {str(v) for v in labels if v is not None and v == v and v != ""} if labels is not None \
        else set()
    return tuple(sorted(used))


def _check_posteriors(
    values: np.ndarray | None, n: int, k: int, what: str
) -> np.ndarray | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float32)
    if array.shape != (n, k):
        raise InputError(f"{what}: shape {array.shape}, expected {(n, k)}.")
    if not np.isfinite(array).all() or (array < 0).any():
        raise InputError(f"{what}: NaN, infinity or negative values; give probabilities.")
    return array


def one_model(scores: object, n: int) -> GlobalScores | None:
    """The scores of the first global model, whatever its classes are called."""
    if isinstance(scores, dict):
        scores = next((v for v in scores.values() if v is not None), None)
    if scores is None:
        return None
    if not isinstance(scores, GlobalScores):
        matrix = sparse.csr_matrix(scores)
        scores = GlobalScores(matrix, tuple(f"{DEFAULT_MODEL} {i}" for i in range(matrix.shape[1])))
    if len(scores) != n:
        raise InputError(f"scores: {len(scores)} rows, embeddings have {n}.")
    return scores


def known_by(mappings: Iterable[Mapping], k: int) -> np.ndarray:
    """(K,) bool: some global model has a class that is related to the local one; all where there
    is no global model."""
    kinds = [np.asarray(m.kind) != UNKNOWN for m in mappings]
    return np.any(kinds, axis=0) if kinds else np.ones(k, dtype=bool)


def _reachable(
    classifier: FusionClassifier | None, k: int, given: np.ndarray | None
) -> np.ndarray:
    if given is None:
        return known_by(() if classifier is None else classifier.mappings_.values(), k)
    array = np.asarray(given)
    if array.shape != (k,) or array.dtype != bool:
        raise InputError(f"reachable: {array.dtype} of shape {array.shape}, expected bool ({k},).")
    return array
