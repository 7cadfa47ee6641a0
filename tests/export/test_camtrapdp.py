from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.export.camtrapdp import write_camtrapdp
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.ingest.camtrapdp_times import fits_time
from ecotone.study import Study, blank_row
from tests.export.test_camtrapdp_valid import ODD_METADATA, TABLES, observation, small_study
from tests.ingest.test_camtrapdp import COLUMNS, descriptor, medium, write_package, zipped
from tests.ingest.test_camtrapdp import deployment as deployment_row
from tests.ingest.test_camtrapdp import observation as observation_row


def rows_of(study: Study) -> dict[str, list[dict[str, str]]]:
    return {table: list(getattr(study, table)) for table in TABLES}


def csv_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def changed(study: Study, table: str, number: int, **cells: str) -> Study:
    rows = list(getattr(study, table))
    rows[number] = rows[number] | cells
    return replace(study, **{table: rows})


@pytest.mark.parametrize("name", ["out", "out.zip", "out/datapackage.json"])
def test_folder_or_zip_and_nothing_else(tmp_path, name):
    written = write_camtrapdp(small_study(), tmp_path / name)
    files = {"datapackage.json", "deployments.csv", "media.csv", "observations.csv"}
    assert [p.name for p in tmp_path.iterdir()] == [written.path.name]
    if name.endswith(".zip"):
        with zipfile.ZipFile(written.path) as archive:
            assert set(archive.namelist()) == files
    else:
        assert {p.name for p in written.path.iterdir()} == files
    study = read_camtrapdp(written.path)
    assert (study.repairs, study.problems) == ((), ())
    assert len(study.observations) == 4


