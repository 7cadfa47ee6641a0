"""`FiveStage`: the reference pipeline of hierarchical re-classification, stage by stage.

N training rows, M new rows, C classes with a centroid, V nodes, D embedding dimensions.

Trusted predictions, bird override, centroids, metric head, adaptive cosine scoring; see the module
of each stage. The default of ecotone is `ecotone.hierarchy.classifier`; this one is what it is
measured against. Source: Markoff and Galaktionovs 2025, arXiv:2510.14594 (the stages; the
publication gives no numbers, those of the settings are our own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.errors import InputError
from ecotone.fusion.inputs import check_embeddings, check_scores
from ecotone.fusion.threads import one_blas_thread
from ecotone.hierarchy.audit import BIRDS, CENTROID, HEAD, TRUSTED, Change, audit
from ecotone.hierarchy.before import Before, texts
from ecotone.hierarchy.birds import (
    BirdEvidence,
    BirdRule,
    bird_evidence,
    choose_rule,
    in_group,
    overridden,
)
from ecotone.hierarchy.centroids import Centroids
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.metric_head import Head, fit_space
from ecotone.hierarchy.present import place_classes
from ecotone.hierarchy.results import Refinement
from ecotone.hierarchy.scoring import Scored, Scorer
from ecotone.hierarchy.tree import TreeLike, as_taxonomy
from ecotone.hierarchy.trusted import NOTHING, Trusted, accepted, crops_of, find_trusted
from ecotone.taxonomy.names import parse_label

CHUNK = 65536
SAME = 1e-6  # cosine distance below which two embeddings are one


class FiveStage(BaseEstimator):
    """The five stages, each of which can be switched off, with every threshold in `settings`.

    tree: a Taxonomy, {child: parent}, rows with rank columns, or SpeciesNet's lines. present: names
    of the taxa that occur here, None for no list; others compete, and are never answered. aliases:
    label -> a fuller name of it. random_state: of the metric head's training.

        five = FiveStage(tree).fit(embeddings, scores, labels, was, was_scores=score)
        answer = five.predict(embeddings, scores, was)     # a Refinement: one audit row a detection

    classes_: (C,) str. tree_: ClassTree. centroids_: Centroids, None without any. head_: Head.
    bird_rule_: BirdRule. n_trusted_: trusted rows. notes_: what the data did not allow.
    """

    def __init__(
        self, tree: TreeLike, settings: FiveStageSettings | None = None, *,
        present: Sequence[str] | None = None, aliases: Mapping[str, str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.tree = tree
        self.settings = settings
        self.present = present
        self.aliases = aliases
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self, embeddings: np.ndarray, scores: object = None,
        labels: Sequence[str | None] | None = None, was: Sequence[str] | None = None, *,
        was_scores: Sequence[float] | None = None, confidences: Sequence[float] | None = None,
        reviewed: Sequence[bool] | None = None,
    ) -> FiveStage:
        """Learn from trusted rows: centroids, the head's space, the rule for birds.

        embeddings: (N, D); a row of zeros is no embedding. scores: GlobalScores, a dict of them by
        model, or None. labels: N class names that people gave, None elsewhere. was: N labels before
        of any convention, "" for none; was_scores: (N,) how sure they are. confidences: (N,) of the
        detector, not used here. reviewed: (N,) bool, a person confirmed the label before.

        Raises InputError on shapes, NaN and no trusted row; TaxonomyError on a tree with a cycle or
        an orphan, and a label that is not in it.
        """
        s = self.settings_ = self.settings or FiveStageSettings()
        embeddings = check_embeddings(embeddings, None if labels is None else len(labels))
        n = len(embeddings)
        models = list(check_scores(scores, None, n).values())
        taxonomy = self.taxonomy_ = as_taxonomy(self.tree)
        before = Before.read(was, taxonomy, n)
        review = np.nan_to_num(_column(reviewed, n, "reviewed")) > 0
        _column(confidences, n, "confidences")
        trusted = find_trusted(labels, before, _column(was_scores, n, "was_scores"), review,
                               taxonomy, s, self.aliases or {})
        self.n_trusted_ = len(trusted.rows)
        place = place_classes(trusted.classes, self.present, taxonomy, self.aliases or {})
        self.tree_, self._occurs = place.tree, place.occurs
        notes = [*place.tree.notes, *place.notes, *trusted.notes]
        self._fit_space(embeddings, trusted, notes)
        self._fit_birds(models, before, texts(labels, n, "labels"), review, notes)
        self.notes_ = tuple(dict.fromkeys(notes))
        self.n_features_in_ = embeddings.shape[1]
        return self

    @one_blas_thread
    def predict(
        self, embeddings: np.ndarray, scores: object = None, was: Sequence[str] | None = None, *,
        was_scores: Sequence[float] | None = None, confidences: Sequence[float] | None = None,
        labels: Sequence[str | None] | None = None,
    ) -> Refinement:
        """An audit row a detection; arguments as in `fit`, M rows.

        Only generic labels before are re-classified; others stay, "trusted" or "unchanged". labels:
        what people said of these rows, which then is the answer.
        Raises InputError when shapes do not fit, or before `fit`.
        """
        if not hasattr(self, "notes_"):
            raise InputError("FiveStage: call fit before predicting.")
        embeddings = check_embeddings(embeddings)
        n = len(embeddings)
        if n and embeddings.shape[1] != self.n_features_in_:
            raise InputError(f"embeddings: {embeddings.shape[1]} dimensions, fitted with "
                             f"{self.n_features_in_}.")
        models = list(check_scores(scores, None, n).values())
        before = Before.read(was, self.taxonomy_, n)
        score = _column(was_scores, n, "was_scores")
        evidence = bird_evidence(models, self.taxonomy_, self.settings_, n)
        generic = self._generic(before)
        birds = self._overridden(before, evidence, _column(confidences, n, "confidences"))
        at = np.where(generic[before.code], before.node(self.tree_)[before.code], -1)
        # A bird is a label above species, and goes on like those.
        further = self.settings_.above_species
        at[birds] = self.tree_.node_of(self.settings_.bird_taxon) if further else -1
        scored = self._score(embeddings, at)
        changes = [
            self._bird_change(birds, evidence), *self._scored_change(scored),
            Change(TRUSTED, accepted(before, score, self.settings_), before.label,
                   np.asarray([*before.rank, ""], dtype=object)[before.code], score, np.nan),
            self._said_change(before, texts(labels, n, "labels")),
        ]
        notes = (*self.notes_, *self._unplaced(before, generic))
        return audit(before, scored, self.classes_, changes, notes)

    def _fit_space(self, embeddings: np.ndarray, trusted: Trusted, notes: list[str]) -> None:
        """Centroids, in the space of the embedding or of the metric head."""
        s = self.settings_
        self.centroids_: Centroids | None = None
        self.head_, self.classes_ = Head(), np.empty(0, dtype=object)
        if not s.centroids:
            return
        crops, number = crops_of(embeddings, trusted, s, self.random_state)
        if crops is None:
            notes.append(f"no class has {s.crops} trusted crops: nothing but birds is answered")
            return
        if (1.0 - crops.embeddings @ crops.embeddings[0]).max() < SAME:
            notes.append("the embeddings of all trusted crops are equal: they tell nothing apart, "
                         "and nothing but birds is answered")
            return
        self.head_, self.centroids_ = fit_space(crops, s, self.random_state)
        self.classes_ = np.asarray([trusted.classes[c] for c in number], dtype=object)
        node = self.tree_.class_node[number]  # the trusted classes come first in the tree
        self._scorer = Scorer(self.tree_, node, self.centroids_, self._occurs, s)

    def _fit_birds(
        self, models: list, before: Before, said: np.ndarray, reviewed: np.ndarray,
        notes: list[str],
    ) -> None:
        """The rule for birds, by reviewed detections where there are enough."""
        s = self.settings_
        evidence = bird_evidence(models, self.taxonomy_, s, len(before.label))
        truth = np.where(said != "", said, np.where(reviewed, before.label, ""))
        # "animal" that a person left so may still be a bird.
        rows = before.means(s.bird_from)[before.code] & (truth != "")
        rows &= np.isin(truth, [t for t in set(truth[rows]) if parse_label(t).special
                                not in ("animal", "unknown")])
        names = sorted(set(truth[rows]))
        bird = dict(zip(names, in_group(names, self.taxonomy_, s.bird_taxon), strict=True))
        self.bird_rule_: BirdRule = choose_rule(
            evidence.mass[rows], np.array([bird[t] for t in truth[rows]], dtype=bool), s)
        if not np.isfinite(self.bird_rule_.mass):
            notes.append(f"birds: on {self.bird_rule_.reviewed} reviewed detections no mass is "
                         f"{s.bird_precision:.0%} precise: none is overridden")

    def _generic(self, before: Before) -> np.ndarray:
        """(U,) bool: labels before that are re-classified."""
        s = self.settings_
        special = np.array([bool(word) for word in before.special], dtype=bool)
        above = ~special & s.above_species & ~before.species
        people = np.array([w in ("human", "vehicle") for w in before.special], dtype=bool)
        return (before.means(s.generic) | above) & ~people

    def _overridden(
        self, before: Before, evidence: BirdEvidence, confidence: np.ndarray
    ) -> np.ndarray:
        """(N,) bool: labels before that become birds, where birds occur."""
        s, n = self.settings_, len(before.label)
        here = self.present is None or in_group(list(self.present), self.taxonomy_, s.bird_taxon)
        if not s.birds or not np.any(here):
            return np.zeros(n, dtype=bool)
        candidate = before.means(s.bird_from)[before.code]
        return candidate & overridden(evidence, self.bird_rule_, confidence)

    def _score(self, embeddings: np.ndarray, at: np.ndarray) -> Scored | None:
        """Distances and answers of all rows, in blocks; rows of zeros have neither."""
        if self.centroids_ is None:
            return None
        parts = []
        for start in range(0, max(len(at), 1), CHUNK):
            block = np.asarray(embeddings[start : start + CHUNK], dtype=np.float32)
            empty = ~block.any(axis=1)
            found = self._scorer.score(
                self.head_.apply(block), np.where(empty, -1, at[start : start + CHUNK]))
            for name in ("first_distance", "second_distance", "threshold"):
                getattr(found, name)[empty] = np.nan
            parts.append(found)
        return Scored(*(np.concatenate([getattr(p, name) for p in parts])
                        for name in Scored.__dataclass_fields__))

    def _bird_change(self, rows: np.ndarray, evidence: BirdEvidence) -> Change:
        s, rule, tree = self.settings_, self.bird_rule_, self.tree_
        node = tree.node_of(s.bird_taxon)
        by_mass = evidence.mass >= rule.mass - 1e-6
        known = self.taxonomy_.rank(s.bird_taxon) if s.bird_taxon in self.taxonomy_ else "class"
        return Change(
            BIRDS, rows, self._names()[node] if node >= 0 else s.bird_taxon, known, evidence.mass,
            np.where(by_mass, rule.mass, rule.top_mass),
        )

    def _scored_change(self, scored: Scored | None) -> list[Change]:
        if scored is None:
            return []
        rank = np.asarray(self.tree_.rank, dtype=object)
        stage = CENTROID if self.head_.kind == "none" else HEAD
        return [Change(stage, scored.node >= 0, self._names()[scored.node], rank[scored.node],
                       np.nan, scored.threshold)]

    def _said_change(self, before: Before, said: np.ndarray) -> Change:
        """What people said of rows: the label before where it means the same."""
        known = Before.read(said, self.taxonomy_, len(said))
        taxon, rank = np.asarray([*before.taxon, ""]), np.asarray([*known.rank, ""], dtype=object)
        means = np.asarray([*known.taxon, ""])[known.code]
        use = np.array([s not in NOTHING for s in known.special], dtype=bool)
        same = (means != "") & (means == taxon[before.code])
        return Change(TRUSTED, use[known.code] if len(use) else np.zeros(0, dtype=bool),
                      np.where(same, before.label, said), rank[known.code], np.nan, np.nan)

    def _names(self) -> np.ndarray:
        """Node names (V,) as answered: a class by its own name, a taxon by the tree's."""
        names = np.asarray(self.tree_.nodes, dtype=object)
        names[self.tree_.class_node] = self.tree_.classes
        return names

    def _unplaced(self, before: Before, generic: np.ndarray) -> tuple[str, ...]:
        lost = np.array([not taxon and not special for taxon, special
                         in zip(before.taxon, before.special, strict=True)], dtype=bool)
        rows = np.flatnonzero((lost & generic)[before.code]) if len(lost) else ()
        if not len(rows):
            return ()
        return (f"{len(rows):,} labels before are not in the tree, e.g. "
                f"{before.label[rows[0]]!r}: unchanged",)


def _column(values: Sequence[float] | None, n: int, what: str) -> np.ndarray:
    """N numbers, NaN where there is none. Raises InputError on another length or kind."""
    if values is None:
        return np.full(n, np.nan)
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} entries, expected {n}; give one a row.")
    try:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what}: expected numbers, one a row.") from None
