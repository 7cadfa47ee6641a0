"""Which global classes a local class is linked to: its own ones, then its relatives by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ecotone.taxonomy.foreign import english
from ecotone.taxonomy.index import LabelIndex, shown
from ecotone.taxonomy.names import ParsedLabel, parse_label
from ecotone.taxonomy.places import Place
from ecotone.taxonomy.words import key

EXACT = 0.70
SPECIAL = 0.90
HEAD = 0.30  # of a group's own share, for the label that names the whole group beside its members
COVER = 0.55  # for a broader label ("squirrel") when it has finer ones beside it ("fox squirrel")
# Share of what is left that a group takes, by its fineness (2 class, 3 order, 4 family, 5 genus).
FRACTIONS = ((4.25, 2 / 3), (4.0, 0.5), (3.25, 0.45), (3.0, 0.40), (2.25, 0.20), (2.0, 0.10))
# The same for a class that has no label of its own. It leans on its relatives weakly: what a model
# answers to a species that it does not know is often none of them.
RELATIVE_FRACTIONS = (
    (4.25, 0.50), (4.0, 0.30), (3.25, 0.40), (3.0, 0.30), (2.25, 0.10), (2.0, 0.05)
)
# The same where the only member is a label that names the whole group: nothing finer was on offer.
COVERS = ((4.25, EXACT), (4.0, 0.65), (3.0, 0.60), (2.0, 0.50))
ROOT_ALONE, ROOT = 0.90, 0.30  # the label "animal": of a detector, or among finer labels
GROUP_FRACTIONS = {"~people": 0.45, "~empty view": 0.30}
# Proxies: classes of an object-recognition model that are only part of what the special label is.
PROXY = {"human": 0.35, "vehicle": 0.80, "blank": 0.30}
WHOLE = {"human", "person", "people", "vehicle", "blank", "empty", "nothing", "unknown", "vide"}
SPECIES = 6.0
FAMILY_AND_BELOW = 4.25


@dataclass(frozen=True)
class Group:
    """Relatives at one node: labels that name the group, labels inside it, their share."""

    at: tuple[int, ...]
    under: dict[int, float]
    fraction: float


@dataclass(frozen=True)
class Links:
    """Links of one local class.

    exact: its own labels and their parts; head: those of them that name a whole group; share: what
    they take together. generic: the class is a group itself. special: blank, human, vehicle,
    unknown, animal or "". groups: relatives, the nearest first. taken_for: the name by which it was
    understood. homonyms: labels whose first names are the same.
    """

    exact: dict[int, float] = field(default_factory=dict)
    head: tuple[int, ...] = ()
    share: float = EXACT
    generic: bool = False
    special: str = ""
    groups: tuple[Group, ...] = ()
    taken_for: str = ""
    homonyms: tuple[int, ...] = ()

    def shares(self, claimed: frozenset[int], discount: float) -> dict[int, float]:
        """Label -> weight. A group's members that other local classes name are discounted."""
        found: dict[int, float] = {}
        left = 1.0
        if self.exact:
            parts = {
                s: part * (discount if self.generic and s in claimed else 1.0)
                for s, part in self.exact.items() if s not in self.head
            }
            head_share = self.share * (HEAD if parts else 1.0) if self.head else 0.0
            _spread(found, dict.fromkeys(self.head, 1.0), head_share)
            _spread(found, parts, self.share - head_share)
            left -= self.share
        for group in self.groups:
            taken = left * group.fraction
            at_share = taken * (0.5 if group.under else 1.0) if group.at else 0.0
            _spread(found, dict.fromkeys(group.at, 1.0), at_share)
            _spread(found, group.under, taken - at_share)
            left -= taken
        return found


def _spread(found: dict[int, float], parts: dict[int, float], share: float) -> None:
    total = sum(parts.values())
    for s, part in parts.items():
        found[s] = found.get(s, 0.0) + share * part / total


def link(name: str, index: LabelIndex) -> Links:
    """Link one local name; a name that nothing knows is tried as a foreign or a misspelt one."""
    found = _link(alternatives(name), index)
    if found.exact or found.groups or found.special:
        return found
    parsed = parse_label(name)
    for vernacular in parsed.vernacular:
        for other in (english(vernacular), index.misspelt(vernacular)):
            if other:
                found = _link([parse_label(other)], index)
                if found.exact or found.groups or found.special:
                    return replace(found, taken_for=other)
    return found


def alternatives(name: str) -> list[ParsedLabel]:
    """The labels of a local class; "rabbit/hare" is two."""
    parsed = parse_label(name)
    if "/" in name and len(parsed.vernacular) > 1 and not parsed.scientific:
        return [replace(parsed, vernacular=(v,)) for v in parsed.vernacular]
    return [parsed]


def _link(parts: Sequence[ParsedLabel], index: LabelIndex) -> Links:
    places = [index.graph.place(part) for part in parts]
    place = Place(
        frozenset().union(*(p.at for p in places)), frozenset().union(*(p.above for p in places))
    )
    special = parts[0].special if len(parts) == 1 else ""
    if special and special != "animal":
        return _special(special, place, index)
    banned = frozenset() if place.above & {"~people"} else index.humans
    named = _unique(
        s for part, where in zip(parts, places, strict=True)
        for name in part.vernacular for s in index.named(name, where)
    )
    at = _unique(s for n in place.at for s in index.at.get(n, ()) if s not in banned)
    under = _unique(s for n in place.at for s in index.under.get(n, ()) if s not in banned)
    fineness = index.graph.fineness
    broad = any(fineness[n] < SPECIES and not n.startswith('"') for n in place.at)
    generic = broad or any(part.generic for part in parts)
    if generic:
        exact, head = _unique([*named, *at, *under]), _unique([*named, *at])
    else:
        exact, head = named or _unique([*at, *(s for s in under if index.mere_kind(s))]), ()
    twice = _homonyms(named, index)
    links = Links(dict.fromkeys(exact, 1.0), head, EXACT, generic, special, homonyms=twice)
    return _with_relatives(links, place, index, banned)


