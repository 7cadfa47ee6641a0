"""Which of animal, human and vehicle a class of a detector is."""

from __future__ import annotations

from collections.abc import Mapping

from ecotone.errors import InputError
from ecotone.ingest.results import EMPTY, category_of

CATEGORIES = ("animal", "human", "vehicle")
# The classes of COCO (Lin et al. 2014, arXiv:1405.0312) that are none of the three.
THINGS = frozenset({
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush", "street sign", "hat", "shoe", "eye glasses", "plate",
    "mirror", "window", "desk", "door", "blender", "hair brush", "n/a", "sofa", "tvmonitor",
    "diningtable", "pottedplant", "__background__", "no object",
})
VEHICLES = frozenset({"motorcycle", "aeroplane", "airplane", "bus", "train", "boat", "van", "quad",
                      "atv", "tractor", "bulldozer"})


def category_of_class(name: str, declared: Mapping[str, str] | None = None) -> str:
    """ "animal", "human", "vehicle", or "" for what is none of them and is left out.

    declared: class -> category where the name does not tell. Otherwise people and vehicles are
    known by their names, the things of COCO and "blank" are left out, and all else is an animal.
    """
    if declared and name in declared:
        return declared[name]
    text = name.strip().casefold()
    if text in VEHICLES:
        return "vehicle"
    if text in EMPTY or text in THINGS:
        return ""
    return category_of(name)


def read_categories(value: object, where: str) -> dict[str, str]:
    """Class -> category of a declaration: {"deer": "animal", "bin": ""}.

    Raises InputError when it is something else.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: categories are {value!r}, expected class names with one of "
                         f"{', '.join(CATEGORIES)} (or \"\") each.")
    out = {}
    for name, category in value.items():
        text = "human" if category == "person" else category
        if text not in ("", *CATEGORIES):
            raise InputError(
                f"{where}: the category of {name!r} is {category!r}, expected one of "
                f"{', '.join(CATEGORIES)}, or \"\" to leave it out."
            )
        out[str(name)] = str(text)
    return out


__all__ = ["CATEGORIES", "category_of_class", "read_categories"]
