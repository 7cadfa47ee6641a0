"""What the image alone says: posteriors as given, or a foreign model's answers through the map.

N pictures, S global classes, K local classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ecotone.errors import InputError
from ecotone.fusion.evidence import EvidenceModel
from ecotone.fusion.local_model import softmax
from ecotone.fusion.mapping import complete_base
from ecotone.types import GlobalScores

MODEL = "global model"
TINY = 1e-6
LARGE = 2**24  # posteriors given as float32, from which on they stay so: half the memory
SAME = 0.7  # expected share of a model's own class among its answers for it
NAMED = 0.5  # share of the labels whose classes names must place, for names to speak at new sites


@dataclass(frozen=True, eq=False)
class GivenImage:
    """Posteriors (N, K) that somebody else made; labels do not change them."""

    classes: tuple[str, ...]

    def fitted(self, evidence: np.ndarray, rows: np.ndarray, target: np.ndarray) -> GivenImage:
        """The same: nothing to learn."""
        return self

    def names_only(self, target: np.ndarray) -> GivenImage:
        """The same: nothing was learned from labels here."""
        return self

    def proba(self, evidence: np.ndarray) -> np.ndarray:
        """Posteriors (N, K) float64, away from 0."""
        p = np.array(evidence, dtype=np.float64)
        p += TINY
        p /= p.sum(axis=1, keepdims=True)
        return p


@dataclass(frozen=True, eq=False)
class MappedImage:
    """A global model's answers, read by the Dirichlet map of names and labels.

    map: as `EvidenceModel`; before `fitted` it rests on names and an even class prior.
    """

    classes: tuple[str, ...]
    map: EvidenceModel

    @classmethod
    def start(cls, scores: GlobalScores, classes: Sequence[str]) -> MappedImage:
        """The map as names give it; a class that is written as one of the model is that one, and
        no other of the kind ("hunter" is not all of the people)."""
        model = EvidenceModel.start({MODEL: scores}, tuple(classes), None)
        old = model.mappings[MODEL]
        at = {_plain(name): s for s, name in enumerate(scores.classes)}
        base, kind = model.base[MODEL].copy(), old.kind.copy()
        for k, name in enumerate(classes):
            if _plain(name) in at:
                own = np.zeros((1, len(scores.classes)))
                own[0, at[_plain(name)]] = SAME
                base[k] = complete_base(own, old.source_prior)[0]
                kind[k] = "exact"
        mapping = replace(old, theta=base, kind=kind)
        return cls(tuple(classes), replace(
            model, base={MODEL: base}, mappings={MODEL: mapping}
        ))

    def fitted(self, evidence: GlobalScores, rows: np.ndarray, target: np.ndarray) -> MappedImage:
        """The map after labelled rows; target (n, K) soft labels."""
        return replace(self, map=self.map.fit({MODEL: evidence}, rows, target))

    def names_only(self, target: np.ndarray) -> NamedImage | None:
        """Answers by their names, if names place at least half of the labels, else None."""
        unplaced = self.map.mappings[MODEL].kind == "unknown"
        share = target[:, ~unplaced].sum() / max(target.sum(), 1e-9)
        if share < NAMED:
            return None
        base, r = self.map.base[MODEL], self.map.mappings[MODEL].source_prior
        related = np.maximum(base - r, 0.0) * ~unplaced[:, None]
        best = related.max(axis=0)
        to = (related >= best - 1e-9) & (best > 0)
        to = to / np.maximum(to.sum(axis=0), 1)
        return NamedImage(self.classes, self._columns(), to.T)

    def proba(self, evidence: GlobalScores) -> np.ndarray:
        """Posteriors (N, K) float64."""
        given = in_columns(evidence, self._columns())
        ratio, _ = self.map.log_evidence({MODEL: given}, len(given))
        out = softmax(ratio.astype(np.float64) + np.log(self.map.class_prior))
        for s, k in new_names(evidence.classes, self._columns(), self.classes):
            said = evidence.values[:, [s]].toarray() > 0.5
            out = np.where(said, SAME * np.eye(len(self.classes))[k] + (1 - SAME) * out, out)
        return out

    def _columns(self) -> tuple[str, ...]:
        return self.map.mappings[MODEL].global_classes


@dataclass(frozen=True, eq=False)
class NamedImage:
    """A global model's answers, moved to the classes of their names: for places where no label was
    seen, as confusions and class prior learned at some sites need not be those of another.

    to: (S, K) class of each answer, rows sum to 1, or to 0 where its name says nothing.
    """

    classes: tuple[str, ...]
    columns: tuple[str, ...]
    to: np.ndarray

    def fitted(self, evidence: object, rows: np.ndarray, target: np.ndarray) -> NamedImage:
        """The same: labels play no part."""
        return self

    def proba(self, evidence: GlobalScores) -> np.ndarray:
        """Posteriors (N, K) float64."""
        out = in_columns(evidence, self.columns).values @ self.to
        for s, k in new_names(evidence.classes, self.columns, self.classes):
            out[:, k] += evidence.values[:, [s]].toarray().ravel()
        out = SAME * np.asarray(out, dtype=np.float64)
        return out + (1.0 - out.sum(axis=1, keepdims=True)) / len(self.classes)


def new_names(
    given: Sequence[str], columns: Sequence[str], classes: Sequence[str]
) -> list[tuple[int, int]]:
    """(column, class) of answers that were not there in fit and are written as a class."""
    at = {_plain(name): k for k, name in enumerate(classes)}
    return [(s, at[_plain(name)]) for s, name in enumerate(given)
            if name not in columns and _plain(name) in at]


def in_columns(evidence: GlobalScores, columns: tuple[str, ...]) -> GlobalScores:
    """The scores in the columns of a map; answers it does not know say nothing."""
    if evidence.classes == columns:
        return evidence
    at = {name: s for s, name in enumerate(columns)}
    pairs = [(s, at[name]) for s, name in enumerate(evidence.classes) if name in at]
    old, new = np.array(pairs, dtype=int).reshape(-1, 2).T
    move = sparse.csr_matrix(
        (np.ones(len(pairs)), (old, new)), shape=(len(evidence.classes), len(columns))
    )
    return GlobalScores(evidence.values @ move, columns, complete=False)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def as_evidence(evidence: object, classes: Sequence[str] | None) -> GlobalScores | np.ndarray:
    """Posteriors (N, K) of the `classes`, or `GlobalScores`: N answers of a global model ("" or
    None where it gave none) become scores of 1. Raises InputError for anything else."""
    if isinstance(evidence, GlobalScores):
        return evidence
    array = np.asarray(evidence)
    if array.ndim == 2 and array.dtype.kind in "fiu":
        if classes is None or array.shape[1] != len(classes):
            raise InputError(
                f"evidence: posteriors of shape {array.shape}; give ContextClassifier the classes "
                f"of its columns ({'none' if classes is None else len(classes)} given)."
            )
        bad = ~np.isfinite(array).all(axis=1)
        bad |= (array < 0).any(axis=1) | (array.sum(axis=1) <= 0)
        if bad.any():
            raise InputError(
                f"evidence: row {int(bad.argmax())} is no distribution; give probabilities."
            )
        small = array.dtype == np.float32 and array.size > LARGE
        out = array.astype(np.float32 if small else np.float64)
        out /= out.sum(axis=1, keepdims=True)
        return out
    if array.ndim != 1:
        raise InputError(
            f"evidence: found shape {array.shape}; give posteriors (N, K), GlobalScores, or N "
            "answers of a global model."
        )
    said = ["" if v is None or v != v else str(v) for v in array.tolist()]
    names = tuple(sorted(set(said) - {""}))
    if not names:
        raise InputError("evidence: no picture has an answer of a global model; give at least one.")
    at = {name: s for s, name in enumerate(names)}
    rows = [i for i, v in enumerate(said) if v]
    values = sparse.csr_matrix(
        (np.ones(len(rows)), (rows, [at[said[i]] for i in rows])), shape=(len(said), len(names))
    )
    return GlobalScores(values, names, complete=False)


def take_evidence(evidence: GlobalScores | np.ndarray, rows: np.ndarray) -> object:
    """The evidence of some rows; of all in their order itself."""
    if len(rows) == len(evidence) and (rows == np.arange(len(rows))).all():
        return evidence
    return evidence.take(rows) if isinstance(evidence, GlobalScores) else evidence[rows]
