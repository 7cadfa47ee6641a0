from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.ingest.shifts import ShiftRow, between, parse_shift, read_shifts


@pytest.mark.parametrize(("text", "seconds"), [
    ("+1h", 3600), ("1h", 3600), ("-30m", -1800), ("1d2h", 93600), ("+1 day 2 hours", 93600),
    ("-01:30:00", -5400), ("+00:05", 300), ("2 days 01:00", 176400), ("90 s", 90), ("−1 H", -3600),
    ("1.5h", 5400), ("+2 weeks, 1 min", 1209660),
])
def test_shifts_as_people_write_them(text, seconds):
    assert parse_shift(text) == seconds


@pytest.mark.parametrize("text", ["", "+", "1", "h", "1x", "1h2", "+-1h", "10:99", "one hour"])
def test_what_is_no_shift_is_refused(text):
    with pytest.raises(InputError, match="shift"):
        parse_shift(text)


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59),
       st.booleans(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_written_shift_is_read_again(days, hours, minutes, seconds, negative, clock):
    sign = -1 if negative else 1
    text = (f"{days}d {hours:02d}:{minutes:02d}:{seconds:02d}" if clock
            else f"{days}d{hours}h{minutes}m{seconds}s")
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    assert parse_shift(("-" if negative else "+") + text) == sign * expected


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
       st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
@settings(max_examples=50, deadline=None)
def test_between_two_moments_is_what_leads_from_one_to_the_other(said, true):
    said, true = said.replace(microsecond=0), true.replace(microsecond=0)
    seconds, offset = between(said.isoformat(), true.isoformat(" "))
    assert said + timedelta(seconds=seconds) == true and offset == ""


def test_the_offset_of_the_true_time_is_kept():
    assert between("2021-01-01 00:00:00", "2021-01-01T00:00:01+0530") == (1.0, "+05:30")
    with pytest.raises(InputError, match="to 'later': no time"):
        between("2021-01-01 00:00:00", "later")


def test_a_camera_may_be_the_place_or_the_time(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("camera,true,from\nc1,2021-01-01 00:00:10,2021-01-01 00:00:00\n", "utf-8")
    assert read_shifts(file) == [ShiftRow("c1", 10.0)]
    file.write_text("site,tz\nc1,+02:00\n", "utf-8")
    assert read_shifts(file) == [ShiftRow("c1", None, "+02:00")]
