"""The relations of names as people write them; one model's labels are a few lines here."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.taxonomy.relations import KINDS, relate
from ecotone.taxonomy.tree import Taxonomy

WORDNET = [
    "background", "sea lion", "Sealyham terrier, Sealyham", "Chihuahua", "golden retriever",
    "timber wolf, grey wolf, gray wolf, Canis lupus", "coyote, prairie wolf, Canis latrans",
    "grey fox, gray fox, Urocyon cinereoargenteus", "red fox, Vulpes vulpes", "tabby, tabby cat",
    "lynx, catamount", "lion, king of beasts, Panthera leo", "brown bear, bruin, Ursus arctos",
    "American black bear, black bear, Ursus americanus, Euarctos americanus",
    "lesser panda, red panda, panda, bear cat, cat bear, Ailurus fulgens", "hare",
    "fox squirrel, eastern fox squirrel, Sciurus niger", "hog, pig, grunter, squealer, Sus scrofa",
    "wild boar, boar, Sus scrofa", "warthog", "ox", "impala, Aepyceros melampus", "gazelle",
    "wallaby, brush kangaroo", "macaque", "howler monkey, howler", "marmoset", "langur",
    "patas, hussar monkey, Erythrocebus patas", "capuchin, ringtail, Cebus capucinus",
    "squirrel monkey, Saimiri sciureus", "cock", "hen", "jay", "kite", "mouse, computer mouse",
    "amphibian, amphibious vehicle", "pickup, pickup truck", "teddy, teddy bear",
    "hotdog, hot dog, red hot", "jackfruit, jak, jack", "power drill", "spider monkey, Ateles",
    "guinea pig, Cavia cobaya", "feather boa, boa", "crane", "crane", "valley, vale",
    "ballplayer, baseball player", "wolf spider, hunting spider",
]
SPECIESNET = [
    f"00000000-0000-0000-0000-{i:012d};{line}"
    for i, line in enumerate([
        ";;;;;animal", ";;;;;blank", ";;;;;vehicle",
        "mammalia;primates;hominidae;homo;sapiens;human", "mammalia;;;;;mammal",
        "mammalia;carnivora;;;;carnivorous mammal",
        "mammalia;carnivora;felidae;;;cat family",
        "mammalia;carnivora;felidae;felis;catus;domestic cat",
        "mammalia;carnivora;canidae;;;canine family",
        "mammalia;carnivora;canidae;vulpes;;vulpes species",
        "mammalia;carnivora;canidae;vulpes;vulpes;red fox",
        "mammalia;carnivora;canidae;vulpes;macrotis;kit fox",
        "mammalia;carnivora;canidae;urocyon;cinereoargenteus;grey fox",
        "mammalia;carnivora;canidae;canis;familiaris;domestic dog",
        "mammalia;carnivora;canidae;canis;lupus dingo;dingo",
        "mammalia;carnivora;canidae;canis;lupus;grey wolf",
        "mammalia;artiodactyla;cervidae;;;cervidae family",
        "mammalia;artiodactyla;cervidae;cervus;elaphus;red deer",
        "mammalia;artiodactyla;cervidae;capreolus;capreolus;european roe deer",
        "mammalia;artiodactyla;suidae;sus;scrofa;wild boar",
        "mammalia;artiodactyla;suidae;sus;scrofa scrofa;domestic pig",
        "mammalia;primates;atelidae;alouatta;palliata;mantled howler monkey",
        "mammalia;primates;atelidae;alouatta;;alouatta species",
        "mammalia;chiroptera;pteropodidae;pteropus;poliocephalus;grey-headed flying fox",
        "aves;;;;;bird", "aves;passeriformes;corvidae;corvus;corax;common raven",
        "aves;columbiformes;columbidae;columba;palumbus;common wood-pigeon",
    ])
]


def best(local: str, labels: list[str], top: int = 1) -> list[str]:
    found = relate([local], labels).links(0, top)
    return [name.split(";")[-1] if ";" in name else name.split(",")[0] for name, _ in found]


@pytest.mark.parametrize(
    ("local", "label"),
    [
        ("mantled howler", "howler monkey"), ("Alouatta palliata", "howler monkey"),
        ("patas monkey", "patas"), ("white-headed capuchin", "capuchin"),
        ("common squirrel monkey", "squirrel monkey"), ("pygmy marmoset", "marmoset"),
        ("Cebuella pygmaea", "marmoset"), ("Nilgiri langur", "langur"),
        ("Japanese macaque", "macaque"), ("Grey_Fox", "grey fox"), ("gray foxes", "grey fox"),
        ("wild_boar", "wild boar"), ("Eastern Fox Squirrel", "fox squirrel"),
        ("grizzly bear", "brown bear"), ("bobcat", "lynx"), ("domestic_cattle", "ox"),
        ("bear cat", "lesser panda"), ("Felis catus", "tabby"), ("sea lion", "sea lion"),
        ("jackfruit", "jackfruit"), ("teddy bear", "teddy"), ("European hare", "hare"),
        ("Vulpes vulpes (Red Fox)", "red fox"), ("renard roux", "red fox"), ("chat", "tabby"),
    ],
)
def test_wordnet_names(local: str, label: str) -> None:
    assert best(local, WORDNET) == [label]


@pytest.mark.parametrize(
    ("local", "label"),
    [
        ("mantled howler", "mantled howler monkey"), ("Alouatta palliata", "mantled howler monkey"),
        ("Grey Fox", "grey fox"), ("empty", "blank"), ("person", "human"), ("car", "vehicle"),
        ("Canis lupus familiaris", "domestic dog"), ("dog", "domestic dog"),
        ("cat", "domestic cat"), ("wolf", "grey wolf"), ("Sus scrofa", "wild boar"),
        ("Common Woodpigeon", "common wood-pigeon"), ("sangliers", "wild boar"),
    ],
)
def test_labels_with_lineage(local: str, label: str) -> None:
    assert best(local, SPECIESNET) == [label]


@pytest.mark.parametrize(
    ("local", "labels", "strangers"),
    [
        ("seal", WORDNET, ["Sealyham"]), ("common squirrel monkey", WORDNET, ["fox squirrel"]),
        ("fox", WORDNET, ["fox squirrel"]), ("lion", WORDNET, ["sea lion"]),
        ("hare", WORDNET, ["wallaby"]), ("pig", WORDNET, ["guinea pig"]),
        ("dog", WORDNET, ["hotdog", "sea lion"]), ("bear", WORDNET, ["teddy"]),
        ("mouse", WORDNET, ["mouse, computer"]), ("boa", WORDNET, ["feather boa"]),
        ("amphibian", WORDNET, ["amphibian, amphibious"]), ("drill", WORDNET, ["power drill"]),
        ("ringtail", WORDNET, ["capuchin"]), ("wolf", WORDNET, ["wolf spider"]),
        ("fox", SPECIESNET, ["flying fox"]), ("night monkey", SPECIESNET, ["human"]),
        ("mammal", SPECIESNET, ["human"]), ("deer", WORDNET, ["jackfruit", "valley"]),
    ],
)
def test_what_must_not_be_related(local: str, labels: list[str], strangers: list[str]) -> None:
    found = relate([local], labels)
    for stranger in strangers:
        columns = [s for s, name in enumerate(labels) if stranger in name]
        own = max(found.weight[0].max(), 1e-9)
        assert columns and (found.weight[0, columns] < 0.25 * own).all()


def test_kinds() -> None:
    local = ["pygmy marmoset", "silvery marmoset", "Nilgiri langur", "dog", "bear", "deer", "empty",
             "bald thing", "human", "chicken"]
    found = relate(local, [*WORDNET, "dingo, Canis dingo"])
    assert dict(zip(local, found.kind, strict=True)) == {
        "pygmy marmoset": "split", "silvery marmoset": "split", "Nilgiri langur": "exact",
        "dog": "merged", "bear": "genus", "deer": "relative", "empty": "special",
        "bald thing": "unknown", "human": "special", "chicken": "merged"}
    assert found.weight[7].sum() == 0.0
    assert any("'bald thing'" in note and "could not be related" in note for note in found.notes)
    assert any("'deer'" in note and "leans on" in note for note in found.notes)


def test_groups_hold_their_members() -> None:
    for local in ("deer spp.", "Cervidae", "deer", "female deer"):
        found = relate([local], SPECIESNET)
        names = {name.split(";")[-1] for name, w in found.links(0, 3)}
        assert names == {"cervidae family", "red deer", "european roe deer"}
        assert found.kind[0] == "genus"
    birds = relate(["bird"], SPECIESNET)
    assert {n.split(";")[-1] for n, _ in birds.links(0, 3)} == {
        "bird", "common raven", "common wood-pigeon"}
    assert list(relate(["female deer", "male deer"], SPECIESNET).kind) == ["split", "split"]


def test_weights_of_an_exact_species_follow_the_tree() -> None:
    found = relate(["red fox"], SPECIESNET)
    weight = {name.split(";")[-1]: w for name, w in found.links(0, 30)}
    assert weight["red fox"] == pytest.approx(0.70)
    assert weight["vulpes species"] == pytest.approx(0.10)
    assert weight["kit fox"] == pytest.approx(0.10)
    assert weight["kit fox"] > weight["grey fox"] > weight["cat family"] > weight["mammal"]
    assert "human" not in weight and weight["red deer"] < 0.005


def test_a_member_that_another_local_class_names_counts_less_in_a_group() -> None:
    alone = relate(["bear"], WORDNET).weight[0]
    beside = relate(["bear", "brown bear"], WORDNET).weight[0]
    s = WORDNET.index("brown bear, bruin, Ursus arctos")
    assert beside[s] < alone[s] and beside.sum() == pytest.approx(alone.sum())


def test_a_taxonomy_links_scientific_and_vernacular_names() -> None:
    tree = Taxonomy.from_rows([
        {"class": "Aves", "order": "Xiformes", "family": "Xidae", "genus": "Xus",
         "species": "albus", "vernacularName": "white quoll-bird"},
        {"class": "Aves", "order": "Xiformes", "family": "Xidae", "genus": "Xus",
         "species": "niger", "vernacularName": "black zool"},
    ])
    labels = ["white quoll-bird", "black zool", "toaster"]
    assert relate(["Xus albus"], labels, tree).links(0, 1)[0][0] == "white quoll-bird"
    found = relate(["Xus rufus"], labels, tree)
    assert found.kind[0] == "relative" and found.weight[0, 0] > 0 and found.weight[0, 2] == 0
    assert relate(["Xidae"], labels, tree).kind[0] == "genus"
    assert relate(["Xus albus"], labels).kind[0] == "unknown"


def test_unknown_nouns_and_genera_are_compared_as_they_are() -> None:
    labels = ["pied zorp", "zorp", "red maple", "Grammomys ibeanus", "chair"]
    found = relate(["blue zorp", "sugar maple", "Grammomys dolichurus"], labels)
    assert found.links(0, 1)[0][0] == "zorp" and found.kind[0] == "exact"
    assert found.links(1, 1)[0][0] == "red maple" and found.kind[1] == "relative"
    assert found.links(2, 1)[0][0] == "Grammomys ibeanus"


def test_detectors_and_coarse_models() -> None:
    detector = ["animal", "human", "vehicle", "blank"]
    found = relate(["red fox", "badger", "blank", "person"], detector)
    assert found.weight.argmax(axis=1).tolist() == [0, 0, 3, 1]
    assert found.weight[0, 0] > 0.8
    assert found.kind.tolist() == ["split", "split", "special", "special"]
    coarse = relate(["European hare", "red fox"], ["lagomorph", "mustelid", "fox", "bird"])
    assert coarse.links(0, 1)[0][0] == "lagomorph" and coarse.links(1, 1)[0][0] == "fox"


def test_homonyms_and_misspelt_names_are_told() -> None:
    crane = relate(["crane"], WORDNET)
    assert any("2 global classes have this name" in note for note in crane.notes)
    typo = relate(["opposum"], ["Virginia opossum", "fox"])
    assert typo.weight[0, 0] > 0.3 and any("taken for" in note for note in typo.notes)


def test_vehicle_people_and_empty_views_of_an_object_model() -> None:
    found = relate(["vehicle", "human", "blank"], WORDNET)
    assert [found.links(k, 1)[0][0].split(",")[0] for k in range(2)] == [
        "amphibian", "ballplayer"]
    assert {n for n, _ in found.links(2)} == {"background", "valley, vale"}


def test_no_classes_at_all() -> None:
    assert relate([], WORDNET).weight.shape == (0, len(WORDNET))
    empty = relate(["fox"], [])
    assert empty.weight.shape == (1, 0) and empty.kind[0] == "unknown"
    assert relate([""], ["", "fox"]).weight.sum() == 0


NAMES = st.one_of(st.sampled_from([*WORDNET, *SPECIESNET, "deer", "unknown", "Vulpes sp.", "dog"]),
                  st.text(max_size=20))


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, max_size=5), st.lists(NAMES, max_size=8), st.randoms())
def test_any_names_give_a_base_measure(local: list[str], labels: list[str], random: Random) -> None:
    found = relate(local, labels)
    assert found.weight.shape == (len(local), len(labels))
    assert (found.weight >= 0).all() and (found.weight.sum(axis=1) <= 1 + 1e-9).all()
    assert set(found.kind) <= set(KINDS)
    unknown = found.kind == "unknown"
    assert np.allclose(found.weight[unknown], 0)
    order = list(range(len(labels)))
    random.shuffle(order)
    again = relate(local, [labels[s] for s in order])
    assert np.allclose(again.weight, found.weight[:, order])
