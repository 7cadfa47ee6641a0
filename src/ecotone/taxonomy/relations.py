"""How local classes relate to the classes of a global model: the base measure of the mixture map.

K local classes, S global classes. m_ks says how much of the model's output for a picture of local
class k is expected at its global class s. What is expected follows the tree from the class upward:
the class itself takes the share EXACT, and every group above it takes its share of what is left,
0.70 exact, 0.20 genus, 0.05 family, ... where all are there. A group without a member leaves its
share to the next one up, and in the end to the source prior: 1 - sum_s m_ks.

Source: own design; the base measure of the map in docs/methods.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.taxonomy.index import LabelIndex
from ecotone.taxonomy.links import alternatives, kinds, link, notes
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.places import Places
from ecotone.taxonomy.tree import Taxonomy

KINDS = ("exact", "merged", "split", "genus", "relative", "special", "unknown")
GENERAL = 0.9  # of the weights, where the model also knows things that are no animals
CLAIMED = 0.2  # of its even share for a member that another local class names


@dataclass(frozen=True, eq=False)
class Relations:
    """The base measure and what it rests on.

    weight: (K, S) float64, rows sum to at most 1; the rest is the source prior's. kind: (K,) str
    of `KINDS`. notes: what could not be resolved, or only in part.
    """

    local_classes: tuple[str, ...]
    global_classes: tuple[str, ...]
    weight: np.ndarray
    kind: np.ndarray
    notes: list[str]

    def links(self, local: int | str, top: int = 5) -> list[tuple[str, float]]:
        """The strongest (global class, weight) of a local class, given by number or name."""
        k = self.local_classes.index(local) if isinstance(local, str) else local
        order = np.argsort(-self.weight[k], kind="stable")[:top]
        return [(self.global_classes[s], float(self.weight[k, s]))
                for s in order if self.weight[k, s] > 0]


def relate(
    local_classes: Sequence[str], global_classes: Sequence[str], taxonomy: Taxonomy | None = None
) -> Relations:
    """Relate K local names to S global names, in whatever convention either is written.

    Lineages inside the global labels are used with or without a `taxonomy`; without both, the
    built-in vocabulary of English animal nouns places names, and unknown nouns are compared as
    they are. A taxonomy adds its scientific and vernacular names and its tree.
    """
    names = [str(name) for name in local_classes]
    labels = [parse_label(str(name)) for name in global_classes]
    parts = [part for name in names for part in alternatives(name)]
    index = LabelIndex(labels, Places([*labels, *parts], taxonomy))
    found = [link(name, index) for name in names]
    claimed = frozenset(s for links in found if not links.generic for s in links.exact)
    weight = np.zeros((len(found), len(labels)))
    for k, links in enumerate(found):
        for s, share in links.shares(claimed, CLAIMED).items():
            weight[k, s] = share * (1.0 if index.specialised else GENERAL)
    kind = kinds(found)
    told = [n for name, links, what in zip(names, found, kind, strict=True)
            for n in notes(name, what, links, index)]
    return Relations(
        tuple(names), tuple(map(str, global_classes)), weight, np.asarray(kind, dtype=object), told
    )
