"""What a report is made of. Every part may be missing; the page then says what to do about it.

M held-out rows, K local classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import InputError

if TYPE_CHECKING:
    from ecotone.report.acceptance import AcceptanceData
    from ecotone.report.discovery import DiscoveryData
    from ecotone.report.individuals import IndividualsData
    from ecotone.report.networks import NetworksData
    from ecotone.report.overview import OverviewData
    from ecotone.report.questions import QuestionsData
    from ecotone.report.refinement import RefinementData


@dataclass(frozen=True)
class Counts:
    """What the project holds. categories: detections by animal, human, vehicle, blank."""

    pictures: int = 0
    detections: int = 0
    labelled: int = 0
    places: int = 0
    categories: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One fusion. candidates: the selection table, rows {name, loss, accuracy, weight, chosen}.

    preferred: "fused" or "local", which set of probabilities the page shows. seconds: duration.
    """

    id: str
    created: str = ""
    seconds: float | None = None
    seed: int | None = None
    chosen: str = ""
    preferred: str = ""
    embedding_model: str = ""
    score_models: tuple[str, ...] = ()
    candidates: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of labelled rows by a model that did not see these labels.

    truth: (M,) int columns 0..K-1. proba: (M, K) rows sum to 1. weight: (M,) how many detections
    each stands for, None where no label was chosen by `suggest`; chosen: how many were.
    """

    truth: np.ndarray
    proba: np.ndarray
    weight: np.ndarray | None = None
    chosen: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", np.asarray(self.truth, dtype=np.int64))
        object.__setattr__(self, "proba", np.asarray(self.proba, dtype=np.float64))
        if self.proba.ndim != 2 or self.truth.shape != self.proba.shape[:1]:
            raise InputError(
                f"HeldOut: truth has shape {self.truth.shape}, proba {self.proba.shape}; "
                "expected (M,) and (M, K)."
            )
        if len(self.truth) and not 0 <= self.truth.min() <= self.truth.max() < self.proba.shape[1]:
            raise InputError(f"HeldOut: truth holds a class outside 0..{self.proba.shape[1] - 1}.")

    @property
    def effective(self) -> float:
        """How many labels of one weight these are worth (Kish 1965)."""
        if self.weight is None:
            return float(len(self.truth))
        return float(self.weight.sum() ** 2 / max((self.weight**2).sum(), 1e-300))

    @property
    def predicted(self) -> np.ndarray:
        """The most probable column of each row, (M,) int."""
        return self.proba.argmax(axis=1)

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class GlobalMap:
    """The learned map of one global model.

    kinds: by local class, how it relates to the model's classes ("exact", "merged", ...).
    links: by local class, the model's classes and the weight of each, strongest first, sum <= 1.
    """

    model: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One detection to look at.

    file: as shown. alternatives: (class, probability), the best first, without the prediction.
    crop and whole: JPEG bytes, None when there is no picture to show; problem says why. whole is
    the picture with the box drawn; None when the crop already is the whole. hidden: people blurred.
    """

    file: str
    prediction: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()
    global_label: str = ""
    global_score: float | None = None
    label: str = ""
    place: str = ""
    time: str = ""
    crop: bytes | None = None
    whole: bytes | None = None
    size: tuple[int, int] = (0, 0)
    hidden: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures under one heading. text: why these, in a sentence."""

    key: str
    title: str
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A picture that a step could not work on."""

    file: str
    step: str
    reason: str


@dataclass(frozen=True, eq=False)
class ReportData:
    """All that a report shows; nothing but the title is needed.

    classes: K names. label_counts: (K,) labels by people. found: (K,) expected number of detections
    of each class (the sum of its probabilities). evaluation: records as `learning_curves` returns
    them. galleries: pictures. unresolved: what could not be placed. notes: what else to know.
    refinement: what `refine` made of the detections, None when it did not run. acceptance: what
    needs no eye, None without held-out labels. questions: what `suggest` asks, None when nothing is
    open. discovery: what no label names, None when nobody looked. overview: the study
    at a glance, None without pictures.
    """

    title: str
    created: str = ""
    counts: Counts | None = None
    run: Run | None = None
    classes: tuple[str, ...] = ()
    label_counts: np.ndarray | None = None
    found: np.ndarray | None = None
    held_out: HeldOut | None = None
    evaluation: tuple[Mapping[str, Any], ...] = ()
    maps: tuple[GlobalMap, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    failures: tuple[Failure, ...] = ()
    unresolved: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refinement: RefinementData | None = None
    acceptance: AcceptanceData | None = None
    questions: QuestionsData | None = None
    discovery: DiscoveryData | None = None
    individuals: IndividualsData | None = None
    overview: OverviewData | None = None
    networks: NetworksData | None = None

    def __post_init__(self) -> None:
        k = len(self.classes)
        for name in ("label_counts", "found"):
            values = getattr(self, name)
            if values is None:
                continue
            object.__setattr__(self, name, np.asarray(values))
            if getattr(self, name).shape != (k,):
                raise InputError(
                    f"ReportData: {name} has shape {np.shape(values)}, expected ({k},), "
                    "one number a class."
                )
        if self.held_out is not None and self.held_out.proba.shape[1] != k:
            raise InputError(
                f"ReportData: held_out has {self.held_out.proba.shape[1]} columns, "
                f"there are {k} classes."
            )
