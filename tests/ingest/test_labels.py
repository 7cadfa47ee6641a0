from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.labels import LabelRow, class_names, read_labels


def read(tmp_path, text, name="labels.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_labels(tmp_path / name)


@pytest.mark.parametrize(("header", "row", "expected"), [
    ("filePath,scientificName", "a.jpg,Cervus elaphus", ("a.jpg", "", "Cervus elaphus", "")),
    ("filePath,vernacularName", "a.jpg,red deer", ("a.jpg", "", "", "red deer")),
    ("filepath,label", "a.jpg,Virginia Opossum", ("a.jpg", "Virginia Opossum", "", "")),
    ("Datei;label;Größe", "cam 1/a.JPG;fuchs;3", ("cam 1/a.JPG", "fuchs", "", "")),
    ("filename,category,location", "a.jpg,empty,s1", ("a.jpg", "empty", "", "")),
    ("fileName,site,camera,observed,predicted", "a.jpg,1,1_x,lynx,fox", ("a.jpg", "lynx", "", "")),
    ("RelativePath,File,Species", "cam1\\x,a.jpg,fox", ("cam1\\x/a.jpg", "fox", "", "")),
    ("File,RelativePath,Species", "a.jpg,,fox", ("a.jpg", "fox", "", "")),
    ("filename,class,order,family,genus,species,common_name",
     "a.jpg,Mammalia,Carnivora,Felidae,Lynx,pardinus,Iberian Lynx",
     ("a.jpg", "", "Lynx pardinus", "Iberian Lynx")),
    ("filename,class,order,family,genus,species", "a.jpg,Aves,,,,", ("a.jpg", "", "Aves", "")),
    ("filePath,observationType,scientificName", "a.jpg,blank,", ("a.jpg", "blank", "", "")),
    ("filePath,observationType,scientificName", "a.jpg,animal,Ardea", ("a.jpg", "", "Ardea", "")),
])
def test_columns_that_people_use(tmp_path, header, row, expected):
    (found,) = read(tmp_path, f"{header}\n{row}\n").rows
    assert (found.path, found.label, found.scientific_name, found.vernacular_name) == expected


def test_places_times_and_ids(tmp_path):
    (row,) = read(tmp_path, "mediaID;observationID;label;location;timestamp\n"
                            "m1;m1:2;fox;north ridge;2024-05-01 06:30:00\n").rows
    assert (row.media_id, row.detection_id, row.location) == ("m1", "m1:2", "north ridge")
    assert row.timestamp == "2024-05-01T06:30:00" and row.line == 2
    (row,) = read(tmp_path, "filename,location,label\na.jpg,https://x.org/a,fox\n").rows
    assert row.location == ""


def test_rows_without_a_label_or_a_picture_are_told(tmp_path):
    file = read(tmp_path, "filePath,label\na.jpg,fox\nb.jpg,\nc.jpg,NA\n,fox\n")
    assert len(file.rows) == 1
    assert "2 rows have no label: row 3, 4" in file.problems[0]
    assert "1 rows name no picture: row 5" in file.problems[1]


@pytest.mark.parametrize(("text", "what"), [
    ("name,label\nx,fox\n", r"no column names the picture \(found: name, label\)"),
    ("filePath,size\nx,3\n", "no column holds labels"),
    ("filePath,prediction,score\nx,fox,0.9\n", "what a model said: use ecotone add scores"),
])
def test_missing_columns_are_named(tmp_path, text, what):
    with pytest.raises(FormatError, match=what):
        read(tmp_path, text)


def test_the_machines_rows_are_no_labels(tmp_path):
    file = read(tmp_path, "filePath,scientificName,classificationMethod\n"
                          "a.jpg,Ardea,machine\nb.jpg,Ardea,human\nc.jpg,Ardea,\n")
    assert [r.path for r in file.rows] == ["b.jpg", "c.jpg"]
    assert "1 rows were given by a machine" in file.problems[0]


def test_a_camtrap_dp_finds_its_paths_in_media_csv(tmp_path):
    (tmp_path / "media.csv").write_text(
        "mediaID,filePath,fileName\nx1,media/a.jpg,a.jpg\nx2,https://h.org/x2/file,b.jpg\n")
    file = read(tmp_path, "observationID,mediaID,observationLevel,observationType,scientificName,"
                          "bboxX,bboxY,bboxWidth,bboxHeight\n"
                          "o1,x1,media,animal,Ardea,0.1,0.2,0.3,0.4\no2,x2,media,blank,,,,,\n"
                          "o3,,event,animal,Ardea,,,,\n", "observations.csv")
    assert [(r.path, r.scientific_name, r.label) for r in file.rows] == [
        ("media/a.jpg", "Ardea", ""), ("b.jpg", "", "blank")]
    assert file.rows[0].bbox == (0.1, 0.2, 0.3, 0.4) and file.rows[1].bbox is None
    assert "1 rows speak of an event" in file.problems[0]


def names(rows, known=None):
    return class_names([LabelRow(n, "x", "", "", *row) for n, row in enumerate(rows)], known or {})


def test_the_class_is_the_label_else_the_vernacular_else_the_scientific_name():
    assert names([("lbl", "Sc ie", "vern"), ("", "Sc ie", "vern"), ("", "Xu yz", "")]) == [
        "lbl", "vern", "Xu yz"]


def test_a_row_with_one_name_gets_the_class_that_another_row_gives_it():
    assert names([("", "Cervus elaphus", ""), ("", "Cervus elaphus", "red deer")]) == [
        "red deer"] * 2
    assert names([("", "Cervus elaphus", "")], {"red deer": ("Cervus elaphus", "red deer")}) == [
        "red deer"]


def test_a_class_keeps_the_name_that_the_project_gave_it_first():
    known = {"Cervus elaphus": ("Cervus elaphus", "")}
    assert names([("", "Cervus elaphus", "red deer")], known) == ["Cervus elaphus"]
    assert names([("", "Cervus Elaphus", ""), ("cervus_elaphus", "", "")], known) == [
        "Cervus elaphus"] * 2


def test_one_scientific_name_may_hold_several_classes():
    rows = [("", "Corvidae", "crow"), ("", "Corvidae", "raven"), ("", "Corvidae", "")]
    assert names(rows) == ["crow", "raven", "Corvidae"]


@given(st.lists(st.tuples(*[st.sampled_from(["", "Aa bb", "Cc dd", "aa BB", "fox", "Fox"])] * 3)
                .filter(any), min_size=1, max_size=8))
def test_adding_the_same_rows_later_gives_the_same_classes(rows):
    first = names(rows)
    known: dict[str, tuple[str, str]] = {}
    for (_, scientific, vernacular), name in zip(rows, first, strict=True):
        before = known.get(name, ("", ""))
        known[name] = (before[0] or scientific, before[1] or vernacular)
    assert len({n.casefold() for n in known}) == len(known)
    labelled = [(row, name) for row, name in zip(rows, first, strict=True) if row[0] or row[2]]
    again = names([row for row, _ in labelled], known)
    assert again == [name for _, name in labelled]


def test_the_real_label_files(shared_data):
    monkeys = read_labels(shared_data / "monkeys/labels.csv")
    assert len(monkeys.rows) == 1301 and not monkeys.problems
    assert len(set(class_names(monkeys.rows, {}))) == 10
    assert len(read_labels(shared_data / "camera_traps/labels.csv").rows) == 61
    assert len(read_labels(shared_data / "nyala/labels.csv").rows) == 1213
    ain = read_labels(shared_data / "ain/classifications.csv").rows
    assert len(ain) == 6237 and ain[0].label == "humain" and ain[0].location == "15.1"
    assert ain[0].timestamp == "2017-07-31T12:19:44"
    formats = shared_data / "formats"
    assert len(read_labels(formats / "zamba_ena24/labels.csv").rows) == 21
    lynx = read_labels(formats / "wildlife_insights/images.csv")
    assert len(lynx.rows) > 500 and "Blank" in {r.vernacular_name for r in lynx.rows}
    assert any(r.scientific_name == "Vulpes vulpes" for r in lynx.rows)
    example = read_labels(formats / "camtrapdp_example/observations.csv")
    assert all(r.path.endswith(".JPG") for r in example.rows) and len(example.rows) > 400
    assert any("machine" in p for p in example.problems)


@pytest.mark.parametrize("file", [
    "formats/deepfaune/deepfaune-test.csv", "formats/animl/Predictions.csv",
    "formats/animl/FileManifest.csv", "formats/animl/Results.csv",
])
def test_real_files_without_labels_are_refused(shared_data, file):
    with pytest.raises(FormatError):
        print(read_labels(shared_data / file).rows[:3])
