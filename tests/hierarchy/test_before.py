"""Labels before, in any convention."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.before import Before, taxon_of, texts
from ecotone.hierarchy.tree import ClassTree, as_taxonomy
from ecotone.taxonomy.names import parse_label
from tests.hierarchy.five_stage_world import ANIMAL, BIRD, BLANK, DEER, LINES, MAMMAL

TAXONOMY = as_taxonomy([line for line in LINES if line not in (ANIMAL, BLANK)])
LABELS = ["animal", ANIMAL, "blank", BLANK, "", None, "mammal", MAMMAL, DEER, LINES[0], "red fox",
          "Vulpes vulpes", "human", "vehicle", "a purple thing", float("nan"), "Puma concolor",
          "id-of-it;mammalia;carnivora;felidae;puma;concolor;puma"]


def read(labels=LABELS) -> Before:
    return Before.read(labels, TAXONOMY, len(labels))


def test_rank_and_taxon_of_labels():
    before = read()
    rank = [before.rank[c] for c in before.code]
    assert rank == ["kingdom", "kingdom", "", "", "", "", "class", "class", "family", "species",
                    "species", "species", "species", "", "", "", "species", "species"]
    taxon = [before.taxon[c] for c in before.code]
    assert taxon[6:12] == ["mammalia", "mammalia", "cervidae", *["vulpes vulpes"] * 3]
    assert taxon[14] == taxon[16] == taxon[17] == ""
    assert list(before.label[[4, 5, 15]]) == ["", "", ""]


def test_nodes_in_a_tree():
    tree = ClassTree.build(["red fox", "red deer"], TAXONOMY)
    before = read()
    node = before.node(tree)[before.code]
    names = ["" if n < 0 else tree.nodes[n] for n in node]
    assert names[:2] == ["animal", "animal"]
    assert set(node[2:6]) == {0}
    assert names[6:12] == ["mammalia", "mammalia", "cervidae", *["vulpes vulpes"] * 3]
    assert set(node[[12, 13, 14, 16, 17]]) == {-1}
    assert read([BIRD]).node(tree)[0] == -1, "no class is a bird"


def test_meaning_does_not_depend_on_the_way_of_writing():
    before = read()
    means = before.means(("mammal", "blank"))[before.code]
    assert list(np.flatnonzero(means)) == [2, 3, 6, 7]
    assert list(np.flatnonzero(before.means(("unknown",))[before.code])) == [4, 5, 15]


def test_lengths_are_checked():
    with pytest.raises(InputError, match="was: 2 entries, expected 3"):
        Before.read(["animal", "blank"], TAXONOMY, 3)
    assert list(texts(None, 2, "was")) == ["", ""]
    assert len(Before.read([], TAXONOMY, 0).names) == 0


def test_one_taxon_or_none():
    assert taxon_of(parse_label("bird"), TAXONOMY) == "aves"
    assert taxon_of(parse_label("reptile"), TAXONOMY) == ""
