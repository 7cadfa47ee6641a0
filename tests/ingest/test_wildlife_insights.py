from __future__ import annotations

import shutil
import zipfile
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.recognise import recognise
from ecotone.ingest.wildlife_insights import read_wildlife_insights
from ecotone.ingest.wildlife_insights_rows import kind_of, scientific_name
from tests.ingest.hostile import reads_or_says

RANKS = "class,order,family,genus,species,common_name"
FOX = "Mammalia,Carnivora,Canidae,Vulpes,vulpes,Red Fox"
FILES = {
    "projects.csv": "project_id,project_name,project_short_name,project_admin,"
                    "project_admin_email,project_sensor_method,project_sensor_layout,image_license"
                    "\n1,Foxes,FX,Kim,kim@x.org,Sensor detection,Randomized,CC0\n",
    "cameras.csv": "project_id,camera_id,make,model\n1,c1,Bushnell,Trophy Cam HD\n",
    "deployments.csv":
        "project_id,deployment_id,placename,longitude,latitude,start_date,end_date,camera_id,"
        "bait_type,feature_type,quiet_period,recorded_by,subproject_name,sensor_height\n"
        "1,D1,ridge,-4.75,51.5,2024-05-01 00:00:00,2024-05-03,c1,None,Trail game,3,Kim,north,"
        "Knee height\n",
    "images_1_a.csv":
        f"project_id,deployment_id,image_id,sequence_id,filename,location,is_blank,identified_by,"
        f"wi_taxon_id,{RANKS},timestamp,age,sex,number_of_objects,individual_id,highlighted,"
        f"uncertainty,cv_confidence\n"
        f"1,D1,i1,,A.JPG,gs://b/x/i1.JPG,0,Kim,t1,{FOX},2024-05-01 06:30:00,Adult,Female,2,rex,"
        f"true,Pretty sure,\n"
        f"1,D1,i1,,A.JPG,gs://b/x/i1.JPG,0,Computer vision,t1,{FOX},2024-05-01 06:30:00,,Unknown,"
        f"1,,false,,92\n",
    "images_1_b.csv":
        f"project_id,deployment_id,image_id,filename,location,is_blank,identified_by,wi_taxon_id,"
        f"{RANKS},timestamp,number_of_objects\n"
        f"1,D1,,B.JPG,,1,Kim,f1,,,,,,Blank,2024-05-01 07:00:00,1\n"
        f"1,D9,i3,C.JPG,gs://b/x/i3.JPG,,,,,,,,,,2024-05-01 08:00:00,\n",
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def packed(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_a_download_of_images(tmp_path):
    study = read_wildlife_insights(write(tmp_path, FILES))
    place, orphan = study.deployments
    assert place["deploymentStart"] == "2024-05-01T00:00:00"
    assert place["deploymentEnd"] == "2024-05-03T23:59:59"
    assert (place["locationName"], place["longitude"], place["cameraModel"]) == (
        "ridge", "-4.75", "Bushnell-Trophy Cam HD")
    assert (place["baitUse"], place["featureType"], place["cameraDelay"]) == (
        "false", "trailGame", "3")
    assert place["deploymentTags"] == "sensor_height:Knee height"
    assert orphan["deploymentID"] == "D9" and "not in deployments.csv" in study.problems[0]
    first, second, third = study.media
    assert (first["mediaID"], first["filePath"], first["fileName"]) == (
        "i1", "gs://b/x/i1.JPG", "A.JPG")
    assert first["captureMethod"] == "activityDetection" and first["favorite"] == "true"
    assert second["mediaID"] == "D1/B.JPG" and second["filePath"] == "B.JPG"
    fox, machine, blank = study.observations
    assert (fox["scientificName"], fox["vernacularName"], fox["count"]) == (
        "Vulpes vulpes", "Red Fox", "2")
    assert (fox["lifeStage"], fox["sex"], fox["individualID"]) == ("adult", "female", "rex")
    assert fox["observationTags"] == "uncertainty:Pretty sure" and fox["classifiedBy"] == "Kim"
    assert (fox["classificationMethod"], machine["classificationMethod"]) == ("human", "machine")
    assert machine["classificationProbability"] == "0.92" and machine["mediaID"] == "i1"
    assert (blank["observationType"], blank["count"]) == ("blank", "")
    assert third["mediaID"] == "i3"  # which nobody has looked at
    assert study.metadata["project"]["samplingDesign"] == "simpleRandom"
    assert study.metadata["contributors"][0]["email"] == "kim@x.org"
    assert {t["scientificName"] for t in study.metadata["taxonomic"]} == {"Vulpes vulpes"}
    assert list(study.media) == list(study.media)


def test_a_download_of_sequences(tmp_path):
    (tmp_path / "wi").mkdir()
    write(tmp_path / "wi", {
        "deployments.csv": FILES["deployments.csv"],
        "images.csv": f"project_id,deployment_id,image_id,filename,sequence_id,location,{RANKS},"
                      f"timestamp,bounding_boxes\n"
                      f"1,D1,i1,1.jpg,s1,gs://1,{FOX},2024-05-01 10:00:00,\n"
                      f"1,D1,i2,2.jpg,s1,gs://2,,,,,,,2024-05-01 10:00:05,\n",
        "sequences.csv": f"project_id,deployment_id,sequence_id,is_blank,identified_by,{RANKS},"
                         f"start_time,end_time,group_size\n"
                         f"1,D1,s1,0,Ana,{FOX},2024-05-01 10:00:00,2024-05-01 10:00:05,3\n"
                         f"1,D1,s1,0,Ana,Aves,,,,,Bird,2024-05-01 10:00:00,2024-05-01 10:00:05,\n",
    })
    study = read_wildlife_insights(tmp_path)
    fox, bird = study.observations
    assert (fox["observationLevel"], fox["mediaID"], fox["eventID"]) == ("event", "", "s1")
    assert (fox["eventStart"], fox["eventEnd"], fox["count"]) == (
        "2024-05-01T10:00:00", "2024-05-01T10:00:05", "3")
    assert bird["scientificName"] == "Aves"
    assert [m["eventID"] for m in study.media] == ["s1", "s1"]
    assert "its sequence has too" in study.repairs[0]
    assert {t["scientificName"] for t in study.metadata["taxonomic"]} == {"Vulpes vulpes", "Aves"}


@pytest.mark.parametrize("top", ["", "download/"])
def test_a_zip_is_read_as_the_folder(tmp_path, top):
    folder = tmp_path / "wi"
    folder.mkdir()
    one = read_wildlife_insights(write(folder, FILES))
    two = read_wildlife_insights(packed(tmp_path / "wi.zip", {
        **{top + name: text for name, text in FILES.items()}, "../images.csv": "a,b\n",
        "/etc/images.csv": "x", "__MACOSX/images.csv": "\0", "C:\\images.csv": "x"}))
    assert list(one.media) == list(two.media) and list(one.observations) == list(two.observations)
    assert one.deployments == two.deployments
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wi", "wi.zip"]


def test_names_of_deployments_are_those_of_a_project(tmp_path):
    two = "project_id,deployment_id,longitude,latitude\n1,D1,1,1\n2,D1,2,2\n1,D2,3,3\n"
    images = "project_id,deployment_id,image_id\n1,D1,a\n2,D1,b\n1,D2,c\n"
    study = read_wildlife_insights(write(tmp_path, {"deployments.csv": two, "images.csv": images}))
    assert [d["deploymentID"] for d in study.deployments] == ["1 D1", "2 D1", "D2"]
    assert [m["deploymentID"] for m in study.media] == ["1 D1", "2 D1", "D2"]


@pytest.mark.parametrize(("cells", "kind"), [
    ({"common_name": "Blank", "identified_by": "Kim"}, "blank"),
    ({"is_blank": "true", "identified_by": "Kim"}, "blank"),
    ({"is_blank": "1", "genus": "Vulpes", "identified_by": "Kim"}, "animal"),
    ({"common_name": "Human-Camera Trapper", "identified_by": "Kim"}, "human"),
    ({"genus": "Homo", "species": "sapiens"}, "human"),
    ({"common_name": "Vehicle", "identified_by": "Kim"}, "vehicle"),
    ({"common_name": "No CV Result", "genus": "No CV Result"}, ""), ({}, ""),
    ({"common_name": "No CV Result", "identified_by": "Computer vision"}, "unknown"),
    ({"identified_by": "Kim"}, "unknown"), ({"identified_by": "Computer vision"}, ""),
])
def test_kinds_of_observations(cells, kind):
    empty = dict.fromkeys((*RANKS.split(","), "identified_by", "is_blank"), "")
    assert kind_of({**empty, **cells}) == kind


@pytest.mark.parametrize(("genus", "species", "name"), [
    ("Vulpes", "vulpes", "Vulpes vulpes"), ("Vulpes", "Vulpes vulpes", "Vulpes vulpes"),
    ("Canis", "lupus familiaris", "Canis lupus familiaris"), ("Canis", "", "Canis"),
    ("", "", "Canidae"), ("", "lupus", "lupus"),
])
def test_scientific_names(genus, species, name):
    assert scientific_name({"family": "Canidae", "genus": genus, "species": species}) == name


@pytest.mark.parametrize(("files", "what"), [
    ({"read me.txt": "x"}, "is no Wildlife Insights download: it holds read me.txt"),
    ({"images.csv": "a,b\n1,2\n"}, r"images\.csv, row 1: no column deployment_id \(found: a, b\)"),
    ({"images.csv": "deployment_id,image_id\n"}, "none of its rows of images can be used"),
    ({"images.csv": "deployment_id,image_id\nD1,\0\n"}, "bytes of value 0"),
])
def test_other_folders_are_refused(tmp_path, files, what):
    with pytest.raises(FormatError, match=what):
        read_wildlife_insights(write(tmp_path, files))


def test_broken_and_swelling_zips_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(FormatError, match="no zip that can be read"):
        read_wildlife_insights(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open(
            "images.csv", "w") as bomb:
        bomb.write(b"deployment_id,image_id\n")
        for _ in range(70):
            bomb.write(b"1,2\n" * (1 << 18))
    with pytest.raises(FormatError, match="unpacks to"):
        read_wildlife_insights(tmp_path / "b.zip")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(
            tmp_path / "c.zip", "w") as archive:
        archive.writestr("images.csv", FILES["images_1_a.csv"])
        archive.writestr("images.csv", FILES["images_1_a.csv"])
    with pytest.raises(FormatError, match=r"holds images\.csv twice"):
        read_wildlife_insights(tmp_path / "c.zip")
    with pytest.raises(FormatError, match="no such file"):
        read_wildlife_insights(tmp_path / "d.zip")


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_hostile_tables_are_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("w")
    name = data.draw(st.sampled_from(sorted(FILES)))
    raw = bytearray(FILES[name].encode(data.draw(st.sampled_from(
        ["utf-8", "utf-16", "utf-8-sig", "cp1252"]))))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.one_of(
            st.binary(max_size=4), st.sampled_from([b'"', b"\r\n", b",,,,", b"1e999", b"../../x",
                                                    b"\xff\xfe", b"NaN", b"\n\n"])))
    write(folder, FILES)
    (folder / name).write_bytes(bytes(raw))
    study = reads_or_says(read_wildlife_insights, folder / name) if name == "images_1_a.csv" else (
        _read(folder))
    if study is None:
        return
    media = list(study.media)
    ids = {m["mediaID"] for m in media}
    assert len(ids) == len(media)
    for row in media:
        assert ".." not in row["filePath"].split("/")
    for row in study.observations:
        assert row["mediaID"] in ids and row["classificationMethod"] in ("human", "machine")
        assert not row["classificationProbability"] or 0 <= float(
            row["classificationProbability"]) <= 1


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_spoiled_zips_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = packed(tmp_path_factory.mktemp("z") / "wi.zip", FILES)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(len(raw) // 2, len(raw))) if data.draw(st.booleans()) else len(raw)
    path.write_bytes(bytes(raw[:end]))
    study = reads_or_says(read_wildlife_insights, path)
    assert study is None or list(study.media)
    reads_or_says(recognise, path)


def _read(folder):
    try:
        return read_wildlife_insights(folder)
    except FormatError as error:
        assert "\n" not in str(error) and str(folder) in str(error)
        return None


def test_the_real_download(shared_data, tmp_path):
    source = shared_data / "formats/wildlife_insights"
    study = read_wildlife_insights(source)
    rows = list(study.observations)
    assert len(rows) == len(list(study.media)) == 593 and not study.problems
    assert Counter(r["observationType"] for r in rows) == {"blank": 307, "animal": 263, "human": 23}
    assert {r["classificationMethod"] for r in rows} == {"human"}
    assert "Vulpes vulpes" in {r["scientificName"] for r in rows}
    (place,) = study.deployments
    assert (place["latitude"], place["featureType"]) == ("43.321849", "waterSource")
    shutil.make_archive(str(tmp_path / "wi"), "zip", source)
    assert list(read_wildlife_insights(tmp_path / "wi.zip").observations) == rows
    assert list(read_wildlife_insights(source / "images.csv").observations) == rows
