"""Scores and embeddings of networks that have not seen the label they speak of.

The labels are split into F folds, whole bursts or locations. A network a fold is trained without
the fold's labels, on pseudo-labels of a fusion that has not seen them either; one more on all.
What a fusion is given of a labelled detection is from the network of its fold; what is said of a
fusion is measured fold by fold, each with inputs that know nothing of the fold's labels.
Source: cross-fitting, as in stacked generalisation (Wolpert 1992).

N detections, K classes, D embedding dimensions, F folds. Fold F is the network that saw all.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.errors import ProjectError
from ecotone.project.gathering import Gathered
from ecotone.types import GlobalScores

SCORES, EMBEDDINGS, BOTH = "scores", "embeddings", "scores and embeddings"
USES = (SCORES, EMBEDDINGS, BOTH)  # what a fusion may take of a network
RIDGE = 1e-2  # of the mean variance, when one embedding is turned into another
CHUNK = 16384
MOST = 20000  # detections that this is learned from


@dataclass(frozen=True, eq=False)
class CrossFit:
    """ids: (N,) str. fold: (N,) the fold whose network must speak for a detection, -1 where no
    label is near. proba: (F + 1, N, K), rows of zeros say nothing. embeddings: (F + 1, N, D), each
    in a space of its own; rows of zeros are missing."""

    ids: np.ndarray
    fold: np.ndarray
    classes: tuple[str, ...]
    proba: np.ndarray
    embeddings: np.ndarray

    @property
    def folds(self) -> int:
        """F."""
        return len(self.proba) - 1

    def save(self, path: Path) -> None:
        """Write it; all of it or nothing."""
        import os

        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_name(f".{path.name}.tmp")
        with work.open("wb") as handle:
            np.savez(handle, ids=self.ids.astype(str), fold=self.fold.astype(np.int8),
                     classes=np.array(self.classes), proba=self.proba.astype(np.float16),
                     embeddings=self.embeddings.astype(np.float16))
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(work, path)

    @classmethod
    def load(cls, path: Path) -> CrossFit:
        """Read it again. Raises ProjectError when the file is missing or damaged."""
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as found:
                return cls(found["ids"].astype(object), found["fold"].astype(int),
                           tuple(found["classes"].astype(str).tolist()),
                           found["proba"].astype(np.float32),
                           found["embeddings"].astype(np.float32))
        except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zlib.error,
                zipfile.BadZipFile) as error:
            raise ProjectError(f"{path}: the network's cross-fitted scores cannot be read "
                               f"({error}); remove the file, and fusion does without this network; "
                               "ecotone train --rounds 1 makes it again") from error

    def aligned(self, ids: Sequence[str]) -> CrossFit:
        """For these detections, in their order; of those that are new nothing is known."""
        place = {name: row for row, name in enumerate(self.ids)}
        at = np.array([place.get(i, -1) for i in ids], dtype=np.intp)
        there = (at >= 0)[None, :, None]
        return CrossFit(np.asarray(ids, dtype=object), np.where(at >= 0, self.fold[at], -1),
                        self.classes, np.where(there, self.proba[:, at], 0),
                        np.where(there, self.embeddings[:, at], 0))

    def scores(self, f: int, apart: np.ndarray) -> GlobalScores:
        """Scores (N, K) by the network of fold f, but of detections in `apart` (N,) bool by the
        network of their own fold."""
        own = np.where(apart & (self.fold >= 0), self.fold, f)
        values = self.proba[own, np.arange(len(own))]
        return GlobalScores(sparse.csr_matrix(np.clip(values, 0, 1)), self.classes, True)

    def spaces(self, f: int, apart: np.ndarray) -> np.ndarray:
        """Embeddings (N, D) by the network of fold f, but of detections in `apart` by the network
        of their own fold, turned into the space of f by what both say of all the others."""
        out = self.embeddings[f].copy()
        for j in np.unique(self.fold[apart & (self.fold >= 0)]):
            mine = apart & (self.fold == j)
            if j != f and mine.any():
                out[mine] = _turned(self.embeddings[j], self.embeddings[f], ~apart, mine)
        return out


def _turned(source: np.ndarray, space: np.ndarray, others: np.ndarray, rows: np.ndarray
            ) -> np.ndarray:
    """The rows of `source` in another space, by a ridge regression on the other rows."""
    learn = np.flatnonzero(others & source.any(axis=1) & space.any(axis=1))
    if len(learn) < 2:
        return np.zeros((int(rows.sum()), space.shape[1]), dtype=np.float32)
    learn = learn[:: -(-len(learn) // MOST)]
    x, y = source[learn].astype(np.float64), space[learn].astype(np.float64)
    mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean[0], y - mean[1]
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] += RIDGE * max(float(np.trace(gram)) / len(gram), 1e-9)
    made = (source[rows] - mean[0]) @ np.linalg.solve(gram, x.T @ y) + mean[1]
    return np.where(source[rows].any(axis=1, keepdims=True), made, 0).astype(np.float32)


def label_folds(gathered: Gathered, bursts: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold (N,) of every labelled detection and of what shares its burst, -1 elsewhere.

    Whole groups of fusion go into a fold. bursts: (N,) str. Raises ProjectError when all labels
    are of one group, or there is one label.
    """
    from ecotone.evaluation.splits import stratified_folds

    labelled = np.flatnonzero([label is not None for label in gathered.labels])
    groups = gathered.groups[labelled].astype(str)
    if len(set(groups)) < 2:
        raise ProjectError("rounds need labels of two places or bursts at least: one is held out "
                           "to tell whether the round helps; add labels, or leave --rounds out.")
    order = np.argsort(gathered.detections.id[labelled].astype(str), kind="stable")
    found = np.empty(len(labelled), dtype=int)
    found[order] = stratified_folds(
        gathered.labels[labelled][order].astype(str), groups[order], count, seed)
    fold = np.full(len(gathered), -1)
    near = dict(zip(bursts[labelled], found, strict=True))
    fold[:] = [near.get(b, -1) for b in bursts]
    fold[labelled] = found
    return fold


