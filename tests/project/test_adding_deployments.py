from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.errors import FormatError, ProjectError
from ecotone.project.adding_deployments import add_deployments, add_instances
from tests.project.adding_files import numbers, write


def places(project):
    table = project.catalog.deployments()
    return {i: (None if np.isnan(a) else a, None if np.isnan(o) else o)
            for i, a, o in zip(table.id, table.latitude, table.longitude, strict=True)}


def test_coordinates_come_into_the_catalogue(small_project, tmp_path):
    file = write(tmp_path, "station,lat,lon,tz\nCAM 0,1.5,2.5,+01:00\ncam1,-3,4,\nlake,5,6,\n")
    report = add_deployments(small_project, file)
    assert numbers(report) == (1, 2, 0)
    assert report.problems == ["in.csv: 1 deployments have no picture here, kept for later: lake"]
    found = places(small_project)
    assert found["cam0"] == (1.5, 2.5) and found["cam1"] == (-3.0, 4.0)
    assert found["lake"] == (5.0, 6.0) and found["cam2"] == (None, None)
    assert set(small_project.catalog.media().time_zone) == {"", "+01:00"}
    assert numbers(add_deployments(small_project, file)) == (0, 0, 3)


def test_two_rows_of_one_deployment_do_not_overwrite_each_other(small_project, tmp_path):
    report = add_deployments(small_project, write(tmp_path, "site,lat,lon\ncam0,1,2\nCAM-0,3,4\n"))
    assert places(small_project)["cam0"] == (1.0, 2.0)
    assert "row 3 (cam0)" in report.problems[0]


def test_a_wrong_table_changes_nothing(small_project, tmp_path):
    with pytest.raises(FormatError, match="no column names the deployment"):
        add_deployments(small_project, write(tmp_path, "lat,lon\n1,2\n"))
    assert set(places(small_project).values()) == {(None, None)}


def test_places_of_speciesnets_instances_go_to_their_deployments(small_project, tmp_path):
    def instance(file, latitude):
        return {"filepath": file, "latitude": latitude, "longitude": 2.0}

    file = write(tmp_path, json.dumps({"instances": [
        instance("cam0/00.jpg", 1.0), instance("cam0/06.jpg", 1.0), instance("cam0/12.jpg", 7.0),
        instance("cam1/01.jpg", 5.0), instance("cam9/x.jpg", 5.0)]}), "instances.json")
    report = add_instances(small_project, file)
    assert numbers(report) == (0, 2, 0)
    assert places(small_project)["cam0"] == (1.0, 2.0)
    assert places(small_project)["cam1"] == (5.0, 2.0)
    assert any("cam9/x.jpg" in p for p in report.problems)
    assert any("several places" in p and "cam0" in p for p in report.problems)


def test_the_country_that_all_instances_share_is_kept_for_refine(small_project, tmp_path):
    from ecotone.project.refining_settings import settings_of

    fence = write(tmp_path, {"mammalia;carnivora;felidae;panthera;leo": {
        "allow": {"KEN": [], "TZA": []}}}, "geofence_release.json")

    def kept(*countries, **options):
        rows = [{"filepath": f"cam0/{i:02d}.jpg", "country": c} for i, c in enumerate(countries)]
        add_instances(small_project, write(tmp_path, {"instances": rows}, "instances.json"))
        return settings_of(small_project, **options).country

    assert kept("KEN", "KEN", geofence=fence) == "KEN"
    assert kept("KEN", "KEN") == ""  # without a geofence a country changes nothing
    assert kept("KEN", "KEN", geofence=fence, country="TZA") == "TZA"


def test_instances_need_pictures(tmp_path):
    from ecotone.project import Project

    file = write(tmp_path, {"instances": [{"filepath": "a.jpg"}]}, "instances.json")
    with Project.init(tmp_path / "p") as project, pytest.raises(ProjectError, match="no pictures"):
        add_instances(project, file)
