from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.ingest.zones import parse_moment
from ecotone.project.kept_rows import Change, active_studies, changes_of
from ecotone.store.tables import KeptStudy, TimeShift


def kept(number, identity, **summary):
    return KeptStudy(number, "coco", f"sources/{number}-coco", "", "", "",
                     {"identity": identity, **summary})


@given(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)), st.integers(-10**6, 10**6),
       st.sampled_from(["Z", "+02:00", "-03:30"]))
@settings(max_examples=60, deadline=None)
def test_a_change_moves_the_moment_by_its_seconds(moment, seconds, offset):
    text = moment.replace(microsecond=0).isoformat() + offset
    after = Change(seconds, "", "").apply(text)
    gap = parse_moment(after) - parse_moment(text)
    assert gap.total_seconds() == seconds
    assert Change(-seconds, "", "").apply(after) == text
    assert Change(0, "+02:00", "").apply(text) == text  # the same moment keeps its writing


@pytest.mark.parametrize(("change", "text", "after"), [
    (Change(3600, "+01:00", ""), "2021-04-11T19:43:09Z", "2021-04-11T21:43:09+01:00"),
    (Change(0, "+02:00", "Europe/London"), "2021-04-11T20:00:00+02:00",
     "2021-04-11T20:00:00+01:00"),
    (Change(60, "", ""), "2021-04-11T20:00:00", "2021-04-11T20:01:00"),
    (Change(60, "", ""), "about noon", "about noon"), (Change(60, "", ""), "", ""),
])
def test_changes_of_times(change, text, after):
    assert change.apply(text) == after


def test_only_peoples_corrections_change_a_studys_times():
    study = kept(1, "a", seconds={"d": 60.0}, zones={"d": "+01:00"})
    own = TimeShift("d", 60.0, author="sources/1-coco")
    assert changes_of(study, {"d": [own]}) == {}
    later = TimeShift("d", 90.0)
    assert changes_of(study, {"d": [own, later]}) == {"d": Change(30.0, "+01:00", "")}
    assert changes_of(study, {"d": [own, later, TimeShift("d", 60.0)]}) == {}
    assert changes_of(study, {"e": [TimeShift("e", 0.0, "UTC")]}) == {"e": Change(0.0, "", "UTC")}


def test_the_newest_version_of_each_study_counts():
    every = [kept(1, "a"), kept(2, "b"), kept(3, "a")]
    assert [s.number for s in active_studies(every)] == [3, 2]
