from __future__ import annotations

import pytest

from ecotone.errors import TaxonomyError
from ecotone.taxonomy.foreign import english
from ecotone.taxonomy.vocabulary import parse, vocabulary
from ecotone.taxonomy.words import key


def above(node: str) -> list[str]:
    found = []
    while node:
        found.append(node)
        node = vocabulary().parent[node]
    return found


def test_format() -> None:
    small = parse("aves: bird ; kiwi/moa\n  xidae | yidae: *gull, =tern\n    & aus bus\n")
    assert small.parent == {"aves": "", "~kiwi of aves": "aves", "xidae": "aves",
                            "aus": "xidae", "bus": "xidae"}
    assert small.alias == {"yidae": "xidae"}
    assert small.alone[("moa",)] == ("~kiwi of aves",) and ("gull",) not in small.alone
    assert small.noun(("big", "gull")) == ("xidae",) and not small.noun(("big", "tern"))
    with pytest.raises(TaxonomyError, match="line 2"):
        parse("aves\n    xidae\n")


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("Sealyham terrier", "canis familiaris", "phocidae"),
        ("black-tailed prairie dog", "sciuridae", "canidae"),
        ("eastern fox squirrel", "sciuridae", "canidae"),
        ("california sea lion", "otariidae", "felidae"),
        ("rufous hare wallaby", "macropodidae", "leporidae"),
        ("grey mouse lemur", "primates", "rodentia"),
        ("attwater's prairie chicken", "~grouse", "gallus"),
        ("wolf spider", "araneae", "canis lupus"),
        ("mantled howler", "alouatta", "rodentia"),
        ("Nilgiri langur", "cercopithecidae", "~new world monkey"),
    ],
)
def test_the_longest_noun_decides(name: str, inside: str, outside: str) -> None:
    found = vocabulary().noun(key(name))
    chains = [above(node) for node in found]
    assert chains and all(inside in chain and outside not in chain for chain in chains)


def test_every_node_hangs_on_a_top() -> None:
    tops = {above(node)[-1] for node in vocabulary().parent}
    assert tops == {"animal", "~people", "~vehicle", "~empty view", "~thing"}
    orders = {n for n, f in vocabulary().fineness.items() if f == 3.0 and n.endswith("idae")}
    assert not orders


def test_foreign_words() -> None:
    assert english("Sangliers") == "wild boar" and english("lièvre") == "hare"
    assert english("dog") == ""
