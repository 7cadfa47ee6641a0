"""What the global model learned: species of other regions, and the names that it gives to all.

It shares most species with the reserve under other names, has one name for two of them, two names
for what the reserve calls by one, and none for some.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecotone.simulate.anatomy import Coat, Species
from ecotone.simulate.species import (
    BEAR,
    CAT,
    DEER,
    DOG,
    FOWL,
    HOG,
    OX,
    PEOPLE,
    RESERVE,
    ZEBRA_SHAPE,
    _s,
)

ELSEWHERE: tuple[Species, ...] = (
    _s("Cervus elaphus", "red deer", "Artiodactyla", "Cervidae", 1.2, DEER,
       Coat((0.46, 0.28, 0.17), rump_patch=(0.8, 0.68, 0.48), legs=(0.33, 0.22, 0.15))),
    _s("Capreolus capreolus", "roe deer", "Artiodactyla", "Cervidae", 0.7,
       replace(DEER, horn=0.3, tail=0.04), Coat((0.58, 0.36, 0.2), rump_patch=(0.95, 0.92, 0.86),
       face=(0.35, 0.26, 0.2))),
    _s("Alces alces", "moose", "Artiodactyla", "Cervidae", 1.9,
       replace(DEER, hump=0.15, head=0.42, muzzle=0.085, beard=0.05, foot=0.035, neck=0.34,
               neck_up=25), Coat((0.22, 0.16, 0.12), legs=(0.52, 0.46, 0.4))),
    _s("Sus scrofa", "wild boar", "Artiodactyla", "Suidae", 0.8,
       replace(HOG, mane=0.11), Coat((0.24, 0.2, 0.17), mane=(0.14, 0.12, 0.1), fur=0.2)),
    _s("Vulpes vulpes", "red fox", "Carnivora", "Canidae", 0.4,
       replace(DOG, tail=0.7, tail_radius=0.085, ear=0.17),
       Coat((0.74, 0.36, 0.13), belly=(0.93, 0.88, 0.82), legs=(0.15, 0.11, 0.1),
            tail_tip=(0.95, 0.93, 0.9))),
    _s("Canis lupus", "grey wolf", "Carnivora", "Canidae", 0.8, replace(DOG, ear=0.13, mane=0.09),
       Coat((0.5, 0.47, 0.43), belly=(0.76, 0.72, 0.66), mane=(0.36, 0.33, 0.3), fur=0.16)),
    _s("Ursus arctos", "brown bear", "Carnivora", "Ursidae", 1.05, replace(BEAR, hump=0.24),
       Coat((0.36, 0.24, 0.15), legs=(0.25, 0.17, 0.11), fur=0.16)),
    _s("Ursus americanus", "American black bear", "Carnivora", "Ursidae", 0.85, BEAR,
       Coat((0.1, 0.09, 0.09), face=(0.42, 0.3, 0.2), fur=0.12)),
    _s("Lynx lynx", "Eurasian lynx", "Carnivora", "Felidae", 0.65,
       replace(CAT, tail=0.16, ear=0.16, foot=0.065, length=0.82),
       Coat((0.66, 0.5, 0.34), belly=(0.92, 0.88, 0.8), pattern="spots", mark=(0.25, 0.17, 0.12),
            scale=2.4, strength=0.7, tail_tip=(0.1, 0.08, 0.08))),
    _s("Panthera leo", "lion", "Carnivora", "Felidae", 1.1, replace(CAT, mane=0.27, tuft=0.05),
       Coat((0.75, 0.58, 0.36), belly=(0.86, 0.75, 0.58), mane=(0.36, 0.22, 0.12),
            tail_tip=(0.2, 0.14, 0.1))),
    _s("Panthera tigris", "tiger", "Carnivora", "Felidae", 1.0, CAT,
       Coat((0.86, 0.5, 0.17), belly=(0.95, 0.91, 0.84), pattern="stripes", mark=(0.09, 0.07, 0.06),
            scale=0.85, strength=0.95)),
    _s("Puma concolor", "puma", "Carnivora", "Felidae", 0.7, CAT,
       Coat((0.64, 0.48, 0.33), belly=(0.86, 0.78, 0.66))),
    _s("Meles meles", "European badger", "Carnivora", "Mustelidae", 0.32,
       replace(BEAR, length=1.25, head=0.5, skull=0.17, ear=0.07, tail=0.3, tail_radius=0.07),
       Coat((0.55, 0.54, 0.52), belly=(0.1, 0.09, 0.09), legs=(0.1, 0.09, 0.09),
            face=(0.92, 0.91, 0.9), fur=0.2)),
    _s("Bos taurus", "domestic cattle", "Artiodactyla", "Bovidae", 1.35,
       replace(OX, horns="straight", horn=0.22), Coat((0.92, 0.9, 0.87), pattern="patches",
       mark=(0.14, 0.11, 0.1), scale=0.28, face=(0.75, 0.6, 0.55))),
    _s("Equus caballus", "domestic horse", "Perissodactyla", "Equidae", 1.5,
       replace(ZEBRA_SHAPE, tail=0.6, tuft=0.07, tail_radius=0.04),
       Coat((0.4, 0.24, 0.14), mane=(0.12, 0.09, 0.08), legs=(0.2, 0.13, 0.1),
            tail_tip=(0.1, 0.08, 0.08))),
    _s("Ceratotherium simum", "white rhinoceros", "Perissodactyla", "Rhinocerotidae", 1.7,
       replace(OX, chest=0.34, waist=0.34, rump=0.3, horns="nose", horn=0.36, head=0.46,
               muzzle=0.12, ear=0.14, ear_angle=105, head_down=48, thigh=0.15, foot=0.075,
               tuft=0.025),
       Coat((0.5, 0.47, 0.44), fur=0.09)),
    _s("Connochaetes taurinus", "blue wildebeest", "Artiodactyla", "Bovidae", 1.35,
       replace(OX, chest=0.27, waist=0.22, rump=0.2, horns="hook", horn=0.3, beard=0.06, mane=0.09,
               foot=0.032, thigh=0.11, head=0.4, head_down=55),
       Coat((0.36, 0.34, 0.34), pattern="bars", mark=(0.2, 0.18, 0.18), strength=0.7,
            face=(0.1, 0.09, 0.09), mane=(0.1, 0.09, 0.09), tail_tip=(0.08, 0.08, 0.08))),
    _s("Papio ursinus", "chacma baboon", "Primates", "Cercopithecidae", 0.7,
       replace(RESERVE[5].shape, mane=0.15), Coat((0.3, 0.26, 0.22), face=(0.12, 0.11, 0.1),
       mane=(0.26, 0.22, 0.18), rump_patch=(0.24, 0.2, 0.2), fur=0.15), 3, 0.05),
    _s("Struthio camelus", "common ostrich", "Struthioniformes", "Struthionidae", 2.3,
       replace(FOWL, length=0.36, chest=0.15, rump=0.13, waist=0.1, neck=0.38, foot=0.022,
               thigh=0.06, neck_radii=(0.035, 0.022), head=0.07, skull=0.032, tail=0.14),
       Coat((0.1, 0.09, 0.09), face=(0.72, 0.6, 0.52), legs=(0.66, 0.55, 0.48),
            tail_tip=(0.93, 0.92, 0.9)), 2, 0.02, "Aves"),
    _s("Meleagris gallopavo", "wild turkey", "Galliformes", "Phasianidae", 0.75,
       replace(FOWL, neck=0.33, tail=0.36), Coat((0.27, 0.18, 0.12), pattern="bars",
       mark=(0.5, 0.36, 0.22), strength=0.4, face=(0.7, 0.32, 0.3), legs=(0.6, 0.35, 0.3)),
       3, 0.02, "Aves"),
    _s("Phasianus colchicus", "common pheasant", "Galliformes", "Phasianidae", 0.55,
       replace(FOWL, tail=0.85, tail_radius=0.05, chest=0.2),
       Coat((0.58, 0.3, 0.13), pattern="dots", mark=(0.2, 0.12, 0.08), scale=3.0,
            face=(0.1, 0.3, 0.25), legs=(0.45, 0.38, 0.3)), 2, 0.02, "Aves"),
    _s("Procyon lotor", "northern raccoon", "Carnivora", "Procyonidae", 0.32,
       replace(BEAR, length=0.95, tail=0.62, tail_radius=0.08, head=0.3, ear=0.14),
       Coat((0.42, 0.39, 0.35), pattern="stripes", mark=(0.2, 0.18, 0.17), scale=0.5, strength=0.45,
            face=(0.14, 0.12, 0.12), fur=0.18)),
    _s("Hydrochoerus hydrochaeris", "capybara", "Rodentia", "Caviidae", 0.55,
       replace(HOG, head=0.4, muzzle=0.125, ear=0.06, tail=0, head_down=8, waist=0.31),
       Coat((0.47, 0.32, 0.2), fur=0.15)),
)


@dataclass(frozen=True)
class GlobalClass:
    """One output of the global model: its name, and the species that it learned under it."""

    name: str
    members: tuple[Species, ...]


# What the global model calls the reserve's species. Guineafowl, olive baboons and porcupines it has
# never seen; of kudus and bushbucks it knows only the genus.
NAMES = {
    "Aepyceros melampus": "Impala",
    "Equus quagga": "Plains Zebra",
    "Phacochoerus africanus": "Common Warthog",
    "Syncerus caffer": "African Buffalo",
    "Loxodonta africana": "African Bush Elephant",
    "Giraffa camelopardalis": "Giraffe",
    "Crocuta crocuta": "Spotted Hyaena",
    "Lupulella mesomelas": "Black-backed Jackal",
    "Lupulella adusta": "Side-striped Jackal",
    "Panthera pardus": "Leopard",
}
GENUS = "Tragelaphus"
UNKNOWN = ("Numida meleagris", "Papio anubis", "Hystrix cristata")


def global_classes() -> tuple[GlobalClass, ...]:
    """All outputs of the global model in the order of its file; the one of empty pictures last."""
    classes = [GlobalClass(f"{s.scientific} ({_title(s.vernacular)})", (s,)) for s in ELSEWHERE]
    shared = {s.scientific: s for s in RESERVE}
    classes += [GlobalClass(f"{name} ({common})", (shared[name],))
                for name, common in NAMES.items()]
    spiral = tuple(s for s in RESERVE if s.genus == GENUS)
    classes.append(GlobalClass(f"{GENUS} sp. (Spiral-horned Antelope)", spiral))
    classes.append(GlobalClass("Homo sapiens (Human)", (PEOPLE,)))
    return (*sorted(classes, key=lambda c: c.name), GlobalClass("Blank", ()))


def _title(vernacular: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in vernacular.split())
