"""`ReIdentifier`: who is it? Known individuals are recognised, new ones named, doubt is said.

N labelled pictures, Q queries, D embedding dimensions. One embedding serves all species; pictures
are compared inside species and viewpoint. A species that nobody has labelled enough is judged by
what all others taught.
Source: Otarashvili et al. 2024, MiewID, arXiv:2412.05602; Cermak et al. 2024, WildFusion,
arXiv:2408.12934; Adam et al. 2025, AnimalCLEF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.reid import answering
from ecotone.reid.catalogue import Catalogue
from ecotone.reid.deciding import Pairs
from ecotone.reid.fused_similarity import PairScore
from ecotone.reid.gallery import Labels, labelled, labels_of, problems
from ecotone.reid.heads import AUTO, choose_head, head_makers
from ecotone.reid.heldout import Labelled, Spaces, fit_head, held_out_spaces
from ecotone.reid.inputs import check_matrix, check_names, unit_matrix
from ecotone.reid.learning import calibrate, cluster_threshold, learn_open_set
from ecotone.reid.openset import OpenSetCurve
from ecotone.reid.reordering import orders
from ecotone.reid.results import Identification
from ecotone.reid.search_parts import Mapper


class ReIdentifier:
    """Match pictures with known individuals; scikit-learn's `fit` and `predict`.

    head: "auto" (a closed-form head if it helps held-out individuals, else none), None, a name of
    `ecotone.reid.heads.CHOICES`, or an object with `fit(embeddings, individuals)` and `transform`.
    calibration: "isotonic" or "logistic". precision: wanted share of right answers; less sure ones
    are "cannot tell"; None: always known or new. candidates: kept for each query. shortlist:
    gallery pictures looked at for each query, on which expensive `scores` run. rerank, expand:
    k-reciprocal re-ranking and query expansion of the shortlist, calibrated by themselves; "auto":
    if better on the labelled pictures by more than a standard error. random_state: of every draw;
    the order of rows changes nothing. runner: gives parts of the gallery to workers when queries
    are matched; the answers are the same.

        reid = ReIdentifier().fit(embeddings, individuals, viewpoint=viewpoint)
        found = reid.predict(more, viewpoint=more_viewpoint)
        found.decision, found.individualID, found.probability

    After `fit`: classes_ (individuals), head_ (None or the trained one), head_name_,
    head_precision_ (mAP of held-out individuals by head, with "auto"), threshold_, curve_ (what
    each threshold would do to known and new ones), order_ (of shortlists), notes_.
    """

    def __init__(
        self, head: Any = AUTO, calibration: str = "isotonic", precision: float | None = 0.9,
        candidates: int = 5, shortlist: int = 25, random_state: int = 0,
        rerank: bool | str = False, expand: bool | str = False, runner: Mapper | None = None,
    ) -> None:
        head_makers(head)
        self._orders = orders(rerank, expand)
        self.rerank, self.expand, self.runner = rerank, expand, runner
        if candidates < 1 or shortlist < candidates:
            raise InputError(f"candidates {candidates} and shortlist {shortlist}: expected at "
                             "least 1, and a shortlist no shorter than the candidates.")
        self.head, self.calibration, self.precision = head, calibration, precision
        self.candidates, self.shortlist, self.random_state = candidates, shortlist, random_state

    def fit(
        self, embeddings: np.ndarray, individuals: Sequence[object],
        species: Sequence[object] | None = None, viewpoint: Sequence[object] | None = None,
        encounter: Sequence[object] | None = None, scores: Mapping[str, PairScore] | None = None,
    ) -> ReIdentifier:
        """Learn from N labelled pictures, which become the gallery.

        embeddings: (N, D). individuals: N names, "" and None are left out; all of them may be.
        encounter: pictures of one encounter are near copies and never compared. scores: name ->
        (rows, rows) -> similarities of pairs of these pictures, such as matched points.
        Raises InputError when shapes differ or embeddings are not finite.
        """
        table = labels_of(embeddings, individuals, species, viewpoint, encounter)
        data, self.rows_ = labelled(table)
        self.dimensions_ = table.embeddings.shape[1]
        self.classes_ = np.unique(table.individuals[table.individuals != ""].astype(str))
        self.notes_ = problems(table, data)
        self._has = (species is not None, viewpoint is not None)
        self._score_names = tuple(scores or ())
        make, spaces = self._choose(data)
        rows, scores = self.rows_, scores or {}
        self.calibration_ = calibrate(
            data, spaces, scores, rows, self.calibration, self.random_state)
        opened = learn_open_set(
            data, spaces, self.calibration_, scores, rows, self.shortlist, self.precision,
            self.random_state, self._orders, self.calibration)
        self.known_model_, self.thresholds_ = opened.model, opened.thresholds
        self.order_, self.shortlist_calibration_ = opened.order, opened.calibration
        self.trials_ = opened.trials
        self._clustered = partial(
            cluster_threshold, data, spaces, self.calibration_, self.random_state)
        self.cluster_threshold_ = self._clustered()
        self._clustered = partial(self._clustered, scores, rows, self.shortlist) if scores else None
        every = np.ones(len(data), dtype=bool)
        self.head_ = fit_head(make, data, every) if make and len(data) else None
        self.gallery_ = Labelled(
            self._space(data.embeddings), data.who, data.species, data.viewpoint, data.unit)
        if len(data):
            self.notes_ += [*self.calibration_.notes, *self.thresholds_.notes]
            if AUTO in (self.rerank, self.expand):
                self.notes_.append("order of shortlists, chosen on labelled pictures: "
                                   f"{self.order_.name}")
        return self

    @property
    def threshold_(self) -> float:
        """Known from this share of the best candidate against the best candidate or new."""
        return self.thresholds_.between

    @property
    def curve_(self) -> OpenSetCurve | None:
        """BAKS, BAUS and their geometric mean at each threshold, of labelled pictures left out."""
        return self.thresholds_.curve

    def predict(
        self, embeddings: np.ndarray, species: Sequence[object] | None = None,
        viewpoint: Sequence[object] | None = None, encounter: Sequence[object] | None = None,
        scores: Mapping[str, PairScore] | None = None, same: Pairs = (), different: Pairs = (),
        ids: Sequence[object] | None = None, taken: Sequence[str] = (),
        scores_between: Mapping[str, PairScore] | None = None,
    ) -> Identification:
        """Who are the animals of Q pictures?

        encounter: pictures of one encounter get one answer. scores: as in `fit`, between rows of
        queries and rows of the gallery as it was given. same, different: people's decisions on
        pairs of pictures, by row, queries 0..Q-1 and gallery rows Q + row; they are never
        overridden. ids: names of the Q queries, which order new individuals. taken: IDs that no new
        individual may get, beside those of the gallery. scores_between: as scores, between rows of
        queries, by which new individuals are grouped; without them the embedding groups.
        Raises InputError when shapes differ from those of `fit`, or decisions contradict.
        """
        self._fitted()
        table = self._queries(embeddings, species, viewpoint, encounter)
        missing = sorted(set(self._score_names) - set(scores or ()))
        self._known_scores(scores)
        self._known_scores(scores_between)
        notes = [f"score {name!r} is missing, the others decide" for name in missing]
        word = answering.decisions(self, table, same, different, ids)
        return answering.answer(self, table, word, scores or {}, ids, taken, notes,
                                scores_between)

    def catalogue(
        self, embeddings: np.ndarray, species: Sequence[object] | None = None,
        viewpoint: Sequence[object] | None = None, encounter: Sequence[object] | None = None,
        same: Pairs = (), different: Pairs = (), method: str = "average",
        threshold: float | None = None, ids: Sequence[object] | None = None,
        individuals: Sequence[object] | None = None, scores: Mapping[str, PairScore] | None = None,
    ) -> Catalogue:
        """Group Q pictures into individuals; works without any label.

        same, different: people's decisions by row. individuals: Q names by people, "" = nobody
        knows: pictures of one name stay together, of two names apart. method: "average" or
        "hdbscan". threshold: mean probability from which groups are joined; default: the best on
        the labelled pictures. scores: as in `fit`, between rows of these pictures; asked for the
        shortlist of each.
        """
        self._fitted()
        self._known_scores(scores)
        if threshold is None:
            threshold = self.joined_from(scores)
        table = self._queries(embeddings, species, viewpoint, encounter)
        same, different = list(same), list(different)
        who = check_names(individuals, len(table), "individuals")
        return answering.cluster(self, table, same, different, method, threshold, who, ids, scores)

    def joined_from(self, scores: Mapping[str, PairScore] | None = None) -> float:
        """The mean probability from which groups are joined, with scores or by the embedding."""
        return self._clustered() if scores and self._clustered else self.cluster_threshold_

    def _known_scores(self, scores: Mapping[str, PairScore] | None) -> None:
        strange = sorted(set(scores or ()) - set(self._score_names))
        if strange:
            raise InputError(f"scores {strange}: the identifier was not fitted with them.")

    def _choose(self, data: Labelled) -> tuple[Any, Spaces]:
        """The maker of the head, None for none, and the spaces of held-out individuals."""
        plain = held_out_spaces(data, None)
        self.head_name_, self.head_precision_ = "none", {}
        makers = head_makers(self.head, self.random_state) if len(data) else {}
        if makers and isinstance(self.head, str) and self.head == AUTO:
            name, self.head_precision_, note = choose_head(data, makers, self.random_state)
            if name not in makers:
                self.notes_ += [note] if not self.head_precision_ else []
                return None, plain
            makers = {name: makers[name]}
        for name, make in makers.items():
            try:
                found = held_out_spaces(data, make, self.random_state)
            except InputError as error:
                self.notes_.append(f"head {name}: not trained ({error})")
                continue
            if found is None:
                self.notes_.append("fewer than 6 individuals with two pictures: no head is trained")
                continue
            self.head_name_ = name
            return make, found
        return None, plain

    def _space(self, embeddings: np.ndarray) -> np.ndarray:
        if self.head_ is not None and len(embeddings):
            found = np.array(self.head_.transform(embeddings), dtype=np.float32)
            found[~found.any(axis=1), 0] = 1.0  # a row on the mean of all has no direction
            return unit_matrix(found, "embeddings")
        return embeddings

    def _queries(
        self, embeddings: np.ndarray, species: Sequence[object] | None,
        viewpoint: Sequence[object] | None, encounter: Sequence[object] | None,
    ) -> Labels:
        for given, had, what in ((species, self._has[0], "species"),
                                 (viewpoint, self._has[1], "viewpoint")):
            if len(self.classes_) and (given is not None) != had:
                raise InputError(f"{what} was {'' if had else 'not '}given to fit: give it to both "
                                 "or to neither.")
        matrix = check_matrix(embeddings, "embeddings")
        if len(self.classes_) and matrix.shape[1] != self.dimensions_ and len(matrix):
            raise InputError(
                f"embeddings have {matrix.shape[1]} dimensions, the identifier was fitted with "
                f"{self.dimensions_}; embed all pictures with one model.")
        table = labels_of(matrix, None, species, viewpoint, encounter)
        return Labels(self._space(table.embeddings), *table.rest)

    def _fitted(self) -> None:
        if not hasattr(self, "thresholds_"):
            raise InputError("the identifier is not fitted; call fit(embeddings, individuals), "
                             "with no rows when nobody is known.")


__all__ = ["ReIdentifier"]
