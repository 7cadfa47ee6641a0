"""How well novelty is found: classes held out, and looked for among the rows that are left.

N rows, K classes. Novel rows are the positive ones in all figures:

    auroc   the chance that a novel row scores above a known one
    aupr    average precision; its chance level is the share of novel rows
    fpr95   share of known rows at or above the score that 95 % of the novel rows reach

A held-out class is *near* when it shares genus or family with a class that stays, else *far*.
Source: the protocol of holding classes out, coarse and fine, of Zhang et al. 2023 (MixOE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.confidence.checks import check_groups
from ecotone.discovery.novelty import NoveltyDetector
from ecotone.discovery.novelty_inputs import check_known
from ecotone.errors import InputError
from ecotone.evaluation.splits import duplicate_keys, link_rows, split_units
from ecotone.fusion.inputs import check_embeddings
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy

COMBINED = "combined"
NEAR_RANKS = ("genus", "family")
TEST_SHARE = 0.25
MEASURES = ("auroc", "aupr", "fpr95")

# From labels (N,) with -1 where unlabelled, and the numbers of the classes that stay, to posteriors
# (N, K) of these, out of fold on the labelled rows.
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]
# From unit-free embeddings of labelled rows (n, D), their classes (n,) and new rows (M, D) to (M,).
Peer = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class HoldOutFigures:
    """Figures of one score with some classes held out. relation: "near", "far", or "all" held-out
    rows. novel, known: rows. false_alarm, found: shares of known and novel rows that the detector
    flags, NaN for single scores."""

    seed: int
    held: tuple[str, ...]
    relation: str
    score: str
    auroc: float
    aupr: float
    fpr95: float
    novel: int
    known: int
    false_alarm: float
    found: float


def novelty_figures(novel: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """AUROC, AUPR and FPR95 of scores (M,) for rows that are novel (M,) bool.

    Raises InputError unless there are both kinds.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    novel, score = np.asarray(novel, dtype=bool), np.asarray(score, dtype=np.float64)
    if novel.shape != score.shape or novel.ndim != 1:
        raise InputError(f"novel has shape {novel.shape}, score {score.shape}; expected (M,).")
    if novel.all() or not novel.any():
        raise InputError("novelty figures need novel rows and known ones; found one kind.")
    reach = np.sort(score[novel])[::-1][int(np.ceil(0.95 * novel.sum())) - 1]
    return {
        "auroc": float(roc_auc_score(novel, score)),
        "aupr": float(average_precision_score(novel, score)),
        "fpr95": float((score[~novel] >= reach).mean()),
    }


def relation(
    held: str, known: Iterable[str], lineages: Mapping[str, Mapping[str, str]]
) -> str:
    """ "near" when the class shares genus or family with a known one, else "far".

    lineages: rank to name, by class; a class that is not in it shares nothing.
    """
    own = lineages.get(held, {})
    for name in known:
        other = lineages.get(name, {})
        if any(own.get(r) and own.get(r) == other.get(r) for r in NEAR_RANKS):
            return "near"
    return "far"


def lineages_of(
    classes: Sequence[str], taxonomy: Taxonomy | None = None
) -> dict[str, dict[str, str]]:
    """Rank to name of each class, of a taxonomy where it has the name, else of the name itself (a
    binomial names its genus, SpeciesNet's seven tokens the family as well)."""
    out: dict[str, dict[str, str]] = {}
    for name in classes:
        label = parse_label(name)
        found: list[str] = []
        if taxonomy is not None:
            found = taxonomy.find(name) or taxonomy.find(label.scientific)
        if taxonomy is not None and len(found) == 1:
            out[name] = {rank: taxon.lower() for rank, taxon in taxonomy.lineage(found[0]).items()}
            continue
        given = zip(("class", "order", "family", "genus"), label.lineage[:4], strict=True)
        own = {rank: taxon.lower() for rank, taxon in given if taxon}
        if " " in label.scientific:
            own.setdefault("genus", label.scientific.split()[0].lower())
        out[name] = own
    return out


def evaluate_novelty(
    embeddings: np.ndarray,
    labels: Sequence[object] | np.ndarray,
    *,
    held: int | Sequence[Sequence[str]] = 1,
    n_labels: int | None = None,
    predict: Predict | None = None,
    lineages: Mapping[str, Mapping[str, str]] | None = None,
    groups: Sequence[object] | None = None,
    peers: Mapping[str, Peer] | None = None,
    seeds: Iterable[int] = range(3),
    false_alarm: float = 0.05,
) -> list[HoldOutFigures]:
    """Figures of every score and of their combination, with classes held out.

    embeddings: (N, D). labels: N names or numbers; unlabelled rows are left out. held: how many
    classes each seed holds out at random, or lists of names to hold out one list after another.
    n_labels: rows of the other classes that keep their label; default: all that are not tested (a
    quarter is). predict: posteriors of a classifier; default: Gaussian classes on the embeddings.
    lineages: for near and far, see `lineages_of`. groups: N bursts or places that stay together.
    peers: other scores to compare with, by name.

    Raises InputError when a class to hold out is not there, or nothing would be left.
    """
    x = check_embeddings(embeddings)
    target, classes = check_known(labels, len(x))
    group_of = check_groups(groups, len(x))
    units = link_rows(len(x), list(group_of), duplicate_keys(x))
    out: list[HoldOutFigures] = []
    for seed in seeds:
        for away in _held_sets(target, classes, held, seed):
            task = _Task(x, target, classes, away, units, group_of, seed, false_alarm)
            out.extend(task.run(n_labels, predict, lineages, peers or {}))
    return out


