"""Roll-up: from what a classifier says up to the first taxon that is sure enough.

A label is one of SpeciesNet's lines, "uuid;class;order;family;genus;species;common name"; its taxon
is the five names in the middle, empty from the level on where the label stops. Source of the rules:
google/cameratrapai 5.0.6 (Apache-2.0), taxonomy_utils.py, geofence_utils.py, ensemble.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ecotone.errors import InputError

LEVELS = ("species", "genus", "family", "order", "class", "kingdom")
BLANK = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
ANIMAL = "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal"
HUMAN = "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human"
VEHICLE = "e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle"
UNKNOWN = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6
TOKENS = "uuid;class;order;family;genus;species;common name"
_POSITION = {level: position for position, level in enumerate(LEVELS)}
_SHOWN = 3


class RolledUp(NamedTuple):
    """A taxon that is sure enough: its label, the sum of scores below it, and its level."""

    label: str
    score: float
    level: str


def taxon_key(label: str) -> str:
    """The taxon of a label, "class;order;family;genus;species".

    Raises InputError for a label that is not made of seven tokens.
    """
    tokens = label.split(";") if isinstance(label, str) else []
    if len(tokens) != 7:
        found = f"{len(tokens)} tokens" if isinstance(label, str) else type(label).__name__
        raise InputError(
            f"label {label!r}: {found}, expected the seven of SpeciesNet's labels ({TOKENS}); give "
            "the labels as SpeciesNet writes them."
        )
    return ";".join(tokens[1:6])


def ancestors(label: str, labels_by_taxon: Mapping[str, str]) -> tuple[str | None, ...]:
    """The labels above a label (and its own), one a level of `LEVELS`.

    None where the label has no name at that level, or the mapping no label for that taxon. Blank
    and vehicle have no ancestor, "animal" has itself. Raises InputError as `taxon_key` does.
    """
    names = taxon_key(label).split(";")
    found = [
        labels_by_taxon.get(";".join(names[:kept]) + ";" * (5 - kept)) if names[kept - 1] else None
        for kept in (5, 4, 3, 2, 1)
    ]
    living = names[0] or label == ANIMAL
    found.append(labels_by_taxon.get(";;;;") if living else None)
    return tuple(node or None for node in found)


class LabelMap(Mapping[str, str]):
    """Taxon -> label, as `label_map` makes it; ancestors once found are kept.

    notes: the taxonomy's defects and how each is decided.
    """

    def __init__(self, labels: Mapping[str, str], notes: Iterable[str] = ()) -> None:
        self._labels = dict(labels)
        self._ancestors: dict[str, tuple[str | None, ...]] = {}
        self.notes = tuple(notes)

    def ancestors(self, label: str) -> tuple[str | None, ...]:
        """The function `ancestors`, for this map."""
        found = self._ancestors.get(label)
        if found is None:
            found = self._ancestors[label] = ancestors(label, self._labels)
        return found

    def __getitem__(self, taxon: str) -> str:
        return self._labels[taxon]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)


def label_map(lines: Iterable[str]) -> LabelMap:
    """Taxon -> label of a taxonomy's lines, as SpeciesNet builds it.

    Of two labels of one taxon the last counts. Blank, vehicle and unknown are no taxa and are left
    out; human and animal are always there, with SpeciesNet's own labels. Raises InputError for a
    line that is not made of seven tokens.
    """
    labels: list[str] = []
    for number, line in enumerate(lines, start=1):
        label = line.strip()
        if not label:
            continue
        if label.count(";") != 6:
            raise InputError(
                f"taxonomy, line {number}: {label!r} has {label.count(';') + 1} tokens, expected "
                f"7 ({TOKENS}); mend the line or leave it out."
            )
        labels.append(label)
    found = {taxon_key(label): label for label in labels}
    for special in (BLANK, VEHICLE, UNKNOWN):
        found.pop(taxon_key(special), None)
    found.update({taxon_key(special): special for special in (HUMAN, ANIMAL)})
    return LabelMap(found, _defects(labels, found))


def ancestor_at(label: str, level: str, labels_by_taxon: Mapping[str, str]) -> str | None:
    """The label of a label's taxon at a level, e.g. of a lion's line at "family" the cat family's.

    None where the label stops above that level, or that taxon has no label. Raises InputError for a
    level that is none of `LEVELS`, or a label that is not made of seven tokens.
    """
    return _above(label, labels_by_taxon)[_position(level)]


def roll_up(
    labels: Sequence[str],
    scores: Sequence[float],
    levels: Iterable[str],
    threshold: float,
    label_map: Mapping[str, str],
    blocked: Callable[[str], bool] | None = None,
) -> RolledUp | None:
    """The best taxon at the first level where one is above the threshold; None where none is.

    labels, scores: what the classifier says, one score a label; a taxon's score is the sum over
    the labels below it, in the order given. levels: tried in this order. threshold: must be
    exceeded. blocked: whether a label cannot be the answer (a geofence); of equal taxa the one
    that came first is taken. Raises InputError for unknown levels, or labels of another form.
    """
    if len(labels) != len(scores):
        raise InputError(
            f"roll-up: {len(labels)} labels, {len(scores)} scores; give one score a label."
        )
    positions = [_position(level) for level in levels]
    paths = [_above(label, label_map) for label in labels]
    for position in positions:
        totals: dict[str, float] = {}
        for path, score in zip(paths, scores, strict=True):
            node = path[position]
            if node is not None:
                totals[node] = totals.get(node, 0.0) + score
        best, highest = None, max(threshold, 0.0)
        for node, total in totals.items():
            if total > highest and not (blocked is not None and blocked(node)):
                best, highest = node, total
        if best is not None:
            return RolledUp(best, highest, LEVELS[position])
    return None


def _above(label: str, labels_by_taxon: Mapping[str, str]) -> tuple[str | None, ...]:
    if isinstance(labels_by_taxon, LabelMap):
        return labels_by_taxon.ancestors(label)
    return ancestors(label, labels_by_taxon)


def _position(level: str) -> int:
    if level not in _POSITION:
        raise InputError(f"roll-up: level {level!r} is none of {', '.join(LEVELS)}.")
    return _POSITION[level]


def _defects(labels: Sequence[str], found: Mapping[str, str]) -> list[str]:
    """What is wrong with a taxonomy, one line a kind of defect."""
    several: dict[str, set[str]] = {}
    places: dict[tuple[int, str], set[str]] = {}
    missing: dict[str, None] = {}
    for label in labels:
        taxon = taxon_key(label)
        names = taxon.split(";")
        if any(names):
            several.setdefault(taxon, set()).add(label)
        for kept in range(1, 5):
            if names[kept - 1]:
                upper = ";".join(names[:kept]) + ";" * (5 - kept)
                places.setdefault((kept, names[kept - 1]), set()).add(upper)
                if upper not in found and UNKNOWN not in label:
                    missing[upper] = None
    twice = [taxon for taxon, those in several.items() if len(those) > 1]
    split = [name for (_, name), those in places.items() if len(those) > 1]
    words = [label.split(";", 1)[1] for label in labels if " " in label.split(";")[5]
             and label != UNKNOWN]
    kinds = (
        ("taxa with several labels, of each the last counts", twice),
        ("taxa that stand in two places, summed only above both", split),
        ("labels with several words for the species, each a species of its own", words),
        ("higher taxa without a label, a roll-up passes over them", missing),
    )
    return [f"{what} ({len(those):,}): {_few(list(those))}" for what, those in kinds if those]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
