"""Settings of the five stages: kinds, ranges, names, ablations."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.five_stage_settings import LIMITS, STAGES, FiveStageSettings, ablations


def test_defaults_are_within_their_own_limits_and_go_round():
    settings = FiveStageSettings()
    assert FiveStageSettings.from_dict(settings.as_dict()) == settings
    assert set(LIMITS) <= {f.name for f in fields(settings)}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_every_number_has_limits_that_are_held(name):
    low, high = LIMITS[name]
    kind = type(getattr(FiveStageSettings(), name))
    with pytest.raises(InputError, match=name):
        FiveStageSettings(**{name: kind(low - 1)})
    if high != float("inf"):
        with pytest.raises(InputError, match=name):
            FiveStageSettings(**{name: kind(high + 1)})
    with pytest.raises(InputError, match=name):
        FiveStageSettings(**{name: "much"})
    with pytest.raises(InputError, match=name):
        FiveStageSettings(**{name: True})


@pytest.mark.parametrize(("name", "value", "said"), [
    ("trusted", 1, "true or false"), ("crops", 8.0, "a whole number"),
    ("generic", "animal", "a list of texts"), ("generic", [1], "a list of texts"),
    ("bird_taxon", 3, "a text"), ("head", "deep", "expected one of"),
    ("gap", float("nan"), "gap"),
])
def test_a_wrong_kind_is_told(name, value, said):
    with pytest.raises(InputError, match=said):
        FiveStageSettings(**{name: value})


def test_a_list_from_a_file_is_a_tuple():
    assert FiveStageSettings(generic=["animal"]).generic == ("animal",)
    assert FiveStageSettings(gap=0).gap == 0.0


def test_higher_ranks_need_larger_distances():
    with pytest.raises(InputError, match="higher rank"):
        FiveStageSettings(genus_distance=0.2)


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(InputError, match="'trusted_scores'.*'trusted_score'"):
        FiveStageSettings.from_dict({"trusted_scores": 0.5})


def test_ablations_switch_off_one_stage_each():
    found = ablations(FiveStageSettings(crops=5))
    assert list(found) == ["all stages", *(f"without {s.replace('_', ' ')}" for s in STAGES)]
    for name, settings in found.items():
        off = [s for s in STAGES if not getattr(settings, s)]
        assert len(off) == (name != "all stages")
        assert settings.crops == 5
    fewer = ablations(replace(FiveStageSettings(), birds=False))
    assert "without birds" not in fewer and len(fewer) == len(STAGES)
