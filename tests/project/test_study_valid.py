"""A whole project as Camtrap DP, before the standard's own judge."""

from __future__ import annotations

import pytest

from ecotone.project import Project
from ecotone.store.tables import Box, DeploymentFacts, NewLabel
from tests.export.test_camtrapdp_valid import official, profile_errors, table_errors
from tests.project.packages import make_pictures, tables, write_package
from tests.project.runs import fake_run

CLASSES = ("Cervus elaphus", "fox (Vulpes vulpes)", "blank", "human", "truck", "Sus | scrofa: wild")
__all__ = ["official"]  # a fixture of the other tests


@pytest.fixture
def project(tmp_path, make_picture):
    """A study, pictures of no study with boxes, labels, a corrected clock, and a fusion."""
    make_pictures(tmp_path / "study", make_picture, tables())
    for i in range(6):
        make_picture(tmp_path / f"more/été {i % 2}/{i}.JPG", size=(20, 10), seed=i,
                     taken=f"2021:10:31 02:30:{10 * (i % 2):02d}")
    with Project.init(tmp_path / "p") as opened:
        opened.add_study(write_package(tmp_path / "study", tables()), kind="camtrapdp")
        opened.add_images(tmp_path / "more")
        catalog = opened.catalog
        ids = catalog.media().id[-6:]
        catalog.replace_boxes({ids[0]: [Box((0.9, 0.9, 0.1, 0.1), "animal", 0.5),
                                        Box((0.0, 0.0, 1.0, 0.7), "vehicle", 0.5)]}, "md")
        catalog.set_deployment_facts([
            DeploymentFacts(f"été {i}", latitude=1.5, longitude=-2.0) for i in range(2)])
        catalog.add_labels([NewLabel(ids[1], CLASSES[1]), NewLabel(f"{ids[0]}", "blank"),
                            NewLabel(ids[0], "truck", detection_id=f"{ids[0]}:2")], author="Kim")
        opened.fix_time(["été 0"], shift="+1d", time_zone="Europe/Brussels", reason="wrong | day")
        count = len(catalog.detections())
        fake_run(opened, CLASSES, [CLASSES[i % len(CLASSES)] for i in range(count)])
        yield opened


def test_frictionless_and_the_profile_find_nothing(project, official, tmp_path):
    written = project.export(tmp_path / "out", format="camtrapdp", events=True,
                             time_zone="+01:00")
    assert written.counts["media"] == 12 and written.counts["observations"] > 8 + 15
    package = tmp_path / "out"
    assert table_errors(package, official) == []
    assert profile_errors(package, official) == []


def test_what_is_given_out_is_taken_in_again(project, tmp_path):
    project.export(tmp_path / "out", format="camtrapdp", time_zone="+01:00")
    with Project.init(tmp_path / "q") as other:
        other.add_images(tmp_path / "study")
        other.add_images(tmp_path / "more")
        report = other.add_study(tmp_path / "out", kind="camtrapdp")
        assert report.pictures == 12 and report.problems[0].startswith("15 observations by machine")
        assert len(other.catalog.labels()) == 5 + 3
        here, there = (p.catalog.media() for p in (project, other))
        for name in ("timestamp", "deployment_id"):  # of corrected clocks too
            was, now = (dict(zip(m.content_hash, getattr(m, name), strict=True))
                        for m in (here, there))
            assert was == now


def test_a_zip_is_written_as_well(project, tmp_path):
    project.export(tmp_path / "out.zip", format="camtrapdp", time_zone="+01:00")
    with Project.init(tmp_path / "q") as other:
        report = other.add_study(tmp_path / "out.zip", kind="camtrapdp")
        # Pictures of no study lie beside the zip, by their paths in it.
        assert (report.media, report.deployments, report.pictures) == (12, 4, 6)
