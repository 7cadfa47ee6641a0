"""The species of the generated pictures: those of a reserve in East Africa, and of elsewhere.

Names after the Catalogue of Life; looks are a draughtsman's short hand, not a field guide.
"""

from __future__ import annotations

from dataclasses import replace

from ecotone.simulate.anatomy import Coat, Shape, Species

BLANK, HUMAN = "blank", "human"
ANTELOPE = Shape()
CAT = Shape(length=1.0, chest=0.2, waist=0.17, rump=0.19, thigh=0.12, foot=0.05, neck=0.26,
            neck_up=28, neck_radii=(0.15, 0.12), head=0.2, skull=0.125, muzzle=0.07, head_down=8,
            ear=0.1, ear_width=0.05, ear_angle=95, tail=0.95, tail_radius=0.032, tail_up=-45,
            graze=0.1)
DOG = Shape(length=0.84, chest=0.2, waist=0.155, rump=0.17, thigh=0.1, foot=0.036, neck=0.36,
            neck_up=38, neck_radii=(0.135, 0.1), head=0.33, skull=0.105, muzzle=0.04, head_down=12,
            ear=0.2, ear_width=0.06, ear_angle=85, tail=0.55, tail_radius=0.06, tail_up=-60,
            graze=0.2)
HOG = Shape(length=0.95, chest=0.3, waist=0.29, rump=0.27, rump_height=0.94, thigh=0.13, foot=0.04,
            neck=0.24, neck_up=8, neck_radii=(0.24, 0.19), head=0.52, skull=0.165, muzzle=0.085,
            head_down=30, ear=0.16, ear_width=0.055, ear_angle=100, tail=0.35, tail_radius=0.018,
            tail_up=-60, graze=0.55)
OX = Shape(length=0.95, chest=0.31, waist=0.29, rump=0.26, rump_height=0.96, thigh=0.14, foot=0.05,
           neck=0.34, neck_up=14, neck_radii=(0.24, 0.17), head=0.4, skull=0.135, muzzle=0.09,
           head_down=38, ear=0.2, ear_width=0.06, ear_angle=170, tail=0.6, tail_radius=0.02,
           tuft=0.045, graze=0.5)
BEAR = Shape(length=0.82, chest=0.33, waist=0.32, rump=0.3, rump_height=0.98, thigh=0.17,
             foot=0.085, neck=0.28, neck_up=12, neck_radii=(0.27, 0.19), head=0.36, skull=0.175,
             muzzle=0.075, head_down=15, ear=0.1, ear_width=0.06, ear_angle=105, tail=0.08,
             tail_radius=0.05, graze=0.4)
FOWL = Shape(plan="bird", length=0.52, chest=0.24, waist=0.17, rump=0.2, thigh=0.055, foot=0.02,
             neck=0.27, neck_up=68, neck_radii=(0.1, 0.042), head=0.11, skull=0.058, muzzle=0.018,
             head_down=22, ear=0, tail=0.26, tail_radius=0.1, tail_up=-22, graze=0.45)
PERSON = Shape(plan="person", chest=0.105, waist=0.085, rump=0.095, thigh=0.072, foot=0.034)
DEER = replace(ANTELOPE, horns="antler", horn=0.62, neck_radii=(0.15, 0.085), tail=0.14)


def _s(scientific: str, vernacular: str, order: str, family: str, height: float, shape: Shape,
       coat: Coat, herd: int = 1, night: float = 0.35, taxon_class: str = "Mammalia") -> Species:
    return Species(scientific, vernacular, order, family, height, shape, coat, herd, night,
                   taxon_class)


ZEBRA_SHAPE = replace(ANTELOPE, length=0.85, chest=0.245, waist=0.23, rump=0.235, neck=0.46,
                      neck_up=46, neck_radii=(0.19, 0.115), head=0.36, skull=0.11, muzzle=0.065,
                      head_down=48, ear=0.15, tail=0.5, tuft=0.05, mane=0.075, foot=0.034,
                      graze=0.5)

