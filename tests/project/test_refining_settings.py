from __future__ import annotations

import json

import pytest

from ecotone.errors import FormatError, InputError
from ecotone.project import Project
from ecotone.project.adding_deployments import REGION
from ecotone.project.refining_settings import settings_of

RULES = {"mammalia;carnivora;felidae;panthera;leo": {"allow": {"KEN": [], "USA": ["CA"]}}}


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "reserve") as opened:
        (opened.path / "rules.json").write_text(json.dumps(RULES), encoding="utf-8")
        yield opened


def configured(project, text):
    (project.path / "ecotone.toml").write_text(text, encoding="utf-8")
    return Project(project.path)


def test_what_nobody_says_is_the_default(project):
    s = settings_of(project)
    assert (s.method, s.alpha, s.seed, s.species) == ("climb", 0.05, 0, "")
    assert s.five.trusted_score == 0.8 and s.thresholds.roll_up == 0.65 and s.geofence is None
    json.dumps(s.kept)


def test_the_call_wins_over_the_file(project):
    with configured(project, """
refine_method = "five-stage"
refine_alpha = 0.2
trusted_score = 0.7
country = "ken"
geofence = "rules.json"
species_list = "labels"
[five_stage]
crops = 5
[ensemble]
roll_up = 0.5
""") as own:
        s = settings_of(own)
        assert (s.method, s.alpha, s.country) == ("five-stage", 0.2, "KEN")
        assert (s.five.crops, s.five.trusted_score, s.thresholds.roll_up) == (5, 0.7, 0.5)
        assert s.species == "labels" and s.geofence is not None
        s = settings_of(own, "climb", 0.1, trusted_score=0.9, thresholds={"roll_up": 0.6},
                        country="USA", admin1_region="ca", species="", seed=7)
        assert (s.method, s.alpha, s.five.trusted_score, s.thresholds.roll_up) == (
            "climb", 0.1, 0.9, 0.6)
        assert (s.country, s.admin1_region, s.species, s.seed) == ("USA", "CA", "", 7)
        assert s.kept["country"] == "USA" and s.kept["five_stage"]["crops"] == 5


def test_the_country_that_instances_share_is_taken_where_nobody_names_one(project):
    project.catalog.set_note(REGION, ["USA", "CA"])
    rules = project.path / "rules.json"
    s = settings_of(project, geofence=rules)
    assert (s.country, s.admin1_region) == ("USA", "CA") and s.kept["country"] == "USA"
    assert settings_of(project, geofence=rules, country="KEN").admin1_region == ""
    assert settings_of(project).country == ""  # without rules there is nothing to ask


@pytest.mark.parametrize("options, told", [
    ({"method": "best"}, "climb, five-stage"),
    ({"alpha": 0}, "alpha is 0, expected a number between 0 and 1"),
    ({"alpha": 1.5}, "alpha is 1.5"),
    ({"species": "gone.csv"}, "gone.csv: no such list of species"),
    ({"country": "KEN"}, "needs SpeciesNet's geofence.*--geofence geofence_release.json"),
    ({"admin1_region": "CA"}, "region 'CA' without a country"),
    ({"country": "KE", "geofence": "rules.json"}, "alpha-3"),
    ({"country": "KNY", "geofence": "rules.json"}, "in none of the rules.*KEN"),
    ({"country": "USA", "admin1_region": "California", "geofence": "rules.json"}, "two letters"),
    ({"geofence": "rules.json"}, "without a country changes nothing"),
    ({"geofence": "gone.json", "country": "KEN"}, "gone.json: no such file"),
    ({"geofence_fixes": "rules.json"}, "needs SpeciesNet's geofence"),
    ({"thresholds": {"rollup": 0.5}}, "unknown threshold 'rollup'; did you mean 'roll_up'"),
    ({"thresholds": {"roll_up": "x"}}, "roll_up is 'x', expected a number"),
    ({"trusted_score": 2}, "trusted_score is 2"),
])
def test_what_is_not_possible_is_told_in_one_line(project, monkeypatch, options, told):
    monkeypatch.chdir(project.path)
    with pytest.raises(InputError, match=told) as error:
        settings_of(project, **options)
    assert "\n" not in str(error.value)


def test_mistakes_in_the_file_are_told(project):
    with configured(project, "[five_stage]\ncropz = 5\n") as own, pytest.raises(
            InputError, match="unknown setting 'cropz'; did you mean 'crops'"):
        settings_of(own)
    with configured(project, 'country = "KEN"\ngeofence = "other.json"\n') as own:
        with pytest.raises(InputError, match="other.json: no such file"):
            settings_of(own)
        (own.path / "other.json").write_text("[]", encoding="utf-8")
        with pytest.raises(FormatError, match="expected a geofence"):
            settings_of(own)
