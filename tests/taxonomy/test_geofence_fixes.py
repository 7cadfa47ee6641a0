"""Corrections of a geofence: applied in order, checked against each other, carried along."""

from __future__ import annotations

import copy

import pytest

from ecotone.errors import InputError
from ecotone.taxonomy.geofence import Geofence
from ecotone.taxonomy.geofence_fixes import STATES, Fix, apply_fixes, check_fixes, propagate
from ecotone.taxonomy.rollup import taxon_key
from tests.hierarchy.speciesnet_labels import (
    CERVIDAE,
    CERVUS,
    FOX,
    JAY,
    MAMMALIA,
    RED_DEER,
    RULES,
    SIKA,
    TAXONOMY,
)

RED, FAMILY, GENUS = taxon_key(RED_DEER), taxon_key(CERVIDAE), taxon_key(CERVUS)


def fixed(*rows: tuple, rules=None) -> tuple[dict, list[str]]:
    notes: list[str] = []
    given = RULES if rules is None else rules
    before = copy.deepcopy(given)
    found = apply_fixes(given, rows, notes=notes)
    assert given == before
    return found, notes


@pytest.mark.parametrize(
    ("row", "kind", "expected", "told"),
    [
        ((RED, "allow", "GBR", ""), "allow", {"GBR": []}, ""),
        ((RED, "allow", "USA", "AK"), "allow", {"USA": ["AK", "TX"]}, ""),
        ((RED, "allow", "USA", "TX"), "allow", {"USA": ["TX"]}, ""),
        ((RED, "allow", "USA", ""), "allow", {"USA": []}, "whole of USA replaces TX"),
        ((RED, "allow", "DEU", "BY"), "allow", {"DEU": []}, "allow for BY changes nothing"),
        ((RED, "block", "DEU", "BY"), "block", {"DEU": ["BY"]}, ""),
        ((RED, "block", "USA", ""), "block", {"USA": []}, "beside allow for TX"),
        ((RED.upper(), "BLOCK", "deu", "by"), "block", {"DEU": ["BY"]}, ""),
    ],
)
def test_one_row(row, kind, expected, told):
    found, notes = fixed(row)
    country = next(iter(expected))
    assert {country: found[RED][kind][country]} == expected
    rest = {c: s for c, s in found[RED][kind].items() if c != country}
    assert rest == {c: s for c, s in RULES[RED].get(kind, {}).items() if c != country}
    assert (told in " ".join(notes)) and bool(notes) == bool(told)


def test_a_taxon_without_rules_gets_some():
    jay = taxon_key(JAY)
    found, notes = fixed((jay, "block", "NZL", ""), (jay, "block", "AUS", "WA"))
    assert found[jay] == {"block": {"NZL": [], "AUS": ["WA"]}} and not notes
    found, notes = fixed((jay, "allow", "DEU", ""))
    assert found[jay] == {"allow": {"DEU": []}}
    assert "now allowed nowhere but in the places listed for it, beginning with DEU" in notes[0]
    found, notes = fixed((taxon_key(FOX), "allow", "DEU", ""))
    assert found[taxon_key(FOX)] == {"allow": {"DEU": []}, "block": {"NZL": []}} and notes


def test_rows_count_in_their_order():
    rows = [(RED, "allow", "USA", "AK"), (RED, "allow", "USA", ""), (RED, "allow", "USA", "CA")]
    found, notes = fixed(*rows)
    assert found[RED]["allow"]["USA"] == []
    assert ["replaces AK, TX" in notes[0], "CA changes nothing" in notes[1]] == [True, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("mammalia;cervidae", "allow", "DEU", "")], "taxon 'mammalia;cervidae': expected class"),
        ([("mammalia;;cervidae;;", "allow", "DEU", "")], "taxon 'mammalia;;cervidae;;'"),
        ([(";;;;", "block", "DEU", "")], "taxon ';;;;'"),
        ([(RED, "deny", "DEU", "")], "rule 'deny': expected allow or block"),
        ([(RED, "allow", "DE", "")], "country 'DE'"),
        ([(RED, "allow", "USA", "Texas")], "region 'Texas'"),
        ([(RED, "allow", "GBR", ""), (RED, "ALLOW", "gbr", "")], "allow for GBR is there twice"),
        ([(RED, "allow", "GBR", ""), (RED, "block", "GBR", "")], "allowed in GBR, but mammalia"),
        ([(FAMILY, "block", "GBR", ""), (RED, "allow", "GBR", "")], "a block wins; leave one out"),
        ([(RED, "allow", "USA", "CA"), (FAMILY, "block", "USA", "CA")], r"blocked in USA \(CA\)"),
        ([(RED, "allow", "USA", state) for state in sorted(STATES)], "each of the fifty states"),
    ],
)
def test_rows_that_cannot_stand(rows, message):
    with pytest.raises(InputError, match=message):
        check_fixes(rows)


