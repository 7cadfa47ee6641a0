"""The default way down the tree: posteriors over classes, summed up the tree, climbed with a bound.

N detections, n labelled ones, K classes, V nodes, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.errors import InputError
from ecotone.evaluation.splits import duplicate_keys, link_rows, stratified_folds
from ecotone.fusion.classifier import FusionClassifier
from ecotone.fusion.features import content_keys
from ecotone.fusion.inputs import check_embeddings, check_scores
from ecotone.fusion.threads import one_blas_thread
from ecotone.hierarchy.bursts import choose_gain, pool_bursts
from ecotone.hierarchy.climbing import (
    Evidence,
    climb,
    conformal_threshold,
    least_items,
    surest_wrong,
)
from ecotone.hierarchy.occurrence import OtherSpecies, allowed_classes, is_species
from ecotone.hierarchy.results import UNCHANGED, Refinement, joined
from ecotone.hierarchy.tree import ClassTree, TreeLike, as_taxonomy, taxa_of
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores

FOLDS = 5
CHUNK = 65536  # rows answered at once
MAX_ROWS = 10000  # unlabelled rows that the classifiers learn from
GENERIC = ("blank", "unknown", "")  # labels before that say nothing of what an animal is
STAGE = "climb"


@dataclass(frozen=True, eq=False)
class _Data:
    """What the classifiers of the folds are fitted on. units: (N,), rows that stay together. rows:
    those that are looked at, all labelled ones and a bounded sample of the others."""

    embeddings: np.ndarray
    scores: dict[str, GlobalScores]
    names: np.ndarray
    groups: Sequence[object] | None
    units: np.ndarray
    taxonomy: Taxonomy
    rows: np.ndarray


class HierarchicalClassifier(BaseEstimator):
    """From "animal" and "mammal" down to species where the evidence carries it, and only there.

    tree: a Taxonomy, {child: parent}, rows with rank columns, or SpeciesNet's lines. alpha: the
    answer is the truth or an ancestor of it with probability at least 1 - alpha, as far as the
    detections are exchangeable with the labelled ones. present: names of the taxa that occur here,
    None for no list. classes: default, the labels in use (and `present`). global_classes: names of
    the score columns where scores are plain arrays.

        clf = HierarchicalClassifier(tree, alpha=0.05).fit(embeddings, scores, labels)
        answer = clf.predict(embeddings, scores, was)      # answer.node, .rank, .probability

    classes_: (K,) str. tree_: ClassTree. classifiers_: the FusionClassifiers of the folds, whose
    mean gives the posteriors. calibration_scores_: (n,) how sure the surest wrong node is, out of
    fold. threshold_: theta. notes_: what to know of the answers.
    Source: climbing and its bound in `ecotone.hierarchy.climbing`; calibration on held-out folds,
    prediction by their mean: Carlsson et al. 2014, aggregated conformal prediction. The mean is a
    little less sure than any of its members, which keeps the bound (docs/methods.md).
    """

    def __init__(
        self, tree: TreeLike, alpha: float = 0.05, *, present: Sequence[str] | None = None,
        classes: Sequence[str] | None = None, global_classes: object = None,
        aliases: Mapping[str, str] | None = None, random_state: int = 0,
    ) -> None:
        self.tree = tree
        self.alpha = alpha
        self.present = present
        self.classes = classes
        self.global_classes = global_classes
        self.aliases = aliases
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self, embeddings: np.ndarray, scores: object = None,
        labels: Sequence[str | None] | None = None, groups: Sequence[object] | None = None,
        bursts: Sequence[object] | None = None,
    ) -> HierarchicalClassifier:
        """Learn from trusted rows, and calibrate on the same rows out of fold.

        embeddings: (N, D). scores: GlobalScores, an array (N, S), a dict of these by model, or
        None. labels: N class names at any rank, None where nobody said. groups: N places, bursts:
        N events; folds split neither.

        Raises InputError on shapes, alpha, and no label at all; TaxonomyError on a tree with a
        cycle or an orphan, and a label that is not in it.
        """
        conformal_threshold(np.zeros(0), self.alpha)  # alpha is checked before the work
        embeddings = check_embeddings(embeddings, None if labels is None else len(labels))
        names = _names(labels, len(embeddings))
        rows = np.flatnonzero([name is not None for name in names])
        if not len(rows):
            raise InputError(
                "fit: no trusted row; label some detections, or give a global model's sure "
                "species as labels."
            )
        given = check_scores(scores, self.global_classes, len(embeddings))
        taxonomy = as_taxonomy(self.tree)
        classes = self._choose_classes(sorted({names[r] for r in rows}), taxonomy)
        self.tree_ = ClassTree.build(classes, taxonomy, aliases=self.aliases)
        self.classes_ = np.asarray(classes, dtype=object)
        self.allowed_ = self._allowed()
        self._others = self._learn_others(given, self.allowed_, names)
        folds, units = self._folds(embeddings, names, rows, groups, bursts)
        look = self._sample(embeddings, rows)
        data = _Data(embeddings, given, names, groups, units, taxonomy, look)
        held, spoken = self._fit_folds(data, rows, folds, bursts is not None)
        self._calibrate(held, spoken, rows, names, bursts)
        return self

    def posteriors(
        self, embeddings: np.ndarray, scores: object = None,
        bursts: Sequence[object] | None = None,
    ) -> np.ndarray:
        """Class posteriors (M, K) float64, shared within bursts where that helped."""
        self._check_fitted()
        embeddings = check_embeddings(embeddings)
        given = check_scores(scores, self.global_classes, len(embeddings))
        proba = np.zeros((len(embeddings), len(self.classes_)))
        for model in self.classifiers_:
            proba += self._by_class(model, embeddings, given)
        return self._shared(proba / len(self.classifiers_), bursts)

    @one_blas_thread
    def predict(
        self, embeddings: np.ndarray, scores: object = None,
        was: Sequence[str] | None = None, bursts: Sequence[object] | None = None,
    ) -> Refinement:
        """An answer a row; see `Refinement`.

        was: M labels before ("animal", "mammal", "blank", a SpeciesNet label, "" for none). An
        answer that is not below the label before leaves it "unchanged"; blank holds everything.
        first and second are the two most probable classes, their distance 1 - probability.
        """
        proba = self.posteriors(embeddings, scores, bursts)
        before = np.full(len(proba), "", dtype=object)
        if was is not None:
            if len(was) != len(proba):
                raise InputError(f"was: {len(was)} labels, expected {len(proba)}.")
            before[:] = ["" if w is None else str(w) for w in was]
        given = check_scores(scores, self.global_classes, len(proba))
        spoken = self._others.spoken_of(given) if self._others and given else None
        parts = []
        for start in range(0, max(len(proba), 1), CHUNK):
            part = slice(start, start + CHUNK)
            held = None if spoken is None else spoken[part]
            parts.append(self._answer(proba[part], before[part], held))
        return joined(parts, self.notes_)

    def threshold(self, alpha: float) -> float:
        """theta for another alpha, infinite when there are too few labels or classes for it."""
        self._check_fitted()
        found = conformal_threshold(self.calibration_scores_, alpha)
        # One class alone is always right on its own labels; that says nothing of anything else.
        return found if len(self.classes_) > 1 else float("inf")

    def _answer(
        self, proba: np.ndarray, before: np.ndarray, spoken: np.ndarray | None
    ) -> Refinement:
        tree, rows = self.tree_, np.arange(len(proba))
        evidence = Evidence.of(proba, tree, self.allowed_, spoken)
        theta = self.threshold_
        node = climb(evidence, tree, theta)
        at = np.array([self._before(label) for label in before], dtype=int)
        same = np.array([tree.node_of(label) for label in before], dtype=int) == node
        moved = (node != at) & tree.holds(at, node) & (node > 0) & ~same
        # "animal" to "Chordata" says nothing where all animals that are known are chordates.
        size, own = tree.under.sum(axis=0), np.isin(node, tree.class_node)
        moved &= own | (size[node] < size[np.maximum(at, 0)])
        names = self.node_names_
        order = np.argsort(-proba, axis=1, kind="stable")[:, :2]
        second = order[:, -1]
        return Refinement(
            node=np.where(moved, names[node], before),
            rank=np.where(moved, np.asarray(tree.rank, dtype=object)[node], self._ranks(at)),
            probability=evidence.node_proba[rows, np.where(moved, node, np.maximum(at, 0))],
            stage=np.where(moved, STAGE, UNCHANGED).astype(object), was=before,
            first=self.classes_[order[:, 0]], first_distance=1.0 - proba[rows, order[:, 0]],
            second=self.classes_[second], second_distance=1.0 - proba[rows, second],
            threshold=evidence.needed(node, theta),
        )

    def _before(self, label: str) -> int:
        """The node of the label before; the root where it says nothing, -1 where it is elsewhere in
        the tree of life than all classes."""
        special = parse_label(label).special
        return 0 if label in GENERIC or special in GENERIC[:2] else self.tree_.node_of(label)

    def _ranks(self, at: np.ndarray) -> np.ndarray:
        ranks = np.asarray([*self.tree_.rank, ""], dtype=object)
        return ranks[at]

    def _choose_classes(self, labels: Sequence[str], taxonomy: Taxonomy) -> tuple[str, ...]:
        """The classes given, or the labels in use with the species of the list."""
        if self.classes is not None:
            given = dict.fromkeys(str(c) for c in self.classes)
            self._known, self._unplaced = frozenset(given), ()
            return tuple(dict.fromkeys([*given, *labels]))
        taxa = {n: taxa_of(parse_label(n), taxonomy) for n in map(str, self.present or ())}
        self._unplaced = tuple(name for name, found in taxa.items() if not found)
        listed = {
            found[0]: name for name, found in reversed(taxa.items())
            if len(found) == 1 and is_species(found[0], taxonomy)
        }
        used = {t: name for name in labels for t in taxa_of(parse_label(name), taxonomy)}
        more = [name for taxon, name in reversed(listed.items()) if taxon not in used]
        self._known = frozenset([*more, *(used[t] for t in listed if t in used)])
        return tuple(dict.fromkeys([*labels, *more]))

    def _allowed(self) -> np.ndarray:
        if self.present is None:
            return np.ones(len(self.classes_), dtype=bool)
        nodes = [self.tree_.node_of(str(name)) for name in self.present]
        return allowed_classes(self.tree_, np.array([n for n in nodes if n >= 0], dtype=int))

    def _fit(
        self, data: _Data, names: np.ndarray, classes: Sequence[str]
    ) -> FusionClassifier:
        columns = {model: given.classes for model, given in data.scores.items()}
        rows = data.rows
        return FusionClassifier(
            classes, columns or None, data.taxonomy, random_state=self.random_state,
            aliases=self.aliases,
        ).fit(
            data.embeddings[rows], {m: s.take(rows) for m, s in data.scores.items()} or None,
            names[rows], None if data.groups is None else np.asarray(data.groups)[rows],
        )

    def _sample(self, embeddings: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """All labelled rows and at most `MAX_ROWS` others, drawn by content; sorted."""
        if len(embeddings) <= MAX_ROWS:
            return np.arange(len(embeddings))
        keys = content_keys(embeddings, self.random_state)
        keys[labelled] = 0
        return np.sort(np.argsort(keys, kind="stable")[: MAX_ROWS + len(labelled)])

    def _folds(
        self, embeddings: np.ndarray, names: np.ndarray, rows: np.ndarray,
        groups: Sequence[object] | None, bursts: Sequence[object] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fold (n,) of the labelled rows, -1 when there is one unit only; units (N,)."""
        units = link_rows(len(names), groups, bursts, duplicate_keys(embeddings))
        inside = units[rows]
        if len(np.unique(inside)) < min(5, len(rows)):  # all from one place: bursts are split by
            units = link_rows(len(names), bursts, duplicate_keys(embeddings))
            inside = units[rows]
        if len(np.unique(inside)) < 2:
            return np.full(len(rows), -1), units
        # Units are called by their content, so that folds do not depend on the order of rows.
        keys = content_keys(embeddings[rows], self.random_state)
        _, unit = np.unique(inside, return_inverse=True)
        first = np.full(unit.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(first, unit, keys)
        return stratified_folds(names[rows], first[unit], FOLDS, self.random_state), units

    def _fit_folds(
        self, data: _Data, rows: np.ndarray, folds: np.ndarray, with_mates: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit one classifier a fold; posteriors (N, K) of the labelled rows (and, `with_mates`, all
        of their bursts) by the one that has seen no label of the row's unit, NaN elsewhere; and
        (N,) nodes of other species that the scores speak of, by the map that it would have.

        The classes of a fold are those that its own labels name: a class whose only label is held
        out is as unknown to it as a new one will be.
        """
        out = np.full((len(data.names), len(self.classes_)), np.nan)
        spoken = np.full(len(out), -1)
        models = []
        for fold in np.unique(folds):
            hidden = rows[folds == fold] if fold >= 0 else rows[:0]
            kept = data.names.copy()
            kept[np.isin(data.units, data.units[hidden])] = None
            seen = {name for name in kept if name is not None}
            if not seen:
                continue
            classes = tuple(c for c in self.classes_ if c in seen or c in self._known)
            models.append(self._fit(data, kept, classes))
            look = hidden
            if with_mates:
                look = np.flatnonzero(np.isin(data.units, data.units[hidden]))
            some = {m: s.take(look) for m, s in data.scores.items()}
            if not len(look):
                continue
            out[look] = self._by_class(models[-1], data.embeddings[look], some)
            may = np.isin(self.classes_, classes) & self.allowed_
            others = self._learn_others(data.scores, may, kept)
            if others is not None:
                spoken[look] = others.spoken_of(some)
        self.classifiers_ = tuple(models)
        return out, spoken

    def _learn_others(
        self, scores: dict, allowed: np.ndarray, names: np.ndarray
    ) -> OtherSpecies | None:
        """What is known of species that do not occur here; None without a list of those that do."""
        if self.present is None:
            return None
        return OtherSpecies.learn(scores, self.tree_, allowed, names)

    def _by_class(
        self, model: FusionClassifier, embeddings: np.ndarray, scores: dict
    ) -> np.ndarray:
        """Posteriors of one fold's classifier in the columns of all classes, (M, K)."""
        number = {name: k for k, name in enumerate(self.classes_)}
        out = np.zeros((len(embeddings), len(number)))
        out[:, [number[c] for c in model.classes_]] = model.predict_proba(
            embeddings, scores or None
        )
        return out

    def _calibrate(
        self, held: np.ndarray, spoken: np.ndarray, rows: np.ndarray, names: np.ndarray,
        bursts: Sequence[object] | None,
    ) -> None:
        index = {name: k for k, name in enumerate(self.classes_)}
        target = np.array([index[names[r]] for r in rows])
        counts = np.bincount(target, minlength=len(self.classes_)) + 1.0
        self._prior = counts / counts.sum()
        known = np.isfinite(held).all(axis=1)
        self.gain_ = None
        if bursts is not None:
            names_of = np.where(known, np.asarray([str(b or "") for b in bursts], dtype=object), "")
            use = known[rows]
            filled = np.where(known[:, None], held, self._prior)
            self.gain_ = choose_gain(filled, names_of, self._prior, rows[use], target[use])
            held = np.where(known[:, None], self._shared(filled, names_of), np.nan)
        used = known[rows]
        use = rows[used]
        evidence = Evidence.of(held[use], self.tree_, self.allowed_, spoken[use])
        truth = self.tree_.class_node[target[used]]
        self.calibration_scores_ = surest_wrong(evidence, self.tree_, truth)
        self.n_calibration_ = int(used.sum())
        self.threshold_ = float("inf")  # until it is found
        self.threshold_ = self.threshold(self.alpha)
        self.node_names_ = self._node_names()
        self.notes_ = self._notes()

    def _shared(self, proba: np.ndarray, bursts: Sequence[object] | None) -> np.ndarray:
        if bursts is None or self.gain_ is None:
            return proba
        return pool_bursts(proba, bursts, self._prior, self.gain_)

    def _node_names(self) -> np.ndarray:
        """Node names (V,) as answered: a class by its own name, a taxon by the tree's."""
        names = np.asarray(self.tree_.nodes, dtype=object)
        names[self.tree_.class_node] = self.classes_
        return names

    def _notes(self) -> tuple[str, ...]:
        notes = list(self.tree_.notes)
        if self._unplaced:
            notes.append("listed as present and not in the tree: " + ", ".join(self._unplaced))
        if len(self.classes_) < 2:
            notes.append("one class only: nothing to tell it from, so nothing is answered")
        if self.n_calibration_ < least_items(self.alpha):
            notes.append(
                f"{self.n_calibration_} labels to calibrate on, alpha {self.alpha:g} needs at "
                f"least {least_items(self.alpha)}: nothing is answered; label more, or take a "
                "larger alpha"
            )
        return tuple(notes)

    def _check_fitted(self) -> None:
        if not hasattr(self, "threshold_"):
            raise InputError("HierarchicalClassifier: call fit before predicting.")


def _names(labels: Sequence[str | None] | None, n: int) -> np.ndarray:
    """Labels (N,) object: text, or None."""
    out = np.full(n, None, dtype=object)
    for row, label in enumerate(() if labels is None else labels):
        empty = label is None or label == "" or (isinstance(label, float) and np.isnan(label))
        out[row] = None if empty else str(label)
    return out
