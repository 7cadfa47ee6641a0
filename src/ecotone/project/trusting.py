"""What a refinement learns from: people's labels, and the sure species of a global model.

N detections. Where people contradict a label before more often than not, it is no longer trusted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.fusion.features import Reordered, content_keys
from ecotone.hierarchy.before import Before, taxon_of
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.trusted import accepted, find_trusted
from ecotone.ingest.text import some
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy

LEAST_CHECKED = 3  # labels by people from which a label before may lose trust
MOST_OF_CLASS, MOST_IN_ALL = 300, 6000  # rows of the global model that a classifier learns from


@dataclass(frozen=True, eq=False)
class Trusted:
    """names: (N,) class of each row to learn from, None elsewhere. by_people: (N,) bool. score:
    (N,) of the labels before, NaN where they are not trusted. notes: what to know."""

    names: np.ndarray
    by_people: np.ndarray
    score: np.ndarray
    notes: tuple[str, ...] = ()

    def part(self, rows: np.ndarray) -> Trusted:
        """Some rows: numbers or a mask."""
        return Trusted(self.names[rows], self.by_people[rows], self.score[rows], self.notes)

    @property
    def by_model(self) -> np.ndarray:
        """(N,) bool: rows whose class a global model gave."""
        return ~self.by_people & np.array([name is not None for name in self.names], dtype=bool)


def trust(
    labels: np.ndarray, before: Before, score: np.ndarray, taxonomy: Taxonomy,
    settings: FiveStageSettings, aliases: Mapping[str, str],
) -> Trusted:
    """The rows to learn from.

    labels: (N,) what people said, None elsewhere. before, score: (N,) labels before and how sure
    they are. aliases: label -> a fuller name of it. Raises ProjectError when there is no such row.
    """
    taxon = {
        label: taxon_of(parse_label(aliases.get(label, label)), taxonomy)
        for label in dict.fromkeys(labels) if label is not None
    }
    score, notes = _doubted(labels, before, score, taxonomy, settings, taxon)
    try:
        found = find_trusted(
            labels, before, score, np.zeros(len(labels), dtype=bool), taxonomy, settings, aliases
        )
    except InputError:
        raise ProjectError(
            "nothing to learn from: no labels, and no global model is sure of any species (score "
            f"{settings.trusted_score:g} or more); add labels: ecotone add labels labels.csv, or "
            "lower --trusted-score"
        ) from None
    # "lion male" and "lion female": a lion of the global model is an example of neither.
    known_as = np.array(
        [name if name in taxon else class_of(name, taxon, taxonomy) for name in found.classes],
        dtype=object)
    names = np.full(len(labels), None, dtype=object)
    by_people = np.zeros(len(labels), dtype=bool)
    by_people[found.rows] = found.by_people
    own = np.asarray(found.classes, dtype=object)[found.target]
    names[found.rows] = np.where(found.by_people, own, known_as[found.target])
    return Trusted(names, by_people, score, (*notes, *found.notes))


def class_of(taxon: str, users: Mapping[str, str], taxonomy: Taxonomy) -> str | None:
    """The class that a taxon is called by: people's where they have one, else the taxon itself;
    None where they have several.

    users: taxon of each of people's labels. "roe deer" of people may be a genus to the tree; then
    its species are roe deer too, as long as people tell none apart.
    """
    same = [label for label, own in users.items() if own == taxon]
    if same:
        return same[0] if len(same) == 1 else None
    above = taxonomy.ancestors(taxon) if taxon in taxonomy else []
    genus = next((a for a in above if taxonomy.rank(a) == "genus"), None)
    wider = [label for label, own in users.items() if own == genus]
    finer = any(own in taxonomy and genus in taxonomy.ancestors(own) for own in users.values())
    return wider[0] if len(wider) == 1 and not finer else taxon


def _doubted(
    labels: np.ndarray, before: Before, score: np.ndarray, taxonomy: Taxonomy,
    settings: FiveStageSettings, taxon: Mapping[str, str],
) -> tuple[np.ndarray, list[str]]:
    """Scores (N,) without those of labels before that people mostly contradict."""
    sure = accepted(before, score, settings)
    people = np.array([label is not None for label in labels], dtype=bool)
    right: Counter[int] = Counter()
    wrong: Counter[int] = Counter()
    for row in np.flatnonzero(sure & people):
        code, told = int(before.code[row]), taxon[labels[row]]
        if told:
            (right if _agree(before.taxon[code], told, taxonomy) else wrong)[code] += 1
    lost = [code for code, n in wrong.items()
            if n > right[code] and n + right[code] >= LEAST_CHECKED]
    if not lost:
        return score, []
    out = np.where(np.isin(before.code, lost), np.nan, score)
    told = [f"{before.names[c].split(';')[-1]} ({wrong[c]} of {wrong[c] + right[c]})" for c in lost]
    return out, [
        f"sure labels of the global model that people contradict, not learned from: {some(told, 6)}"
    ]


def _agree(one: str, other: str, taxonomy: Taxonomy) -> bool:
    if one == other:
        return True
    return (one in taxonomy and other in taxonomy
            and (one in taxonomy.ancestors(other) or other in taxonomy.ancestors(one)))


def fewer(trusted: Trusted, embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Names (N,) of which each class keeps a bounded number of the global model's rows.

    People's all stay; the others are drawn by content, so that the order of rows plays no part.
    embeddings: (N, D).
    """
    rows = np.flatnonzero(trusted.by_model)
    if not len(rows):
        return trusted.names
    classes, target = np.unique(trusted.names[rows].astype(str), return_inverse=True)
    most = max(min(MOST_OF_CLASS, MOST_IN_ALL // len(classes)), 20)
    if np.bincount(target).max() <= most:
        return trusted.names
    order = np.lexsort((content_keys(Reordered(embeddings, rows), seed), target))
    start = np.searchsorted(target[order], np.arange(len(classes)))
    place = np.arange(len(order)) - start[target[order]]
    names = trusted.names.copy()
    names[rows[order[place >= most]]] = None
    return names