RESERVE: tuple[Species, ...] = (
    _s("Aepyceros melampus", "impala", "Artiodactyla", "Bovidae", 0.9,
       replace(ANTELOPE, horns="lyre", horn=0.58, thigh=0.1),
       Coat((0.63, 0.38, 0.2), belly=(0.92, 0.86, 0.76), pattern="saddle", mark=(0.5, 0.26, 0.12),
            strength=0.75, rump_patch=(0.93, 0.9, 0.84), tail_tip=(0.95, 0.93, 0.88)), 4, 0.2),
    _s("Equus quagga", "plains zebra", "Perissodactyla", "Equidae", 1.3, ZEBRA_SHAPE,
       Coat((0.93, 0.9, 0.84), pattern="stripes", mark=(0.07, 0.06, 0.06), face=(0.14, 0.12, 0.11),
            mane=(0.3, 0.27, 0.25), tail_tip=(0.1, 0.09, 0.09)), 3, 0.25),
    _s("Numida meleagris", "helmeted guineafowl", "Galliformes", "Numididae", 0.5, FOWL,
       Coat((0.17, 0.18, 0.22), pattern="dots", mark=(0.85, 0.87, 0.9), scale=3.4,
            face=(0.35, 0.52, 0.7), legs=(0.28, 0.26, 0.25), fur=0.03), 5, 0.02, "Aves"),
    _s("Phacochoerus africanus", "common warthog", "Artiodactyla", "Suidae", 0.7,
       replace(HOG, tusks=0.16, mane=0.1, tuft=0.035, thigh=0.11, head=0.5),
       Coat((0.46, 0.37, 0.3), belly=(0.4, 0.33, 0.28), mane=(0.27, 0.17, 0.1),
            face=(0.36, 0.3, 0.26), legs=(0.37, 0.31, 0.27), fur=0.14), 3, 0.1),
    _s("Syncerus caffer", "African buffalo", "Artiodactyla", "Bovidae", 1.45,
       replace(OX, horns="hook", horn=0.42), Coat((0.15, 0.125, 0.115), belly=(0.19, 0.15, 0.13),
       horn=(0.42, 0.39, 0.35), fur=0.08, infrared=0.9), 3, 0.4),
    _s("Papio anubis", "olive baboon", "Primates", "Cercopithecidae", 0.65,
       replace(DOG, chest=0.225, waist=0.17, rump=0.16, rump_height=0.86, neck=0.24, neck_up=30,
               neck_radii=(0.19, 0.15), head=0.3, skull=0.125, muzzle=0.062, head_down=18, ear=0.06,
               tail=0.85, tail_radius=0.034, tail_up=40, foot=0.045, mane=0.19),
       Coat((0.4, 0.36, 0.24), belly=(0.42, 0.39, 0.28), face=(0.16, 0.14, 0.13),
            mane=(0.43, 0.39, 0.26), rump_patch=(0.3, 0.24, 0.24), fur=0.17), 4, 0.03),
    _s("Loxodonta africana", "African elephant", "Proboscidea", "Elephantidae", 2.9,
       replace(OX, length=0.78, chest=0.31, waist=0.33, rump=0.29, thigh=0.12, foot=0.082, neck=0.2,
               neck_up=25, neck_radii=(0.23, 0.2), head=0.3, skull=0.195, muzzle=0.085,
               head_down=42, ear=0.42, ear_width=0.2, ear_angle=225, tail=0.5, tuft=0.03,
               trunk=0.68, tusks=0.34, graze=0.15),
       Coat((0.45, 0.42, 0.39), belly=(0.4, 0.37, 0.34), ear=(0.42, 0.39, 0.365), fur=0.1), 2, 0.4),
    _s("Giraffa camelopardalis", "giraffe", "Artiodactyla", "Giraffidae", 3.0,
       replace(ANTELOPE, length=0.55, chest=0.2, waist=0.165, rump=0.165, rump_height=0.88,
               thigh=0.075, foot=0.026, neck=0.88, neck_up=62, neck_radii=(0.14, 0.058), head=0.21,
               skull=0.06, muzzle=0.034, head_down=50, ear=0.09, ear_width=0.026,
               horns="ossicone", horn=0.08, tail=0.42, tuft=0.03, mane=0.035, graze=0.12),
       Coat((0.88, 0.76, 0.55), pattern="patches", mark=(0.5, 0.28, 0.13), scale=1.05,
            legs=(0.88, 0.78, 0.6), mane=(0.45, 0.25, 0.13), face=(0.66, 0.52, 0.36)), 2, 0.15),
    _s("Crocuta crocuta", "spotted hyena", "Carnivora", "Hyaenidae", 0.82,
       replace(DOG, chest=0.235, waist=0.2, rump=0.17, rump_height=0.82, neck=0.4, neck_up=24,
               neck_radii=(0.2, 0.14), head=0.3, skull=0.125, muzzle=0.07, ear=0.13, ear_width=0.07,
               tail=0.3, tail_radius=0.035, tuft=0.05, mane=0.06, foot=0.045),
       Coat((0.6, 0.5, 0.36), pattern="spots", mark=(0.2, 0.15, 0.11), scale=1.5,
            face=(0.22, 0.18, 0.15), legs=(0.5, 0.42, 0.32), tail_tip=(0.12, 0.1, 0.09),
            mane=(0.5, 0.41, 0.29), fur=0.1), 2, 0.8),
    _s("Tragelaphus strepsiceros", "greater kudu", "Artiodactyla", "Bovidae", 1.4,
       replace(ANTELOPE, horns="spiral", horn=0.78, beard=0.045, mane=0.04, ear=0.22,
               ear_width=0.065, neck_up=56),
       Coat((0.47, 0.39, 0.32), pattern="bars", mark=(0.92, 0.89, 0.84), face=(0.3, 0.24, 0.2),
            mane=(0.32, 0.26, 0.22), legs=(0.52, 0.42, 0.32)), 2, 0.35),
    _s("Tragelaphus scriptus", "bushbuck", "Artiodactyla", "Bovidae", 0.8,
       replace(ANTELOPE, length=0.78, rump_height=1.05, horns="straight", horn=0.3, ear=0.2,
               ear_width=0.06, neck_radii=(0.15, 0.09), neck=0.42),
       Coat((0.38, 0.2, 0.1), pattern="dots", mark=(0.9, 0.84, 0.74), scale=1.3, strength=0.85,
            face=(0.2, 0.13, 0.1), legs=(0.2, 0.13, 0.1), tail_tip=(0.9, 0.88, 0.84)), 1, 0.5),
    _s("Lupulella mesomelas", "black-backed jackal", "Carnivora", "Canidae", 0.42, DOG,
       Coat((0.68, 0.45, 0.25), belly=(0.86, 0.76, 0.6), pattern="saddle", mark=(0.13, 0.12, 0.12),
            tail_tip=(0.1, 0.09, 0.08), fur=0.14), 2, 0.65),
    _s("Lupulella adusta", "side-striped jackal", "Carnivora", "Canidae", 0.43,
       replace(DOG, ear=0.17), Coat((0.52, 0.47, 0.41), belly=(0.68, 0.62, 0.53), pattern="bars",
       mark=(0.85, 0.82, 0.76), scale=0.35, strength=0.5, tail_tip=(0.93, 0.92, 0.9), fur=0.12),
       1, 0.8),
    _s("Panthera pardus", "leopard", "Carnivora", "Felidae", 0.65, CAT,
       Coat((0.8, 0.6, 0.32), belly=(0.93, 0.88, 0.77), pattern="rosettes", mark=(0.12, 0.09, 0.07),
            scale=1.5), 1, 0.8),
    _s("Hystrix cristata", "crested porcupine", "Rodentia", "Hystricidae", 0.38,
       replace(HOG, length=0.8, chest=0.34, waist=0.42, rump=0.42, rump_height=1.06, neck=0.2,
               neck_up=5, neck_radii=(0.26, 0.19), head=0.36, skull=0.16, muzzle=0.1, ear=0.06,
               mane=0.17, tail=0.3, tail_radius=0.1, thigh=0.12, foot=0.055, ruffled=0.5,
               graze=0.7),
       Coat((0.13, 0.11, 0.1), pattern="quills", mark=(0.88, 0.85, 0.78), mane=(0.45, 0.41, 0.37),
            fur=0.12), 1, 0.97),
)

PEOPLE = _s("Homo sapiens", HUMAN, "Primates", "Hominidae", 1.72, PERSON,
            Coat((0.38, 0.4, 0.29), legs=(0.25, 0.26, 0.3), face=(0.45, 0.3, 0.22),
                 mane=(0.3, 0.2, 0.14), ear=(0.42, 0.38, 0.28), fur=0.05), 2, 0.1)
