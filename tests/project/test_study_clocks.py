"""Times in a study beside those in its pictures."""

from __future__ import annotations

import pytest

from ecotone.project import Project
from tests.project.packages import make_pictures, tables, write_package


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "p") as opened:
        yield opened


def shifted_package(tmp_path, make_picture, hours, taken=True):
    """A study whose times are `hours` later than those in its pictures, in deployment d-1."""
    rows = tables()
    make_pictures(tmp_path / "study", make_picture, rows, taken=taken)
    for row in rows["media"][:3]:
        row["timestamp"] = row["timestamp"].replace("T06", f"T{6 + hours:02d}")
    return write_package(tmp_path / "study", rows)


def times(project):
    media = project.catalog.media()
    rows = media.deployment_id == "d-1"
    return media.timestamp[rows].tolist(), media.original_timestamp[rows].tolist()


def test_a_corrected_clock_is_the_studys_correction(project, tmp_path, make_picture):
    package = shifted_package(tmp_path, make_picture, 3)
    project.add_study(package, kind="camtrapdp")
    now, said = times(project)
    assert now[0] == "2024-05-01T09:30:00" and said[0] == "2024-05-01T06:30:00"
    shifts = project.catalog.time_shifts()
    assert list(shifts) == ["d-1"] and shifts["d-1"][0].seconds == 3 * 3600
    assert shifts["d-1"][0].author == "sources/1-camtrapdp"
    assert set(e for e in project.catalog.media().event_id if e.startswith("d-1")) == {
        f"d-1 2024-05-{d:02d}T09:30:00" for d in (1, 2, 3)}
    project.add_study(package, kind="camtrapdp")
    assert len(project.catalog.time_shifts()["d-1"]) == 1
    # A person's correction counts from the camera's clock, and stays when the study comes again.
    project.fix_time(["d-1"], shift="+1h")
    report = project.add_study(package, kind="camtrapdp")
    assert times(project)[0][0] == "2024-05-01T07:30:00"
    assert any("corrected by +3600 s here, by +10800 s in the study" in p for p in report.problems)
    project.fix_time(["d-1"], undo=True)
    assert times(project)[0][0] == "2024-05-01T09:30:00"


def test_pictures_without_a_time_get_the_studys(project, tmp_path, make_picture):
    project.add_study(shifted_package(tmp_path, make_picture, 0, taken=False), kind="camtrapdp")
    assert times(project)[0][0] == "2024-05-01T06:30:00"
    assert project.catalog.time_shifts() == {}


def test_a_zone_given_by_the_user_is_that_of_the_clocks(project, tmp_path, make_picture):
    package = shifted_package(tmp_path, make_picture, 0)
    project.add_study(package, kind="camtrapdp", time_zone="UTC")
    now, _ = times(project)  # 06:30 +02:00 is 04:30 UTC, and the camera said 06:30
    assert now[0] == "2024-05-01T04:30:00"
    assert set(project.catalog.media().time_zone) == {"UTC"}


def test_times_that_differ_by_this_and_that_are_told(project, tmp_path, make_picture):
    rows = tables()
    make_pictures(tmp_path / "study", make_picture, rows)
    rows["media"][0]["timestamp"] = "2020-01-01T00:00:00+02:00"
    report = project.add_study(write_package(tmp_path / "study", rows), kind="camtrapdp")
    assert any("by this and that: d-1" in p for p in report.problems)
    assert times(project)[0][0] == "2024-05-01T06:30:00" and not project.catalog.time_shifts()
