"""Roll-up: ancestors, the map of a taxonomy's lines, sums above a threshold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.taxonomy.rollup import (
    ANIMAL,
    BLANK,
    HUMAN,
    LEVELS,
    UNKNOWN,
    VEHICLE,
    ancestor_at,
    ancestors,
    label_map,
    roll_up,
    taxon_key,
)
from tests.hierarchy.speciesnet_labels import (
    ARTIODACTYLA,
    BOAR,
    CARNIVORA,
    CERVIDAE,
    CERVUS,
    FOX,
    JAY,
    MAMMALIA,
    PIG,
    RED_DEER,
    ROE,
    SIKA,
    SPECIAL,
    SPECIES,
    SUIDAE,
    SUS,
    TAXONOMY,
    line,
)

MAP = label_map(TAXONOMY)
ALL = LEVELS[1:]


def rolled(levels, threshold, blocked=None, **scores: float):
    names = {"red": RED_DEER, "sika": SIKA, "roe": ROE, "fox": FOX, "jay": JAY, "pig": PIG,
             "boar": BOAR, "blank": BLANK, "vehicle": VEHICLE, "human": HUMAN, "animal": ANIMAL}
    labels = [names[name] for name in scores]
    return roll_up(labels, list(scores.values()), levels, threshold, MAP, blocked)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (RED_DEER, (RED_DEER, CERVUS, CERVIDAE, ARTIODACTYLA, MAMMALIA, ANIMAL)),
        (ROE, (ROE, None, CERVIDAE, ARTIODACTYLA, MAMMALIA, ANIMAL)),  # no label for its genus
        (CERVUS, (None, CERVUS, CERVIDAE, ARTIODACTYLA, MAMMALIA, ANIMAL)),
        (ARTIODACTYLA, (None, None, None, ARTIODACTYLA, MAMMALIA, ANIMAL)),
        (MAMMALIA, (None, None, None, None, MAMMALIA, ANIMAL)),
        (ANIMAL, (None, None, None, None, None, ANIMAL)),
        (BLANK, (None,) * 6),
        (VEHICLE, (None,) * 6),
        (HUMAN, (HUMAN, None, None, None, MAMMALIA, ANIMAL)),
        (UNKNOWN, (None, None, None, None, None, ANIMAL)),
        (line("fungi;x;y;z;q", "toadstool"), (None, None, None, None, None, ANIMAL)),
        (PIG, (PIG, SUS, SUIDAE, ARTIODACTYLA, MAMMALIA, ANIMAL)),
    ],
)
def test_ancestors_at_every_level(label, expected):
    assert ancestors(label, MAP) == MAP.ancestors(label) == expected
    assert tuple(ancestor_at(label, level, dict(MAP)) for level in LEVELS) == expected


def test_ancestor_of_an_unknown_level():
    with pytest.raises(InputError, match="level 'tribe' is none of species, genus"):
        ancestor_at(RED_DEER, "tribe", MAP)


@pytest.mark.parametrize("label", ["red deer", "a;b;c;d;e;f", "a;b;c;d;e;f;g;h", "", 7])
def test_labels_of_another_form_are_named(label):
    with pytest.raises(InputError) as caught:
        taxon_key(label)
    assert repr(label) in str(caught.value) and "expected the seven" in str(caught.value)


def test_map_of_a_taxonomys_lines():
    other = line("aves;passeriformes;corvidae;garrulus;glandarius", "eurasian jay")
    second_human = line("mammalia;primates;hominidae;homo;sapiens", "person")
    found = label_map([*TAXONOMY, "", UNKNOWN, other, second_human, " \n"])
    assert found[taxon_key(JAY)] == other  # the last of two counts
    assert found[taxon_key(HUMAN)] == HUMAN
    assert found[";;;;"] == ANIMAL
    assert taxon_key(UNKNOWN) not in found
    assert BLANK not in found.values() and VEHICLE not in found.values()
    assert any("taxa with several labels" in note for note in found.notes)


def test_a_line_of_another_form_is_named():
    with pytest.raises(InputError, match=r"line 2: 'a;b' has 2 tokens, expected 7"):
        label_map([RED_DEER, "a;b"])


def test_defects_are_told_and_do_no_harm():
    caiman = line("reptilia;crocodilia;alligatoridae;caiman;crocodilus", "spectacled caiman")
    other = line("reptilia;crocodylia;alligatoridae;caiman;yacare", "yacare caiman")
    upper = [line(f"reptilia;{order};;;", order) for order in ("crocodilia", "crocodylia")]
    reptile = line("reptilia;;;;", "reptile")
    found = label_map([caiman, other, *upper, reptile, PIG])
    told = " | ".join(found.notes)
    assert "taxa that stand in two places, summed only above both (2): alligator" in told
    assert "several words for the species, each a species of its own (1): mammalia" in told
    assert "higher taxa without a label" in told
    up = roll_up([caiman, other], [0.4, 0.4], ALL, 0.65, found)
    assert up == (reptile, 0.8, "class")


def test_subspecies_count_for_their_genus_and_not_for_their_species():
    assert rolled(("species",), 0.5, pig=0.4, boar=0.4) is None
    assert rolled(ALL, 0.5, pig=0.4, boar=0.4) == (SUS, 0.8, "genus")


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        (dict(red=0.5, sika=0.3), 0.65, (CERVUS, 0.8, "genus")),
        (dict(red=0.5, sika=0.15), 0.65, None),  # 0.65 does not exceed 0.65
        (dict(red=0.5, sika=0.15, roe=0.01), 0.65, (CERVIDAE, 0.66, "family")),
        (dict(roe=0.7), 0.65, (CERVIDAE, 0.7, "family")),  # its genus has no label
        (dict(red=0.3, pig=0.4), 0.65, (ARTIODACTYLA, 0.7, "order")),
        (dict(red=0.4, fox=0.3), 0.65, (MAMMALIA, 0.7, "class")),
        (dict(red=0.3, jay=0.2, animal=0.2), 0.65, (ANIMAL, 0.7, "kingdom")),
        (dict(human=0.4, red=0.3), 0.65, (MAMMALIA, 0.7, "class")),
        (dict(blank=0.6, vehicle=0.3, red=0.1), 0.65, None),
        (dict(red=0.35, jay=0.35), 0.3, (CERVUS, 0.35, "genus")),
        (dict(fox=0.3, sika=0.3, red=0.0), 0.2, (CERVUS, 0.3, "genus")),
        ({}, 0.65, None),
    ],
)
def test_the_first_level_above_the_threshold(scores, threshold, expected):
    found = rolled(ALL, threshold, **scores)
    assert found == (expected and (expected[0], pytest.approx(expected[1]), expected[2]))


def test_of_equal_taxa_the_first_is_taken():
    assert rolled(("order",), 0.4, red=0.5, fox=0.5).label == ARTIODACTYLA
    assert rolled(("order",), 0.4, fox=0.5, red=0.5).label == CARNIVORA


def test_blocked_taxa_are_passed_over():
    def at(*these):
        return rolled(ALL, 0.5, lambda label: label in these, red=0.4, sika=0.2, fox=0.35)

    assert at() == (CERVUS, pytest.approx(0.6), "genus")
    assert at(CERVUS) == (CERVIDAE, pytest.approx(0.6), "family")
    assert at(CERVUS, CERVIDAE, ARTIODACTYLA) == (MAMMALIA, pytest.approx(0.95), "class")
    assert at(CERVUS, CERVIDAE, ARTIODACTYLA, MAMMALIA, ANIMAL) is None
    assert rolled(("order",), 0.3, {ARTIODACTYLA}.__contains__, red=0.6, fox=0.35).label == (
        CARNIVORA
    )


def test_levels_and_lengths_are_checked():
    with pytest.raises(InputError, match="level 'tribe'"):
        rolled(("genus", "tribe"), 0.5, red=0.9)
    with pytest.raises(InputError, match="2 labels, 1 scores"):
        roll_up([RED_DEER, ROE], [0.5], ALL, 0.5, MAP)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((*SPECIES, *SPECIAL)), st.floats(0, 0.4)), max_size=6),
    st.floats(0, 1), st.floats(0, 1),
)
def test_a_higher_threshold_never_answers_lower_down(pairs, one, other):
    labels, scores = [p[0] for p in pairs], [p[1] for p in pairs]
    low, high = sorted((one, other))
    first, second = (roll_up(labels, scores, ALL, t, MAP) for t in (low, high))
    if second is not None:
        assert first is not None and LEVELS.index(first.level) <= LEVELS.index(second.level)
        assert second.score > high
    if first is not None:
        below = [s for n, s in zip(labels, scores, strict=True)
                 if ancestor_at(n, first.level, MAP) == first.label]
        assert first.score == pytest.approx(sum(below))


@pytest.fixture
def release(shared_data: Path) -> Path:
    return shared_data / "formats" / "speciesnet"


def test_the_defects_of_the_real_release(release):
    lines = (release / "taxonomy_release.txt").read_text(encoding="utf-8").splitlines()
    found = label_map(lines)
    assert len(found) == 3538 - 2 and found[";;;;"] == ANIMAL
    two, words = found.notes
    assert two.startswith("taxa that stand in two places") and two.endswith("alligatoridae, caiman")
    assert words.startswith("labels with several words") and "(8)" in words
    grizzly = next(text for text in lines if "u. arctos" in text)
    assert ancestor_at(grizzly, "species", found) == grizzly
    assert ancestor_at(grizzly, "genus", found).split(";")[4:6] == ["ursus", ""]
    assert all(all(found.ancestors(text)[level] for level in range(6) if level == 5 or
                   text.split(";")[5 - level]) for text in found.values())


def test_the_defects_of_the_real_labels(release):
    name = "always_crop_99710272_22x8_v12_epoch_00148.labels.txt"
    lines = (release / name).read_text(encoding="utf-8").splitlines()
    found = label_map(lines)
    duplicate = [text for text in lines if ";ardea;alba;" in text]
    assert len(duplicate) == 2 and found[taxon_key(duplicate[0])] == duplicate[-1]
    told = [note.split(":")[0] for note in found.notes]
    assert told[0] == "taxa with several labels, of each the last counts (3)"
    assert told[3] == "higher taxa without a label, a roll-up passes over them (1,042)"
