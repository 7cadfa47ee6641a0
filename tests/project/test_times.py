from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import FormatError, InputError
from ecotone.project import Project
from ecotone.store.tables import DeploymentFacts, NewMedium


@pytest.fixture
def project(tmp_path):
    """Deployments cam1 (six pictures, 20 s apart, around a change of clocks) and cam2 (two)."""
    with Project.init(tmp_path / "p") as opened:
        opened.catalog.add_media([
            NewMedium(f"a{i}", "/pics", f"cam1/{i}.jpg", "cam1",
                      timestamp=f"2021-03-28T01:{59 - i // 3:02d}:{20 * (i % 3):02d}")
            for i in range(6)
        ] + [NewMedium(f"b{i}", "/pics", f"cam2/{i}.jpg", "cam2",
                       timestamp="2021-10-31T01:30:00" if i else "") for i in range(2)])
        opened.events()
        yield opened


def times(project, deployment="cam1"):
    media = project.catalog.media()
    rows = media.deployment_id == deployment
    return media.timestamp[rows].tolist(), media.original_timestamp[rows].tolist()


def test_a_shift_corrects_the_time_and_keeps_what_the_camera_said(project):
    _, said = times(project)
    report = project.fix_time(["cam1"], shift="-1h", time_zone="Europe/Brussels", reason="dst")
    after, original = times(project)
    assert after[0] == "2021-03-28T00:59:00" and original == said
    (fix,) = report.fixes
    assert (fix.pictures, fix.seconds, fix.time_zone) == (6, -3600.0, "Europe/Brussels")
    assert (fix.camera, fix.before, fix.after) == (
        "2021-03-28T01:58:00", "2021-03-28T01:58:00", "2021-03-28T00:58:00")
    media = project.catalog.media()
    assert set(media.time_zone[:6]) == {"Europe/Brussels"} and not any(media.time_zone[6:])
    # From the camera's clock again, not on top of what was.
    project.fix_time(["cam1"], shift="+1m")
    assert times(project)[0][0] == "2021-03-28T02:00:00"
    assert set(project.catalog.media().time_zone[:6]) == {"Europe/Brussels"}


def test_the_same_again_changes_nothing(project):
    project.fix_time(["cam1"], shift="+1h")
    again = project.fix_time(["cam1"], shift="+60m")
    assert again.fixes == [] and again.unchanged == ["cam1"]
    assert len(project.catalog.time_shifts()["cam1"]) == 1


def test_events_follow_the_corrected_time(project):
    before = set(project.catalog.media().event_id)
    project.fix_time(["cam1"], shift="+2d")
    after = set(project.catalog.media().event_id)
    assert "cam1 2021-03-30T01:58:00" in after - before
    assert "cam2 2021-10-31T01:30:00" in after


def test_from_what_the_camera_said_to_what_was_true(project):
    report = project.fix_time(
        ["cam1"], said="2021-03-28T01:58:00", true="2023:05:04 10:11:12")
    assert report.fixes[0].after == "2023-05-04T10:11:12"
    report = project.fix_time(
        ["cam1"], said="2021-03-28T01:58:00", true="2023-05-04T10:11:13+02:00")
    assert report.fixes[0].time_zone == "+02:00" and report.fixes[0].after.endswith(":13")


def test_undo_goes_back_one_correction_at_a_time(project):
    for shift in ("+1h", "+2h", "+3h"):
        project.fix_time(["cam1"], shift=shift)
    found = []
    for _ in range(3):
        found.append(project.fix_time(["cam1"], undo=True).fixes[0].seconds)
    assert found == [7200.0, 3600.0, 0.0]
    assert len(project.catalog.time_shifts()["cam1"]) == 6  # nothing is deleted
    with pytest.raises(InputError, match="no correction to undo"):
        project.fix_time(["cam1"], undo=True)
    project.fix_time(["cam1"], shift="+5h")
    assert project.fix_time(["cam1"], undo=True).fixes[0].seconds == 0.0


