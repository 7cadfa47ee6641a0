from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.config import Config, config_from, default_text, read_config
from ecotone.errors import FormatError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=30))
def test_a_new_projects_file_is_valid_for_any_folder_name(name):
    assert config_from(tomllib.loads(default_text(name))) == Config(name=name)


def test_every_setting_stands_in_the_template_with_its_default():
    text = default_text("x")
    for field in Config.__dataclass_fields__:
        assert f"{field} = " in text, field
    lines = [line.removeprefix("# ") for line in text.splitlines()
             if line.startswith("# ") and " = " in line]
    values = config_from(tomllib.loads("\n".join(lines)))
    same = {f for f in Config.__dataclass_fields__ if getattr(values, f) == getattr(Config(), f)}
    assert set(Config.__dataclass_fields__) - same == {"classes", "detection_threshold"}


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(InputError, match="'detection_treshold'.*'detection_threshold'"):
        config_from({"detection_treshold": 0.3}, "ecotone.toml")


@pytest.mark.parametrize(("values", "words"), [
    ({"classes": "deer"}, "expected a list of texts"),
    ({"classes": [1]}, "expected a list of texts"),
    ({"batch_size": "8"}, "expected a whole number"),
    ({"batch_size": True}, "expected a whole number"),
    ({"batch_size": -1}, "from 0 to 4096"),
    ({"detection_threshold": 1.5}, "from 0.0 to 1.0"),
    ({"group_by": "camera"}, "'auto', 'deployment' or 'event'"),
    ({"use_detector": 1}, "true or false"),
    ({"evaluation_counts": [0]}, "evaluation_counts is 0"),
    ({"refine_method": "best"}, "'climb' or 'five-stage'"),
    ({"refine_alpha": 0}, "refine_alpha is 0.0, expected a number between 0 and 1"),
    ({"refine_alpha": 1.0}, "between 0 and 1"),
    ({"trusted_score": 1.2}, "trusted_score is 1.2"),
    ({"five_stage": [1]}, "five_stage = \\[1\\], expected a table"),
    ({"country": 3}, "expected a text"),
])
def test_wrong_values_are_refused_with_what_was_expected(values, words):
    with pytest.raises(InputError, match=words):
        config_from(values)


def test_whole_numbers_serve_as_numbers():
    assert config_from({"event_gap": 30}).event_gap == 30.0


def test_tables_are_taken_as_they_are_and_written_down():
    config = config_from(tomllib.loads("country = 'KEN'\n[five_stage]\ncrops = 5\n"))
    assert config.five_stage == {"crops": 5} and config.ensemble == {}
    kept = config.as_dict()
    assert kept["five_stage"] == {"crops": 5} and kept["five_stage"] is not config.five_stage


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "ecotone.toml"
    path.write_text("classes = [", encoding="utf-8")
    with pytest.raises(FormatError, match=r"ecotone\.toml: not a valid toml file"):
        read_config(path)


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "ecotone.toml"
    path.write_bytes(b"\xef\xbb\xbfbatch_size = 4\n")
    assert read_config(path).batch_size == 4
