from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.ingest.events import event_ids
from ecotone.ingest.zones import (
    NEVER,
    TWICE,
    clock_in,
    clock_notes,
    clock_status,
    find_zone,
    offset_of,
    parse_moment,
    seconds_utc,
    zoned,
)

ZONES = ("Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC",
         "+05:45", "-03:00")


@pytest.mark.parametrize(("text", "zone", "status"), [
    ("2021-03-28T01:59:59", "Europe/Brussels", ""),
    ("2021-03-28T02:00:00", "Europe/Brussels", NEVER),
    ("2021-03-28T03:00:00", "Europe/Brussels", ""),
    ("2021-10-31T02:30:00", "Europe/Brussels", TWICE),
    ("2021-10-31T03:00:00", "Europe/Brussels", ""), ("2021-10-31T02:30:00", "+01:00", ""),
    ("2021-04-04T01:45:00", "Australia/Lord_Howe", TWICE),
])
def test_local_times_that_come_twice_or_never(text, zone, status):
    assert clock_status(text, find_zone(zone)) == status


@given(st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)), st.sampled_from(ZONES))
@settings(max_examples=80, deadline=None)
def test_a_local_time_with_its_offset_is_the_same_moment_and_clock(moment, name):
    text, zone = moment.replace(microsecond=0).isoformat(), find_zone(name)
    written = zoned(text, zone)
    assert parse_moment(written).timestamp() == seconds_utc(text, zone)
    assert zoned(written, zone) == written
    if clock_status(text, zone) == "":
        assert clock_in(written, zone) == text
    utc = parse_moment(written).astimezone(timezone.utc)
    assert clock_in(utc.isoformat(), find_zone("UTC")) == utc.replace(tzinfo=None).isoformat()


def test_offsets_as_they_are_written():
    assert [offset_of(t) for t in ("2021-01-01T00:00:00Z", "2021-01-01T00:00:00+0130",
                                   "2021-01-01T00:00:00-00:30", "2021-01-01T00:00:00", "x")] == [
        "Z", "+01:30", "-00:30", "", ""]
    assert zoned("2021-01-01T00:00:00", None) == "2021-01-01T00:00:00" and zoned("", None) == ""
    assert find_zone("") is None
    for name in ("Europe/Atlantis", "/etc/passwd", "../x", "+25:00"):
        with pytest.raises(InputError, match="not known"):
            find_zone(name)


def test_notes_name_the_deployment_and_what_helps():
    assert clock_notes(["2021-07-01T00:00:00", ""], "Europe/Brussels", "cam1") == []
    assert clock_notes(["2021-10-31T02:30:00"], "", "cam1") == []
    (note,) = clock_notes(["2021-10-31T02:30:00"] * 2, "Europe/Brussels", "cam1")
    assert note.startswith("cam1: 2 times (2021-10-31T02:30:00 and others) come twice")


def test_a_night_in_which_clocks_change_is_no_gap():
    spring = ["2021-03-28T01:59:50", "2021-03-28T03:00:05"]
    assert len(set(event_ids(["a"] * 2, spring))) == 2
    assert len(set(event_ids(["a"] * 2, spring, 60, ["Europe/Brussels"] * 2))) == 1
    assert len(set(event_ids(["a"] * 2, spring, 60, ["+01:00"] * 2))) == 2
