from __future__ import annotations

import json
import os
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.recognise import HEAD, recognise
from ecotone.ingest.recognise_json import NotJson, outline
from tests.ingest import write_json
from tests.ingest.hostile import reads_or_says, spoiled

REAL = {  # file below formats: kind, generation, command
    "animl/Detections.csv": ("animl csv", "detections", "detections"),
    "animl/FileManifest.csv": ("animl csv", "manifest", ""),
    "animl/ImageFrames.csv": ("animl csv", "frames", ""),
    "animl/Predictions.csv": ("animl csv", "predictions", ""),
    "animl/Results.csv": ("animl csv", "results", "scores"),
    "camtrapdp_example/datapackage.json": ("camtrapdp", "1.0.2", "study"),
    "camtrapdp_example/deployments.csv": ("camtrapdp", "deployments", "study"),
    "camtrapdp_example/media.csv": ("camtrapdp", "media", "study"),
    "camtrapdp_example/observations.csv": ("camtrapdp", "observations", "study"),
    "camtrapdp_schema/camtrap-dp-profile.json": ("camtrapdp schema", "", ""),
    "camtrapdp_schema/deployments-table-schema.json": ("camtrapdp schema", "", ""),
    "camtrapdp_schema/media-table-schema.json": ("camtrapdp schema", "", ""),
    "camtrapdp_schema/observations-table-schema.json": ("camtrapdp schema", "", ""),
    "camtrapdp_zamba_invalid/datapackage.json": ("camtrapdp", "1.0.2", "study"),
    "camtrapdp_zamba_invalid/deployments.csv": ("camtrapdp", "deployments", "study"),
    "camtrapdp_zamba_invalid/media.csv": ("camtrapdp", "media", "study"),
    "camtrapdp_zamba_invalid/observations.csv": ("camtrapdp", "observations", "study"),
    "deepfaune/deepfaune-test.csv": ("deepfaune csv", "", "scores"),
    "speciesnet/always_crop_99710272_22x8_v12_epoch_00148.labels.txt": (
        "speciesnet taxonomy", "", "taxonomy"),
    "speciesnet/file.json": ("megadetector", "1.5", "scores"),
    "speciesnet/geofence_fixes.csv": ("speciesnet geofence", "fixes", "geofence"),
    "speciesnet/instances.json": ("speciesnet instances", "", "instances"),
    "speciesnet/instances_with_errors.json": ("speciesnet instances", "", "instances"),
    "speciesnet/local_instances.json": ("speciesnet instances", "", "instances"),
    "speciesnet/output_classifier.json": ("speciesnet predictions", "legacy", "scores"),
    "speciesnet/output_detector.json": ("speciesnet predictions", "legacy", "detections"),
    "speciesnet/output_ensemble.json": ("speciesnet predictions", "legacy", "scores"),
    "speciesnet/taxonomy_release.txt": ("speciesnet taxonomy", "", "taxonomy"),
    "wildlife_insights/cameras.csv": ("wildlife insights", "cameras", "study"),
    "wildlife_insights/deployments.csv": ("wildlife insights", "deployments", "study"),
    "wildlife_insights/images.csv": ("wildlife insights", "images", "study"),
    "wildlife_insights/projects.csv": ("wildlife insights", "projects", "study"),
    "zamba/df_result.csv": ("zamba csv", "images", "scores"),
    "zamba/megadetector_output.json": ("megadetector", "", "scores"),
    "zamba_ena24/coco_annotations.json": ("coco", "", "study"),
    "zamba_ena24/labels.csv": ("labels csv", "", "labels"),
    "zamba_ena24/md_annotations.json": ("megadetector", "1.4", "scores"),
}


@pytest.mark.parametrize("file", sorted(REAL))
def test_the_real_files(shared_data, file):
    path = shared_data / "formats" / file
    found = recognise(path)
    assert (found.kind, found.generation, found.command) == REAL[file]
    assert found.path == (path.parent if found.command == "study" and file.endswith(".csv")
                          else path)
    assert found.says and "\n" not in found.says


def test_no_real_file_is_forgotten(shared_data):
    folder = shared_data / "formats"
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    pictures = {n for n in names if n.startswith("camtrapdp_example/media/")}
    assert names - pictures == set(REAL)
    assert {recognise(folder / n).command for n in pictures} == {"images"}


@pytest.mark.parametrize(("folder", "kind", "generation"), [
    ("formats/camtrapdp_example", "camtrapdp", "1.0.2"), ("monkeys", "pictures", ""),
    ("formats/wildlife_insights", "wildlife insights", "images"), ("camera_traps", "pictures", ""),
])
def test_the_real_folders(shared_data, folder, kind, generation):
    found = recognise(shared_data / folder)
    assert (found.kind, found.generation, found.path) == (kind, generation, shared_data / folder)