def test_the_same_study_makes_the_same_zip(tmp_path):
    study = small_study(created="2024-01-01T00:00:00Z")
    for name in ("a.zip", "b.zip"):
        write_camtrapdp(study, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_own_identifiers_machine_rows_and_labels(tmp_path):
    write_camtrapdp(small_study(), tmp_path / "out")
    header, *rows = csv_rows(tmp_path / "out" / "observations.csv")
    assert tuple(header) == COLUMNS["observations"]
    human, machine, event, blank = (dict(zip(header, row, strict=True)) for row in rows)
    assert (human["observationID"], human["individualID"]) == ("o1", "stag 7")
    assert (human["classificationMethod"], human["classifiedBy"]) == ("human", "Ada")
    assert machine["classifiedBy"] == "ecotone 0.2.0 run 20240601"
    assert machine["classificationProbability"] == "0.873"
    assert machine["observationTags"] == (
        "alternative:Capreolus capreolus=0.09 | label:red deer")
    assert (event["observationLevel"], event["count"]) == ("event", "2")
    assert (blank["observationType"], blank["scientificName"]) == ("blank", "")
    taxa = json.loads((tmp_path / "out" / "datapackage.json").read_text("utf-8"))["taxonomic"]
    assert taxa == [{"scientificName": "Cervus elaphus", "taxonRank": "species",
                     "vernacularNames": {"und": "red deer"}}]
    again = list(read_camtrapdp(tmp_path / "out").observations)
    assert [r.get("label", "") for r in again] == ["", "red deer", "", ""]


def test_a_label_that_is_the_scientific_name_is_no_tag(tmp_path):
    study = changed(small_study(), "observations", 0, label="cervus elaphus")
    write_camtrapdp(study, tmp_path / "out")
    assert csv_rows(tmp_path / "out" / "observations.csv")[1][26] == ""


@pytest.mark.parametrize("version", ["1.0", "1.0.1"])
def test_older_versions_are_written_as_the_newest(tmp_path, version):
    about = descriptor(version, contributors=[{"title": "Ada"}], created="2024-01-01T00:00:00Z")
    study = read_camtrapdp(write_package(tmp_path / "p", about=about))
    write_camtrapdp(study, tmp_path / "out")
    text = (tmp_path / "out" / "datapackage.json").read_text("utf-8")
    assert text.count("/camtrap-dp/1.0.2/") == 4 and text.count("/camtrap-dp/") == 4
    assert rows_of(read_camtrapdp(tmp_path / "out")) == rows_of(study)


def test_unknown_columns_go_to_a_file_of_their_own(tmp_path):
    about = descriptor()
    about["resources"] += [{"name": "individuals", "path": "more/individuals.csv"},
                           {"name": "codes", "data": [{"a": 1}]}]
    folder = write_package(
        tmp_path / "p", media=[medium(), medium("m2", _id="", rating="5")],
        observations=[observation_row(_id="7,a"), observation_row("o2", _id="")], about=about,
    )
    (folder / "more").mkdir()
    (folder / "more" / "individuals.csv").write_bytes(b"id,name\r\n1,Reinaert\r\n")
    study = read_camtrapdp(zipped(folder, tmp_path / "p.zip"))
    written = write_camtrapdp(study, tmp_path / "out")
    assert csv_rows(tmp_path / "out" / "observations.csv")[0] == list(COLUMNS["observations"])
    assert csv_rows(tmp_path / "out" / "observations-more.csv") == [
        ["observationID", "_id"], ["o1", "7,a"]]
    assert csv_rows(tmp_path / "out" / "media-more.csv") == [
        ["mediaID", "_id", "rating"], ["m2", "", "5"]]
    copied = tmp_path / "out" / "more" / "individuals.csv"
    assert copied.read_bytes() == (folder / "more" / "individuals.csv").read_bytes()
    assert not any("resource" in w for w in written.warnings)
    again = read_camtrapdp(tmp_path / "out")
    assert rows_of(again) == rows_of(study)
    assert (again.repairs, again.problems) == ((), ())
    names = [r["name"] for r in again.metadata["resources"]]
    assert names == [*TABLES, "individuals", "codes"]


def test_a_resource_whose_file_is_gone_is_told(tmp_path):
    about = descriptor()
    about["resources"] += [{"name": "lost", "path": "lost.csv"}, {"name": "x", "path": "../x"},
                           {"name": "web", "path": "https://example.org/web.csv"}]
    study = read_camtrapdp(write_package(tmp_path / "p", about=about))
    written = write_camtrapdp(study, tmp_path / "out")
    assert [w.split(":")[0] for w in written.warnings if "cannot be copied" in w] == [
        "resource lost", "resource x"]
    assert [r["name"] for r in read_camtrapdp(written.path).metadata["resources"]] == [
        *TABLES, "web"]


REFUSED = [
    ("deployments", {"latitude": ""}, "deployments: 1 cannot be written, latitude is empty ('dep1')"
     "; give them in a csv with deploymentID, latitude, longitude (ecotone add deployments)"),
    ("deployments", {"longitude": "200"},
     "longitude is not a number from -180 to 180 ('dep1: 200')"),
    ("deployments", {"deploymentID": ""}, "deploymentID is empty ('row 1')"),
    ("media", {"timestamp": ""}, "media: 1 cannot be written, timestamp is empty ('m1'); give the"),
    ("media", {"timestamp": "2024-05-01T06:30:00"}, "timestamp has no time zone; say which one"),
    ("media", {"deploymentID": "x"}, "its deployment is not among those written ('m1')"),
    ("media", {"fileMediatype": "", "fileName": "", "filePath": "a"},
     "fileMediatype is not one such as image/jpeg"),
    ("media", {"filePath": "cam/a..jpg"}, "filePath starts with a dot or has two in a row"),
    ("media", {"filePublic": "perhaps"}, "filePublic is not true or false ('m1: perhaps')"),
    ("media", {"mediaID": "m2"},
     "media: 1 mediaIDs stand twice, and each must be one row's own: m2"),
    ("observations", {"mediaID": "m9"}, "its medium is not among those written ('o1')"),
    ("observations", {"eventStart": ""}, "eventStart is empty ('o1')"),
    ("observations", {"observationID": "o3"}, "1 observationIDs stand twice"),
]


@pytest.mark.parametrize(("table", "cells", "said"), REFUSED)
def test_rows_that_the_standard_cannot_hold_are_refused(tmp_path, table, cells, said):
    with pytest.raises(InputError) as caught:
        write_camtrapdp(changed(small_study(), table, 0, **cells), tmp_path / "out")
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing half written


@pytest.mark.parametrize(("table", "cells", "counts"), [
    ("deployments", {"latitude": ""}, [1, 1, 1]), ("media", {"timestamp": ""}, [2, 2, 2]),
    ("observations", {"eventStart": ""}, [2, 3, 3]),
])
def test_they_may_be_left_out_with_what_belongs_to_them(tmp_path, table, cells, counts):
    study = changed(small_study(), table, 0, **cells)
    written = write_camtrapdp(study, tmp_path / "out", incomplete="skip")
    assert list(written.counts.values()) == counts
    assert any(w.startswith(f"{table}: 1 left out, ") for w in written.warnings)
    again = read_camtrapdp(written.path)
    assert (again.repairs, again.problems) == ((), ())


def test_many_faults_are_one_line_a_kind(tmp_path):
    study = small_study()
    rows = [row | {"mediaID": f"x{i}", "timestamp": f"2024-05-01T06:30:{i:02d}"}
            for i, row in enumerate([*study.media] * 10)]
    with pytest.raises(InputError, match=r"media: 30 cannot be written, timestamp has no time "
                       r"zone; .* \('x0: 2024-05-01T06:30:00', .* and 27 more\)"):
        write_camtrapdp(replace(study, media=rows), tmp_path / "out")
    written = write_camtrapdp(replace(study, media=rows, observations=()), tmp_path / "out",
                              time_zone="+02:00")
    assert written.counts["media"] == 30
    times = [row[3] for row in csv_rows(tmp_path / "out" / "media.csv")[1:]]
    assert times[0] == "2024-05-01T06:30:00+02:00"


def test_what_the_writer_makes_up_is_told(tmp_path):
    study = small_study()
    study = changed(study, "media", 0, filePublic="", filePath="/data/cam/IMG 1.jpg")
    study = changed(study, "observations", 0, eventEnd="", sex="Female")
    study = changed(study, "observations", 1, classifiedBy="")
    study = changed(study, "deployments", 0, deploymentStart="", deploymentEnd="")
    written = write_camtrapdp(study, tmp_path / "out")
    for said in ("filePublic is not known, written as false", "filePath leads outside the package",
                 "eventEnd is not known", "sex: spelled otherwise", "classifiedBy does not name",
                 "deployments: 1 without start or end, written with the times of their first and "
                 "last rows: dep1", "contributors: the study names nobody", "samplingDesign"):
        assert sum(said in w for w in written.warnings) == 1, said
    again = read_camtrapdp(written.path)
    assert again.deployments[0]["deploymentStart"] == "2024-05-01T06:30:00+02:00"
    assert again.deployments[0]["deploymentEnd"] == "2024-05-01T06:30:02+02:00"
    assert next(iter(again.media))["filePath"] == "data/cam/IMG 1.jpg"


def test_a_study_without_deployments_is_refused(tmp_path):
    with pytest.raises(InputError, match="no deployment that can be written"):
        write_camtrapdp(Study(), tmp_path / "out")
    with pytest.raises(InputError, match="expected refuse or skip"):
        write_camtrapdp(small_study(), tmp_path / "out", incomplete="guess")


def test_places_that_hold_something_else_are_kept(tmp_path):
    study = small_study()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "media.csv").write_text("mine")
    for name, said in (("a", "holds media.csv of something else"), ("a/media.csv", "is a file"),
                       ("b.csv", "is a folder or a .zip"), ("a/media.csv/b", "cannot be written")):
        with pytest.raises(InputError, match=said):
            write_camtrapdp(study, tmp_path / name)
    assert (tmp_path / "a" / "media.csv").read_text() == "mine"
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "media.csv"]


