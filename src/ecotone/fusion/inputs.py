"""What `FusionClassifier` is given, checked once and put into one form.

N detections, S global classes, K local classes, D embedding dimensions.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ecotone.errors import InputError
from ecotone.types import GlobalScores, is_stored

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

DEFAULT_MODEL = "global model"
CHUNK = 8192  # rows looked at at once


@dataclass(frozen=True, eq=False)
class FitInputs:
    """What `fit` works on. classes: K names. embeddings: (N, D). target: (N,) class numbers, -1
    where unlabelled. scores: by model. groups: (N,) str or None. label_weight: (L,) of the labelled
    rows, in their order, or None."""

    classes: tuple[str, ...]
    embeddings: np.ndarray
    target: np.ndarray
    scores: dict[str, GlobalScores]
    groups: np.ndarray | None
    label_weight: np.ndarray | None = None


def check_fit(
    local_classes: Sequence[str],
    global_classes: object,
    embeddings: object,
    scores: object,
    labels: Sequence[object] | None,
    groups: Sequence[object] | None,
    label_weight: Sequence[float] | np.ndarray | None = None,
) -> FitInputs:
    """Everything that `fit` is given, checked. Raises InputError when something does not fit."""
    classes = check_classes(local_classes, "local_classes")
    embeddings = check_embeddings(embeddings, None if labels is None else len(labels))
    n = len(embeddings)
    if n == 0:
        raise InputError("fit: no rows; give at least one embedding.")
    target = check_labels([None] * n if labels is None else labels, classes)
    if groups is not None and len(groups) != n:
        raise InputError(f"groups: {len(groups)} entries, expected {n}.")
    names = None if groups is None else np.asarray([str(g) for g in groups])
    return FitInputs(
        classes, embeddings, target, check_scores(scores, global_classes, n), names,
        None if label_weight is None else check_label_weight(label_weight, target),
    )


def check_label_weight(weight: object, target: np.ndarray) -> np.ndarray:
    """Weights (L,) float64 of the labelled rows, given for them alone or for all N rows (those of
    unlabelled rows say nothing).

    They are scaled to sum to what they are worth in evenly weighted labels, (sum w)^2 / sum w^2
    (Kish 1965). Raises InputError when they do not fit.
    """
    given = np.asarray(weight)
    labelled = np.flatnonzero(target >= 0)
    if given.ndim != 1 or len(given) not in (len(target), len(labelled)):
        raise InputError(
            f"label_weight: shape {given.shape}, expected ({len(target)},), one a row, or "
            f"({len(labelled)},), one a labelled row."
        )
    if given.dtype.kind not in "fiu":
        raise InputError(f"label_weight: {given.dtype} values, expected numbers.")
    own = (given[labelled] if len(given) == len(target) else given).astype(np.float64)
    if not np.isfinite(own).all() or (own < 0).any() or (len(own) and not own.sum() > 0):
        raise InputError("label_weight: NaN, infinite or negative, or all 0; give numbers above 0.")
    return own * (own.sum() / max(float((own**2).sum()), 1e-300))


def check_embeddings(embeddings: object, n: int | None = None) -> np.ndarray:
    """Embeddings (N, D) as a finite float array; those that are stored elsewhere stay there.

    Raises InputError for anything else.
    """
    array = embeddings if is_stored(embeddings) else np.asarray(embeddings)
    shape = tuple(array.shape)
    if len(shape) != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"embeddings: expected a number array (N, D), found shape {shape} of {array.dtype}."
        )
    if n is not None and len(array) != n:
        raise InputError(f"embeddings: {len(array)} rows, labels have {n}; give one row each.")
    if isinstance(array, np.ndarray) and (array.dtype == np.float64 or array.dtype.kind in "iu"):
        array = array.astype(np.float32)
    for start in range(0, len(array), CHUNK):
        block = np.asarray(array[start : start + CHUNK])
        finite = np.isfinite(block.sum(axis=1, dtype=np.float64))
        if not finite.all():
            row = start + int(np.flatnonzero(~finite)[0])
            raise InputError(f"embeddings: row {row} holds NaN or infinity; leave such rows out.")
    return array


def check_labels(labels: Sequence[object], classes: Sequence[str]) -> np.ndarray:
    """Class numbers (N,), -1 where unlabelled (None, NaN or empty).

    Raises InputError for a label that is not among the local classes, with the nearest ones.
    """
    index = {name: i for i, name in enumerate(classes)}
    out = np.full(len(labels), -1, dtype=int)
    for row, label in enumerate(labels):
        if label is None or label == "" or (isinstance(label, float) and np.isnan(label)):
            continue
        found = index.get(str(label))
        if found is None:
            near = difflib.get_close_matches(str(label), list(index), 3)
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            raise InputError(
                f"labels: row {row} says {str(label)!r}, which is not a local class{hint}"
            )
        out[row] = found
    return out


def check_classes(classes: Sequence[str], what: str) -> tuple[str, ...]:
    """Class names as strings. Raises InputError when there are none or one stands twice."""
    names = tuple(str(c) for c in classes)
    if not names:
        raise InputError(f"{what}: no classes given; name at least one.")
    if what == "local_classes" and len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"{what}: {twice!r} is given twice; name each class once.")
    return names


def check_taxonomy(taxonomy: object) -> Taxonomy | None:
    """A `Taxonomy` as it is, or made of SpeciesNet's lines or of rows (dicts by rank).

    Raises InputError for anything else, TaxonomyError when lines or rows are no tree.
    """
    from ecotone.taxonomy.tree import Taxonomy

    if taxonomy is None or isinstance(taxonomy, Taxonomy):
        return taxonomy
    if isinstance(taxonomy, Sequence) and not isinstance(taxonomy, str):
        if all(isinstance(line, str) for line in taxonomy):
            return Taxonomy.from_speciesnet(taxonomy)
        if all(isinstance(row, MappingType) for row in taxonomy):
            return Taxonomy.from_rows(taxonomy)
    raise InputError(
        f"taxonomy: found {type(taxonomy).__name__}; give a Taxonomy, SpeciesNet's lines "
        "(uuid;class;order;family;genus;species;common name), or dicts with rank columns."
    )


def check_scores(
    scores: object, global_classes: object, n: int | None = None
) -> dict[str, GlobalScores]:
    """Scores by model name. A single model may come as array, sparse matrix or GlobalScores.

    Raises InputError when models, columns or rows do not fit.
    """
    if scores is None:
        return {}
    if not isinstance(scores, MappingType):
        scores = {DEFAULT_MODEL: scores}
        global_classes = {DEFAULT_MODEL: global_classes}
    if not isinstance(global_classes, MappingType):
        global_classes = dict.fromkeys(scores, global_classes)
    out: dict[str, GlobalScores] = {}
    for name, value in scores.items():
        if value is None:
            continue
        classes = global_classes.get(name)
        if classes is None and not hasattr(value, "classes"):
            raise InputError(f"scores: global_classes has no entry for the model {name!r}.")
        out[str(name)] = _one_model(str(name), value, classes, n)
    return out


def _one_model(name: str, value: object, classes: object, n: int | None) -> GlobalScores:
    if isinstance(value, GlobalScores) or _is_score_view(value):
        given = value
        if classes is not None and tuple(map(str, classes)) != given.classes:
            raise InputError(f"scores of {name!r}: its classes are not the global_classes given.")
    elif sparse.issparse(value):
        given = GlobalScores(sparse.csr_matrix(value), check_classes(classes, "global_classes"))
    else:
        given = GlobalScores.from_dense(
            np.asarray(value, dtype=np.float32), check_classes(classes, "global_classes")
        )
    if n is not None and len(given) != n:
        raise InputError(f"scores of {name!r}: {len(given)} rows, expected {n}.")
    return given


def _is_score_view(value: object) -> bool:
    """Whether scores are stored elsewhere and give `GlobalScores` of the rows asked for."""
    return all(hasattr(value, name) for name in ("take", "classes", "complete", "__len__"))
