"""`ContextClassifier`: image posteriors, or a foreign model's answers, with place, time and bursts.

N rows, P pictures, n labelled pictures, L pictures of the labelled units, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.context.choosing import Gate, Pool
from ecotone.context.experts import Stack
from ecotone.context.folds import Known
from ecotone.context.image import (
    TINY,
    GivenImage,
    MappedImage,
    NamedImage,
    as_evidence,
    take_evidence,
)
from ecotone.context.learning import Held, learn_seen
from ecotone.context.new_sites import learn_new_sites
from ecotone.context.pictures import names_of, picture_numbers, soft_targets
from ecotone.context.when import DAY, Situation, situation
from ecotone.errors import InputError
from ecotone.fusion.inputs import check_classes
from ecotone.fusion.local_model import softmax
from ecotone.fusion.threads import one_blas_thread
from ecotone.types import GlobalScores

SAME = 1e-9  # two posteriors that differ by less, relative, differ by rounding alone
BEYOND = 0.6  # weight of what was learned here at times that no label covers: habits drift, so the
# rest is what is trusted at sites without labels


@dataclass(frozen=True, eq=False)
class Part:
    """What is used for some of the pictures. model None: no context but the pooling."""

    image: GivenImage | MappedImage | NamedImage
    model: Stack | None
    gate: Gate
    pool: Pool | None
    prior: np.ndarray

    def proba(self, evidence: object, where: Situation, rows: np.ndarray) -> np.ndarray:
        """Posteriors (n, K) of some of P pictures, the others being their neighbours."""
        image = self.image.proba(evidence)
        out = image
        if self.model is not None and self.gate.level > 0:
            out = self.gate.apply(image, self.model.evidence(evidence, where, image))
        if self.pool is not None:
            out = self.pool.apply(out, where.event, self.prior)
        return out[rows]


class ContextClassifier(BaseEstimator):
    """Site, hour, season and neighbouring pictures as bounded log-evidence beside the image's.

    classes: K names, needed where evidence is given as posteriors (their columns); default for
    answers of a global model: the labels in use, with the model's own names where the two share
    most. random_state: seed of the folds.

        clf = ContextClassifier().fit(predicted, labels, site, time)     # N answers, N labels
        proba = clf.predict_proba(predicted, site, time)                 # (N, K)

    What is used is decided out of fold: image alone unless context is better by more than a
    standard error; a site that loses is left to the image; sites without a label get only what
    held up when whole sites were left out; times that no label covers, a blend of both. Attributes
    after `fit`: classes_, gain_ (what context adds out of fold, in points; each fold judged by
    weights, gate and pooling that the others chose), report_ (all that was decided),
    silent_sites_, oof_proba_ ((N, K), NaN where unlabelled).
    Sources: FINCH (bounded adaptive weight of context, image-only as a special case); pooling in
    `ecotone.hierarchy.bursts`; map in `ecotone.fusion.mapping`.
    """

    def __init__(self, classes: Sequence[str] | None = None, *, random_state: int = 0) -> None:
        self.classes = classes
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self, evidence: object, labels: Sequence[object],
        site: Sequence[object] | None = None, time: Sequence[object] | None = None, *,
        event: Sequence[object] | None = None, file: Sequence[object] | None = None,
        camera: Sequence[object] | None = None,
    ) -> ContextClassifier:
        """Learn what context says here, and whether it says anything.

        evidence: posteriors (N, K) (held-out ones for labelled rows), `GlobalScores`, or N answers
        of a global model. labels: N entries: None or "", a class, several, or {class: weight};
        rows of one `file` are one picture whose labels are joined. Unlabelled rows count as
        neighbours. site, time, event, camera: N each; see `ecotone.context.when.situation`.

        Raises InputError when lengths, names or values do not fit, or nothing is labelled.
        """
        n = len(labels)
        classes, given = self._check(evidence, labels)
        if len(given) != n:
            raise InputError(f"evidence: {len(given)} rows, labels have {n}; give one each.")
        picture, first = picture_numbers(file, n)
        target = soft_targets(labels, classes, picture, len(first))
        rows = np.flatnonzero(target.sum(axis=1) > 0)
        if not len(rows):
            raise InputError("fit: no row has a label; give at least one.")
        where = situation(site, time, n, event, camera).take(first)
        given = take_evidence(given, first)
        start = (
            MappedImage.start(given, classes) if isinstance(given, GlobalScores)
            else GivenImage(classes)
        )
        known = Known(given, where, rows, target[rows], start, self.random_state)
        self.classes_ = np.asarray(classes, dtype=object)
        self._seen_sites = frozenset(where.site[rows])
        times = where.seconds[rows][~np.isnan(where.seconds[rows])]
        self._span = (times.min(), times.max()) if len(times) else (-np.inf, np.inf)
        self._learn(known)
        self.oof_proba_ = np.full((n, len(classes)), np.nan)
        labelled = np.isin(picture, rows)
        place = np.full(len(first), -1)
        place[rows] = np.arange(len(rows))
        self.oof_proba_[labelled] = self._held[place[picture[labelled]]]
        return self

    def _learn(self, known: Known) -> None:
        seen: Held = learn_seen(known)
        new: Held = learn_new_sites(known)
        self._seen = Part(seen.image, seen.model, seen.gate, seen.pool, seen.prior)
        self._new = Part(new.image, new.model, new.gate, new.pool, new.prior)
        self._plain = Part(seen.image, None, Gate(0.0), None, seen.prior)
        self.silent_sites_ = tuple(seen.silent)
        self._held = seen.proba
        self.report_ = {"seen": seen.report, "new_sites": new.report}
        self.gain_ = float(seen.report["gain"])

    @one_blas_thread
    def predict_proba(
        self, evidence: object, site: Sequence[object] | None = None,
        time: Sequence[object] | None = None, *, event: Sequence[object] | None = None,
        file: Sequence[object] | None = None, camera: Sequence[object] | None = None,
    ) -> np.ndarray:
        """Posteriors (M, K), columns as `classes_`; the M rows are each other's neighbours.

        Where context adds nothing, they are the posteriors given, bit for bit (if these sum to
        1). Arguments as in `fit`. Raises InputError before `fit` and when lengths do not fit.
        """
        if not hasattr(self, "report_"):
            raise InputError("ContextClassifier: call fit before predicting.")
        given = as_evidence(evidence, tuple(self.classes_))
        n = len(given)
        picture, first = picture_numbers(file, n)
        where = situation(site, time, n, event, camera).take(first)
        given = take_evidence(given, first)
        out = np.empty((len(first), len(self.classes_)))
        seen = np.array([s in self._seen_sites for s in where.site], dtype=bool)
        silent = np.array([s in self.silent_sites_ for s in where.site], dtype=bool)
        for part, chosen in ((self._seen, seen & ~silent), (self._plain, silent),
                             (self._new, ~seen)):
            at = np.flatnonzero(chosen)
            if len(at):
                out[at] = part.proba(given, where, at)
        at = np.flatnonzero(seen & ~silent & self._beyond(where.seconds))
        if len(at):
            new = np.log(np.maximum(self._new.proba(given, where, at), TINY))
            old = np.log(np.maximum(out[at], TINY))
            out[at] = softmax(BEYOND * old + (1.0 - BEYOND) * new)
        if isinstance(given, np.ndarray):
            plain = np.isclose(out, self._plain.image.proba(given), rtol=SAME, atol=0).all(axis=1)
            asked = np.asarray(evidence)[first]
            plain &= np.isclose(asked.sum(axis=1), 1.0, rtol=0, atol=1e-5)
            out[plain] = asked[plain]
        return out[picture]

    def _beyond(self, seconds: np.ndarray) -> np.ndarray:
        """(P,) whether a picture is more than a day outside of the time that labels cover."""
        first, last = self._span
        return (seconds < first - DAY) | (seconds > last + DAY)

    def image_proba(self, evidence: object) -> np.ndarray:
        """What the image alone says, (M, K): the posteriors given, or those of the learned map."""
        if not hasattr(self, "report_"):
            raise InputError("ContextClassifier: call fit before predicting.")
        return self._plain.image.proba(as_evidence(evidence, tuple(self.classes_)))

    def predict(self, evidence: object, *args: object, **options: object) -> np.ndarray:
        """The most probable class (M,) str; arguments as in `predict_proba`."""
        return self.classes_[self.predict_proba(evidence, *args, **options).argmax(axis=1)]

    def _check(
        self, evidence: object, labels: Sequence[object]
    ) -> tuple[tuple[str, ...], GlobalScores | np.ndarray]:
        wanted = None if self.classes is None else check_classes(self.classes, "classes")
        given = as_evidence(evidence, wanted)
        if wanted is not None:
            return wanted, given
        used = sorted({name for label in labels for name in names_of(label)})
        if not used:
            raise InputError("fit: no row has a label; give at least one.")
        own = set(given.classes) if isinstance(given, GlobalScores) else set()
        # Labels written as the model writes them: what it knows may occur here without a label.
        shared = 2 * len(own & set(used)) >= len(used)
        return tuple(sorted({*used, *own}) if shared else used), given