def test_rows_that_look_alike_can_stand():
    check_fixes([(RED, "allow", "GBR", ""), (SIKA.split(";", 1)[1].rsplit(";", 1)[0], "block",
                                             "GBR", "")])
    check_fixes([(FAMILY, "allow", "GBR", ""), (RED, "block", "GBR", "")])  # below, not above
    check_fixes([(RED, "allow", "USA", ""), (RED, "block", "USA", "CA")])
    check_fixes([(RED, "allow", "USA", state) for state in sorted(STATES)[1:]])


def test_a_message_names_the_rows_of_the_file():
    rows = [Fix(RED, "block", "GBR", "", 7), Fix(RED, "allow", "GBR", "", 12)]
    with pytest.raises(InputError, match=r"fixes, row 12, .*blocked in GBR \(row 7\)"):
        check_fixes(rows)


def test_a_taxon_that_is_not_in_the_taxonomy():
    known = {taxon_key(label) for label in TAXONOMY}
    row = ("mammalia;cetartiodactyla;cervidae;cervus;elaphus", "allow", "DEU", "")
    with pytest.raises(InputError, match="cetartiodactyla.* is not in the taxonomy"):
        apply_fixes(RULES, [row], known)
    assert apply_fixes(RULES, [(RED, "allow", "GBR", "")], known)


def test_rules_of_another_form_are_refused():
    with pytest.raises(InputError, match="taxon 'deer'"):
        apply_fixes({"deer": {}}, [])


def test_what_is_allowed_goes_up_and_what_is_blocked_goes_down():
    fox, mammal = taxon_key(FOX), taxon_key(MAMMALIA)
    rules = {
        RED: {"allow": {"DEU": [], "USA": ["TX"]}},
        FAMILY: {"block": {"AUS": [], "USA": ["HI"]}},
        GENUS: {"block": {"USA": ["AK"], "AUS": ["WA"]}},
    }
    found = propagate(rules, TAXONOMY)
    assert found[mammal] == {"allow": {"DEU": [], "USA": []}}
    assert found[FAMILY] == rules[FAMILY]  # its own rules replace what was handed up
    assert found[GENUS] == {"block": {"USA": ["AK", "HI"], "AUS": []}}
    assert found[RED]["allow"] == rules[RED]["allow"]
    assert found[RED]["block"] == {"AUS": [], "USA": ["HI", "AK"]}
    assert found[taxon_key(SIKA)] == {"block": {"AUS": [], "USA": ["HI", "AK"]}}
    assert fox not in found
    fence = Geofence(found)
    assert fence.blocks(SIKA, "AUS") and fence.blocks(MAMMALIA, "FRA")
    assert not fence.blocks(MAMMALIA, "USA", "CA")


def test_carrying_a_release_a_second_time_changes_nothing():
    once = propagate(dict(sorted(RULES.items())), TAXONOMY)  # higher taxa first, as in a release
    assert once[FAMILY]["allow"] == {"DEU": [], "FRA": [], "USA": [], "JPN": []}
    assert propagate(once, TAXONOMY) == once


def test_a_genus_does_not_block_one_that_begins_alike():
    rules = {"mammalia;artiodactyla;cervidae;cerv;": {"block": {"DEU": []}}}
    assert RED not in propagate(rules, TAXONOMY)
