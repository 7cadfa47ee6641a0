"""The settings of the five-stage pipeline: which stages run, and every threshold they use.

Defaults are those of docs/five-stage.md; where the publication gives no number they are our own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ecotone.errors import InputError

STAGES = ("trusted", "birds", "centroids", "metric_head", "scoring")
HEADS = ("auto", "closed-form", "triplet", "none")
INFINITE = float("inf")
LIMITS: dict[str, tuple[float, float]] = {
    "trusted_score": (0, 1),
    "bird_top": (1, 10**6), "bird_mass": (0, 1), "bird_top_mass": (0, 1),
    "bird_confidence": (0, 1), "bird_reviewed": (1, 10**9), "bird_precision": (0, 1),
    "crops": (2, 10**6), "most_crops": (2, 10**6), "drop_farthest": (0, 0.9), "folds": (0, 100),
    "whitened_axes": (0, 4096), "hidden": (1, 65536), "output": (2, 65536), "margin": (0, 2),
    "batch_taxa": (2, 4096), "batch_crops": (2, 4096), "learning_rate": (1e-8, 10),
    "weight_decay": (0, 10), "steps": (1, 10**6), "held_out": (0.01, 0.9),
    "check_every": (1, 10**6), "patience": (1, 10**6),
    "deviations": (0, INFINITE), "gap": (0, 2), "pool_deviations": (0, INFINITE),
    "species_distance": (0, 2), "genus_distance": (0, 2), "family_distance": (0, 2),
    "order_distance": (0, 2), "class_distance": (0, 2), "typical_distance": (0, 2),
}  # fmt: skip


@dataclass(frozen=True)
class FiveStageSettings:
    """What a user may set; `[five_stage]` of ecotone.toml has the same names.

    Stages. trusted: the global model's own species from `trusted_score` on are examples, as
    people's labels always are. birds, centroids, metric_head. scoring: thresholds; without them
    the nearest class is the answer. Without centroids nothing but birds is re-classified.

    Which labels before are re-classified: `generic`, and with above_species every label above
    species. "unknown" also means no label at all.

    Birds. From the labels bird_from; bird_taxon: the group that is looked for; the bird_top highest
    scores count. Override when their mass in birds is bird_mass, or when a bird is first, the mass
    is bird_top_mass and the detector's confidence bird_confidence. With bird_reviewed reviewed
    detections the mass is chosen on them, for bird_precision.

    Centroids. crops: least number of trusted crops of a taxon; most_crops: more are not looked at;
    drop_farthest: share that is dropped; folds: distances within a class are those of held-out
    crops, 0 for those of the crops that the centroid is made of.

    Metric head. head: "triplet" (torch), "closed-form", "none", or "auto": triplet where torch is
    installed. whitened_axes: of the closed form, beside the axes that tell classes apart. The rest,
    from hidden to patience, is the training with triplet loss.

    Scoring. deviations: of the first distance from its class's mean; gap: from first to second;
    *_distance: the largest first distance for an answer at a rank, where the median distance within
    classes is typical_distance, and in proportion elsewhere (0: as they stand). pool_deviations:
    how far behind the first a class still counts as a candidate.

    Raises InputError for a value of the wrong kind or out of range.
    """

    trusted: bool = True
    birds: bool = True
    centroids: bool = True
    metric_head: bool = True
    scoring: bool = True
    generic: tuple[str, ...] = ("blank", "animal", "mammal", "unknown")
    above_species: bool = True
    trusted_score: float = 0.8
    bird_from: tuple[str, ...] = ("blank", "animal")
    bird_taxon: str = "aves"
    bird_top: int = 5
    bird_mass: float = 0.5
    bird_top_mass: float = 0.2
    bird_confidence: float = 0.2
    bird_reviewed: int = 30
    bird_precision: float = 0.95
    crops: int = 8
    most_crops: int = 300
    drop_farthest: float = 0.05
    folds: int = 5
    head: str = "auto"
    whitened_axes: int = 16
    hidden: int = 256
    output: int = 128
    margin: float = 0.2
    batch_taxa: int = 8
    batch_crops: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    steps: int = 200
    held_out: float = 0.2
    check_every: int = 10
    patience: int = 5
    deviations: float = 2.0
    gap: float = 0.02
    pool_deviations: float = 1.0
    species_distance: float = 0.25
    genus_distance: float = 0.30
    family_distance: float = 0.35
    order_distance: float = 0.40
    class_distance: float = 0.45
    typical_distance: float = 0.125

    def __post_init__(self) -> None:
        for name, default in _DEFAULTS.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), default))
        if self.head not in HEADS:
            raise InputError(f"five_stage: head is {self.head!r}, expected one of {HEADS}.")
        distances = self.rank_distances
        if list(distances) != sorted(distances):
            raise InputError(
                f"five_stage: the largest distances from species to class are {distances}; a "
                "higher rank needs a distance that is not smaller."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FiveStageSettings:
        """Settings from plain values. Raises InputError for an unknown name, with the nearest."""
        for name in values:
            if name not in _DEFAULTS:
                near = difflib.get_close_matches(name, _DEFAULTS, n=1, cutoff=0.0)[0]
                raise InputError(f"five_stage: unknown setting {name!r}; did you mean {near!r}?")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, for a run record."""
        return {n: list(v) if isinstance(v, tuple) else v
                for n, v in ((n, getattr(self, n)) for n in _DEFAULTS)}

    @property
    def rank_distances(self) -> tuple[float, float, float, float, float]:
        """The largest first distance at species, genus, family, order, class."""
        return (self.species_distance, self.genus_distance, self.family_distance,
                self.order_distance, self.class_distance)


def ablations(settings: FiveStageSettings) -> dict[str, FiveStageSettings]:
    """The settings as they are ("all stages") and with each stage that is on switched off."""
    on = [stage for stage in STAGES if getattr(settings, stage)]
    without = {f"without {stage.replace('_', ' ')}": replace(settings, **{stage: False})
               for stage in on}
    return {"all stages": settings, **without}


_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(FiveStageSettings)}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text",
          tuple: "a list of texts"}


def _checked(name: str, value: Any, default: Any) -> Any:
    """The value in the kind of its default. Raises InputError otherwise."""
    kind = type(default)
    if kind is tuple and isinstance(value, list | tuple):
        good, value = all(isinstance(v, str) for v in value), tuple(value)
    elif kind is float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if good else value
    else:
        good = type(value) is kind
    if not good:
        raise InputError(f"five_stage: {name} is {value!r}, expected {_WORDS[kind]}.")
    low, high = LIMITS.get(name, (0, 0))
    if name in LIMITS and not low <= value <= high:
        raise InputError(f"five_stage: {name} is {value}, expected a number from {low} to {high}.")
    return value
