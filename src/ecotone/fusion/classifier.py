"""`FusionClassifier`: map, co-train, select; fused posteriors, and a local model to keep.

N training rows, M new rows, S global classes, K local classes, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.errors import InputError
from ecotone.fusion import inputs
from ecotone.fusion.calibration import ScoreReport, score
from ecotone.fusion.evidence import EvidenceModel
from ecotone.fusion.features import content_keys, fit_projection, project_all, take_rows
from ecotone.fusion.local_model import LocalModel, softmax
from ecotone.fusion.mapping import Mapping
from ecotone.fusion.pipeline import Fitted, Pool, Rows, fit_pools
from ecotone.fusion.sampling import choose_labels, choose_rows
from ecotone.fusion.selection import Selection
from ecotone.fusion.threads import one_blas_thread

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

CHUNK = 16384


class FusionClassifier(BaseEstimator):
    """Fuses the scores of global models with a few local labels.

    local_classes: K names in any convention. global_classes: S names, or a dict of such by model.
    taxonomy: helps to resolve names: a `Taxonomy`, SpeciesNet's lines, dicts by rank, or None.
    random_state: seed of folds and samples. max_dimensions: principal axes kept of the embedding.
    max_rows: unlabelled rows that students are fitted on; all rows get posteriors. max_labels:
    labels that are learned from, about; of more a share is drawn by content. label_trust:
    probability that a label is right.
    aliases: fuller names of local classes, by class, for the resolving of names alone ("mantled
    howler": "Alouatta palliata (mantled howler)").

    Attributes after `fit`: classes_, local_model_, pseudo_labels_ ((N, K); None where the
    embeddings are no array in memory), mapping_, mappings_, selection_, preferred_ ("fused" or
    "local", by out-of-fold loss).

    Example:
        >>> import numpy as np
        >>> from ecotone import FusionClassifier
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.integers(0, 2, 60)
        >>> embeddings = rng.normal(size=(60, 8)) + 3 * truth[:, None]
        >>> scores = np.where(truth[:, None] == [0, 1], 0.8, 0.2)
        >>> labels = [None] * 60
        >>> labels[:2] = ["red fox", "roe deer"]
        >>> labels[0:2] = [["red fox", "roe deer"][t] for t in truth[:2]]
        >>> clf = FusionClassifier(["red fox", "roe deer"], ["Vulpes vulpes (red fox)", "deer"])
        >>> clf.fit(embeddings, scores, labels).predict_proba(embeddings, scores).shape
        (60, 2)
    """

    def __init__(
        self,
        local_classes: Sequence[str],
        global_classes: Sequence[str] | MappingType[str, Sequence[str]] | None = None,
        taxonomy: Taxonomy | Sequence[str] | Sequence[MappingType[str, str]] | None = None,
        *,
        random_state: int = 0,
        max_dimensions: int = 256,
        max_rows: int = 16000,
        max_labels: int = 50000,
        label_trust: float = 1.0,
        aliases: MappingType[str, str] | None = None,
    ) -> None:
        self.local_classes = local_classes
        self.global_classes = global_classes
        self.taxonomy = taxonomy
        self.random_state = random_state
        self.max_dimensions = max_dimensions
        self.max_rows = max_rows
        self.max_labels = max_labels
        self.label_trust = label_trust
        self.aliases = aliases

    @one_blas_thread
    def fit(
        self,
        embeddings: np.ndarray,
        scores: object = None,
        labels: Sequence[str | None] | None = None,
        groups: Sequence[object] | None = None,
        label_weight: Sequence[float] | np.ndarray | None = None,
    ) -> FusionClassifier:
        """Learn the map, the students and their weights.

        embeddings: (N, D), an array or a memory map, or what is indexed like one and stays where it
        is (`ecotone.store.views.RowView`): read twice by blocks, and once more for the sample;
        the result is the same bit by bit. scores: (N, S) array of probabilities, scipy sparse
        (truncated rows keep their missing mass), GlobalScores, a `ScoreView`, a dict of these by
        model, or None. labels: N local class
        names, None where unlabelled. groups: N places or bursts that folds must not split.
        label_weight: (N,), or (L,) of the L labelled rows: how much each held-out label speaks for
        when candidates are weighed and probabilities calibrated (`labelling.label_weights`, where
        labels were chosen and not drawn). It is no weight in training. None: all the same.

        Raises InputError when shapes, names or values do not fit.
        """
        if not 0.5 <= self.label_trust <= 1.0:
            raise InputError(f"label_trust: {self.label_trust}, expected 0.5 to 1.")
        given = inputs.check_fit(
            self.local_classes, self.global_classes, embeddings, scores, labels, groups,
            label_weight,
        )
        taxonomy = inputs.check_taxonomy(self.taxonomy)
        evidence = EvidenceModel.start(given.scores, given.classes, taxonomy, self.aliases)
        sample, rows = self._sample(given, evidence)
        fitted = fit_pools(rows, evidence, self.label_trust)
        self.classes_ = np.asarray(given.classes, dtype=object)
        self._keep(fitted, given)
        self.selection_: Selection = fitted.selection(sample, len(given.target))
        self.pseudo_labels_ = None
        if isinstance(given.embeddings, np.ndarray):
            labelled = given.target >= 0
            self.pseudo_labels_ = self.predict_proba(given.embeddings, scores)
            self.pseudo_labels_[labelled] = fitted.clamp(given.target[labelled])
        return self

    def _sample(self, given: inputs.FitInputs, evidence: EvidenceModel) -> tuple[np.ndarray, Rows]:
        """The rows that students are fitted on: their numbers, and what is known of them."""
        keys = content_keys(given.embeddings, self.random_state)
        order = np.argsort(keys, kind="stable")
        self.mean_, self.projection_ = fit_projection(
            given.embeddings, order[: max(2000, 5 * self.max_dimensions)], self.max_dimensions
        )
        given = _fewer_labels(given, keys, self.max_labels)
        sample, inclusion = choose_rows(evidence, given.scores, given.target, keys, self.max_rows)
        target = given.target[sample]
        return sample, Rows(
            features=project_all(
                take_rows(given.embeddings, sample), self.mean_, self.projection_
            ),
            scores={name: s.take(sample) for name, s in given.scores.items()},
            target=target,
            weight=1.0 / inclusion,
            keys=keys[sample],
            groups=None if given.groups is None else given.groups[sample[target >= 0]],
            label_weight=given.label_weight,
        )

    def _keep(self, fitted: Fitted, given: inputs.FitInputs) -> None:
        """Set the attributes that predictions need and people read."""
        self._evidence, self._fused = fitted.evidence, fitted.fused
        self.mappings_: dict[str, Mapping] = fitted.evidence.mappings
        several = isinstance(self.global_classes, MappingType) or len(given.scores) > 1
        self.mapping_ = self.mappings_ if several else next(iter(self.mappings_.values()), None)
        self.preferred_ = fitted.preferred
        self.local_model_ = self._make_local_model(fitted.local)

    def _make_local_model(self, pool: Pool) -> LocalModel:
        return LocalModel(
            classes=tuple(self.classes_),
            mean=self.mean_,
            projection=self.projection_,
            unit=True,
            weights=np.stack([c.tempered_head()[0] for c in pool.members]),
            bias=np.stack([c.tempered_head()[1] for c in pool.members]),
            mix=pool.weight,
            temperature=pool.temperature,
        )

    @one_blas_thread
    def predict_proba(self, embeddings: np.ndarray, scores: object = None) -> np.ndarray:
        """Fused local posteriors (M, K) float32, columns as `classes_`; rows sum to 1.

        scores: as in `fit`; a model that is left out, or None, just says nothing.
        Raises InputError when shapes do not fit, or before `fit`.
        """
        self._check_fitted()
        embeddings = inputs.check_embeddings(embeddings)
        if embeddings.shape[1] != len(self.mean_):
            raise InputError(
                f"embeddings: {embeddings.shape[1]} dimensions, fitted with {len(self.mean_)}."
            )
        by_model = inputs.check_scores(scores, self.global_classes, len(embeddings))
        unknown = sorted(set(by_model) - set(self.mappings_))
        if unknown:
            raise InputError(f"scores: the model {unknown[0]!r} was not there in fit.")
        out = np.empty((len(embeddings), len(self.classes_)), dtype=np.float32)
        for start in range(0, len(embeddings), CHUNK):
            part = slice(start, start + CHUNK)
            some = {name: s.take(part) for name, s in by_model.items()}
            features = project_all(embeddings[part], self.mean_, self.projection_)
            evidence, rival = self._evidence.log_evidence(some, len(features))
            out[part] = self._fused.proba(features, evidence, rival)
        return out

    def predict(self, embeddings: np.ndarray, scores: object = None) -> np.ndarray:
        """The most probable local class of each row, (M,) str."""
        return self.classes_[self.predict_proba(embeddings, scores).argmax(axis=1)]

    def map_proba(self, scores: object, n: int | None = None) -> np.ndarray:
        """What the map alone says, (M, K): the local posterior without any embedding."""
        self._check_fitted()
        by_model = inputs.check_scores(scores, self.global_classes, n)
        rows = len(next(iter(by_model.values()))) if by_model else int(n or 0)
        evidence, _ = self._evidence.log_evidence(by_model, rows)
        return softmax(0.7 * evidence + np.log(self._evidence.class_prior).astype(np.float32))

    def score_report(
        self, embeddings: np.ndarray, scores: object, labels: Sequence[str | None]
    ) -> ScoreReport:
        """Overall and per-class accuracy, log-loss and ECE on labelled rows.

        The figures are those of `predict_proba`; `.local` holds those of `local_model_`.
        """
        target = inputs.check_labels(labels, tuple(self.classes_))
        keep = np.flatnonzero(target >= 0)
        if not len(keep):
            raise InputError("score_report: no row has a label; give at least one.")
        fused = self.predict_proba(embeddings, scores)[keep]
        local = self.local_model_.predict_proba(embeddings)[keep]
        return score(fused, target[keep], local=score(local, target[keep]))

    def _check_fitted(self) -> None:
        if not hasattr(self, "local_model_"):
            raise InputError("FusionClassifier: call fit before predicting.")


def _fewer_labels(given: inputs.FitInputs, keys: np.ndarray, most: int) -> inputs.FitInputs:
    """The same with the labels that are learned from alone."""
    labelled, use = given.target >= 0, choose_labels(given.target, keys, most)
    if use.sum() == labelled.sum():
        return given
    weight = given.label_weight
    return replace(given, target=np.where(use, given.target, -1),
                   label_weight=None if weight is None else weight[use[labelled]])
