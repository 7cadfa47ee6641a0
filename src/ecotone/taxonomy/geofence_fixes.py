"""Corrections of geofence rules by hand: applied row by row, then carried up and down the tree.

Source: google/cameratrapai 5.0.6 (Apache-2.0), scripts/build_geofence_release.py, whose order and
checks are kept; what it prints as a warning is a note here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ecotone.errors import InputError
from ecotone.taxonomy.geofence import (
    KINDS,
    Rules,
    check_country,
    check_rules,
    check_state,
    check_taxon,
)
from ecotone.taxonomy.rollup import taxon_key

# The fifty states; the capital's district and the territories are not among them.
STATES = frozenset({
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY",
    "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV",
    "WI", "WY",
})
Plain = dict[str, dict[str, dict[str, list[str]]]]


class Fix(NamedTuple):
    """One correction: taxon of five tokens, "allow" or "block", country, state or "" for all of
    it; line: where it stands in its file, 0 when it comes from none."""

    taxon: str
    rule: str
    country: str
    admin1_region: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """"row N, " for messages, "" when it comes from no file."""
        return f"row {self.line}, " if self.line else ""

    @property
    def place(self) -> str:
        """"USA", or "USA (NJ)"."""
        return f"{self.country} ({self.admin1_region})" if self.admin1_region else self.country


def apply_fixes(
    rules: Rules,
    fixes: Iterable[tuple],
    taxa: Iterable[str] | None = None,
    notes: list[str] | None = None,
) -> Plain:
    """New rules: the old ones and the corrections, in their order.

    A row for a whole country replaces a list of states; a row for a state adds to the list, and
    does nothing where the whole country has the rule. The first "allow" of a taxon shuts it out of
    all other countries. fixes: `Fix`, or the same four values. taxa: those that there are. notes:
    gets a line for each row that does more or less than it seems to. Raises InputError as
    `check_fixes` does.
    """
    checked = check_fixes(fixes, taxa)
    check_rules(rules)
    fixed = _copied(rules)
    for fix in checked:
        _apply(fix, fixed.setdefault(fix.taxon, {}), [] if notes is None else notes)
    return fixed


def check_fixes(fixes: Iterable[tuple], taxa: Iterable[str] | None = None) -> list[Fix]:
    """The corrections in one spelling.

    Raises InputError, naming the row, when a field is of another form, a taxon is not in `taxa`, a
    row comes twice, an "allow" is covered by a "block" of the same or a higher taxon, or all fifty
    states are listed one by one.
    """
    known = None if taxa is None else frozenset(taxa)
    found = [_checked(Fix(*fix), known) for fix in fixes]
    seen: dict[tuple[str, ...], Fix] = {}
    states: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fix in found:
        first = seen.setdefault(fix[:4], fix)
        if first is not fix:
            raise InputError(
                f"geofence fixes, {fix.where}{fix.taxon}: {fix.rule} for {fix.place} is there "
                f"twice{_at(first)}; leave one out."
            )
        if fix.country == "USA":
            states[fix.taxon, fix.rule].add(fix.admin1_region)
            if states[fix.taxon, fix.rule] >= STATES:
                raise InputError(
                    f"geofence fixes, {fix.where}{fix.taxon}: {fix.rule} for each of the fifty "
                    "states; give one row for USA without a state."
                )
    blocks = [fix for fix in found if fix.rule == "block"]
    for fix in found:
        for block in blocks if fix.rule == "allow" else ():
            if _covers(block, fix):
                raise InputError(
                    f"geofence fixes, {fix.where}{fix.taxon}: allowed in {fix.place}, but "
                    f"{block.taxon} is blocked in {block.place}{_at(block)}, and a block wins; "
                    "leave one out."
                )
    return found


def propagate(rules: Rules, labels: Iterable[str]) -> Plain:
    """Rules that hold together: what allows a species allows its genus, family, order and class in
    that country; what blocks a family blocks all that is below it.

    A taxon's own rules replace what taxa listed before it have handed up. labels: the model's, each
    of seven tokens; blocks are handed down to them, to their higher taxa and to the taxa that have
    rules. Raises InputError for a label of another form.
    """
    source = _copied(rules)
    found: Plain = {}
    for taxon, rule in source.items():
        found[taxon] = rule
        for upper in _upper(taxon):
            allowed = found.setdefault(upper, {"allow": {}}).get("allow")
            # A higher taxon with nothing but blocks stays allowed wherever it is not blocked.
            for country in rule.get("allow", {}) if allowed is not None else ():
                allowed.setdefault(country, [])
    taxa = {*source, *(taxon_key(label) for label in labels)}
    taxa.update([upper for taxon in taxa for upper in _upper(taxon)])
    blocking = [(taxon.rstrip(";") + ";", rule["block"]) for taxon, rule in source.items()
                if rule.get("block")]
    handed = {
        taxon: [block for start, block in blocking
                if taxon.startswith(start) and taxon.rstrip(";") + ";" != start]
        for taxon in sorted(taxa)
    }
    # Copied first: what was handed down is not handed down again.
    copies = {taxon: [_copied_where(b) for b in blocks] for taxon, blocks in handed.items()}
    for taxon, blocks in copies.items():
        for block in blocks:
            _merge(block, found.setdefault(taxon, {}).setdefault("block", {}))
    return found


def _checked(fix: Fix, taxa: frozenset[str] | None) -> Fix:
    where = f"geofence fixes, {fix.where}"
    taxon, rule = str(fix.taxon).strip().lower(), str(fix.rule).strip().lower()
    check_taxon(taxon, where)
    if taxa is not None and taxon not in taxa:
        raise InputError(
            f"{where}taxon {taxon!r} is not in the taxonomy; expected one of its "
            f"{len(taxa):,} taxa: correct the name or leave the row out."
        )
    if rule not in KINDS:
        raise InputError(f"{where}rule {fix.rule!r}: expected allow or block.")
    state = check_state(fix.admin1_region, where) if fix.admin1_region else ""
    return Fix(taxon, rule, check_country(fix.country, where), state, fix.line)


def _at(fix: Fix) -> str:
    return f" (row {fix.line})" if fix.line else ""


def _covers(block: Fix, fix: Fix) -> bool:
    start = block.taxon.rstrip(";") + ";"
    same = block.taxon == fix.taxon or fix.taxon.startswith(start)
    return (
        same and block.country == fix.country
        and block.admin1_region in ("", fix.admin1_region)
    )


def _apply(fix: Fix, rules: dict[str, dict[str, list[str]]], notes: list[str]) -> None:
    """One correction of the rules of its taxon."""
    row, state = f"{fix.where}{fix.taxon}: ", fix.admin1_region
    if fix.rule == "allow" and not rules.get("allow"):
        notes.append(
            f"{row}had no allow list and is now allowed nowhere but in the places listed for it, "
            f"beginning with {fix.country}"
        )
    where = rules.setdefault(fix.rule, {})
    before = where.get(fix.country)
    if state and before is not None and not before:
        notes.append(
            f"{row}{fix.rule} for {state} changes nothing, the whole of {fix.country} has it"
        )
        return
    where[fix.country] = sorted({*(before or ()), state}) if state else []
    if state:
        return
    if before:
        notes.append(
            f"{row}{fix.rule} for the whole of {fix.country} replaces {', '.join(before)}"
        )
    other = "block" if fix.rule == "allow" else "allow"
    states = rules.get(other, {}).get(fix.country)
    if states:
        notes.append(
            f"{row}{fix.rule} for the whole of {fix.country} beside {other} for "
            f"{', '.join(states)}; where both speak, block wins"
        )


def _upper(taxon: str) -> Iterator[str]:
    names = taxon.split(";")
    for kept in range(1, 5):
        if names[0]:
            yield ";".join(names[:kept]) + ";" * (5 - kept)


def _merge(source: dict[str, list[str]], target: dict[str, list[str]]) -> None:
    for country, states in source.items():
        known = target.get(country)
        if known is None:
            target[country] = list(states)
        elif not states or not known:
            target[country] = []
        else:
            known += [state for state in states if state not in known]


def _copied(rules: Rules) -> Plain:
    return {
        taxon: {kind: _copied_where(where) for kind, where in kinds.items()}
        for taxon, kinds in rules.items()
    }


def _copied_where(where: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {country: list(states) for country, states in where.items()}
