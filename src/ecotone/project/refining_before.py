"""The label before: what the global models and the detector, taken together, call each detection.

N detections, S global classes, V nodes of the tree. SpeciesNet's scores are decided again by its
own rules, exactly, from what classifier and detector said; those of another model are summed up the
tree until a taxon is sure enough; without scores the detector's category is all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ecotone.hierarchy.before import taxon_of
from ecotone.hierarchy.ensemble import EnsembleThresholds, SpeciesNetEnsemble
from ecotone.hierarchy.ensemble_rows import best_of
from ecotone.hierarchy.tree import ANIMAL, BESIDE
from ecotone.project.refining_tree import is_speciesnet
from ecotone.taxonomy.geofence import Geofence
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.rollup import UNKNOWN
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import Detections, GlobalScores

TOP = 5  # classes of a model that count, as SpeciesNet gives them
RANKS = ("class", "order", "family", "genus")
MADE = (
    "SpeciesNet's taxonomy is not in this project, so higher taxa are those in its labels' own "
    "lines; to decide exactly as it does: ecotone add taxonomy taxonomy_release.txt"
)
FEW_CLASSES = (
    "most rows of {model} hold two classes; SpeciesNet's roll-up wants five: run it with "
    "--max_classifications_per_detection 5"
)


@dataclass(frozen=True, eq=False)
class Decide:
    """How SpeciesNet's scores are decided. rows: the project's taxonomy."""

    thresholds: EnsembleThresholds = field(default_factory=EnsembleThresholds)
    geofence: Geofence | None = None
    country: str | None = None
    admin1_region: str | None = None
    rows: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, eq=False)
class LabelsBefore:
    """label: (N,) str, SpeciesNet's own label, a taxon, or a category; "" never. score: (N,)
    float64, NaN where the detector's category is all there is. notes: what to know of them."""

    label: np.ndarray
    score: np.ndarray
    notes: tuple[str, ...] = ()


def labels_before(
    detections: Detections, looked: np.ndarray, scores: Mapping[str, GlobalScores],
    taxonomy: Taxonomy, decide: Decide,
) -> LabelsBefore:
    """The label before of N detections.

    looked: (N,) bool, a detector has seen the picture. scores: by global model, N rows each; of
    several, SpeciesNet's count first, then the others in their order. Raises InputError when a
    label is not of SpeciesNet's form.
    """
    label = detections.category.copy()
    score = np.full(len(detections), np.nan)
    notes: list[str] = []
    free = np.ones(len(detections), dtype=bool)
    for model in sorted(scores, key=lambda name: not is_speciesnet(scores[name])):
        given = scores[model]
        if is_speciesnet(given):
            found, sure, more = _speciesnet(detections, looked, given, decide)
            notes += [m.format(model=model) for m in more]
        else:
            found, sure = roll_up_rows(given, taxonomy, decide.thresholds.roll_up)
        use = free & (found != "")
        label[use], score[use] = found[use], sure[use]
        free &= ~use
    return LabelsBefore(label, score, tuple(dict.fromkeys(notes)))


