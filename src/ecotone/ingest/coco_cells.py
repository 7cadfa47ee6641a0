"""Values of COCO Camera Traps json as cells of a study: ids, times, boxes, names of categories."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

from ecotone.ingest.camtrapdp_cells import mend_box
from ecotone.ingest.events import iso_time
from ecotone.taxonomy.special import SPECIAL
from ecotone.taxonomy.words import key

MISSING = frozenset({"", "nan", "na", "null"})
# Beside the format's own keys, those that our writer adds where Camtrap DP has a column.
CATEGORY_KEYS = ("observationType", "scientificName", "vernacularName", "label")
IMAGE_KEYS = (
    "deploymentID", "captureMethod", "timestamp", "filePublic", "fileName", "fileMediatype",
    "exifData", "favorite", "mediaComments", "eventID",
)
OBSERVATION_KEYS = (
    *CATEGORY_KEYS, "deploymentID", "eventID", "eventStart", "eventEnd", "cameraSetupType",
    "lifeStage", "sex", "behavior", "individualID", "individualPositionRadius",
    "individualPositionAngle", "individualSpeed", "classificationMethod", "classifiedBy",
    "classificationTimestamp", "classificationProbability", "observationTags",
    "observationComments", "detectionConfidence",
)
MACHINE_KEYS = ("score", "conf", "confidence")
NO_NAMES = ("empty", "human", "vehicle", "unknown", "unclassified", "animal")  # type alone
REMARKS = {"corrupt": "corrupt", "rights_holder": "rightsHolder"}  # key -> word in mediaComments
LONGEST_SIDE = 1_000_000  # pixels
DECIMALS = 8


class Category(NamedTuple):
    """What a category says in the columns of an observation."""

    observationType: str
    scientificName: str = ""
    vernacularName: str = ""
    label: str = ""


def text_of(value: Any) -> str:
    """A json value as a cell: 7 and 7.0 are "7", null, NaN and what is no single value are "".

    >>> text_of(7.0), text_of(" a "), text_of(float("nan")), text_of(True)
    ('7', 'a', '', 'true')
    """
    if isinstance(value, str):
        text = value.replace("\0", "").strip()
        if not text.isascii():  # half characters, which no file and no database can hold
            text = text.encode("utf-8", "replace").decode("utf-8")
        return "" if text.casefold() in MISSING else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return ""


def number_of(value: Any) -> float:
    """A finite number, also when written as text; NaN when it is none."""
    try:
        number = float(text_of(value) or "nan")
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def side(value: Any) -> str:
    """A picture's width or height in pixels as a cell, "" when it is none."""
    number = number_of(value)
    return str(round(number)) if 1 <= number <= LONGEST_SIDE else ""


def time_of(text: str) -> str:
    """A time as "2020-05-30T04:57:37", "" when it is none."""
    return iso_time(text)


def inner_path(file: str) -> str:
    r"""A file's name with forward slashes, and without the parts that lead out of its folder.

    "" for what is the name of no file.

    >>> inner_path("..\\..\\cam1\\a.jpg"), inner_path("./a/../b.jpg"), inner_path("a/..")
    ('cam1/a.jpg', 'b.jpg', '')
    """
    scheme, found, rest = file.partition("://")
    if found and scheme.isalnum():
        parts = rest.replace("\\", "/").split("/")
        return f"{scheme}://" + "/".join(p for p in parts if p not in (".", ".."))
    path = posixpath.normpath(file.replace("\\", "/"))
    while path.startswith("../"):
        path = path[3:]
    return "" if path.rpartition("/")[2] in ("", ".", "..") else path


def remarks(entry: Mapping[str, Any]) -> str:
    """What an image says that Camtrap DP has no column for, as "word:value | word:value"."""
    found = {word: text_of(entry.get(name)) for name, word in REMARKS.items()}
    return " | ".join(f"{word}:{said}" for word, said in found.items()
                      if said and (word, said) != ("corrupt", "false"))


def category_of(name: str, keys: Mapping[str, str]) -> Category:
    """The category of a name. keys: what the file says of it in the terms of Camtrap DP."""
    kind = "unclassified" if name == "unclassified" else SPECIAL.get(key(name), "animal")
    label = "" if name in NO_NAMES or kind == "blank" else name
    return Category(kind, label=label)._replace(**keys)


class Box(NamedTuple):
    """The four cells of a box, "" without one; what was mended of it, and what is wrong with it."""

    cells: tuple[str, str, str, str] = ("", "", "", "")
    mended: str = ""
    wrong: str = ""


def box_of(entry: Mapping[str, Any], width: str, height: str) -> Box:
    """The box of an annotation in parts of the picture."""
    relative = entry.get("bbox_relative")
    box = entry.get("bbox") if relative is None else relative
    if box is None:
        return Box()
    numbers = [number_of(v) for v in box[:4]] if isinstance(box, (list, tuple)) else []
    if len(numbers) != 4 or any(math.isnan(v) for v in numbers):
        return Box(wrong="bbox is not four numbers, left out")
    mended = ""
    if relative is None and max(numbers) <= 1:
        mended = "bbox of at most 1, taken as parts of the picture"
    elif relative is None and not (width and height):
        return Box(wrong="bbox in pixels of an image without width and height, left out")
    elif relative is None:
        numbers = [v / float(s) for v, s in zip(numbers, (width, height) * 2, strict=True)]
    cells, done = mend_box(tuple(plain(v) for v in numbers))
    return Box(wrong=f"{done}, left out") if cells is None else Box(cells, done or mended)


def plain(value: float) -> str:
    """A number without exponent, to 8 decimals.

    >>> plain(0.5), plain(1e-9), plain(1 / 3)
    ('0.5', '0', '0.33333333')
    """
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") or "0"