def with_folds(gathered: Gathered, fold: np.ndarray, count: int) -> np.ndarray:
    """Folds (N,) in which labels that came later have one too: that of their group, else any."""
    labelled = np.array([label is not None for label in gathered.labels])
    late = np.flatnonzero(labelled & (fold < 0))
    known = {g: f for g, f in zip(gathered.groups, fold, strict=True) if f >= 0}
    out = fold.copy()
    for row in late:
        group = gathered.groups[row]
        out[row] = known.get(group, zlib.crc32(str(group).encode()) % count)
    return out


def held_out(
    gathered: Gathered, fold: np.ndarray, count: int, seed: int, weight: np.ndarray | None,
    cross: CrossFit | None = None, name: str = "", use: str = SCORES,
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """What fusions say of labels that they, and all that they were given, have not seen.

    gathered: the inputs without the network. cross: of the network, for the same detections; its
    scores are the model `name`. use: one of `USES`.
    Returns "fused" and "local" (N, K), NaN where not held out, and the fused posteriors (N, K) of
    each of the `count` fits.
    """
    from ecotone.project.fusing import fit

    labelled = np.array([label is not None for label in gathered.labels])
    k = len(gathered.local_classes)
    out = {key: np.full((len(gathered), k), np.nan, np.float32) for key in ("fused", "local")}
    fits = []
    for f in range(count):
        hidden = labelled & (fold == f)
        keep = labelled & ~hidden
        part = replace(gathered, labels=np.where(hidden, None, gathered.labels))
        if cross is not None:
            part = given(part, cross, f, keep, name, use)
        fitted = fit(part, seed, None if weight is None else weight[keep[labelled]])
        fused = _fused(fitted, part)
        out["fused"][hidden] = fused[hidden]
        rows = np.flatnonzero(hidden)
        if len(rows):
            out["local"][hidden] = fitted.local_model_.predict_proba(part.embeddings[rows])
        fits.append(fused)
    return out, fits


def _fused(fitted: Any, gathered: Gathered) -> np.ndarray:
    """Fused posteriors (N, K) float32, block by block."""
    out = np.empty((len(gathered), len(fitted.classes_)), dtype=np.float32)
    for start in range(0, len(gathered), CHUNK):
        part = slice(start, start + CHUNK)
        scores = {name: s.take(part) for name, s in gathered.scores.items()}
        out[part] = fitted.predict_proba(gathered.embeddings[part], scores or None)
    return out


def given(gathered: Gathered, cross: CrossFit, f: int, apart: np.ndarray, name: str,
          use: str) -> Gathered:
    """The inputs of a fusion with a network's scores beside the others, its embeddings in the place
    of the others, or both. use: one of `USES`.

    apart: (N,) bool, detections whose own fold's network speaks for them.
    """
    scores, values = gathered.scores, gathered.embeddings
    if use in (SCORES, BOTH):
        scores = {**scores, name: cross.scores(f, apart)}
    if use in (EMBEDDINGS, BOTH):
        values = cross.spaces(f, apart)
    return replace(gathered, scores=scores, embeddings=values)


__all__ = ["BOTH", "EMBEDDINGS", "SCORES", "USES", "CrossFit", "given", "held_out", "label_folds",
           "with_folds"]