def test_a_trial_changes_nothing(project):
    before = project.catalog.media()
    report = project.fix_time(["cam1"], shift="+1h", dry_run=True)
    assert report.dry_run and report.fixes[0].after == "2021-03-28T02:58:00"
    assert "nothing was changed" in report.lines()[-1]
    after = project.catalog.media()
    for name in ("timestamp", "event_id", "time_zone"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert project.catalog.time_shifts() == {}


def test_times_that_come_twice_or_never_are_told(project):
    report = project.fix_time(["cam1"], shift="+1h", time_zone="Europe/Brussels")
    (note,) = report.notes
    assert "6 times" in note and "never in Europe/Brussels" in note and "+01:00" in note
    report = project.fix_time(["cam2"], shift="+1h", time_zone="Europe/Brussels")
    assert "2021-10-31T02:30:00 comes twice" in report.notes[0]
    assert project.fix_time(["cam2"], time_zone="+01:00").notes == []
    report = project.fix_time(["cam1"], shift="+1s", dry_run=True, time_zone="UTC")
    assert report.notes == []
    with pytest.raises(InputError, match="no clock in Europe/Brussels showed it"):
        project.fix_time(["cam1"], said="2021-03-28T01:58:00", true="2021-03-28T02:30:00",
                         time_zone="Europe/Brussels")
    assert project.catalog.time_shifts()["cam1"][-1].seconds == 3600.0


def test_an_unknown_zone_of_a_deployment_is_told_and_the_setting_is_a_default(project):
    assert "time zone is not known" in project.fix_time(["cam1"], shift="+1s").notes[0]
    settings = project.path / "ecotone.toml"
    settings.write_text('time_zone = "Europe/Brussels"\n', encoding="utf-8")
    project.reload()
    assert project.fix_time(["cam1"], shift="-1h").fixes[0].time_zone == "Europe/Brussels"


def test_a_file_of_corrections(project, tmp_path):
    file = tmp_path / "shifts.csv"
    file.write_text(
        "deploymentID;shift;from;to;timeZone;reason\n"
        "cam1;+1h;;;;summer time\n"
        "cam2;;2021-10-31T01:30:00;2022-01-01T00:00:00;Europe/Paris;\n", encoding="utf-8")
    report = project.fix_time(file=file, time_zone="UTC")
    assert [(f.deployment, f.time_zone) for f in report.fixes] == [
        ("cam1", "UTC"), ("cam2", "Europe/Paris")]
    assert times(project, "cam2")[0] == ["", "2022-01-01T00:00:00"]
    assert project.catalog.time_shifts()["cam1"][0].reason == "summer time"


@pytest.mark.parametrize(("text", "message"), [
    ("deploymentID,shift\ncam1,+1h\ncam1,+2h\n", "row 3: deployment 'cam1' stands twice"),
    ("deploymentID,shift\ncam1,1\n", "row 2: shift '1'"),
    ("deploymentID,shift\n,+1h\n", "row 2: names no deployment"),
    ("deploymentID,shift\ncam1,\n", "row 2: has no shift"),
    ("deploymentID,timeZone\ncam1,Mars/Base\n", "row 2: time zone 'Mars/Base'"),
    ("deploymentID,from,to\ncam1,noon,2021-01-01 10:00:00\n", "row 2: from 'noon'"),
    ("a,b\n1,2\n", "row 1: columns are a, b"),
    ("deploymentID,shift\n", "holds no correction"),
])
def test_a_wrong_file_changes_nothing_and_says_where(project, tmp_path, text, message):
    file = tmp_path / "shifts.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        project.fix_time(file=file)
    assert project.catalog.time_shifts() == {}


@pytest.mark.parametrize(("asked", "message"), [
    ({"deployments": ["cam3"], "shift": "+1h"}, "no deployment 'cam3'.*did you mean"),
    ({"deployments": ["cam1"]}, "give one of --shift"),
    ({"deployments": ["cam1"], "shift": "+1h", "undo": True}, "give one of --shift"),
    ({"deployments": ["cam1"], "said": "2021-01-01 00:00:00"}, "belong together"),
    ({"deployments": ["cam1"], "shift": "+9000000d"}, "more than 400 years"),
    ({"deployments": ["cam1"], "said": "9000-01-01 00:00:00", "true": "0001-01-01 00:00:00"},
     "beyond the years"),
    ({"shift": "+1h"}, "--deployment NAME"),
    ({"deployments": ["cam1"], "undo": True, "time_zone": "UTC"}, "--undo takes neither"),
    ({"deployments": ["cam1"], "time_zone": "Europe/Nowhere"}, "is not known"),
    ({"deployments": ["cam1"], "time_zone": "../../etc/passwd"}, "is not known"),
])
def test_what_cannot_be_done_is_said(project, asked, message):
    with pytest.raises(InputError, match=message):
        project.fix_time(**asked)


def test_a_deployment_is_found_by_the_name_of_its_place(project):
    project.catalog.set_deployment_facts([DeploymentFacts("cam2", "Old oak")])
    assert project.fix_time(["Old oak"], shift="+1h").fixes[0].deployment == "cam2"


def test_the_gap_becomes_the_setting_and_events_are_made_anew(project):
    assert project.events().events == 2
    report = project.events(gap=10)
    assert (report.events, report.without_time, report.largest) == (7, 1, 1)
    assert "event_gap = 10.0" in (project.path / "ecotone.toml").read_text("utf-8")
    with Project(project.path) as again:
        assert again.config.event_gap == 10.0 and again.events().changed == 0
    with pytest.raises(InputError, match="--gap: event_gap is -1"):
        project.events(gap=-1)
