from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.ingest.events import event_ids, iso_time


@pytest.mark.parametrize(("text", "expected"), [
    ("2021:05:28 10:11:12", "2021-05-28T10:11:12"), ("2021-05-28T10:11:12+02:00",
                                                    "2021-05-28T10:11:12"),
    ("2021-05-28T10:11:12Z", "2021-05-28T10:11:12"), ("2021/5/8 9:01", "2021-05-08T09:01:00"),
    ("2021-05-28 10:11:12.345", "2021-05-28T10:11:12"), ("0000:00:00 00:00:00", ""),
    ("2021-13-01 10:00:00", ""), ("", ""), ("yesterday", ""), ("2021-05-28", ""),
    ("2021:05:28 10:61:12", ""),
])
def test_times_as_cameras_and_tables_write_them(text, expected):
    assert iso_time(text) == expected


def test_a_burst_is_one_event_and_a_gap_begins_the_next():
    times = ["2024-05-01T06:00:00", "2024-05-01T06:01:00", "2024-05-01T06:02:01", ""]
    assert event_ids(["a"] * 4, times) == [
        "a 2024-05-01T06:00:00", "a 2024-05-01T06:00:00", "a 2024-05-01T06:02:01", ""]
    assert len(set(event_ids(["a", "b"], times[:2]))) == 2
    assert len(set(event_ids(["a"] * 3, times[:3], gap=61))) == 1
    assert event_ids([], []) == [] and event_ids(["a"], [""]) == [""]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 600)), max_size=12),
       st.integers(0, 120))
def test_events_are_the_chains_of_short_gaps(items, gap):
    begin = datetime(2024, 5, 1)
    times = [(begin + timedelta(seconds=s)).isoformat() for _, s in items]
    found = event_ids([d for d, _ in items], times, gap)
    for i, (place, second) in enumerate(items):
        # The slow way: walk from one to the other in steps of at most `gap`.
        reach = {second}
        while True:
            more = {s for d, s in items if d == place and any(abs(s - r) <= gap for r in reach)}
            if more <= reach:
                break
            reach |= more
        for j, (other, later) in enumerate(items):
            assert (found[i] == found[j]) == (other == place and later in reach)