def _speciesnet(
    detections: Detections, looked: np.ndarray, scores: GlobalScores, decide: Decide
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    lines, made = speciesnet_lines(decide.rows, scores.classes)
    ensemble = SpeciesNetEnsemble(lines, decide.geofence, decide.thresholds, TOP)
    # A picture that no detector has seen is to SpeciesNet one in which its own found nothing.
    found = ensemble.decide_rows(
        scores, np.where(looked, detections.category, ""),
        np.where(looked, detections.confidence, np.float32(0.0)),
        decide.country or None, decide.admin1_region or None,
    )
    label = np.where(found.label == UNKNOWN, "unknown", found.label)
    notes = [*([MADE] if made else ()), *found.notes[len(ensemble.labels.notes) :]]
    counts = np.diff(scores.values.indptr)
    if len(counts) and (counts > 0).any() and np.median(counts[counts > 0]) == 2:
        notes.append(FEW_CLASSES)
    return label, found.score, notes


def speciesnet_lines(
    rows: Iterable[Mapping[str, str]], classes: Iterable[str]
) -> tuple[list[str], bool]:
    """Lines of a taxonomy for SpeciesNet's rules, and whether its higher taxa had to be made up.

    rows: the project's taxonomy; its lines are those of SpeciesNet where they have a taxonID. A
    line that is a class of the model too is taken as the model writes it.
    """
    own = {c.split(";")[0]: c for c in classes}
    known = [_line(row) for row in rows if row.get("taxonID")]
    known = [line for line in known if line.count(";") == 6]
    if known:
        return [own.get(line.split(";")[0], line) for line in known], False
    made: dict[str, None] = {}
    for label in own.values():
        names = label.split(";")[1:6]
        for kept in range(1, 5):
            if names[kept - 1]:
                made[";".join(["", *names[:kept], *[""] * (5 - kept), names[kept - 1]])] = None
    return [*made, *own.values()], True


def _line(row: Mapping[str, str]) -> str:
    genus, species = row.get("genus", ""), row.get("species", "")
    epithet = species[len(genus) + 1 :] if genus and species.startswith(f"{genus} ") else species
    ranks = [row.get(rank, "") for rank in RANKS]
    return ";".join(
        [row["taxonID"], *ranks, epithet, row.get("vernacularName", "")]
    ).lower()


def roll_up_rows(
    scores: GlobalScores, taxonomy: Taxonomy, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest taxon whose share of a row's five best classes exceeds the threshold: names (N,),
    "" for none, and shares (N,), NaN.

    Classes that the tree does not know count for nothing. Source: the roll-up of SpeciesNet
    (google/cameratrapai, Apache-2.0), on any tree.
    """
    nodes, depth, holds = _paths(scores.classes, taxonomy)
    shown = np.array([*nodes, ""], dtype=object)
    label, share = np.full(len(scores), "", dtype=object), np.full(len(scores), np.nan)
    for start, columns, values, lengths in best_of(scores.values, TOP):
        n, k = values.shape
        filled = np.arange(k) < lengths[:, None]
        part = sparse.csr_matrix(
            (values[filled], columns[filled], np.r_[0, np.cumsum(filled.sum(axis=1))]),
            shape=(n, len(scores.classes)),
        )
        mass = sparse.csr_matrix(part @ holds).tocoo()
        sure = mass.data > threshold
        row, node, data = mass.row[sure], mass.col[sure], mass.data[sure]
        order = np.lexsort((data, depth[node], row))
        row, node, data = row[order], node[order], data[order]
        last = np.r_[row[1:] != row[:-1], True][: len(row)]
        label[start + row[last]] = shown[node[last]]
        share[start + row[last]] = np.minimum(data[last], 1.0)
    return label, share


def _paths(
    classes: Sequence[str], taxonomy: Taxonomy
) -> tuple[list[str], np.ndarray, sparse.csr_matrix]:
    """Names (V,) and depths (V,) of the nodes above S classes, and (S, V) which hold which."""
    number: dict[str, int] = {}
    depth: list[int] = []
    pairs = []
    for s, name in enumerate(classes):
        taxon = taxon_of(parse_label(name), taxonomy)
        if not taxon:
            continue
        above = taxonomy.ancestors(taxon)[::-1] if taxon in taxonomy else []
        path = [taxon] if taxon in BESIDE else list(dict.fromkeys([ANIMAL, *above, taxon]))
        for step, node in enumerate(path):
            shown = node if node in (ANIMAL, *BESIDE) else node[:1].upper() + node[1:]
            if shown not in number:
                number[shown] = len(number)
                depth.append(step)
            pairs.append((s, number[shown]))
    at = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    holds = sparse.csr_matrix(
        (np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(len(classes), max(len(number), 1))
    )
    return list(number), np.array(depth or [0]), holds
