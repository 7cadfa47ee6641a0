"""`NoveltyDetector`: rows that belong to none of the known classes, at a chosen false-alarm rate.

N rows to fit on (labelled ones are known, the others a pool), M new rows, K classes, D dimensions.

What is known are the labelled rows alone. The pool may hold new classes, and a reference that
holds them finds nothing new: it only tells how much of the pool is new.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.confidence.checks import check_groups, check_proba, check_share
from ecotone.discovery.none_of_these import (
    SHAPE,
    NovelShare,
    estimate_novel_share,
    novelty_probability,
    with_none_of_these,
)
from ecotone.discovery.novelty_inputs import check_known, check_logits, choose_known
from ecotone.discovery.novelty_models import (
    EXPOSURE,
    SCORES,
    Known,
    Models,
    Parts,
    cross_fitted,
    weigh,
)
from ecotone.discovery.novelty_ranks import Ranks, rank_average
from ecotone.discovery.novelty_scores import blocks
from ecotone.errors import InputError
from ecotone.evaluation.splits import duplicate_keys, link_rows
from ecotone.fusion.inputs import check_embeddings
from ecotone.fusion.threads import one_blas_thread
from ecotone.hierarchy.centroids import unit_rows

MOST_POOL = 20000
PRIOR_SHARE = 0.02  # of new rows, where no pool was given


class NoveltyDetector(BaseEstimator):
    """Finds rows of classes that no label names.

    false_alarm: share of known rows that may be flagged. scores: names out of `SCORES`; "exposure"
    is added where outliers are given. share: the share of new rows, where it is known; None: it is
    estimated from the unlabelled rows of `fit`. random_state: seed of folds and samples.

    Attributes after `fit`: classes_, threshold_ (of `score`), weights_ (of each score), share_
    (`NovelShare`), known_score_ (cross-fitted, of the known rows in use), reference_rows_ (their
    row numbers), notes_ (what could not be done, in words).

    Example:
        >>> import numpy as np
        >>> from ecotone.discovery.novelty import NoveltyDetector
        >>> rng = np.random.default_rng(0)
        >>> labels = np.repeat([0, 1, 2, -1], 30)  # -1: nobody labelled it
        >>> means = np.eye(4, 16) * 9
        >>> embeddings = rng.normal(size=(120, 16)) + means[labels]
        >>> detector = NoveltyDetector(false_alarm=0.05).fit(embeddings, labels)
        >>> new = rng.normal(size=(100, 16)) + np.eye(1, 16, 7) * 9
        >>> bool(detector.predict(new).mean() > 0.9)
        True
    """

    def __init__(
        self,
        false_alarm: float = 0.05,
        *,
        scores: Sequence[str] = SCORES,
        share: float | None = None,
        random_state: int = 0,
    ) -> None:
        self.false_alarm = false_alarm
        self.scores = scores
        self.share = share
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self,
        embeddings: np.ndarray,
        labels: Sequence[object] | np.ndarray,
        proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
        groups: Sequence[object] | None = None,
        outliers: np.ndarray | None = None,
    ) -> NoveltyDetector:
        """Learn what is known, and how far known rows stray from it.

        embeddings: (N, D). labels: N class names, None where unlabelled; or class numbers, -1
        where unlabelled; or soft labels (N, K), whose most probable class counts as the label.
        proba, logits: (N, K) of a classifier of these classes, columns in the order of the classes
        (names sorted, or of their numbers); **out of fold on the labelled rows**, else the
        classifier looks surer there than on new rows and too many of those are flagged. Without
        them Gaussian classes on the embeddings stand in. groups: N bursts or places that folds
        must not split. outliers: (m, D) rows known to belong to no class.

        Raises InputError when shapes or values do not fit, or no row has a label.
        """
        check_share(self.false_alarm, "false_alarm", 0.05)
        names = self._names(outliers)
        x = check_embeddings(embeddings)
        target, self.classes_ = check_known(labels, len(x))
        proba = None if proba is None else check_proba(proba)
        logits = check_logits(logits, len(x))
        if proba is not None and len(proba) != len(x):
            raise InputError(f"proba: {len(proba)} rows, embeddings have {len(x)}.")
        group_of = check_groups(groups, len(x))
        rows = choose_known(x, target, self.random_state)
        self.reference_rows_ = rows
        self.notes_: list[str] = []
        self._dims, self._with = x.shape[1], (proba is not None, logits is not None)
        columns = next((t.shape[1] for t in (proba, logits) if t is not None), len(self.classes_))
        self._labelled = np.isin(np.arange(columns), target[rows])
        some = unit_rows(x[rows].astype(np.float64))
        known = Known(
            some, target[rows], link_rows(len(rows), list(group_of[rows]), duplicate_keys(some)),
            None if proba is None else proba[rows], None if logits is None else logits[rows],
            None if outliers is None else self._outliers(outliers),
        )
        self._fit_known(known, names)
        self.share_ = self._novel_share(x, target, proba, logits, group_of)
        return self

    def score_parts(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> Parts:
        """Every single score (M,), by name; higher is more novel."""
        x, proba, logits = self._check(embeddings, proba, logits)
        out: Parts = {name: np.empty(len(x)) for name in self._models.names}
        for part in blocks(len(x)):
            for name, value in self._parts(x[part], _cut(proba, part), _cut(logits, part)).items():
                out[name][part] = value
        return out

    def score(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Novelty (M,) in 0..1: the weighted mean of the ranks of all scores among known rows.

        A row gets the same score alone and in any batch. proba, logits: as in `fit`, needed when
        they were given there. Raises InputError when shapes or values do not fit.
        """
        x, proba, logits = self._check(embeddings, proba, logits)
        out = np.empty(len(x))
        for part in blocks(len(x)):
            table = _cut(proba, part)
            out[part] = self._combine(self._parts(x[part], table, _cut(logits, part)), table)
        return out

    def p_value(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """The share of known rows that look at least as novel, (M,) in 0..1."""
        return self._ranks.tail(self.score(embeddings, proba, logits))

    def predict(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """Whether each row is flagged as new at the chosen false-alarm rate, (M,) bool."""
        return self.score(embeddings, proba, logits) > self.threshold_

    def novelty_proba(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(new) of each row, (M,), given the share of new rows in the pool of `fit`."""
        return novelty_probability(self.p_value(embeddings, proba, logits), self.share_)

    def judge(
        self, embeddings: np.ndarray, proba: np.ndarray | None = None,
        logits: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`predict` (M,) bool and `novelty_proba` (M,), at the cost of one of them."""
        score = self.score(embeddings, proba, logits)
        return score > self.threshold_, novelty_probability(self._ranks.tail(score), self.share_)

    def predict_proba(
        self, embeddings: np.ndarray, proba: np.ndarray, logits: np.ndarray | None = None
    ) -> np.ndarray:
        """Posteriors (M, K + 1), the last column "none of these". Rows sum to 1.

        proba: (M, K) posteriors of the known classes. "None of these" is the first answer of
        flagged rows only.
        """
        given = proba if self._with[0] else None
        score = self.score(embeddings, given, logits)
        p = self._ranks.tail(score)
        return with_none_of_these(
            proba, novelty_probability(p, self.share_), score > self.threshold_
        )

    def _names(self, outliers: object) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(self.scores))
        unknown = [n for n in names if n not in (*SCORES, EXPOSURE)]
        if unknown or not names:
            raise InputError(f"scores: {unknown or 'none'}, expected names out of {SCORES}.")
        names = tuple(n for n in names if n != EXPOSURE)
        if outliers is not None:
            names = (*names, EXPOSURE)
        if not names:
            raise InputError("scores: exposure needs outliers; give some to fit.")
        return names

    def _outliers(self, outliers: np.ndarray) -> np.ndarray:
        other = check_embeddings(outliers)
        if not len(other) or other.shape[1] != self._dims:
            raise InputError(f"outliers: shape {other.shape}, expected (m, {self._dims}).")
        return unit_rows(other.astype(np.float64))

    def _fit_known(self, known: Known, names: tuple[str, ...]) -> None:
        """Models, weights, the scale of each score, and the threshold."""
        seed = self.random_state
        self._models = Models.fit(known, np.arange(len(known)), names, seed)
        self._n_known = len(np.unique(known.units))
        if self._n_known < 2:
            self.notes_.append("one known row or burst: nothing to compare with, nothing flagged")
            parts = self._models.score(known.rows, known.proba, known.logits)
            use = np.ones(len(known), dtype=bool)
            self.weights_ = dict.fromkeys(names, 1.0)
        else:
            parts, use = cross_fitted(known, names, seed)
            self.weights_ = weigh(known, names, parts, seed)
        if use.sum() < max(2, len(use) / 2) and self._n_known > 1:
            self.notes_.append(
                f"{int((~use).sum())} of {len(use)} labels are alone in their class: "
                "fewer rows than the chosen rate will be flagged"
            )
            use = np.ones(len(known), dtype=bool)
        self._scales = {name: Ranks.fit(value[use]) for name, value in parts.items()}
        used = {name: value[use] for name, value in parts.items()}
        own = rank_average(used, self._scales, self.weights_)
        self.known_score_ = own
        self._ranks = Ranks.fit(own)
        alone = self._n_known < 2
        self.threshold_ = np.inf if alone else float(self._ranks.score_at(self.false_alarm))

    def _novel_share(
        self, x: np.ndarray, target: np.ndarray, proba: np.ndarray | None,
        logits: np.ndarray | None, group_of: np.ndarray,
    ) -> NovelShare:
        """The share of new rows: given, of the pool, or a small prior where there is none."""
        if self.share is not None:
            given = check_share(self.share, "share", 0.1)
            return NovelShare(given, given, given, SHAPE, 0)
        pool = np.flatnonzero(target < 0)
        if not len(pool) or not np.isfinite(self.threshold_):
            if not len(pool):
                self.notes_.append(
                    f"no unlabelled row: a share of {PRIOR_SHARE:.0%} new rows is assumed"
                )
            return NovelShare(PRIOR_SHARE, 0.0, 1.0, SHAPE, 0)
        pool = np.sort(np.random.default_rng(self.random_state).permutation(pool)[:MOST_POOL])
        given = _cut(proba, pool) if self._with[0] else None
        p = self.p_value(x[pool], given, _cut(logits, pool))
        return estimate_novel_share(p, self._n_known, len(np.unique(group_of[pool])))

    def _parts(
        self, x: np.ndarray, proba: np.ndarray | None, logits: np.ndarray | None
    ) -> Parts:
        return self._models.score(unit_rows(x.astype(np.float64)), proba, logits)

    def _combine(self, parts: Parts, proba: np.ndarray | None) -> np.ndarray:
        out = rank_average(parts, self._scales, self.weights_)
        if proba is None or self._labelled.all():
            return out
        # A class that is known by name alone has no labelled row to be near to.
        far = ~self._labelled[proba.argmax(axis=1)]
        if "softmax" in parts and far.any():
            out[far] = self._ranks.score_at(self._scales["softmax"].tail(parts["softmax"][far]))
        return out

    def _check(
        self, embeddings: np.ndarray, proba: np.ndarray | None, logits: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        if not hasattr(self, "threshold_") and not hasattr(self, "_ranks"):
            raise InputError("NoveltyDetector: call fit first.")
        x = check_embeddings(embeddings)
        if x.shape[1] != self._dims:
            raise InputError(f"embeddings: {x.shape[1]} dimensions, fitted with {self._dims}.")
        given = (proba, logits)
        for name, value, was in zip(("proba", "logits"), given, self._with, strict=True):
            if was and value is None:
                raise InputError(f"{name}: fit had them; give those of the new rows too.")
        columns = len(self._labelled)
        proba = check_proba(proba, columns) if self._with[0] else None
        logits = check_logits(logits, len(x), columns) if self._with[1] else None
        if proba is not None and len(proba) != len(x):
            raise InputError(f"proba: {len(proba)} rows, embeddings have {len(x)}.")
        return x, proba, logits


def _cut(table: np.ndarray | None, part: slice | np.ndarray) -> np.ndarray | None:
    return None if table is None else table[part]
