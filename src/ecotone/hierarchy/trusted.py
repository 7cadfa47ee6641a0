"""Stage 1: the rows that the other stages learn from.

N detections, n trusted ones.

Trusted is what a person said, what a person confirmed, and the global model's label where it is at
species level with a score of `trusted_score` or more (0.8, the threshold of SpeciesNet's own
ensemble for its sure answers).
Source: Markoff and Galaktionovs 2025, arXiv:2510.14594 (stage "high-confidence acceptance").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.features import CHUNK, Reordered, content_keys
from ecotone.hierarchy.before import Before, taxon_of, texts
from ecotone.hierarchy.centroids import Crops, unit_rows
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.taxonomy.names import ParsedLabel, parse_label
from ecotone.taxonomy.tree import Taxonomy

NOTHING = ("unknown", "animal")  # labels that are no example of anything


@dataclass(frozen=True, eq=False)
class Trusted:
    """rows: (n,) numbers. target: (n,) class numbers. classes: names, sorted. by_people: (n,) bool.
    notes: what could not be used."""

    rows: np.ndarray
    target: np.ndarray
    classes: tuple[str, ...]
    by_people: np.ndarray
    notes: tuple[str, ...] = ()


def accepted(before: Before, score: np.ndarray, settings: FiveStageSettings) -> np.ndarray:
    """(N,) bool: labels before that stand as they are, at species level and sure."""
    if not settings.trusted:
        return np.zeros(len(before.label), dtype=bool)
    # Scores come as float32 too, in which 0.8 is a little more or less than 0.8.
    return before.species[before.code] & (score >= settings.trusted_score - 1e-6)


def find_trusted(
    labels: Sequence[str | None] | None, before: Before, score: np.ndarray,
    reviewed: np.ndarray, taxonomy: Taxonomy, settings: FiveStageSettings,
    aliases: Mapping[str, str],
) -> Trusted:
    """The trusted rows and their classes.

    labels: N class names from people, None or "" elsewhere. score: (N,) of the labels before, NaN
    where unknown. reviewed: (N,) bool, a person confirmed the label before. aliases: label -> a
    fuller name. Raises InputError when there is no trusted row.
    """
    said = texts(labels, len(before.label), "labels")
    parsed = {name: parse_label(aliases.get(name, name)) for name in dict.fromkeys(said) if name}
    use = {name for name, label in parsed.items() if label.special not in NOTHING}
    person = np.array([name in use for name in said], dtype=bool)
    other = np.array([not name for name in said], dtype=bool)
    sure = (reviewed | accepted(before, score, settings)) & other
    own = _class_names(before, {n: parsed[n] for n in use}, taxonomy)
    placed = np.array([bool(name) for name in own], dtype=bool)[before.code]
    nothing = np.array([s in NOTHING for s in before.special], dtype=bool)[before.code]
    rows = np.flatnonzero(person | (sure & placed))
    if not len(rows):
        raise InputError(_none(settings))
    names = [said[r] if person[r] else own[before.code[r]] for r in rows]
    classes = sorted(set(names))
    number = {name: c for c, name in enumerate(classes)}
    return Trusted(rows, np.array([number[n] for n in names]), tuple(classes), person[rows],
                   _notes(before, sure & ~placed & ~nothing))


def _none(settings: FiveStageSettings) -> str:
    """What to say where nothing is trusted."""
    label = f"label some detections ({settings.crops} of a species make a class)"
    if not settings.trusted:
        return f"fit: no trusted rows: no label, and the stage trusted is off; {label}."
    return (
        "fit: no trusted rows: no label, and no label before (was, was_scores) at species level "
        f"with a score of {settings.trusted_score:g} or more; {label}, or lower trusted_score."
    )


def crops_of(
    embeddings: np.ndarray, trusted: Trusted, settings: FiveStageSettings, seed: int = 0
) -> tuple[Crops | None, np.ndarray]:
    """The crops of the classes that have enough, and the numbers (C,) of these classes.

    None where no class has. A crop is a row with an embedding that is not zero. Of a class with
    more than `most_crops` those that people said come first, the others are drawn by content. The
    order is by class and content: that of the rows plays no part.
    """
    rows, target = trusted.rows, trusted.target
    values = Reordered(embeddings, rows)
    keys, some = content_keys(values, seed), np.empty(len(rows), dtype=bool)
    for start in range(0, len(rows), CHUNK):
        some[start : start + CHUNK] = values[start : start + CHUNK].any(axis=1)
    kept, number = [], []
    for c in range(len(trusted.classes)):
        own = np.flatnonzero(some & (target == c))
        if len(own) >= settings.crops:
            chosen = own[np.lexsort((keys[own], ~trusted.by_people[own]))][: settings.most_crops]
            kept.append(chosen[np.argsort(keys[chosen], kind="stable")])
            number.append(c)
    if not kept:
        return None, np.empty(0, dtype=int)
    order = np.concatenate(kept)
    small = np.repeat(np.arange(len(kept)), [len(k) for k in kept])
    return Crops(unit_rows(values[order]), small, keys[order]), np.array(number)


def _class_names(
    before: Before, people: Mapping[str, ParsedLabel], taxonomy: Taxonomy
) -> list[str]:
    """The class that each label before is an example of, "" for none: the class that people use
    for the same taxon where there is one, else the taxon."""
    users: dict[str, list[str]] = {}
    for name, label in people.items():
        users.setdefault(taxon_of(label, taxonomy), []).append(name)
    out = []
    for taxon, special in zip(before.taxon, before.special, strict=True):
        same = users.get(taxon, ())
        out.append("" if special in NOTHING else same[0] if taxon and len(same) == 1 else taxon)
    return out


def _notes(before: Before, lost: np.ndarray) -> tuple[str, ...]:
    if not lost.any():
        return ()
    name = before.label[int(np.argmax(lost))]
    return (f"{int(lost.sum()):,} sure labels before have no place in the tree, e.g. {name!r}: "
            "they are no examples",)
