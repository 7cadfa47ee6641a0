"""The tree of the trusted classes and of what occurs here, and which of its nodes occur.

P taxa that occur, V nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.hierarchy.before import taxon_of
from ecotone.hierarchy.tree import ClassTree
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy


@dataclass(frozen=True, eq=False)
class Place:
    """tree: the trusted classes first, then taxa that occur and have none. occurs: (V,) bool, holds
    something that occurs or is held by it. notes: what the tree does not know."""

    tree: ClassTree
    occurs: np.ndarray
    notes: tuple[str, ...] = ()


def place_classes(
    classes: Sequence[str], present: Sequence[str] | None, taxonomy: Taxonomy,
    aliases: Mapping[str, str],
) -> Place:
    """Trusted classes and the taxa `present` (None: no list, all occur) in one tree.

    Raises InputError when `present` is one text, TaxonomyError for a class that is not in the
    taxonomy.
    """
    if isinstance(present, str):
        raise InputError(f"present: found the text {present!r}, expected a list of names.")
    own = {taxon_of(parse_label(aliases.get(c, c)), taxonomy) for c in classes}
    names = [str(name) for name in present or ()]
    taxa = [taxon_of(parse_label(aliases.get(n, n)), taxonomy) for n in names]
    lost = [name for name, taxon in zip(names, taxa, strict=True) if not taxon]
    more = [taxon for taxon in dict.fromkeys(taxa) if taxon and taxon not in own]
    tree = ClassTree.build([*classes, *more], taxonomy, aliases=aliases)
    every = np.arange(len(tree.nodes))
    occurs = np.ones(len(every), dtype=bool)
    if present is not None:
        number = {name: node for node, name in enumerate(tree.nodes)}
        here = np.array([number[t] for t in taxa if t and t in number], dtype=int)[:, None]
        occurs = (tree.holds(here, every) | tree.holds(every, here)).any(axis=0)
    notes = () if not lost else (
        f"present: {len(lost):,} names are not in the tree, e.g. {lost[0]!r}",)
    return Place(tree, occurs, notes)
