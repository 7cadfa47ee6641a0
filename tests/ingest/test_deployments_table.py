from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.deployments_table import (
    DeploymentRow,
    degrees,
    middle,
    read_deployments,
)


def write(tmp_path, text, name="d.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [
    "deploymentID,locationName,latitude,longitude,deploymentStart,deploymentEnd\n"
    "c1,Old oak,50.5,-4.25,2024-05-01T06:30:00+02:00,2024-06-01\n",
    "Station;Place;Lat;Lon;start_date;end date\n"
    "c1;Old oak;50,5;4,25 W;2024-05-01T06:30:00+02:00;2024/6/1\n",
    "lon\tlat\tcamera\tplacename\tsetup\tretrieval\n"
    "-4.25\t50°30'0\" N\tc1\tOld oak\t2024-05-01T06:30:00+02:00\t2024-06-01 23:59:59\n",
])
def test_one_deployment_in_the_words_that_people_use(tmp_path, text):
    found = read_deployments(write(tmp_path, text))
    assert found.problems == []
    assert found.rows == [DeploymentRow(
        2, "c1", "Old oak", 50.5, -4.25, "2024-05-01T06:30:00+02:00", "2024-06-01T23:59:59")]


@pytest.mark.parametrize(("cells", "message"), [
    ("c1,north,4", "no degrees, left out: row 2 (north, 4)"),
    ("c1,150,30", "exchanged"), ("c1,,4", "no degrees"), ("c1,500000,4100000", "map grid"),
    (",1,2", "name no deployment"), ("c1,0,0", "lie in the sea"),
])
def test_what_cannot_be_a_place_is_left_out_and_told(tmp_path, cells, message):
    found = read_deployments(write(tmp_path, f"id,lat,lon\n{cells}\nc2,1,2\n"))
    assert len(found.problems) == 1 and message in found.problems[0]
    assert (found.rows[-1].latitude, found.rows[-1].longitude) == (1.0, 2.0)
    if len(found.rows) == 2:
        assert found.rows[0].latitude == (0.0 if cells == "c1,0,0" else None)


def test_times_and_zones_that_cannot_be_read_are_told(tmp_path):
    found = read_deployments(write(tmp_path, "id,start,tz\nc1,soon,Mars\nc2,,UTC\n"))
    assert [r.time_zone for r in found.rows] == ["", "UTC"]
    assert "times that cannot be read" in found.problems[0] and "row 2 (Mars)" in found.problems[1]


def test_rows_of_one_deployment_are_joined(tmp_path):
    found = read_deployments(write(tmp_path, (
        "id,lat,lon,start,end\nc1,,,2024-05-02,2024-05-03\nc1,1,2,2024-05-01,2024-05-02\n"
        "c1,9,9,,\n")))
    (row,) = found.rows
    assert (row.latitude, row.start, row.end) == (
        1.0, "2024-05-01T00:00:00", "2024-05-03T23:59:59")
    assert "another place than in row 2" in found.problems[0]


@pytest.mark.parametrize(("text", "message"), [
    ("a,lat,lon\n1,2,3\n", "no column names the deployment"),
    ("station,species\ns1,fox\n", "no columns of places or times"),
    ("id,lat,lon\n", "no row names a deployment"), ("", "is empty"),
])
def test_what_is_no_table_of_deployments_is_refused(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_deployments(write(tmp_path, text))


@given(st.floats(-90, 90).map(lambda v: round(v, 6)))
@settings(max_examples=60, deadline=None)
def test_degrees_are_read_in_every_way_of_writing_them(value):
    size, side = abs(value), "S" if value < 0 else "N"
    whole, rest = divmod(round(size * 3600, 2), 3600)
    minutes, seconds = divmod(round(rest, 2), 60)
    written = f"{whole:.0f}°{minutes:.0f}'{seconds:.2f}\"{side}"
    assert degrees(f"{value:.6f}", "NS") == value
    assert degrees(f"{value:.6f}".replace(".", ","), "NS") == value
    assert degrees(f"{size:.6f} {side}", "NS") == value
    if round(seconds, 2) < 60:
        assert degrees(written, "NS") == pytest.approx(value, abs=1e-5)


def test_the_place_of_most_pictures():
    assert middle([(1.0, 2.0), (3.0, 4.0), (3.0, 4.0)]) == (3.0, 4.0)
