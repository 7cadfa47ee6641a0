"""Geofence: what its rules mean, and how codes and rules of another form are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.taxonomy.geofence import Geofence, check_region
from ecotone.taxonomy.rollup import ANIMAL, BLANK, taxon_key
from tests.hierarchy.speciesnet_labels import (
    ARTIODACTYLA,
    CERVIDAE,
    FOX,
    JAY,
    MAMMALIA,
    RED_DEER,
    RULES,
    SIKA,
    TAXONOMY,
)

FENCE = Geofence(RULES)


@pytest.mark.parametrize(
    ("label", "country", "state", "blocked"),
    [
        (RED_DEER, "DEU", None, False),
        (RED_DEER, "GBR", None, True),  # not on its list
        (RED_DEER, None, None, False),
        (RED_DEER, "", "TX", False),
        (RED_DEER, "USA", None, False),  # allowed in a state, and which state is not known
        (RED_DEER, "USA", "", False),
        (RED_DEER, "USA", "TX", False),
        (RED_DEER, "USA", "CA", True),
        (RED_DEER, "FRA", "CA", False),  # the whole country
        (SIKA, "JPN", None, False),
        (SIKA, "USA", None, True),
        (FOX, "DEU", None, False),  # only ever blocked somewhere else
        (FOX, "NZL", None, True),
        (FOX, "NZL", "AA", True),
        (CERVIDAE, "DEU", None, False),  # an empty list allows it everywhere
        (CERVIDAE, "AUS", None, True),
        (CERVIDAE, "USA", None, False),  # blocked in a state, and which state is not known
        (CERVIDAE, "USA", "TX", False),
        (CERVIDAE, "USA", "HI", True),
        (MAMMALIA, "ATA", None, True),
        (ARTIODACTYLA, "ATA", None, False),  # a rule holds for its own taxon alone
        (JAY, "ATA", None, False),
        (BLANK, "ATA", None, False),
        (ANIMAL, "ATA", None, False),
    ],
)
def test_what_the_rules_mean(label, country, state, blocked):
    assert FENCE.blocks(label, country, state) is blocked
    here = FENCE.at(country, state)
    assert (here is None) == (not country)
    if here is not None:
        assert here(label) is here(label) is blocked


def test_a_block_wins_over_an_allow():
    rules = {taxon_key(FOX): {"allow": {"DEU": [], "USA": []}, "block": {"DEU": [], "USA": ["NY"]}}}
    fence = Geofence(rules)
    places = [("DEU", None), ("USA", None), ("USA", "NY"), ("USA", "CA"), ("FRA", None)]
    assert [fence.blocks(FOX, *p) for p in places] == [True, False, True, False, True]


def test_small_letters_and_outer_blanks_are_taken():
    assert check_region(" deu ", "ny") == ("DEU", "NY")
    assert FENCE.blocks(RED_DEER, "usa", "ca") and not FENCE.blocks(RED_DEER, "fra")
    assert check_region(None, "California") is None  # a state counts only beside a country


@pytest.mark.parametrize(
    ("country", "state", "message"),
    [
        ("DE", None, r"country 'DE': expected the three letters .* alpha-3.*two letters is alpha"),
        ("Germany", None, "country 'Germany': expected the three letters"),
        ("D3U", None, "country 'D3U'"),
        (276, None, "country 276"),
        ("USA", "California", "region 'California': expected the two letters of a state"),
        ("USA", "US-CA", "region 'US-CA'"),
        ("USA", 6, "region 6"),
    ],
)
def test_codes_of_another_form(country, state, message):
    with pytest.raises(InputError, match=message):
        FENCE.blocks(JAY, country, state)


def test_a_label_of_another_form():
    with pytest.raises(InputError, match="label 'red deer'"):
        FENCE.blocks("red deer", "DEU")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "geofence: found list, expected rules by taxon"),
        ({"cervus elaphus": {}}, "geofence: taxon 'cervus elaphus': expected class;order"),
        ({"mammalia;;cervidae;;": {}}, "taxon 'mammalia;;cervidae;;'"),
        ({3: {}}, "taxon 3"),
        ({"aves;;;;": {"deny": {}}}, r"geofence, aves;;;;: found \['deny'\]"),
        ({"aves;;;;": ["KEN"]}, "geofence, aves;;;;: found list"),
        ({"aves;;;;": {"allow": ["KEN"]}}, "geofence, aves;;;;, allow: found list"),
        ({"aves;;;;": {"allow": {"KE": []}}}, "geofence, aves;;;;, allow: country 'KE'"),
        ({"aves;;;;": {"block": {"USA": None}}}, "block: USA has NoneType, expected a list"),
        ({"aves;;;;": {"block": {"USA": ["Texas"]}}}, "block: USA, region 'Texas'"),
    ],
)
def test_rules_of_another_form_name_the_taxon(rules, message):
    with pytest.raises(InputError, match=message):
        Geofence(rules)


def test_a_geofence_knows_its_taxa():
    assert len(FENCE) == len(RULES) and list(FENCE) == list(RULES)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(TAXONOMY), st.sampled_from(["DEU", "USA", "AUS", "ATA"]),
       st.sampled_from([None, "CA", "HI"]))
def test_without_a_country_or_without_rules_nothing_is_blocked(label, country, state):
    assert not FENCE.blocks(label, None, state)
    assert not Geofence({}).blocks(label, country, state)
    if taxon_key(label) not in RULES:
        assert not FENCE.blocks(label, country, state)