def header(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return recognise(path)


@pytest.mark.parametrize(("text", "kind", "command"), [
    ("file_name,classification,score\na.jpg,bear,0.9\n", "pybioclip csv", "scores"),
    ("file_name,kingdom,phylum,class,order,family,genus,species_epithet,species,common_name,score\n"
     "a.jpg,Animalia,Chordata,Mammalia,Carnivora,Ursidae,Ursus,arctos,Ursus arctos,bear,0.9\n",
     "pybioclip csv", "scores"),
    (",filename,label,class_id,prob,class_name,class_rank\n0,a-0.jpg,snips,1,0.9,fox,1.0\n",
     "mewc csv", "scores"),
    ("filename,x,y,w,h,detection_conf,pred1_class,pred1_score\na.jpg,0,0,1,1,0.9,fox,0.9\n",
     "speciesnet-fine-tuning csv", "scores"),
    ("filename,category,location\na.jpg,fox,A1\n", "speciesnet-fine-tuning csv", "labels"),
    ("input,output,count\nfox,,3\n", "speciesnet-fine-tuning csv", ""),
    ("RootFolder,File,RelativePath,DateTime,DeleteFlag,Species\nx,a.jpg,c1,,false,fox\n",
     "timelapse csv", "labels"),
    ("video_uuid,original_filename,top_1_label,top_1_probability,fox,deer\nu,a.mp4,fox,1,1,0\n",
     "zamba csv", "scores"),
    ("filepath,detection_category,detection_conf,x1,y1,x2,y2,fox\na.jpg,1,0.9,0,0,9,9,0.9\n",
     "zamba csv", "scores"),
    ("Station,Species,DateTimeOriginal,Directory,FileName\nA,fox,2024-05-01 06:00:00,d,a.jpg\n",
     "camtrapr csv", "labels"),
    ("filePath,detectionID,localClass,runID,label\na.jpg,1,fox,r,\n", "ecotone csv", "labels"),
    ("latin,common\nVulpes vulpes,red fox\n", "taxonomy csv", "taxonomy"),
    ("Datei;Fuchs;Reh\ncam/a.jpg;0,5;0,5\n", "scores csv", "scores"),
    ("filePath,scientificName,score\na.jpg,Vulpes,0.9\n", "scores csv", "scores"),
    ("filePath,scientificName,confidence\na.jpg,Vulpes,sure\n", "labels csv", "labels"),
    ("observationID,deploymentID,observationLevel\no,d,media\n", "camtrapdp", "labels"),
    ("mediaID,deploymentID,fileMediatype\nm,d,image/jpeg\n", "camtrapdp", ""),
    ("project_id,deployment_id,start_date,end_date\n1,d,,\n", "wildlife insights",
     "deployments"),
    ("deploymentID,latitude,longitude,deploymentStart\nd,1,2,\n", "camtrapdp", "deployments"),
    ("station;lat;lon\nA;50,7;4,0\n", "deployments csv", "deployments"),
])
def test_tables_by_their_columns(tmp_path, text, kind, command):
    found = header(tmp_path, text)
    assert (found.kind, found.command) == (kind, command)


@pytest.mark.parametrize(("value", "kind", "generation", "command"), [
    ({"predictions": [{"filepath": "a", "detections": [{"prediction": "x"}]}]},
     "speciesnet predictions", "dev", "scores"),
    ({"info": {"format_version": "20261015"}, "predictions": [
        {"filepath": "a", "detections": [{"processed_classification": {}}]}]},
     "speciesnet predictions", "20261015", "scores"),
    ({"images": [{"file": "a", "detections": None}], "info": {"format_version": 1.3},
      "detection_categories": {}}, "megadetector", "1.3", "detections"),
    ({"a;b;c;d;e": {"allow": {"KEN": []}}}, "speciesnet geofence", "release", "geofence"),
    ({"annotations": [{"image_id": 1, "category_id": 2}]}, "coco", "", "study"),
    ({"resources": [{"name": "media"}], "profile": "tabular"}, "camtrapdp", "", "study"),
])
def test_json_by_its_keys(tmp_path, value, kind, generation, command):
    found = recognise(write_json(tmp_path, value))
    assert (found.kind, found.generation, found.command) == (kind, generation, command)


@pytest.mark.parametrize(("value", "what"), [
    ([{"a": 1, "b": 2}] * 12, "a json list of 12 objects with the keys a, b"),
    ({"x": 1}, "json with the keys x"), ([1, 2], "a json list of 2 values"), ([], "an empty json"),
    ({"type": "FeatureCollection", "features": []}, "GeoJSON, a map"),
])
def test_unknown_json_is_described(tmp_path, value, what):
    with pytest.raises(FormatError, match=what):
        recognise(write_json(tmp_path, value))


@pytest.mark.parametrize(("name", "data", "what"), [
    ("a.csv", b"", "is empty"), ("a.csv", b"a,b\n1,2\n", r"csv table of 2 columns \(a, b\)"),
    ("a.csv", b"filePath,note\na.jpg,x\n", "neither labels nor scores"),
    ("a.json", b"{oops", "begins like json, but is none from character 2 on"),
    ("a.bin", b"ab\0cd", "bytes of value 0"), ("a.db", b"SQLite format 3\0", "an SQLite file"),
    ("a.csv", b"\x1f\x8b\x08", "a gzip file; unpack it"),
])
def test_other_files_are_described(tmp_path, name, data, what):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=what):
        recognise(tmp_path / name)


