"""Names that are no taxon: blank, human, vehicle, unknown, animal; and words that only qualify."""

from __future__ import annotations

from ecotone.taxonomy.words import key

SPECIAL_WORDS = {
    "blank": (
        "blank, empty, nothing, none, background, false trigger, false positive, misfire, "
        "no animal, no animals, noanimal, no wildlife, no species, empty image, blank image, vide, "
        "rien, vacio, vacia, nada, vazio, vuoto, vuota, leer, leeg, tom, tomt, puste, prazdny"
    ),
    "human": (
        "human, person, people, homo sapiens, homo, man, woman, hiker, hunter, pedestrian, "
        "cyclist, camera trapper, human camera trapper, human maintenance crew, field staff, "
        "staff, ranger, setup, set up, setup pickup, tourist, poacher, humain, personne, homme, "
        "chasseur, cavalier, promeneur, humano, persona, hombre, mensch, mens, persoon, uomo, "
        "pessoa, homem"
    ),
    "vehicle": (
        "vehicle, car, truck, motor vehicle, lorry, automobile, bus, van, motorcycle, motorbike, "
        "bicycle, bike, atv, quad, quad bike, snowmobile, tractor, vehicule, voiture, camion, "
        "moto, velo, vehiculo, coche, carro, fahrzeug, auto, voertuig, veicolo, veiculo, machinery"
    ),
    "unknown": (
        "unknown, unidentified, unclassified, undefined, unlabeled, unlabelled, other, others, "
        "indet, indeterminate, not sure, unsure, cant tell, na, n a, null, no cv result, inconnu, "
        "indetermine, desconocido, unbekannt, onbekend, unknown species, other species, misc, "
        "none of these"
    ),
    "animal": (
        "animal, wildlife, fauna, animalia, unknown animal, unidentified animal, other animal, "
        "animal species, faune, tier, dier"
    ),
}
SPECIAL = {
    key(word): kind for kind, words in SPECIAL_WORDS.items() for word in words.split(", ")
}


def _words(text: str) -> list[str]:
    return text.split()


# Words that tell sex, age or certainty of what the rest of the name says.
SEX_AND_AGE = frozenset(_words(
    "female male juvenile adult subadult immature young infant baby pregnant antlered antlerless "
    "feral wild"
))
UNCERTAIN = frozenset(_words(
    "unknown unidentified unid indet other misc undetermined possible probable cf aff"
))
RANK_WORDS = frozenset(_words(
    "sp spp ssp species family order genus suborder subfamily taxon"
))
