"""The csv files of the field's tools, and that labels and scores are never mixed up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.errors import FormatError
from ecotone.ingest.dialects import DIALECTS, dialect_of
from ecotone.ingest.dialects_boxes import is_box_table, read_box_table
from ecotone.ingest.labels import read_labels
from ecotone.ingest.scores_table import read_score_table

TREE = "file_name,kingdom,phylum,class,order,family,genus"
MEWC = "filename,label,class_id,prob,class_name,class_rank"


def write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def scores(tmp_path, text):
    table = read_score_table(write(tmp_path, text))
    return table, {
        (table.text[r], table.classes[c]): round(float(table.values[r, c]), 4)
        for r, c in zip(*table.values.nonzero(), strict=True)
    }


def test_pybioclips_custom_classes_stand_in_several_rows(tmp_path):
    _, found = scores(tmp_path, "file_name,classification,score\na.jpg,bear,0.9\n"
                                "a.jpg,cat,0.1\nb.jpg,cat,4.581697155003894e-08\n")
    assert found[("a.jpg", "bear")] == 0.9 and found[("a.jpg", "cat")] == 0.1


@pytest.mark.parametrize(("more", "cells", "name"), [
    (",species_epithet,species,common_name", ",arctos,Ursus arctos,bear", "Ursus arctos"),
    ("", "", "Ursus"),
])
def test_pybioclips_ranks_give_the_lowest_name(tmp_path, more, cells, name):
    table, found = scores(tmp_path, f"{TREE}{more},score\n"
                          f"a.jpg,Animalia,Chordata,Mammalia,Carnivora,Ursidae,Ursus{cells},0.9\n")
    assert found == {("a.jpg", name): 0.9} and not table.complete


def test_animls_scores_are_those_of_the_classifier_alone(tmp_path):
    head = "filepath,category,conf,bbox1,bbox2,bbox3,bbox4,prediction,confidence\n"
    table, found = scores(tmp_path, head + "a.jpg,1,0.8,0.1,0.2,0.3,0.4,fox,0.6\n"
                                           "b.jpg,2,0.7,0.1,0.2,0.3,0.4,human,0.7\n")
    assert found == {("a.jpg", "fox"): 0.75, ("b.jpg", "human"): 0.7}
    np.testing.assert_allclose(table.bbox[0], [0.1, 0.2, 0.3, 0.4])


def test_a_fine_tuned_speciesnets_best_classes_stand_side_by_side(tmp_path):
    table, found = scores(tmp_path, "filename,x,y,w,h,detection_conf,pred1_class,pred1_score,"
                                    "pred2_class,pred2_score\n"
                                    "a.jpg,0.2,0.3,0.1,0.2,0.9,impala,0.9,zebra,0.05\n")
    assert found == {("a.jpg", "impala"): 0.9, ("a.jpg", "zebra"): 0.05}
    np.testing.assert_allclose(table.bbox, [[0.2, 0.3, 0.1, 0.2]])


def test_zamba_clouds_videos_have_all_classes_beside_the_best(tmp_path):
    table, found = scores(tmp_path, "video_uuid,original_filename,top_1_label,top_1_probability,"
                                    "fox,deer,corrected_label\nu,a.mp4,fox,0.9,0.9,0.1,\n")
    assert found == {("a.mp4", "fox"): 0.9, ("a.mp4", "deer"): 0.1} and table.complete


@pytest.mark.parametrize(("ids", "names"), [("fox,badger", "0,1"), ("0,1", "fox,badger")])
def test_mewcs_crops_are_boxes_of_its_detector(tmp_path, ids, names):
    (tmp_path / "md_out.json").write_text(json.dumps({"images": [
        {"file": "/images/cam/IMG-1.JPG", "detections": [
            {"bbox": [0.1, 0.1, 0.2, 0.2]}, {"bbox": [0.5, 0.5, 0.25, 0.25]}]}, 7, {}]}))
    ids, names = ids.split(","), names.split(",")
    table, found = scores(tmp_path, f",{MEWC}\n0,cam/IMG-1-0.jpg,snips,{ids[0]},0.9,{names[0]},1\n"
                                    f"1,cam/IMG-1-1.jpg,snips,{ids[1]},0.8,{names[1]},1\n"
                                    f"2,other-0.jpg,snips,{ids[1]},0.7,{names[1]},1\n")
    assert table.text == ["/images/cam/IMG-1.JPG"] * 2 + ["other.jpg"]
    assert set(table.classes) == {"fox", "badger"}
    np.testing.assert_allclose(table.bbox[:2], [[0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.25, 0.25]])
    assert np.isnan(table.bbox[2]).all()


def test_mewc_without_its_detectors_file(tmp_path):
    table, found = scores(tmp_path, f"{MEWC}\nIMG_1-0.jpg,snips,1,0.9,fox,1\n")
    assert found == {("IMG_1.jpg", "fox"): 0.9} and table.bbox is None
    (tmp_path / "md_out.json").write_text("{oops")
    assert "the boxes are not known" in scores(tmp_path, f"{MEWC}\na-0.jpg,s,1,0.9,fox,1\n")[
        0].problems[0]


def test_names_and_scores_without_a_dialect(tmp_path):
    _, found = scores(tmp_path, "filePath,scientificName,score\na.jpg,Vulpes vulpes,0.9\n")
    assert found == {("a.jpg", "Vulpes vulpes"): 0.9}


MACHINES = [
    "file_name,classification,score\na.jpg,bear,0.9\n",
    f"{TREE},score\na.jpg,Animalia,Chordata,Mammalia,Carnivora,Ursidae,Ursus,0.9\n",
    f"{MEWC}\na-0.jpg,snips,1,0.9,fox,1\n",
    "filename,predictionbase,scorebase,prediction,score,seqnum\na.jpg,fox,0.9,fox,0.9,1\n",
    "filepath,category,conf,bbox1,bbox2,bbox3,bbox4,prediction,confidence\na.jpg,1,1,0,0,1,1,f,1\n",
    "file,category,bbox1,bbox2,bbox3,bbox4,class,classification_conf\na.jpg,1,0,0,1,1,fox,0.9\n",
    "filename,x,y,w,h,detection_conf,pred1_class,pred1_score\na.jpg,0,0,1,1,1,fox,0.9\n",
    "filepath,x1,y1,x2,y2,species_fox,species_deer\na.jpg,0,0,9,9,0.9,0.1\n",
    "filePath,scientificName,score\na.jpg,Vulpes vulpes,0.9\nb.jpg,Vulpes vulpes,1\n",
]


@pytest.mark.parametrize("text", MACHINES)
def test_what_a_model_said_is_no_label_and_the_error_names_the_command(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(FormatError, match="use: ecotone add scores|use ecotone add scores") as told:
        read_labels(path)
    assert "\n" not in str(told.value) and len(read_score_table(path).text)


PEOPLE = [
    "filename,category,location\na.jpg,fox,A1\n",
    "RootFolder,File,RelativePath,DateTime,DeleteFlag,Species\nx,a.jpg,c1,,false,fox\n",
    "Station,Species,DateTimeOriginal,Directory,FileName\nA,fox,2024-05-01 06:00:00,d,a.jpg\n",
    "filePath,detectionID,localClass,scientificName,classificationProbability,runID,label\n"
    "a.jpg,m:1,deer,Cervus elaphus,0.9,r1,fox\n",
    "filePath,label\na.jpg,fox\n",
]


@pytest.mark.parametrize("text", PEOPLE)
def test_what_people_said_is_no_score_and_the_error_names_the_command(tmp_path, text):
    path = write(tmp_path, text)
    assert [r.label for r in read_labels(path).rows] == ["fox"]
    with pytest.raises(FormatError, match="ecotone add labels"):
        read_score_table(path)


def test_other_tables_name_their_command(tmp_path):
    boxes = write(tmp_path, "file,category,conf,bbox1,bbox2,bbox3,bbox4\na.jpg,1,1,0,0,1,1\n")
    for read in (read_labels, read_score_table):
        with pytest.raises(FormatError, match="ecotone add detections"):
            read(boxes)
    study = write(tmp_path, "project_id,deployment_id,image_id,location,species\n1,d,i,x,y\n")
    with pytest.raises(FormatError, match="ecotone add study"):
        read_score_table(study)


def test_of_its_own_table_only_peoples_word_is_read(tmp_path):
    text = ("filePath,detectionID,localClass,scientificName,vernacularName,runID,label\n"
            "a.jpg,m:1,deer,Cervus elaphus,red deer,r1,\nb.jpg,n:1,deer,Cervus elaphus,,r1,fox\n")
    file = read_labels(write(tmp_path, text))
    assert [(r.path, r.label, r.scientific_name) for r in file.rows] == [("b.jpg", "fox", "")]


def test_zamba_clouds_corrections_are_labels(tmp_path):
    file = read_labels(write(tmp_path, "video_uuid,original_filename,top_1_label,corrected_label\n"
                                       "u,a.jpg,deer,fox\nv,b.jpg,deer,\n"))
    assert [(r.path, r.label) for r in file.rows] == [("a.jpg", "fox")]


def test_wildlife_insights_rows_of_computer_vision_are_no_labels(tmp_path):
    text = ("project_id,deployment_id,image_id,filename,identified_by,is_blank,genus,species,"
            "common_name\n1,d,1,a.jpg,Kim,,Vulpes,vulpes,\n1,d,2,b.jpg,Computer vision,,Vulpes,"
            "vulpes,\n1,d,3,c.jpg,,,Vulpes,vulpes,\n1,d,4,d.jpg,Kim,true,,,\n")
    file = read_labels(write(tmp_path, text))
    assert [(r.path, r.scientific_name or r.label) for r in file.rows] == [
        ("a.jpg", "Vulpes vulpes"), ("d.jpg", "blank")]
    assert "2 rows were given by a machine" in file.problems[0]


def test_folders_and_files_in_two_columns_are_one_path(tmp_path):
    head = "Station,Species,DateTimeOriginal,Directory,FileName\n"
    (row,) = read_labels(write(tmp_path, head + "A,fox,2024-05-01 06:00:00,cam1/x,a.jpg\n")).rows
    assert (row.path, row.location, row.timestamp) == ("cam1/x/a.jpg", "A", "2024-05-01T06:00:00")


def test_boxes_of_animls_detector(tmp_path):
    path = write(tmp_path, "FilePath,file,category,conf,bbox1,bbox2,bbox3,bbox4\n"
                           "a.jpg,a.jpg,1,0.9,0.1,0.2,0.3,0.4\na.jpg,a.jpg,2.0,0.8,0,0,1,1\n"
                           "b.jpg,b.jpg,0,0,,,,\nc.jpg,c.jpg,1,9,0,0,1,1\n,,1,1,0,0,1,1\n"
                           "d.jpg,d.jpg,1,0.5,5,5,9,9\n")
    results = read_box_table(path)
    assert [i.file for i in results.images] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    first, second = results.images[0].boxes
    assert first.bbox == (0.1, 0.2, 0.3, 0.4) and (first.category, second.category) == (
        "animal", "human")
    assert [len(i.boxes) for i in results.images] == [2, 0, 0, 0]
    told = "\n".join(results.problems)
    for what in ("conf is not a number", "names no picture", "not in 0..1 of the picture"):
        assert what in told
    assert is_box_table(path) and not is_box_table(write(tmp_path, "[1]"))
    with pytest.raises(FormatError, match="no columns of boxes"):
        read_box_table(write(tmp_path, "a,b\n1,2\n"))
    with pytest.raises(FormatError, match="ecotone add labels"):
        read_box_table(write(tmp_path, PEOPLE[0]))


def test_every_dialect_is_found_by_its_own_columns():
    for dialect in DIALECTS:
        found = dialect_of(dialect.needs)
        assert (found.kind, found.command) == (dialect.kind, dialect.command), dialect
    assert dialect_of(["filePath", "label"]) is None
    assert dialect_of(["filename", "category", "location", "count"]) is None


def test_the_real_files(shared_data):
    formats = shared_data / "formats"
    results = read_box_table(formats / "animl/Detections.csv")
    assert len(results.images) == 18 and not results.problems
    table = read_score_table(formats / "animl/Results.csv")
    matrix = np.loadtxt(formats / "animl/Predictions.csv", delimiter=",", skiprows=1)
    best = table.values.max(axis=1).toarray().ravel()
    np.testing.assert_allclose(best[0], matrix[0].max(), rtol=1e-5)  # the product is taken apart
    assert read_score_table(formats / "zamba/df_result.csv").complete
    faune = read_score_table(formats / "deepfaune/deepfaune-test.csv")
    assert faune.text[0].endswith("cam1\\sd1\\bird2.JPG") and faune.values[0].max() == (
        np.float32(0.99))
