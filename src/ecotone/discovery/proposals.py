"""Proposals of new classes among unlabelled rows, with the known classes clamped.

N rows, D embedding dimensions, K known classes, P proposals, S global classes, R replicates.

A proposal is a cluster that stands apart from everything labelled (see `discovery.clamped`). It
has a number and never a name: only a person names one, by labelling its rows. How sure it is comes
from doing it all again on random halves of the unlabelled rows, each time with another threshold:
its stability is the mean overlap (Jaccard) with the nearest cluster found then. How many classes
there are is estimated by `discovery.number`.
Source: Hennig 2007 (cluster-wise stability); Vaze et al. 2022, arXiv:2201.02609 (the setting); the
rest is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.discovery.clamped import Clamped, clamped_clusters
from ecotone.discovery.number import NumberOfClasses, count_classes
from ecotone.discovery.reduction import unit_pca
from ecotone.discovery.separation import separation
from ecotone.errors import InputError
from ecotone.fusion.features import Reordered, content_keys
from ecotone.fusion.inputs import check_embeddings, check_labels
from ecotone.fusion.threads import one_blas_thread
from ecotone.types import GlobalScores

THRESHOLD = 3.1  # standard deviations that a new class stands apart
AROUND = (2.8, 3.6)  # thresholds of the replicates
LEAST = 10
REPLICATES = 8
REPLICATE_ROWS = 3000
GLOBAL_SHOWN = 3
FEWEST_NAMED, MOST_NAMED = 5, 20  # rows of a proposal that a name labels
LEAST_KNOWN = 3  # classes, from which can be told how often one is found again
HIDDEN_PARTS = 3


@dataclass(frozen=True, eq=False)
class Proposal:
    """One class that nobody listed.

    number: from 1, the surest first. rows: (n,) row numbers, the most typical first; exemplars: the
    first of them. cohesion: mean probability of its rows to belong to it, 0..1. distance: to the
    nearest known class, in standard deviations (infinite where none is known); nearest_class: its
    name or None. explained: mean posterior of the best known class, None without posteriors.
    global_classes: what the global model says of the rows, names with mean scores. stability: 0..1,
    overlap with what is found on other halves of the rows. confidence: stability times cohesion.
    """

    number: int
    rows: np.ndarray
    exemplars: np.ndarray
    cohesion: float
    distance: float
    nearest_class: str | None
    explained: float | None
    global_classes: tuple[tuple[str, float], ...]
    stability: float
    confidence: float

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Proposals:
    """What was found. items: P proposals, the surest first. labels: (N,) their numbers - 1, -1 for
    rows in none. number_of_classes: known and new together, with an interval. usual: labels that a
    known class usually has, see `usual_labels`."""

    items: tuple[Proposal, ...]
    labels: np.ndarray
    number_of_classes: NumberOfClasses
    usual: int = MOST_NAMED

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def named(self, names: dict[int, str], most: int | None = None) -> list[str | None]:
        """Labels (N,) that a person's names give: {proposal number: name}; None elsewhere. Of each
        proposal its most typical rows, at most `most`, by default as many as a known class usually
        has: many labels of a new class beside a few of the known ones would take rows from these.

        Raises InputError for a number that is no proposal, or an empty name.
        """
        out: list[str | None] = [None] * len(self.labels)
        for number, name in names.items():
            if not 1 <= number <= len(self.items):
                raise InputError(f"proposal {number}: there are {len(self.items)}, from 1.")
            if not str(name).strip():
                raise InputError(f"proposal {number}: an empty name; give one, or leave it out.")
            for row in self.items[number - 1].rows[:self.usual if most is None else most]:
                out[int(row)] = str(name).strip()
        return out


def usual_labels(counts: Sequence[int] | np.ndarray) -> int:
    """Labels that a class usually has: the median of the classes that have any, 5 to 20.

    counts: labels by class. Without any label 20.
    """
    some = np.asarray(counts)[np.asarray(counts) > 0]
    if not len(some):
        return MOST_NAMED
    return int(np.clip(round(float(np.median(some))), FEWEST_NAMED, MOST_NAMED))


@one_blas_thread
def propose_classes(
    embeddings: np.ndarray, labels: Sequence[str | None] | None = None, *,
    classes: Sequence[str] | None = None, posteriors: np.ndarray | None = None,
    scores: GlobalScores | None = None, least: int = LEAST, exemplars: int = 9,
    replicates: int = REPLICATES, level: float = 0.9, random_state: int = 0,
) -> Proposals:
    """New classes among the rows without a label.

    embeddings: (N, D). labels: N known class names, None where unlabelled. classes: K names,
    default those of the labels. posteriors: (N, K) of the fusion, columns as `classes`: a cluster
    that it takes for a known class has to stand farther apart from it. scores: of the global model,
    only to say what it thinks. least: rows of a proposal, at least 2. level: of the interval.
    Raises InputError when something does not fit.
    """
    embeddings = check_embeddings(embeddings)
    n = len(embeddings)
    names = _classes(classes, labels)
    target = check_labels([None] * n if labels is None else labels, names or ("",))
    _check(n, target, posteriors, scores, len(names), least, replicates)
    order = np.argsort(content_keys(embeddings, random_state), kind="stable")
    known, missing = len(np.unique(target[target >= 0])), len(names)
    usual = usual_labels(np.bincount(target[target >= 0]))
    if n < 2 * least or not (target < 0).any():
        nothing = np.full(n, -1, dtype=np.int64)
        total = max(known, missing)
        return Proposals((), nothing, NumberOfClasses(total, known, total, level, known), usual)
    rows, seen = unit_pca(Reordered(embeddings, order)), target[order]
    sure = None if posteriors is None else np.asarray(posteriors)[order]
    found = clamped_clusters(rows, seen, posteriors=sure, threshold=THRESHOLD, least=least)
    again = _replicates(rows, seen, sure, least, replicates, random_state)
    drafts = _drafts(found, rows, seen, least, again)
    items, place = [], np.full(n, -1, dtype=np.int64)
    for number, draft in enumerate(drafts, start=1):
        place[order[draft.rows]] = number - 1
        items.append(_proposal(number, draft, order, names, posteriors, scores, exemplars))
    hidden = _found_again(rows, seen, least) if replicates else (0, 0, 0)
    number = count_classes(known, len(items), [len(r.sizes) for r in again], level, *hidden)
    return Proposals(tuple(items), place, number, usual)


@dataclass(frozen=True, eq=False)
class _Draft:
    rows: np.ndarray
    cohesion: float
    distance: float
    nearest: int
    stability: float

    @property
    def size(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class _Replicate:
    """rows: (m,) looked at; label: (m,) new cluster of each or -1; sizes of the new clusters."""

    rows: np.ndarray
    label: np.ndarray
    sizes: list[int]


def _replicates(rows: np.ndarray, target: np.ndarray, posteriors: np.ndarray | None, least: int,
                replicates: int, seed: int) -> list[_Replicate]:
    """The same on random halves of the unlabelled rows, with thresholds spread evenly."""
    rng = np.random.default_rng(seed)
    free, told = np.flatnonzero(target < 0), np.flatnonzero(target >= 0)
    size = min(max(len(free) // 2, min(len(free), 2 * least)), REPLICATE_ROWS)
    part = size / len(free)
    out = []
    for threshold in np.linspace(*AROUND, max(replicates, 1))[:replicates]:
        chosen = np.sort(np.concatenate([told, rng.choice(free, size, replace=False)]))
        smaller = max(int(np.ceil(least * max(part, 0.5))), 2)
        found = clamped_clusters(
            rows[chosen], target[chosen], threshold=float(threshold), least=smaller,
            posteriors=None if posteriors is None else posteriors[chosen])
        label, sizes = _new(found, target[chosen], smaller)
        out.append(_Replicate(chosen, label, sizes))
    return out


def _found_again(rows: np.ndarray, target: np.ndarray, least: int) -> tuple[int, int, int]:
    """How many known classes are proposed when a third of them lose their labels, of how many, and
    how many further proposals hold parts of them."""
    classes = np.unique(target[target >= 0])
    if len(classes) < LEAST_KNOWN:
        return 0, 0, 0
    chosen = np.sort(np.concatenate([np.flatnonzero(target >= 0),
                                     np.flatnonzero(target < 0)[:REPLICATE_ROWS]]))
    rows, target = rows[chosen], target[chosen]
    again = parts = 0
    for part in range(HIDDEN_PARTS):
        hidden = classes[part::HIDDEN_PARTS]
        left = np.where(np.isin(target, hidden), -1, target)
        label, sizes = _new(clamped_clusters(rows, left, threshold=THRESHOLD, least=least), left,
                            least)
        taken: set[int] = set()
        for k in hidden:
            own = label[target == k]
            best = np.bincount(own[own >= 0], minlength=1)
            if best.max() * 2 > len(own) and int(best.argmax()) not in taken:
                taken.add(int(best.argmax()))
                again += 1
        held = np.isin(np.arange(len(sizes)), label[np.isin(target, hidden)])
        parts += int(held.sum()) - len(taken)
    return again, len(classes), parts


def _new(found: Clamped, target: np.ndarray, least: int) -> tuple[np.ndarray, list[int]]:
    """New clusters (N,) numbered from 0, -1 elsewhere, and their sizes."""
    out, sizes = np.full(len(target), -1, dtype=np.int64), []
    for c in np.flatnonzero(found.owner < 0):
        inside = (found.label == c) & (target < 0) & ~found.outside
        if inside.sum() >= least:
            out[inside] = len(sizes)
            sizes.append(int(inside.sum()))
    return out, sizes


def _drafts(found: Clamped, rows: np.ndarray, target: np.ndarray, least: int,
            again: list[_Replicate]) -> list[_Draft]:
    label, sizes = _new(found, target, least)
    out = []
    for k in range(len(sizes)):
        inside = np.flatnonzero(label == k)
        mean = rows[inside].mean(axis=0)
        away = rows[inside] - mean
        far = ((away @ found.model.precision) * away).sum(axis=1)
        distance, nearest = _nearest_known(found, rows, inside)
        out.append(_Draft(
            inside[np.argsort(far, kind="stable")], float(found.chance[inside].mean()),
            distance, nearest, _stability(inside, again)))
    return sorted(out, key=lambda d: (-d.stability * d.cohesion, -d.size, d.rows[0]))


def _nearest_known(found: Clamped, rows: np.ndarray, inside: np.ndarray) -> tuple[float, int]:
    """Separation from the nearest cluster of a known class, and that class."""
    best = (np.inf, -1)
    for c in np.flatnonzero(found.owner >= 0):
        other = np.flatnonzero(found.label == c)
        if len(other):
            apart = separation(found.model, rows[inside], rows[other])
            best = min(best, (apart, int(found.owner[c])))
    return best


def _stability(inside: np.ndarray, again: list[_Replicate]) -> float:
    """Mean over replicates of the best Jaccard overlap with a new cluster; 1 without replicates."""
    values = []
    for one in again:
        mine = np.isin(one.rows, inside)
        if not mine.any():
            continue
        both = np.bincount(one.label[mine & (one.label >= 0)], minlength=max(len(one.sizes), 1))
        sizes = np.asarray(one.sizes or [0])
        values.append(float((both / np.maximum(mine.sum() + sizes - both, 1)).max()))
    return float(np.mean(values)) if values else 1.0


def _proposal(number: int, draft: _Draft, order: np.ndarray, names: tuple[str, ...],
              posteriors: np.ndarray | None, scores: GlobalScores | None, exemplars: int
              ) -> Proposal:
    rows = order[draft.rows]
    said: tuple[tuple[str, float], ...] = ()
    if scores is not None:
        mean = np.asarray(scores.values[rows].mean(axis=0)).ravel()
        top = np.argsort(-mean, kind="stable")[:GLOBAL_SHOWN]
        said = tuple((scores.classes[s], float(mean[s])) for s in top if mean[s] > 0)
    explained = None
    if posteriors is not None:
        explained = float(np.asarray(posteriors)[rows].max(axis=1).mean())
    return Proposal(
        number=number, rows=rows, exemplars=rows[:exemplars], cohesion=draft.cohesion,
        distance=draft.distance, nearest_class=names[draft.nearest] if draft.nearest >= 0 else None,
        explained=explained, global_classes=said, stability=draft.stability,
        confidence=draft.stability * draft.cohesion,
    )


def _classes(classes: Sequence[str] | None, labels: Sequence[str | None] | None) -> tuple[str, ...]:
    if classes is not None:
        return tuple(str(c) for c in classes)
    told = [] if labels is None else [v for v in labels if v is not None and v == v and v != ""]
    return tuple(sorted({str(v) for v in told}))


def _check(n: int, target: np.ndarray, posteriors: np.ndarray | None, scores: GlobalScores | None,
           k: int, least: int, replicates: int) -> None:
    if len(target) != n:
        raise InputError(f"labels: {len(target)} entries, embeddings have {n} rows.")
    if posteriors is not None and np.shape(posteriors) != (n, k):
        raise InputError(f"posteriors: shape {np.shape(posteriors)}, expected {(n, k)}; give "
                         "classes in the order of the columns.")
    if posteriors is not None and not np.isfinite(posteriors).all():
        row = int(np.flatnonzero(~np.isfinite(posteriors).all(axis=1))[0])
        raise InputError(f"posteriors: row {row} holds NaN or infinity; give probabilities.")
    if scores is not None and (not isinstance(scores, GlobalScores) or len(scores) != n):
        raise InputError(f"scores: expected GlobalScores of {n} rows.")
    if least < 2:
        raise InputError(f"least: {least}, expected at least 2 rows a proposal.")
    if replicates < 0:
        raise InputError(f"replicates: {replicates}, expected 0 or more.")
