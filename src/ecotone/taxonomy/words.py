"""Spelling: the keys by which names are compared.

Two names are one when their keys agree: case, accents, hyphens, apostrophes, underscores, plurals
and British or American spelling make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SPELLING = {
    "gray": "grey", "hyaena": "hyena", "racoon": "raccoon", "sulfur": "sulphur",
    "moustached": "mustached", "colored": "coloured", "harbor": "harbour", "color": "colour",
    "european": "eurasian", "tailled": "tailed", "pygmy": "pigmy", "mongol": "mongolian",
}
IRREGULAR = {
    "mice": "mouse", "geese": "goose", "oxen": "ox", "men": "man", "women": "woman",
    "children": "child", "wolves": "wolf", "calves": "calf", "people": "person",
    "persons": "person", "does": "doe", "roes": "roe", "shoes": "shoe", "buses": "bus",
    "bus": "bus", "feet": "foot",
    "oryxes": "oryx", "ass": "ass", "asses": "ass", "species": "species", "series": "series",
}
APOSTROPHES = re.compile(r"['’`´ʼ]")
NOT_WORD = re.compile(r"[^a-z0-9]+")


def plain(text: str) -> str:
    """Lower case without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


@lru_cache(maxsize=65536)
def key(name: str) -> tuple[str, ...]:
    """The words of a name as they are compared, e.g. "Gray Foxes" -> ("grey", "fox")."""
    words = NOT_WORD.sub(" ", APOSTROPHES.sub("", plain(name))).split()
    return tuple(_word(word) for word in words)


def _word(word: str) -> str:
    one = singular(word)
    return SPELLING.get(one, one)


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """One form for singular and plural. It need not be English: "colobus" becomes "colobu"."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 3 or word.isdigit():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("uses", "ises", "oses")):
        word = word[:-3] if len(word) > 6 else word[:-1]
    elif word.endswith(("sses", "shes", "ches", "xes", "zes", "oes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:-2] + "y" if word.endswith("ie") and len(word) > 4 else word


def joined(words: tuple[str, ...]) -> str:
    """Words without their gaps, so that "woodpigeon" and "wood pigeon" are one."""
    return "".join(words)
