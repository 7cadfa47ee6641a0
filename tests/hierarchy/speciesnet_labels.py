"""A few labels of SpeciesNet's form, and rules for them, for the tests of its decision."""

from __future__ import annotations

from ecotone.taxonomy.rollup import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, taxon_key


def line(taxon: str, common: str) -> str:
    return f"id-of-{common.replace(' ', '-')};{taxon};{common}"


RED_DEER = line("mammalia;artiodactyla;cervidae;cervus;elaphus", "red deer")
SIKA = line("mammalia;artiodactyla;cervidae;cervus;nippon", "sika deer")
ROE = line("mammalia;artiodactyla;cervidae;capreolus;capreolus", "roe deer")
COW = line("mammalia;artiodactyla;bovidae;bos;taurus", "cow")
PIG = line("mammalia;artiodactyla;suidae;sus;scrofa scrofa", "domestic pig")
BOAR = line("mammalia;artiodactyla;suidae;sus;scrofa", "wild boar")
FOX = line("mammalia;carnivora;canidae;vulpes;vulpes", "red fox")
JAY = line("aves;passeriformes;corvidae;garrulus;glandarius", "jay")
CERVUS = line("mammalia;artiodactyla;cervidae;cervus;", "cervus species")
SUS = line("mammalia;artiodactyla;suidae;sus;", "sus species")
CERVIDAE = line("mammalia;artiodactyla;cervidae;;", "deer family")
SUIDAE = line("mammalia;artiodactyla;suidae;;", "pig family")
ARTIODACTYLA = line("mammalia;artiodactyla;;;", "even-toed ungulate")
CARNIVORA = line("mammalia;carnivora;;;", "carnivore")
MAMMALIA = line("mammalia;;;;", "mammal")
AVES = line("aves;;;;", "bird")
SPECIES = (RED_DEER, SIKA, ROE, COW, PIG, BOAR, FOX, JAY)
HIGHER = (CERVUS, SUS, CERVIDAE, SUIDAE, ARTIODACTYLA, CARNIVORA, MAMMALIA, AVES)
SPECIAL = (BLANK, HUMAN, VEHICLE, ANIMAL, UNKNOWN)
TAXONOMY = (*SPECIES, *HIGHER, BLANK, VEHICLE)

RULES = {
    taxon_key(RED_DEER): {"allow": {"DEU": [], "FRA": [], "USA": ["TX"]}},
    taxon_key(SIKA): {"allow": {"JPN": []}, "block": {"USA": ["AK", "CA"]}},
    taxon_key(CERVIDAE): {"allow": {}, "block": {"AUS": [], "USA": ["HI"]}},
    taxon_key(FOX): {"block": {"NZL": []}},
    taxon_key(MAMMALIA): {"block": {"ATA": []}},
}
