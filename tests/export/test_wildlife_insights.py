from __future__ import annotations

import csv

import pytest
from hypothesis import given, settings

from ecotone.errors import InputError
from ecotone.export.wildlife_insights import write_wildlife_insights
from ecotone.export.wildlife_insights_tables import UPLOAD, Taxa
from ecotone.ingest.wildlife_insights import read_wildlife_insights
from ecotone.study import Study
from tests.export.studies import deployment, medium, observation, small_study, studies

FOX = "ac0e8ba7-7261-4d17-8645-11ed3d02165a"


def table(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def checked(folder):
    """The tables, held against what Wildlife Insights checks in an upload."""
    tables = {name: table(folder, name) for name in ("projects", "cameras", "deployments",
                                                     "images")}
    for name, header in UPLOAD.items():
        assert (folder / name).read_text(encoding="utf-8").split("\n", 1)[0] == ",".join(header)
    places = [d["deployment_id"] for d in tables["deployments"]]
    assert len(places) == len(set(places))
    assert {i["deployment_id"] for i in tables["images"]} == set(places)
    cameras = [c["camera_id"] for c in tables["cameras"]]
    assert len(cameras) == len(set(cameras))
    assert {d["camera_id"] for d in tables["deployments"]} == set(cameras)
    for row in tables["deployments"]:
        assert not row["start_date"] or row["end_date"] > row["start_date"]
    assert len({row["project_id"] for rows in tables.values() for row in rows}) == 1
    return tables


def test_the_four_tables(tmp_path):
    study = small_study(metadata={
        "title": "Foxes", "project": {"id": "p1", "samplingDesign": "targeted"},
        "contributors": [{"title": "Kim", "email": "kim@x.org", "role": "contact"}],
        "licenses": [{"name": "CC-BY-4.0", "scope": "data"}],
        "taxonomic": [{"scientificName": "Vulpes vulpes", "taxonID": FOX, "class": "Mammalia",
                       "family": "Canidae"}]})
    written = write_wildlife_insights(study, tmp_path, project={"country_code": "BEL"},
                                      url="gs://bucket/foxes/")
    tables = checked(tmp_path)
    (project,) = tables["projects"]
    assert (project["project_name"], project["project_id"], project["country_code"]) == (
        "Foxes", "p1", "BEL")
    assert (project["project_sensor_layout"], project["metadata_license"]) == ("Targeted", "CC-BY")
    first = tables["images"][0]
    assert first["location"] == "gs://bucket/foxes/d1/m1.jpg" and first["image_id"] == "m1"
    assert (first["class"], first["genus"], first["species"], first["wi_taxon_id"]) == (
        "Mammalia", "Vulpes", "vulpes", FOX)
    assert (first["common_name"], first["number_of_objects"], first["sex"], first["age"]) == (
        "red fox", "2", "Female", "Adult")
    assert first["timestamp"] == "2024-05-01 06:30:00" and first["identified_by"] == "Kim"
    assert tables["images"][1]["common_name"] == "Blank"
    assert tables["images"][2]["identified_by"] == "Not recorded"
    assert tables["images"][3]["common_name"] == "hiker"
    assert tables["cameras"][0]["make"] == "Reconyx" and tables["cameras"][0]["model"] == "HF2X"
    assert written.counts == {"projects": 1, "cameras": 2, "deployments": 2, "images": 4}
    told = "\n".join(written.warnings)
    assert "1 observations of models are left out" in told and "boxes cannot be held" in told
    assert "projects.csv: project_objectives is empty in 1 of 1 rows" in told
    assert "project_name is empty" not in told


def test_what_models_said_is_written_only_when_asked_for_and_marked(tmp_path):
    write_wildlife_insights(small_study(), tmp_path)
    assert "Computer" not in (tmp_path / "images.csv").read_text()
    write_wildlife_insights(small_study(), tmp_path, machine=True)
    machine = [r for r in table(tmp_path, "images") if r["species"] == "lagopus"]
    assert [r["identified_by"] for r in machine] == ["Computer vision (SpeciesNet 4.0.1a)"]
    again = read_wildlife_insights(tmp_path)
    methods = [(o["scientificName"], o["classificationMethod"]) for o in again.observations]
    assert methods.count(("Vulpes lagopus", "machine")) == 1
    assert {m for n, m in methods if n != "Vulpes lagopus"} == {"human"}


def test_observations_of_events_stand_on_pictures_without_their_own(tmp_path):
    media = [medium(f"m{n}", "d1", f"2024-05-01T06:00:0{n}", eventID="e") for n in range(2)]
    rows = [observation("o1", media[0], scientificName="Vulpes vulpes"),
            observation("o2", None, deploymentID="d1", eventID="e", scientificName="Meles meles")]
    written = write_wildlife_insights(Study([deployment("d1")], media, rows), tmp_path)
    assert [r["genus"] for r in table(tmp_path, "images")] == ["Vulpes", "Meles"]
    assert any("observations of events are written on each" in w for w in written.warnings)


def test_deployments_have_pictures_a_camera_and_an_end(tmp_path):
    places = [deployment("a", deploymentEnd="2024-04-01T00:00:00Z", cameraID=""),
              deployment("b", deploymentStart="", deploymentEnd=""), deployment("lonely")]
    media = [medium("1", "a", "2024-05-02T10:00:00"), medium("2", "b", "2024-05-02T10:00:00"),
             medium("3", "b", "2024-05-04T10:00:00"), medium("4", "", ""),
             medium("5", "new", "2024-05-04T10:00:00")]
    written = write_wildlife_insights(Study(places, media, ()), tmp_path)
    rows = {d["deployment_id"]: d for d in checked(tmp_path)["deployments"]}
    assert set(rows) == {"a", "b", "unknown", "new"}
    assert (rows["a"]["start_date"], rows["a"]["end_date"]) == (
        "2024-05-01 00:00:00", "2024-05-02 10:00:00")
    assert (rows["b"]["start_date"], rows["b"]["end_date"]) == (
        "2024-05-02 10:00:00", "2024-05-04 10:00:00")
    told = "\n".join(written.warnings)
    for what in ("without pictures are left out (lonely)", "do not end after they start",
                 "have no cameraID", "lack a start or end", "from before their start or after",
                 "deployments.csv: longitude is empty in 2 of 4 rows", "no web addresses",
                 "images.csv: timestamp is empty in 1 of 5 rows, which Wildlife Insights needs (4"):
        assert what in told
    assert {r["common_name"] for r in table(tmp_path, "images")} == {"No CV Result"}


def test_names_of_columns_are_checked(tmp_path):
    with pytest.raises(InputError, match="no column 'country'; did you mean country_code"):
        write_wildlife_insights(small_study(), tmp_path / "new", project={"country": "BEL"})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("kind", "name", "rank"), [
    ("animal", "Aves", "class"), ("animal", "Canidae", "family"), ("animal", "Vulpes", "genus"),
    ("animal", "Passeriformes", "order"),
])
def test_a_single_name_goes_to_its_rank(kind, name, rank):
    assert Taxa({}).cells(kind, name, "")[rank] == name


