from __future__ import annotations

import numpy as np
import pytest

from ecotone.store.tables import DeploymentFacts, TimeShift
from ecotone.store.times import shift_time, shifted


def texts(*values):
    return np.array(values, dtype=object)


def test_the_newest_correction_counts_and_the_cameras_time_stays(catalog):
    catalog.set_timestamps({f"m{i}": f"2024-03-31T23:59:{i:02d}" for i in range(4)})
    catalog.add_time_shifts([TimeShift("a", 60.0), TimeShift("b", 5.0)])
    catalog.add_time_shifts([TimeShift("a", 3600.0, "Europe/Paris", "clock", "Kim")])
    media = catalog.media()
    assert media.timestamp.tolist() == [
        "2024-04-01T00:59:00", "2024-04-01T00:59:01", "2024-03-31T23:59:07",
        "2024-03-31T23:59:08", ""]
    assert media.original_timestamp[0] == "2024-03-31T23:59:00"
    assert media.time_zone.tolist() == ["Europe/Paris"] * 2 + [""] * 3
    shifts = catalog.time_shifts()
    assert [s.seconds for s in shifts["a"]] == [60.0, 3600.0] and shifts["a"][1].created
    assert (shifts["a"][1].reason, shifts["a"][1].author) == ("clock", "Kim")


def test_a_zone_comes_from_the_deployment_where_no_correction_says_one(catalog):
    catalog.set_deployment_facts([DeploymentFacts("b", time_zone="+02:00")])
    catalog.add_time_shifts([TimeShift("b", 1.0)])
    assert catalog.media().time_zone.tolist() == ["", "", "+02:00", "+02:00", "+02:00"]


def test_nothing_to_shift_is_left_alone():
    given = texts("2024-01-01T00:00:00", "")
    assert shifted(texts(), texts()).tolist() == []
    assert shifted(given, texts(0.0, 0.0)) is given
    assert shifted(given, texts(0.0, 5.0)).tolist() == given.tolist()
    assert shift_time("2024-01-01T00:00:00", -1) == "2023-12-31T23:59:59"
    with pytest.raises(OverflowError):
        shift_time("9999-12-31T23:59:59", 1)
