from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.taxonomy.names import parse_label

FOX = "3f5b1c8a-1111-2222-3333-444455556666;mammalia;carnivora;canidae;vulpes;vulpes;red fox"


@pytest.mark.parametrize(
    ("text", "scientific", "vernacular"),
    [
        ("Alouatta palliata", "Alouatta palliata", ()),
        ("mantled howler", "", ("mantled howler",)),
        ("Mantled Howler", "", ("mantled howler",)),
        ("Haemorhous cassinii (Cassin's Finch)", "Haemorhous cassinii", ("cassin's finch",)),
        ("Red Fox (Vulpes vulpes)", "Vulpes vulpes", ("red fox",)),
        ("Setophaga tigrina (Cape May Warbler)", "Setophaga tigrina", ("cape may warbler",)),
        ("howler monkey, howler", "", ("howler monkey", "howler")),
        ("patas, hussar monkey, Erythrocebus patas", "Erythrocebus patas",
         ("patas", "hussar monkey")),
        ("grey_fox", "", ("grey fox",)),
        ("greyFox", "", ("grey fox",)),
        ("GreyFox", "", ("grey fox",)),
        ("species_vulpes vulpes", "Vulpes vulpes", ()),
        ("vulpes_vulpes", "Vulpes vulpes", ()),
        ("VULPES VULPES", "Vulpes vulpes", ()),
        ("Vulpes vulpes - red fox", "Vulpes vulpes", ("red fox",)),
        ("Canis lupus familiaris", "Canis lupus familiaris", ()),
        ("Virginia opossum", "", ("virginia opossum",)),
        ("bald uakari", "", ("bald uakari",)),
        ("wild turkey", "", ("wild turkey",)),
        ("n02085620-Chihuahua", "", ("chihuahua",)),
        ("12: lion", "", ("lion",)),
        (FOX, "Vulpes vulpes", ("red fox",)),
        ("02734_Animalia_Chordata_Aves_Passeriformes_Fringillidae_Haemorhous_cassinii",
         "Haemorhous cassinii", ()),
    ],
)
def test_conventions(text: str, scientific: str, vernacular: tuple[str, ...]) -> None:
    parsed = parse_label(text)
    assert (parsed.scientific, parsed.vernacular) == (scientific, vernacular)
    assert not parsed.special


@pytest.mark.parametrize(
    ("text", "scientific", "vernacular"),
    [
        ("deer spp.", "", ("deer",)),
        ("Cervus sp.", "Cervus", ()),
        ("unknown bird", "", ("bird",)),
        ("cervidae family", "Cervidae", ()),
    ],
)
def test_groups(text: str, scientific: str, vernacular: tuple[str, ...]) -> None:
    parsed = parse_label(text)
    assert (parsed.scientific, parsed.vernacular, parsed.generic) == (scientific, vernacular, True)


@pytest.mark.parametrize(
    ("text", "special"),
    [
        ("Empty", "blank"), ("nothing", "blank"), ("vide", "blank"), ("blank", "blank"),
        ("0  background", "blank"), ("person", "human"), ("Human", "human"), ("humain", "human"),
        ("Homo sapiens", "human"), ("Human-Camera Trapper", "human"), ("vehicule", "vehicle"),
        ("véhicule", "vehicle"), ("car", "vehicle"), ("trucks", "vehicle"),
        ("unidentified", "unknown"), ("Unknown", "unknown"), ("animal", "animal"),
        ("f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank", "blank"),
        ("990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human",
         "human"),
    ],
)
def test_labels_that_are_no_taxon(text: str, special: str) -> None:
    assert parse_label(text).special == special


def test_speciesnet_lineage_and_sex() -> None:
    assert parse_label(FOX).lineage == ("mammalia", "carnivora", "canidae", "vulpes", "vulpes")
    assert parse_label("female deer").vernacular == ("deer",)
    assert parse_label("Deer (female)").vernacular == ("deer",)
    assert parse_label("carnivora;x").lineage == ("", "", "", "", "")


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parsed = parse_label(text)
    assert parsed.text == text
    assert all(name == name.lower() and name.strip() == name for name in parsed.vernacular)


@given(st.lists(st.sampled_from(["", "aves", "u. arctos", "a b", "x", "Homo"]), min_size=5,
                max_size=7))
def test_any_tokens_can_be_read(tokens: list[str]) -> None:
    assert len(parse_label(";".join(tokens)).lineage) == 5


def test_real_label_lists(shared_data: Path) -> None:
    birds = (shared_data / "models" / "inat_bird_labels.txt").read_text("utf-8").splitlines()
    parsed = [parse_label(line) for line in birds if line != "background"]
    read = [p for p in parsed if p.scientific.count(" ") >= 1 and p.vernacular]
    assert len(parsed) == 964 and len(read) >= 962
    folder = shared_data / "formats" / "speciesnet"
    lines = (folder / "taxonomy_release.txt").read_text("utf-8").splitlines()
    specials = [p.special for p in map(parse_label, lines) if p.special]
    assert sorted(set(specials)) == ["animal", "blank", "human", "vehicle"]
