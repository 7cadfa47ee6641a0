"""Cells, times and identifiers of Camtrap DP, each against a slow and obvious way."""

from __future__ import annotations

import doctest
import json
from collections import Counter
from datetime import datetime
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.ingest.camtrapdp_cells import REQUIRED, RULES, TABLES, TIMES, mend_box
from ecotone.ingest.camtrapdp_ids import Ids, Repeats
from ecotone.ingest.camtrapdp_times import fits_time, instant, mend_time, zone_of

CELLS = st.text(max_size=6) | st.text("0123456789.,-+eE% _", max_size=8) | st.sampled_from(
    ["Female ", "1e-15", "NaN", "inf", "True", "no", "event", "media-level", "12.0", "٣", "1_0"]
)


@pytest.mark.parametrize("name", ["cells", "times", "log", "mend", "ids"])
def test_the_examples_in_the_docstrings(name):
    failed, tried = doctest.testmod(import_module(f"ecotone.ingest.camtrapdp_{name}"))
    assert failed == 0 and (tried > 0 or name == "ids")


@pytest.mark.parametrize("table", list(TABLES))
def test_rules_and_columns_are_those_of_the_official_schemas(shared_data, table):
    path = shared_data / "formats" / "camtrapdp_schema" / f"{table}-table-schema.json"
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    fields = json.loads(path.read_text("utf-8"))["fields"]
    assert tuple(f["name"] for f in fields) == TABLES[table]
    required = tuple(f["name"] for f in fields if f["constraints"]["required"])
    assert required == REQUIRED[table]
    assert [f["name"] for f in fields if f["type"] == "datetime"] == list(TIMES[table])
    for field in fields:
        rules = field["constraints"]
        if "enum" in rules:
            assert RULES[table][field["name"]].says == " or ".join(rules["enum"])
        for edge, beyond in (("minimum", -1e-3), ("maximum", 1e-3)):
            if edge in rules and not field["name"].startswith("bbox"):
                rule = RULES[table][field["name"]]
                assert rule.fits(str(rules[edge])) and not rule.fits(str(rules[edge] + beyond))
        if field["type"] in ("number", "integer", "boolean") and "bbox" not in field["name"]:
            assert field["name"] in RULES[table]


@pytest.mark.parametrize("table", list(TABLES))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_cells_that_fit_are_read_alike_by_frictionless(shared_data, table, data):
    frictionless = pytest.importorskip("frictionless")
    path = shared_data / "formats" / "camtrapdp_schema" / f"{table}-table-schema.json"
    schema = frictionless.Schema.from_descriptor(json.loads(path.read_text("utf-8")))
    name = data.draw(st.sampled_from(list(RULES[table])))
    cell = data.draw(CELLS)
    rule = RULES[table][name]
    mended = rule.mend(cell)
    for text in (cell, mended[0] if mended else ""):
        if rule.fits(text):
            value, notes = schema.get_field(name).read_cell(text)
            assert value is not None and not notes
    assert mended is None or mended[0] == "" or rule.fits(mended[0])


@given(st.tuples(CELLS, CELLS, CELLS, CELLS) | st.tuples(*[st.floats(-3, 3).map(repr)] * 4))
def test_a_mended_box_is_one_and_stays(cells):
    box, done = mend_box(cells)
    if box is None or not any(box):
        assert done
        return
    x, y, width, height = map(float, box)
    assert 0 <= x <= 1 and 0 <= y <= 1 and 1e-15 <= width <= 1 and 1e-15 <= height <= 1
    assert mend_box(box) == (box, "")
    assert done or box == cells


@given(st.datetimes(datetime(1000, 1, 1)), st.integers(-23, 23),
       st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M"]))
def test_times_keep_their_digits_and_get_a_zone(moment, hours, form):
    text = moment.strftime(form)
    zone = f"{hours:+03d}:30"
    made, done = mend_time(text, zone_of(zone))
    assert done == "zone" and fits_time(made) and made.endswith(zone)
    assert made[:16] == moment.strftime("%Y-%m-%dT%H:%M")
    parsed = datetime.strptime(made, "%Y-%m-%dT%H:%M:%S%z")
    assert instant(made) == pytest.approx(parsed.timestamp())
    assert mend_time(made, None) == (made, "spelling")
    assert mend_time(text, None) == (text, "naive")


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)",
                                            fullmatch=True))
def test_a_time_fits_only_if_python_reads_it(text):
    if fits_time(text):
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None
    made, done = mend_time(text, zone_of("UTC"))
    assert fits_time(made) if done in ("zone", "spelling") else made == text


def test_zones_by_name_and_when_clocks_change():
    brussels = zone_of("Europe/Brussels")
    for clock, offset in (("2024-01-01", "+01:00"), ("2024-07-01", "+02:00"),
                          ("2024-03-31T02:30:00", "+01:00"), ("2024-10-27T02:30:00", "+02:00")):
        assert mend_time(clock, brussels)[0].endswith(offset)
    assert mend_time("2024-01-01 00:00", zone_of("UTC"))[0].endswith("Z")
    assert zone_of(None) is zone_of(" ") is None
    for name in ("Mars", "+25:00", "../etc/passwd", "/etc/localtime", "Europe", "+1:2:3"):
        with pytest.raises(InputError, match="is not known; give one such as"):
            zone_of(name)


NAMES = st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "a ", ""]), max_size=12)


@given(NAMES, NAMES)
def test_identifiers_against_plain_sets(ours, wanted):
    own, theirs = Ids(), Ids()
    for name in ours:
        own.add(name)
    for name in wanted:
        theirs.add(name)
    assert len(own) == len(ours)
    assert own.twice(lambda: ours) == {n for n, count in Counter(ours).items() if count > 1}
    assert own.lacking(theirs, lambda: wanted) == set(wanted) - set(ours) - {""}
    assert all((n in own) == (n in ours) for n in ("a", "b", "a_2", "c"))


@given(NAMES, st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_repeated_rows_get_names_of_their_own(names, contents):
    own = Ids()
    for name in names:
        own.add(name)
    repeats = Repeats("id", own.twice(lambda: names), own)
    rows = [{"id": n, "x": str(c)} for n, c in zip(names, contents, strict=False)]
    different = len({(r["id"], r["x"]) for r in rows})
    kept = [row for row in rows if repeats.settle(row) != "same"]
    assert len(kept) == different
    assert len({row["id"] for row in kept}) == different
