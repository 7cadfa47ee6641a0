from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.export.geojson import write_geojson
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.study import Study
from tests.export.studies import deployment, small_study


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_feature_a_deployment(tmp_path):
    path = tmp_path / "map.geojson"
    written = write_geojson(small_study(), path)
    data = load(path)
    assert data["type"] == "FeatureCollection" and written.counts == {"deployments": 2}
    first, second = data["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [-4.75, 51.5]}  # longitude first
    said = first["properties"]
    assert (said["deploymentID"], said["locationName"], said["deploymentStart"]) == (
        "d1", "ridge d1", "2024-05-01T00:00:00Z")
    assert (said["media"], said["observations"]) == (3, 4)
    assert said["observationsPerSpecies"] == {"Meles meles": 1, "Vulpes vulpes": 2, "blank": 1}
    assert second["properties"]["observationsPerSpecies"] == {"hiker": 1}
    assert "1 observations of models are not counted" in written.warnings[0]
    write_geojson(small_study(), path, machine=True)
    assert load(path)["features"][0]["properties"]["observationsPerSpecies"]["Vulpes lagopus"] == 1


@pytest.mark.parametrize(("latitude", "longitude"), [
    ("", ""), ("51.5", ""), ("95", "4"), ("51", "-181"), ("here", "there"), ("nan", "inf"),
])
def test_deployments_without_a_place_have_no_geometry(tmp_path, latitude, longitude):
    study = Study([deployment("d", latitude=latitude, longitude=longitude), deployment("e")])
    written = write_geojson(study, tmp_path / "map.geojson")
    nowhere, here = load(tmp_path / "map.geojson")["features"]
    assert nowhere["geometry"] is None and here["geometry"] is not None
    assert written.warnings == [
        "1 of 2 deployments have no latitude and longitude and are on no map: d"]


def test_an_empty_study_is_an_empty_map(tmp_path):
    write_geojson(Study(), tmp_path / "map.geojson")
    assert load(tmp_path / "map.geojson") == {"type": "FeatureCollection", "features": []}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.text(max_size=5)),
                max_size=4))
def test_any_places_and_names_make_valid_json(tmp_path_factory, places):
    path = tmp_path_factory.mktemp("g") / "map.geojson"
    rows = [deployment(f"d{n}", latitude=repr(y), longitude=repr(x), locationName=name)
            for n, (y, x, name) in enumerate(places)]
    write_geojson(Study(rows), path)
    found = load(path)["features"]
    assert [f["geometry"]["coordinates"] for f in found] == [[x, y] for y, x, _ in places]
    assert [f["properties"].get("locationName", "") for f in found] == [n for _, _, n in places]


def test_the_real_example(tmp_path, shared_data):
    study = read_camtrapdp(shared_data / "formats/camtrapdp_example")
    write_geojson(study, tmp_path / "map.geojson")
    features = load(tmp_path / "map.geojson")["features"]
    assert len(features) == 4 and sum(f["properties"]["media"] for f in features) == 423
    assert features[0]["geometry"]["coordinates"] == [4.774, 51.496]
