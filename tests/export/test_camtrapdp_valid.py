"""What ecotone writes, before the standard's own judges: frictionless with the table schemas of
Camtrap DP 1.0.2, and its profile as json schema."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ecotone.export.camtrapdp import write_camtrapdp
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.study import (
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    OBSERVATION_COLUMNS,
    Row,
    Study,
    blank_row,
)

TABLES = ("deployments", "media", "observations")


@pytest.fixture(scope="session")
def official(shared_data: Path) -> Path:
    """The folder of the table schemas and the profile."""
    folder = shared_data / "formats" / "camtrapdp_schema"
    if not folder.is_dir():
        pytest.skip(f"no schemas of Camtrap DP: {folder} is missing")
    return folder


def table_errors(package: Path, schemas: Path) -> list[str]:
    """What frictionless finds wrong with the tables of a package in a folder, warnings too."""
    frictionless = pytest.importorskip("frictionless")
    descriptor = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    del descriptor["profile"]  # frictionless would fetch it; `profile_errors` judges by it
    for resource in descriptor["resources"]:
        if resource["name"] in TABLES:
            schema = schemas / f"{resource['name']}-table-schema.json"
            assert resource["schema"].endswith(f"/1.0.2/{schema.name}")
            resource["schema"] = json.loads(schema.read_text(encoding="utf-8"))
    with frictionless.system.use_context(trusted=True):
        report = frictionless.Package.from_descriptor(descriptor, basepath=str(package)).validate()
    return report.flatten(["type", "message"]) + report.warnings + [
        w for task in report.tasks for w in task.warnings
    ]


def profile_errors(package: Path, schemas: Path) -> list[str]:
    """What the profile finds wrong with a datapackage.json.

    Of the two schemas that it refers to, frictionless ships GeoJSON; that of data packages, which
    nothing here ships, counts as met, but for what `described_as_a_package` asks.
    """
    jsonschema = pytest.importorskip("jsonschema")
    import frictionless
    from referencing import Registry
    from referencing.jsonschema import DRAFT4

    assets = Path(frictionless.__file__).parent / "assets" / "profiles"
    geojson = json.loads((assets / "geojson.json").read_text(encoding="utf-8"))
    geojson.pop("$schema", None)
    geojson.pop("id", None)
    known = {
        "http://json.schemastore.org/geojson.json": geojson,
        "https://specs.frictionlessdata.io/schemas/data-package.json": {},
    }
    registry = Registry().with_resources(
        [(name, DRAFT4.create_resource(schema)) for name, schema in known.items()]
    )
    profile = json.loads((schemas / "camtrap-dp-profile.json").read_text(encoding="utf-8"))
    descriptor = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    described_as_a_package(descriptor)
    validator = jsonschema.Draft4Validator(
        profile, registry=registry, format_checker=jsonschema.FormatChecker()
    )
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(descriptor)]


def described_as_a_package(descriptor: dict) -> None:
    """What Data Package 1 asks of any descriptor."""
    names = [r["name"] for r in descriptor["resources"]]
    assert len(set(names)) == len(names)
    for resource in descriptor["resources"]:
        assert ("path" in resource) != ("data" in resource)
        assert set(resource["name"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._/")
    assert all(isinstance(c["title"], str) for c in descriptor["contributors"])


def assert_valid(package: Path, schemas: Path) -> None:
    assert table_errors(package, schemas) == []
    assert profile_errors(package, schemas) == []


def small_study(**metadata: object) -> Study:
    """Rows as ecotone makes them: a person's, a machine's beside it, an event, an individual."""
    places = [("dep1", "50.5", "4.25"), ("dep2", "-33.9", "151.2")]
    deployments = [
        blank_row(DEPLOYMENT_COLUMNS, deploymentID=name, latitude=north, longitude=east,
                  deploymentStart="2024-05-01T00:00:00+02:00",
                  deploymentEnd="2024-05-30T00:00:00+02:00")
        for name, north, east in places
    ]
    times = ["2024-05-01T06:30:00+02:00", "2024-05-01T06:30:02+02:00", "2024-05-02T07:00:00+10:00"]
    media = [
        blank_row(MEDIA_COLUMNS, mediaID=f"m{i}", deploymentID="dep1" if i < 3 else "dep2",
                  captureMethod="activityDetection", timestamp=time, filePath=f"cam/IMG {i}.jpg",
                  filePublic="false", fileName=f"IMG {i}.jpg", fileMediatype="image/jpeg")
        | {"width": "2048", "height": "1536"}
        for i, time in enumerate(times, start=1)
    ]
    seen = {"eventID": "e1", "deploymentID": "dep1", "observationType": "animal",
            "scientificName": "Cervus elaphus", "count": "1"}
    machine = {"classificationMethod": "machine", "classifiedBy": "ecotone 0.2.0 run 20240601",
               "classificationTimestamp": "2024-06-01T12:00:00Z"}
    observations = [
        observation("o1", **seen, mediaID="m1", eventStart=times[0], eventEnd=times[0],
                    classificationMethod="human", classifiedBy="Ada", sex="female",
                    individualID="stag 7", observationLevel="media"),
        observation("o1:1", **seen, **machine, mediaID="m1", eventStart=times[0],
                    eventEnd=times[0], observationLevel="media", bboxX="0.1", bboxY="0.2",
                    bboxWidth="0.3", bboxHeight="0.4", classificationProbability="0.873",
                    observationTags="alternative:Capreolus capreolus=0.09",
                    vernacularName="red deer", label="red deer", detectionConfidence="0.9"),
        observation("e1", **{**seen, "count": "2"}, **machine, eventStart=times[0],
                    eventEnd=times[1], observationLevel="event"),
        observation("o3", **machine, deploymentID="dep2", mediaID="m3", eventStart=times[2],
                    eventEnd=times[2], observationLevel="media", observationType="blank",
                    classificationProbability="0.99"),
    ]
    return Study(deployments, media, observations, metadata)


def observation(name: str, **cells: str) -> Row:
    return blank_row(OBSERVATION_COLUMNS, observationID=name, **cells)


def test_rows_as_ecotone_makes_them_are_valid(tmp_path, official):
    written = write_camtrapdp(small_study(), tmp_path / "out")
    assert_valid(tmp_path / "out", official)
    assert written.counts == {"deployments": 2, "media": 3, "observations": 4}
    assert [w.split(":")[0] for w in written.warnings] == ["contributors", "project"]


def test_the_official_example_goes_through_unchanged(tmp_path, official, shared_data):
    source = shared_data / "formats" / "camtrapdp_example"
    study = read_camtrapdp(source)
    written = write_camtrapdp(study, tmp_path / "out")
    assert (study.repairs, study.problems, written.warnings) == ((), (), [])
    for table in TABLES:
        name = f"{table}.csv"
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    old, new = (json.loads((f / "datapackage.json").read_text("utf-8"))
                for f in (source, tmp_path / "out"))
    assert list(old.items()) == list(new.items())
    assert_valid(tmp_path / "out", official)


def test_machine_rows_come_beside_a_package_as_it_was(tmp_path, official, shared_data):
    source = shared_data / "formats" / "camtrapdp_example"
    study = read_camtrapdp(source)
    machine = [
        row | {"observationID": f"{row['observationID']}:ecotone", "scientificName": "Lutra lutra",
               "observationType": "animal", "classificationMethod": "machine",
               "classifiedBy": "ecotone 0.2.0", "classificationProbability": "0.61"}
        for row in study.observations if row["observationLevel"] == "media"
    ]
    both = Study(study.deployments, study.media, [*study.observations, *machine], study.metadata,
                 study.source)
    write_camtrapdp(both, tmp_path / "out")
    assert_valid(tmp_path / "out", official)
    old = (source / "observations.csv").read_bytes()
    assert (tmp_path / "out" / "observations.csv").read_bytes().startswith(old)
    again = read_camtrapdp(tmp_path / "out")
    assert list(again.observations)[: len(study.observations)] == list(study.observations)
    assert (again.repairs, again.problems) == ((), ())
    taxa = again.metadata["taxonomic"]
    assert taxa[:-1] == study.metadata["taxonomic"]
    assert taxa[-1] == {"scientificName": "Lutra lutra", "taxonRank": "species"}
    rest = {k: v for k, v in again.metadata.items() if k != "taxonomic"}
    assert rest == {k: v for k, v in study.metadata.items() if k != "taxonomic"}


def test_an_invalid_package_is_valid_afterwards(tmp_path, official, shared_data):
    source = shared_data / "formats" / "camtrapdp_zamba_invalid"
    write_camtrapdp(read_camtrapdp(source), tmp_path / "out")
    assert_valid(tmp_path / "out", official)


def test_the_judges_find_faults(tmp_path, official):
    write_camtrapdp(small_study(), tmp_path / "out")
    rows = (tmp_path / "out" / "media.csv").read_text("utf-8")
    (tmp_path / "out" / "media.csv").write_text(rows.replace("image/jpeg", "jpeg"), "utf-8")
    assert table_errors(tmp_path / "out", official)
    path = tmp_path / "out" / "datapackage.json"
    path.write_text(path.read_text("utf-8").replace('"opportunistic"', '"any"'), "utf-8")
    assert profile_errors(tmp_path / "out", official)


ODD_METADATA = {
    "name": "My Study 2024", "title": 3, "created": "yesterday", "version": 1.0, "keywords": "deer",
    "homepage": None, "coordinatePrecision": "fine", "references": [1],
    "contributors": [{"title": "Ada", "role": "author", "email": 7}, {"name": "no title"}, "x"],
    "licenses": [{"name": "CC BY 4.0", "scope": "data"}, {"name": "CC0-1.0", "scope": "media"}],
    "project": {"title": "T", "samplingDesign": "simple random", "captureMethod": "timeLapse",
                "individualAnimals": "yes", "observationLevel": ["sequence"]},
    "spatial": {"type": "nowhere"}, "temporal": {"start": "2024"},
    "taxonomic": [{"scientificName": "Cervus elaphus", "taxonRank": "Species", "kingdom": 4,
                   "vernacularNames": {"english": "red deer", "deu": "Rothirsch"}}, {"x": 1}],
    "relatedIdentifiers": [{}], "sources": [{"name": "no title"}],
    "resources": [{"name": "Individuals", "data": [{"id": 1}]}, {"name": "lost", "path": "l.csv"}],
}


def test_metadata_of_any_kind_become_valid(tmp_path, official):
    written = write_camtrapdp(small_study(**ODD_METADATA), tmp_path / "out")
    assert_valid(tmp_path / "out", official)
    made = json.loads((tmp_path / "out" / "datapackage.json").read_text("utf-8"))
    assert made["name"] == "my-study-2024"
    assert made["contributors"] == [{"title": "Ada", "role": "contributor"}]
    assert made["licenses"][0] == {"name": "CC-BY-4.0", "scope": "data"}
    assert made["project"]["samplingDesign"] == "simpleRandom"
    assert made["project"]["captureMethod"] == ["timeLapse", "activityDetection"]
    assert made["taxonomic"] == [{"scientificName": "Cervus elaphus", "taxonRank": "species",
                                  "vernacularNames": {"deu": "Rothirsch"}}]
    assert made["temporal"] == {"start": "2024-05-01", "end": "2024-05-30"}
    assert made["spatial"]["coordinates"][0][0] == [4.25, -33.9]
    assert [r["name"] for r in made["resources"]] == ["individuals", *TABLES]
    for word in ("title", "version", "keywords", "coordinatePrecision", "references", "sources",
                 "relatedIdentifiers", "lost"):
        assert any(word in line for line in written.warnings), word


ODD = ["Animal", "event", "0", "-1", "1e3", "1e400", "0,5", "50%", "2024-05-01 06:30", "m1", "dep1",
       "machine", "0001-01-01T00:00:00Z", "2024-02-30T00:00:00Z", " ", "x|y", "NaN", "TRUE", "1.5",
       "0.5", "..", "/a", "~", "a\nb", "a\rb", "image/", "٣", "1_0", "+1", "Infinity"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_is_valid(tmp_path, official, seed):
    rng = random.Random(seed)

    def changed(rows: list[Row], times: int) -> list[Row]:
        own, place, *free = rows[0]
        more = [dict(zip(rng.sample(free, 5), rng.choices(ODD, k=5), strict=True))
                for _ in range(times)]
        return [*rows, *(rows[0] | cells | {own: f"x{i}"} for i, cells in enumerate(more))]

    study = small_study()
    study = Study(changed(study.deployments, 20), changed(study.media, 60),
                  changed(study.observations, 400))
    written = write_camtrapdp(study, tmp_path / "out", time_zone="UTC", incomplete="skip")
    assert_valid(tmp_path / "out", official)
    assert written.counts["media"] > 5 and written.counts["observations"] > 100