def summarise_novelty(records: Iterable[HoldOutFigures]) -> list[dict[str, object]]:
    """Mean and sd over seeds and held-out classes: one row for each relation and score."""
    found: dict[tuple[str, str], list[HoldOutFigures]] = {}
    for record in records:
        found.setdefault((record.relation, record.score), []).append(record)
    rows: list[dict[str, object]] = []
    for (kind, score), group in found.items():
        row: dict[str, object] = {"relation": kind, "score": score, "runs": len(group)}
        for name in (*MEASURES, "false_alarm", "found"):
            values = np.array([getattr(record, name) for record in group])
            row[name], row[f"{name}_sd"] = float(values.mean()), float(values.std())
        rows.append(row)
    return rows


@dataclass(frozen=True, eq=False)
class _Task:
    """One set of classes held out."""

    x: np.ndarray
    target: np.ndarray
    classes: np.ndarray
    away: np.ndarray
    units: np.ndarray
    group_of: np.ndarray
    seed: int
    false_alarm: float

    def run(
        self, n_labels: int | None, predict: Predict | None,
        lineages: Mapping[str, Mapping[str, str]] | None, peers: Mapping[str, Peer],
    ) -> list[HoldOutFigures]:
        """Fit without the classes and measure."""
        labels, test = self._split(n_labels)
        proba = None if predict is None else predict(labels, self._stay())
        given = self._given(labels)
        detector = NoveltyDetector(self.false_alarm, random_state=self.seed)
        detector.fit(self.x, given, proba=proba, groups=list(self.group_of))
        new = None if proba is None else proba[test]
        scores = {**detector.score_parts(self.x[test], new)}
        scores[COMBINED] = detector.score(self.x[test], new)
        known = np.flatnonzero(labels >= 0)
        for name, peer in peers.items():
            scores[name] = peer(self.x[known], labels[known], self.x[test])
        flagged = scores[COMBINED] > detector.threshold_
        return [self._record(kind, name, value[rows], rows, test, flagged[rows])
                for kind, rows in self._kinds(test, labels, lineages)
                for name, value in scores.items()]

    def _stay(self) -> np.ndarray:
        return np.setdiff1d(np.unique(self.target[self.target >= 0]), self.away)

    def _given(self, labels: np.ndarray) -> np.ndarray:
        """Labels as columns of the classes that stay."""
        return np.where(labels >= 0, np.searchsorted(self._stay(), labels), -1)

    def _split(self, n_labels: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Labels (N,) of the rows that keep theirs, and the rows to test."""
        there = self.target >= 0
        novel = np.isin(self.target, self.away)
        known = np.flatnonzero(there & ~novel)
        train, test = split_units(self.units[known], TEST_SHARE, self.seed)
        kept = known[train]
        if n_labels is not None:
            kept = np.random.default_rng(self.seed).permutation(kept)[:n_labels]
        labels = np.full(len(self.target), -1)
        labels[kept] = self.target[kept]
        return labels, np.concatenate([known[test], np.flatnonzero(novel)])

    def _kinds(
        self, test: np.ndarray, labels: np.ndarray,
        lineages: Mapping[str, Mapping[str, str]] | None,
    ) -> list[tuple[str, np.ndarray]]:
        """Which tested rows (their places) count for each relation."""
        novel = np.isin(self.target[test], self.away)
        out = [("all", np.arange(len(test)))]
        if lineages is None:
            return out
        stay = [str(self.classes[k]) for k in np.unique(labels[labels >= 0])]
        kind = {k: relation(str(self.classes[k]), stay, lineages) for k in self.away}
        for wanted in ("near", "far"):
            mine = np.isin(self.target[test], [k for k in self.away if kind[k] == wanted])
            if mine.any():
                out.append((wanted, np.flatnonzero(mine | ~novel)))
        return out

    def _record(
        self, kind: str, name: str, score: np.ndarray, rows: np.ndarray, test: np.ndarray,
        flagged: np.ndarray,
    ) -> HoldOutFigures:
        novel = np.isin(self.target[test[rows]], self.away)
        both = (float(flagged[~novel].mean()), float(flagged[novel].mean()))
        alarm, found = both if name == COMBINED else (float("nan"), float("nan"))
        return HoldOutFigures(
            self.seed, tuple(str(self.classes[k]) for k in self.away), kind, name,
            **novelty_figures(novel, score), novel=int(novel.sum()), known=int((~novel).sum()),
            false_alarm=alarm, found=found,
        )


def _held_sets(
    target: np.ndarray, classes: np.ndarray, held: int | Sequence[Sequence[str]], seed: int
) -> list[np.ndarray]:
    """The class numbers to hold out, run by run."""
    there = np.unique(target[target >= 0])
    if isinstance(held, (int, np.integer)):
        if not 0 < held < len(there):
            raise InputError(f"held: {held} of {len(there)} classes; hold out some, keep some.")
        return [np.sort(np.random.default_rng(seed).permutation(there)[:held])]
    names = {str(classes[k]): int(k) for k in there}
    out = []
    for group in held:
        unknown = [str(name) for name in group if str(name) not in names]
        if unknown or not 0 < len(set(map(str, group))) < len(there):
            raise InputError(
                f"held: {unknown[0]!r} has no row." if unknown
                else f"held: {len(group)} of {len(there)} classes; hold out some, keep some."
            )
        out.append(np.array(sorted({names[str(name)] for name in group})))
    return out