def test_an_earlier_package_is_replaced_but_never_the_source(tmp_path):
    write_camtrapdp(small_study(), tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    study = read_camtrapdp(tmp_path / "out")
    for path in (tmp_path / "out", tmp_path / "out" / "datapackage.json"):
        with pytest.raises(InputError, match="is where the study was read from"):
            write_camtrapdp(study, path)
    shorter = replace(small_study(), observations=())
    write_camtrapdp(shorter, tmp_path / "out")
    assert len(read_camtrapdp(tmp_path / "out").observations) == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_metadata_that_are_no_json_are_refused(tmp_path):
    for value in (float("nan"), {1, 2}):
        with pytest.raises(InputError, match="metadata of the study is no json"):
            write_camtrapdp(small_study(mine=value), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10).filter(
    lambda t: t not in ("NA", "NaN", "nan") and "label:" not in t
)
CELLS = {
    "deploymentComments": TEXT, "deploymentTags": TEXT, "locationName": TEXT, "mediaComments": TEXT,
    "exifData": TEXT, "behavior": TEXT, "observationComments": TEXT, "scientificName": TEXT,
    "sex": st.sampled_from(["", "female", "male"]), "count": st.integers(1, 10**6).map(str),
    "bboxX": st.floats(0, 1).map(repr), "bboxY": st.just("0"),
    "bboxWidth": st.floats(1e-15, 1).map(repr), "bboxHeight": st.just("1"),
    "classificationProbability": st.floats(0, 1).map(repr), "extra": TEXT, "_id": TEXT,
    "latitude": st.floats(-90, 90).map(repr), "longitude": st.floats(-180, 180).map(repr),
    "eventStart": st.datetimes().map(lambda t: t.isoformat(timespec="seconds") + "-03:30"),
}
ROUND = settings(max_examples=40, deadline=None,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def packages(draw) -> dict:
    """Rows of a valid package with any text in any column that takes it."""
    def cells(columns, *more):
        free = [c for c in (*columns, *more) if c in CELLS]
        return {c: draw(CELLS[c]) for c in free}

    names = draw(st.lists(TEXT.filter(str.strip), min_size=1, max_size=4, unique=True))
    places = [deployment_row(n) | cells(COLUMNS["deployments"]) for n in names]
    pictures = [medium(n, deploymentID=draw(st.sampled_from(names)), filePath="cam/a.jpg")
                | cells(COLUMNS["media"], "_id") for n in names]
    more = draw(st.sampled_from([(), ("extra",), ("extra", "_id")]))
    seen = [observation_row(f"o{i}", mediaID=n, deploymentID=draw(st.sampled_from(names)))
            | cells(COLUMNS["observations"], *more) for i, n in enumerate(names)]
    return {"deployments": places, "media": pictures, "observations": seen}


@ROUND
@given(packages())
def test_read_write_read_gives_the_same_rows(tmp_path, tables):
    write_package(tmp_path / "p", **tables)
    study = read_camtrapdp(tmp_path / "p")
    assert (study.repairs, study.problems) == ((), ())
    assert rows_of(study) == tables
    write_camtrapdp(study, tmp_path / "out.zip")
    again = read_camtrapdp(tmp_path / "out.zip")
    assert rows_of(again) == tables
    assert (again.repairs, again.problems) == ((), ())
    once = again.metadata
    write_camtrapdp(again, tmp_path / "again.zip")
    assert read_camtrapdp(tmp_path / "again.zip").metadata == once


LOOSE = st.dictionaries(st.sampled_from(COLUMNS["observations"]), TEXT | st.sampled_from(
    ["Animal", "event", "0", "-1", "1e3", "0,5", "50%", "2024-05-01 06:30", "m1", "dep1", "machine"]
), max_size=8)


@ROUND
@given(st.lists(LOOSE, min_size=1, max_size=4))
def test_whatever_is_written_is_read_without_a_repair(tmp_path, changes):
    rows = [observation_row(f"o{i}") | cells for i, cells in enumerate(changes)]
    study = Study([deployment_row()], [medium()], rows)
    try:
        write_camtrapdp(study, tmp_path / "out.zip", time_zone="UTC", incomplete="skip")
    except InputError as error:
        assert "stand twice" in str(error)
        return
    again = read_camtrapdp(tmp_path / "out.zip")
    assert (again.repairs, again.problems) == ((), ())
    assert all(fits_time(row["eventStart"]) for row in again.observations)


def test_the_rows_given_are_left_as_they_were(tmp_path):
    study = small_study(**ODD_METADATA)
    before = json.dumps([rows_of(study), ODD_METADATA])
    write_camtrapdp(study, tmp_path / "out")
    assert json.dumps([rows_of(study), ODD_METADATA]) == before
    assert blank_row(("a",)) == {"a": ""} and observation("x")["observationID"] == "x"