def test_ids_of_other_checklists_are_no_ids():
    taxa = Taxa({"taxonomic": [{"scientificName": "Vulpes vulpes", "taxonID": "https://x.org/7"}]})
    assert taxa.cells("animal", "Vulpes vulpes", "")["wi_taxon_id"] == ""


def test_things_that_are_no_taxon_have_an_id():
    taxa = Taxa({})
    assert taxa.cells("blank", "", "")["wi_taxon_id"].startswith("f1856211")
    assert taxa.cells("human", "", "")["species"] == "sapiens"
    assert taxa.cells("", "", "")["common_name"] == "No CV Result"
    assert taxa.cells("unknown", "", "")["common_name"] == "Unknown"


@settings(deadline=None, max_examples=30)
@given(studies())
def test_read_write_read_gives_the_same_rows(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("w")
    write_wildlife_insights(study, folder / "1", machine=True)
    checked(folder / "1")
    first = read_wildlife_insights(folder / "1")
    write_wildlife_insights(first, folder / "2", machine=True)
    second = read_wildlife_insights(folder / "2")
    assert list(second.media) == list(first.media)
    assert list(second.observations) == list(first.observations)
    assert list(second.deployments) == list(first.deployments)
    people = {o["mediaID"] for o in study.observations
              if o["classificationMethod"] != "machine" and o["mediaID"]}
    assert {o["mediaID"] for o in first.observations
            if o["classificationMethod"] == "human"} >= people


def test_the_real_download_can_be_uploaded_and_is_the_same(tmp_path, shared_data):
    real = read_wildlife_insights(shared_data / "formats/wildlife_insights")
    written = write_wildlife_insights(real, tmp_path)
    tables = checked(tmp_path)
    assert written.counts["images"] == 593 and tables["projects"][0]["country_code"] == "ESP"
    again = read_wildlife_insights(tmp_path)
    kept = ("observationID", "mediaID", "deploymentID", "eventStart", "observationType", "count",
            "scientificName", "vernacularName", "classificationMethod", "classifiedBy")
    one, two = ([{c: r[c] for c in kept} for r in s.observations] for s in (real, again))
    assert one == two and again.deployments == real.deployments
    assert again.metadata["wildlifeInsights"]["taxa"] == real.metadata["wildlifeInsights"]["taxa"]
    assert [w for w in written.warnings if "is empty" in w] == [
        "deployments.csv: placename is empty in 1 of 1 rows, which Wildlife Insights needs "
        "(Río Trubia 04/04/2024)"]