def _homonyms(named: Sequence[int], index: LabelIndex) -> tuple[int, ...]:
    """Labels whose very first name is the same: one word for two things, or a label given twice."""
    first: dict[tuple[str, ...], list[int]] = {}
    for s in named:
        first.setdefault(key(index.labels[s].vernacular[0]), []).append(s)
    return next((tuple(group) for group in first.values() if len(group) > 1), ())


def _special(special: str, place: Place, index: LabelIndex) -> Links:
    same = tuple(index.special.get(special, ()))
    members = (s for n in place.at for s in (*index.at.get(n, ()), *index.under.get(n, ())))
    exact = _unique([*same, *members])
    whole = any(set(index.labels[s].vernacular) & WHOLE for s in same)
    share = SPECIAL if whole else PROXY.get(special, EXACT)
    links = Links(dict.fromkeys(exact, 1.0), (), share, False, special)
    near = Place(place.at, frozenset(place.above & set(GROUP_FRACTIONS)))
    return links if whole else _with_relatives(links, near, index, frozenset())


def _with_relatives(
    links: Links, place: Place, index: LabelIndex, banned: frozenset[int]
) -> Links:
    """Add the groups above, from the nearest to the farthest."""
    fineness = index.graph.fineness
    used = set(links.exact) | banned
    exact, share, groups = links.exact, links.share, []
    for node in sorted(place.above, key=lambda n: (-fineness[n], n)):
        at = tuple(s for s in index.at.get(node, ()) if s not in used)
        under = tuple(s for s in index.under.get(node, ()) if s not in used)
        cover = 0.0 if exact or groups else _cover(node, at, under, index)
        if cover:
            exact, share = dict.fromkeys(at, 1.0), cover
            used.update(at)
            at = ()
        if node == "animal":
            under = ()
        fraction = _fraction(node, fineness[node], bool(exact), len(at) + len(under))
        if fraction and (at or under):
            groups.append(Group(at, index.parts(node, under) if under else {}, fraction))
            used.update(at, under)
    return replace(links, exact=exact, share=share, groups=tuple(groups))


def _cover(node: str, at: tuple[int, ...], under: tuple[int, ...], index: LabelIndex) -> float:
    """The share of broader labels that stand for a class which has none of its own; 0: none do."""
    if not at:
        return 0.0
    if node == "animal":
        return 0.0 if under else ROOT_ALONE
    fine = index.graph.fineness[node]
    if not under:
        return next((share for least, share in COVERS if fine >= least), 0.0)
    named_by_rank = all(index.labels[s].generic for s in at)
    return COVER if fine >= FAMILY_AND_BELOW and not named_by_rank else 0.0


def _fraction(node: str, fineness: float, known: bool, members: int) -> float:
    """The share of what is left. Few relatives say less about a class that has no label itself."""
    if node == "animal":
        return ROOT
    if node in GROUP_FRACTIONS:
        return GROUP_FRACTIONS[node]
    table = FRACTIONS if known else RELATIVE_FRACTIONS
    share = next((share for least, share in table if fineness >= least), 0.0)
    return share if known or fineness >= FAMILY_AND_BELOW else share * members / (members + 2)


def _unique(numbers: Sequence[int] | object) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))  # type: ignore[call-overload]


def kinds(found: Sequence[Links]) -> list[str]:
    """The kind of every local class."""
    first = [_kind(links) for links in found]
    owners: dict[int, list[int]] = {}
    for k, links in enumerate(found):
        if first[k] in ("exact", "merged") or (first[k] == "genus" and links.exact):
            for s in links.exact:
                owners.setdefault(s, []).append(k)
    sets = [frozenset(links.exact) for links in found]
    for group in owners.values():
        for k in group:
            rivals = [j for j in group if j != k and (
                (not found[j].generic and not found[k].generic) or sets[j] == sets[k])]
            if rivals and first[k] != "special":
                first[k] = "split"
    return first


def _kind(links: Links) -> str:
    if not links.exact:
        return "relative" if links.groups else "unknown"
    if links.special and links.special != "animal":
        return "special"
    if links.generic:
        return "exact" if tuple(links.exact) == links.head[:1] else "genus"
    return "exact" if len(links.exact) == 1 else "merged"


def notes(name: str, kind: str, links: Links, index: LabelIndex) -> list[str]:
    """What a person should know about how a local class was understood."""
    found = []
    if links.taken_for:
        found.append(f"{name!r} was taken for {links.taken_for!r}.")
    if links.homonyms:
        labels = "; ".join(shown(index.labels[s]) for s in links.homonyms[:4])
        found.append(f"{name!r}: {len(links.homonyms)} global classes have this name: {labels}.")
    if kind == "relative":
        near = [s for group in links.groups[:1] for s in (*group.at, *group.under)]
        shown_names = "; ".join(shown(index.labels[s]) for s in near[:4])
        more = f" and {len(near) - 4} more" if len(near) > 4 else ""
        found.append(f"{name!r} has no class of its own in the global model; it leans on "
                     f"{shown_names}{more}.")
    elif kind == "unknown":
        guesses = [] if links.special else index.guesses(name)
        nearest = f"; nearest in spelling: {'; '.join(guesses)}" if guesses else ""
        found.append(f"{name!r} could not be related to any global class{nearest}.")
    return found