def test_missing_files_and_empty_folders_are_told(tmp_path):
    with pytest.raises(FormatError, match=r"no\.csv: cannot be read"):
        recognise(tmp_path / "no.csv")
    with pytest.raises(FormatError, match="a folder that holds no file and no pictures"):
        recognise(tmp_path)


@pytest.mark.parametrize(("members", "kind"), [
    ({"p/datapackage.json": '{"resources": [{"name": "media"}]}'}, "camtrapdp"),
    ({"images_1.csv": "x", "deployments.csv": "x"}, "wildlife insights"),
    ({"xl/workbook.xml": "x"}, "an Excel file"), ({"../images.csv": "x", "a.json": "{}"}, "a zip"),
    ({"media.csv": "", "observations.csv": "", "deployments.csv": ""}, "no datapackage.json"),
    ({"datapackage.json": "{}"}, "no Camtrap DP's"),
])
def test_zips_by_their_names(tmp_path, members, kind):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    if " " in kind and kind != "wildlife insights":
        with pytest.raises(FormatError, match=kind):
            recognise(path)
    else:
        assert recognise(path).kind == kind


def test_only_the_ends_of_a_large_file_are_read(tmp_path):
    images = [{"file": f"cam/{n}.jpg", "detections": []} for n in range(60_000)]
    path = write_json(tmp_path, {"images": images, "detection_categories": {"1": "animal"},
                                 "classification_categories": {}, "info": {"format_version": 1.6}})
    assert path.stat().st_size > 8 * HEAD
    found = recognise(path)
    assert (found.kind, found.generation, found.command) == ("megadetector", "1.6", "scores")
    table = tmp_path / "s.csv"
    table.write_text("filePath,fox,deer\n" + "cam/a.jpg,0.5,0.5\n" * 60_000)
    os.truncate(table, 1 << 32)  # a hole of 4 GB, which nobody should read
    tracemalloc.start()
    assert recognise(table).kind == "scores csv"
    assert tracemalloc.get_traced_memory()[1] < 16 * HEAD
    tracemalloc.stop()


GOOD = {"info": {"format_version": "1.6"}, "images": [
    {"file": "a.jpg", "detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, 1, 1]}]}],
    "detection_categories": {"1": "animal"}}


@settings(deadline=None, max_examples=100)
@given(spoiled(GOOD), st.integers(0, 400), st.binary(max_size=6))
def test_hostile_files_are_recognised_or_described_in_one_line(
    tmp_path_factory, value, length, noise
):
    path = tmp_path_factory.mktemp("r") / "x.json"
    data = json.dumps(value).encode()
    path.write_bytes(data[:length] + noise + data[length + 2 :])
    found = reads_or_says(recognise, path)
    assert found is None or found.command in ("images", "labels", "detections", "scores",
                                              "taxonomy", "study", "instances", "deployments",
                                              "geofence", "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=5), max_leaves=12)


@settings(deadline=None, max_examples=100)
@given(st.lists(json_values, max_size=4) | st.dictionaries(st.text(max_size=4), json_values),
       st.booleans())
def test_the_outline_of_a_small_file_is_the_file(value, indented):
    text = json.dumps(value, indent=1 if indented else None)
    assert outline(text)[:2] == (value, True)
    for end in range(1, len(text), 3):
        outline(text[:end])  # however a file is cut off, its beginning is read


@pytest.mark.parametrize("text", ['{"a" 1 "b": oops}', "{]", "[1}", "{1: 2}", "[tru, 1]", "x"])
def test_what_is_no_json_is_told(text):
    with pytest.raises(NotJson):
        outline(text)


def test_deep_nesting_and_long_lists_end_the_reading():
    assert outline("[" * 100_000)[1] is False
    value, whole, count = outline("[" + "1," * 99_999 + "1]")
    assert (len(value), whole, count) == (20, True, 100_000)
