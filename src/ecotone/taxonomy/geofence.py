"""Geofence: which taxa are not expected in a country, or in a state of the United States.

Rules are {taxon: {"allow": {country: [states]}, "block": {country: [states]}}}, a taxon being
"class;order;family;genus;species" and an empty list of states the whole country. Source of the
rules' meaning: google/cameratrapai 5.0.6 (Apache-2.0), geofence_utils.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ecotone.errors import InputError
from ecotone.taxonomy.rollup import taxon_key

Rules = Mapping[str, Mapping[str, Mapping[str, list[str]]]]
Region = tuple[str, str]  # country, state; the state is "" where it is not known
KINDS = ("allow", "block")
_Where = dict[str, frozenset[str]]


class Geofence:
    """The rules, checked once.

    A taxon without rules is allowed everywhere. With an "allow" list it is allowed there alone; a
    "block" wins over it. Raises InputError, naming the taxon, for rules of another form.
    """

    def __init__(self, rules: Rules, notes: tuple[str, ...] = ()) -> None:
        self._rules = check_rules(rules)
        self._here: dict[Region, Callable[[str], bool]] = {}
        self.notes = notes

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def blocks(
        self, label: str, country: str | None, admin1_region: str | None = None
    ) -> bool:
        """Whether a label's taxon is not expected there; never where no country is given.

        country: ISO 3166 alpha-3. admin1_region: two letters; read only beside a country. Raises
        InputError for codes of another form, or a label that is not made of seven tokens.
        """
        here = self.at(country, admin1_region)
        return here(label) if here else False

    def at(
        self, country: str | None, admin1_region: str | None = None
    ) -> Callable[[str], bool] | None:
        """`blocks` for one place, as a function of the label; None where no country is given."""
        region = check_region(country, admin1_region)
        if region is None:
            return None
        if region not in self._here:
            known: dict[str, bool] = {}

            def here(label: str) -> bool:
                if label not in known:
                    known[label] = self._blocks(taxon_key(label), *region)
                return known[label]

            self._here[region] = here
        return self._here[region]

    def _blocks(self, taxon: str, country: str, state: str) -> bool:
        if taxon not in self._rules:
            return False
        allow, block = self._rules[taxon]
        if allow:
            if country not in allow:
                return True
            if state and allow[country] and state not in allow[country]:
                return True
        return country in block and (not block[country] or state in block[country])


def check_region(country: str | None, admin1_region: str | None = None) -> Region | None:
    """A country and a state as the rules write them; None where no country is given.

    Small letters are taken. Raises InputError for codes of another form.
    """
    if not country:
        return None
    return check_country(country), check_state(admin1_region) if admin1_region else ""


def check_country(code: Any, where: str = "") -> str:
    """A country's code in capitals. Raises InputError when it is not of three letters."""
    text = code.strip().upper() if isinstance(code, str) else ""
    if len(text) != 3 or not text.isalpha():
        hint = "; a code of two letters is alpha-2" if len(text) == 2 and text.isalpha() else ""
        raise InputError(
            f"{where}country {code!r}: expected the three letters of ISO 3166 alpha-3, such as KEN "
            f"or USA{hint}; correct the code or leave the country out."
        )
    return text


def check_state(code: Any, where: str = "") -> str:
    """A state's code in capitals. Raises InputError when it is not of two characters."""
    text = code.strip().upper() if isinstance(code, str) else ""
    if len(text) != 2:
        raise InputError(
            f"{where}region {code!r}: expected the two letters of a state, such as CA for "
            "California; correct the code or leave the region out."
        )
    return text


def check_taxon(taxon: Any, where: str = "", root: bool = False) -> str:
    """A taxon of five tokens without a gap; all of them empty (animal) only where `root`.

    Raises InputError for another form.
    """
    tokens = taxon.split(";") if isinstance(taxon, str) else []
    filled = [bool(token) for token in tokens]
    if len(tokens) != 5 or filled != sorted(filled, reverse=True) or not (root or filled[0]):
        raise InputError(
            f"{where}taxon {taxon!r}: expected class;order;family;genus;species, empty only from "
            "some level down, such as mammalia;carnivora;felidae;;."
        )
    return taxon


def check_rules(rules: Rules) -> dict[str, tuple[_Where, _Where]]:
    """Taxon -> (allowed, blocked), each country -> states.

    Raises InputError, naming the taxon, for rules of another form.
    """
    if not isinstance(rules, Mapping):
        raise InputError(f"geofence: found {type(rules).__name__}, expected rules by taxon.")
    found = {}
    for taxon, kinds in rules.items():
        check_taxon(taxon, "geofence: ", root=True)
        if not isinstance(kinds, Mapping) or set(kinds) - set(KINDS):
            shown = sorted(map(str, kinds)) if isinstance(kinds, Mapping) else type(kinds).__name__
            raise InputError(
                f"geofence, {taxon}: found {shown}, expected 'allow' or 'block' with countries."
            )
        found[taxon] = tuple(_countries(taxon, kind, kinds.get(kind, {})) for kind in KINDS)
    return found


def _countries(taxon: str, kind: str, countries: Any) -> _Where:
    where = f"geofence, {taxon}, {kind}: "
    if not isinstance(countries, Mapping):
        raise InputError(f"{where}found {type(countries).__name__}, expected states by country.")
    found: _Where = {}
    for country, states in countries.items():
        code = check_country(country, where)
        if not isinstance(states, (list, tuple)):
            raise InputError(
                f"{where}{country} has {type(states).__name__}, expected a list of states, empty "
                "for the whole country."
            )
        found[code] = frozenset(check_state(state, f"{where}{country}, ") for state in states)
    return found
