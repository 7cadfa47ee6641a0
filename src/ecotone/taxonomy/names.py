"""Read a class label in whatever convention it is written.

Scientific names, vernacular names, "Latin name (Common name)", WordNet synonym lists, SpeciesNet's
seven tokens, snake_case, camelCase, plurals, "deer spp.", and the labels that are no taxon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ecotone.taxonomy.special import RANK_WORDS, SEX_AND_AGE, SPECIAL, UNCERTAIN
from ecotone.taxonomy.tree import lineage_path
from ecotone.taxonomy.vocabulary import vocabulary
from ecotone.taxonomy.words import key, plain

LINEAGE = ("class", "order", "family", "genus", "species")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f-]{27}$")
PREFIX = re.compile(
    r"^(?:n\d{8}[-_ ]+|\d+\s*[:.)_-]?\s+|(?:species|class|label|taxon)_(?=\w))", re.I
)
KINGDOM_PATH = re.compile(r"^\d*_?(?:animalia|plantae|fungi|chromista|protozoa)_", re.I)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
BRACKETS = re.compile(r"^(.*?)\s*[(\[](.+?)[)\]]\s*$")
BETWEEN = re.compile(r"\s*[,|/;]\s*|\s+-\s+|\s+or\s+")
BINOMIAL = re.compile(r"^[A-Z][a-z]+(?: [a-z-]{2,}){1,2}$")
LATIN_WORD = re.compile(r"^[a-z][a-z-]{2,}$")
EPITHET = re.compile(r"(?:us|a|um|is|i|ps)$")
# How the words of scientific names end, and some epithets that end otherwise.
LATIN_END = re.compile(
    r"(?:us|is|um|ii|ae|ensis|oides|opus|ops|ix|ax|ex|yx|ius|eus|os|on|as|es|ys|or|a|i|o|ans|ens|ns"
    r"|niger|ater|ruber|asper|afer|pulcher|caper|lynx|pan|e|ur|ul|x|er|yl)$"
)
ADJECTIVES = frozenset(  # English words that look like a genus at the head of a name
    key(
        "common great greater giant african asian american european indian northern southern "
        "eastern western central japanese chinese sumatran masai red white black brown grey "
        "golden yellow blue green striped spotted little lesser least large small domestic wild "
        "feral virginia canada florida california mexican arctic alpine mountain river sea forest "
        "water ground tree steller cassin pygmy dwarf bald mantled"
    )
)
NO_LINEAGE = ("", "", "", "", "")


@dataclass(frozen=True)
class ParsedLabel:
    """What a label says.

    text: as it was written. scientific: "Alouatta palliata", "Alouatta", "Cervidae" or "".
    vernacular: lower-case names, the first one is the main one. lineage: class, order, family,
    genus, species (its epithet), lower case, "" where not given. special: "" or blank, human,
    vehicle, unknown, animal. generic: the label says that it stands for a group ("deer spp.").
    """

    text: str
    scientific: str = ""
    vernacular: tuple[str, ...] = ()
    lineage: tuple[str, str, str, str, str] = NO_LINEAGE
    special: str = ""
    generic: bool = False


@lru_cache(maxsize=65536)
def parse_label(text: str) -> ParsedLabel:
    """Read one label of any convention; a label that says nothing has no names at all."""
    clean = " ".join(str(text).replace("\ufeff", "").split())
    if clean.count(";") in (4, 5, 6):
        return _speciesnet(text, clean)
    if KINGDOM_PATH.match(clean) and clean.count("_") >= 5:
        ranks = re.sub(r"^\d+_", "", clean).split("_")[2:]
        return _speciesnet(text, ";".join((ranks + [""] * 5)[:5]))
    special = SPECIAL.get(key(clean), "")
    if special:
        homo = special == "human" and plain(clean).startswith("homo")
        names = ("human",) if homo else (_readable(clean),)
        return ParsedLabel(text, "Homo sapiens" if homo else "", names, special=special)
    return _free_text(text, _unwrap(clean))


def _unwrap(clean: str) -> str:
    """Without numbers and prefixes in front, underscores and camelCase."""
    clean = PREFIX.sub("", clean)
    clean = clean.replace("_", " ").strip()
    if " " not in clean and "-" not in clean:
        clean = CAMEL.sub(" ", clean)
    return clean


def _speciesnet(text: str, clean: str) -> ParsedLabel:
    tokens = [t.strip() for t in clean.split(";")]
    if len(tokens) > 5 and (UUID.match(plain(tokens[0])) or len(tokens) == 7):
        tokens = tokens[1:]
    ranks, common = [plain(t) for t in tokens[:5]], (tokens[5] if len(tokens) > 5 else "")
    path = lineage_path(dict(zip(LINEAGE, ranks, strict=True)))
    scientific = path[-1][1] if path else ""
    special = SPECIAL.get(key(common), "") if not path else ""
    if scientific.startswith("homo sapiens"):
        special = "human"
    generic = bool(path) and path[-1][0] not in ("species", "subspecies")
    name = _readable(common)
    bare = " ".join(w for w in name.split() if w not in RANK_WORDS)
    # "cat family" keeps its last word: it is not the cat. "lynx species" says no more than "lynx".
    names = () if not bare or bare in {n for _, n in path} else tuple(_alternatives(name))
    return ParsedLabel(text, _capital(scientific), names, tuple(ranks), special, generic)


def _free_text(text: str, clean: str) -> ParsedLabel:
    pieces = _pieces(clean)
    certain = _in_brackets(clean)
    scientific, vernacular, generic = "", [], False
    for piece in pieces:
        words, group = _core(piece)
        generic = generic or group
        if not key(" ".join(words)) or (len(pieces) > 1 and set(key(piece)) <= SEX_AND_AGE):
            continue
        name = " ".join(words)
        sure = piece == certain
        if not scientific and (sure or not certain and _is_scientific(words, len(pieces) > 1)):
            scientific = _capital(plain(name))
        else:
            vernacular.append(_readable(name))
    special = next((SPECIAL[key(v)] for v in vernacular if key(v) in SPECIAL), "")
    if special in ("unknown", "animal") and len(vernacular) > 1:
        special = ""
    if scientific.lower().startswith("homo sapiens"):
        special = "human"
    return ParsedLabel(
        text, scientific, tuple(dict.fromkeys(vernacular)), special=special, generic=generic
    )


def _pieces(clean: str) -> list[str]:
    """The names that a label lists."""
    found: list[str] = []
    bracket = BRACKETS.match(clean)
    if bracket and bracket.group(1):
        found = [*_pieces(bracket.group(1)), *_pieces(bracket.group(2))]
    else:
        for piece in BETWEEN.split(clean):
            if piece.strip(" .-"):
                found.append(piece.strip())
    return found


def _in_brackets(clean: str) -> str:
    """The part of "A (B)" that is written as a scientific name is, where the other one is not."""
    found = BRACKETS.match(clean)
    parts = [part.strip() for part in found.groups()] if found else []
    written = [part for part in parts if BINOMIAL.match(part)]
    return written[0] if len(written) == 1 and _latin_shape(written[0]) else ""


def _latin_shape(name: str) -> bool:
    first, *_, last = name.lower().split()
    if first in ADJECTIVES:
        return False
    nouns = vocabulary().last
    return key(first) not in nouns or (key(last) not in nouns and bool(EPITHET.search(last)))


def _alternatives(name: str) -> list[str]:
    """"bolivian/peruvian squirrel monkey" -> both with their noun."""
    if "/" not in name:
        return [name]
    first, _, second = name.partition("/")
    return [" ".join([first.strip(), *second.split()[1:]]), second.strip()]


def _core(piece: str) -> tuple[list[str], bool]:
    """The words that name something, and whether the piece says that it stands for a group."""
    words = piece.strip(" .").split()
    bare = [plain(w).strip(".?!:*") for w in words]
    generic = False
    while len(words) > 1 and bare[-1] in RANK_WORDS:
        words, bare, generic = words[:-1], bare[:-1], True
    keep = [i for i, w in enumerate(bare) if w not in UNCERTAIN and w not in RANK_WORDS]
    if keep and len(keep) < len(words) and key(" ".join(words)) not in vocabulary().alone:
        words, bare, generic = [words[i] for i in keep], [bare[i] for i in keep], True
    keep = [i for i, w in enumerate(bare) if w not in SEX_AND_AGE and w]
    if keep and len(keep) < len(words) and key(" ".join(words)) not in vocabulary().alone:
        strip_wild = any(bare[i] in ("feral", "wild") for i in range(len(bare)) if i not in keep)
        rest = [words[i] for i in keep]
        if not strip_wild or vocabulary().whole(key(" ".join(rest))):
            words = rest
    if bare[:1] in (["domestic"], ["domesticated"]) and len(words) > 1:
        rest = words[1:]
        known = vocabulary()
        if key(" ".join(words)) not in known.alone and known.whole(key(" ".join(rest))):
            words = rest
    return words, generic


def _is_scientific(words: list[str], listed: bool) -> bool:
    """Whether the words are a scientific name, by what they are and by how they are written.

    listed: among other names; there a scientific one begins with a capital.
    """
    low = [plain(w) for w in words]
    known = vocabulary()
    if len(low) == 1:
        return low[0].endswith(("idae", "inae", "iformes")) or (
            (low[0] in known.parent or low[0] in known.alias) and key(low[0]) not in known.alone
        )
    if len(low) > 4 or not all(LATIN_WORD.match(w) for w in low[:2]):
        return False
    if low[0] == low[1]:
        return True
    if low[0] in known.parent and known.fineness[low[0]] == 5.0 and words[1][:1].islower():
        return key(low[0]) not in known.alone or key(low[-1]) not in known.last
    if listed and not words[0][:1].isupper():
        return False
    if words[1][:1].isupper() and not words[0][:1].isupper():
        return False
    capitals = [w[:1].isupper() for w in words]
    whole = key(" ".join(low))
    if low[0] in ADJECTIVES or whole in known.alone or known.noun(whole):
        return False
    looks = all(LATIN_END.search(w) for w in low[:2])
    if all(capitals[:2]) or not capitals[0]:  # "Vulpes Lagopus", "vulpes lagopus": if clearly Latin
        return looks and bool(re.search(r"(?:us|is|um|a|es|i|ops|ix|ax|on|os|ys)$", low[0]))
    return looks


def _readable(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
