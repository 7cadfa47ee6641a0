"""What is mended while a Camtrap DP is read: each kind, that it is told, and that it is settled."""

from __future__ import annotations

import pytest

from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.ingest.camtrapdp_log import Log
from ecotone.ingest.camtrapdp_mend import Mender
from tests.ingest.test_camtrapdp import (
    END,
    START,
    deployment,
    medium,
    observation,
    write_package,
)

OBSERVATIONS = [  # cells as found, cells as read, what is said
    ({"observationType": "Animal"}, {"observationType": "animal"}, "observationType: spelled"),
    ({"observationType": "person"}, {"observationType": "human"}, "observationType: spelled"),
    ({"observationType": "bird"}, {"observationTags": "observationType:bird"},
     "observationType: not allowed there, kept in observationTags"),
    ({"observationType": ""}, {}, "observationType was not given"),
    ({"observationType": "", "scientificName": ""},
     {"observationType": "unclassified", "scientificName": ""}, "observationType was not given"),
    ({"sex": "Female "}, {"sex": "female"}, "sex: spelled otherwise"),
    ({"sex": "unknown"}, {"sex": ""}, "sex: spelled otherwise"),
    ({"lifeStage": "calf"}, {"lifeStage": "", "observationTags": "lifeStage:calf"},
     "lifeStage: not allowed there"),
    ({"observationLevel": "media-level"}, {}, "observationLevel: spelled otherwise"),
    ({"observationLevel": ""}, {}, "observationLevel was not given"),
    ({"observationLevel": "", "mediaID": ""}, {"observationLevel": "event", "mediaID": ""},
     "observationLevel was not given"),
    ({"mediaID": ""}, {"observationLevel": "event", "mediaID": ""}, "names an event alone"),
    ({"observationLevel": "event"},
     {"observationLevel": "event", "mediaID": "", "observationTags": "mediaID:m1"},
     "observation of an event that names a medium"),
    ({"mediaID": "lost"}, {"mediaID": "", "observationTags": "mediaID:lost"},
     "medium that the media table lacks"),
    ({"observationType": "blank"}, {"observationType": "blank", "scientificName": "",
                                    "observationTags": "scientificName:Vulpes vulpes"},
     "blank with a scientificName"),
    ({"observationType": "blank", "scientificName": "Empty"},
     {"observationType": "blank", "scientificName": ""}, "blank with a scientificName"),
    ({"count": "0"}, {"count": "", "observationTags": "count:0"}, "count: not allowed there"),
    ({"count": "many", "observationTags": "a:b"},
     {"count": "", "observationTags": "a:b | count:many"}, "count: not allowed there"),
    ({"count": "2.0"}, {"count": "2"}, "count: number written otherwise"),
    ({"classificationProbability": "85 %"}, {"classificationProbability": "0.85"}, "percent"),
    ({"classificationProbability": "0,85"}, {"classificationProbability": "0.85"}, "otherwise"),
    ({"classificationMethod": "AI"}, {"classificationMethod": "machine"}, "spelled otherwise"),
    ({"eventEnd": ""}, {"eventEnd": START}, "eventEnd was not given"),
    ({"eventStart": "", "eventEnd": ""}, {"eventEnd": START}, "eventStart was not given"),
    ({"deploymentID": ""}, {}, "deploymentID taken from the medium"),
    ({"deploymentID": "dep1 "}, {}, "deploymentID without its blanks"),
    ({"mediaID": " m1"}, {}, "mediaID without its blanks"),
    ({"observationID": ""}, {"observationID": "observations-1"}, "observationID was not given"),
    ({"eventStart": "2024-05-01 06:30:00+0200"}, {}, "eventStart: time written otherwise"),
    ({"eventStart": "2024/5/1 6:30+02"}, {}, "eventStart: time written otherwise"),
    ({"eventStart": "2024-05-01T06:30:00.123+02:00"}, {}, "eventStart: time written otherwise"),
]


def boxed(*cells: str) -> dict[str, str]:
    return dict(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), cells, strict=True))


BOXES = [
    (boxed("0.1", "0.2", "0", "0.4"), boxed("0.1", "0.2", "1e-15", "0.4"), "given the least"),
    (boxed("0", "0", "0", "0"), boxed("", "", "", ""), "box of zeros"),
    (boxed("-0.1", "0.2", "0.3", "0.4"), boxed("0", "0.2", "0.2", "0.4"), "cut at its edge"),
    (boxed("0,1", "0,2", "0,3", "0,4"), boxed("0.1", "0.2", "0.3", "0.4"), "written otherwise"),
    (boxed("10", "20", "300", "400"),
     {**boxed("", "", "", ""), "observationTags": "bbox:10 20 300 400"}, "not in parts"),
    (boxed("0.1", "0.2", "", "0.4"),
     {**boxed("", "", "", ""), "observationTags": "bbox:0.1 0.2 - 0.4"}, "not four numbers"),
]


@pytest.mark.parametrize(("found", "expected", "said"), OBSERVATIONS + BOXES)
def test_observations_are_mended_and_told(tmp_path, found, expected, said):
    folder = write_package(tmp_path / "p", observations=[observation(**found)])
    study = read_camtrapdp(folder)
    assert list(study.observations) == [observation(**{**{k: observation()[k] for k in found},
                                                       **expected})]
    assert len(study.observations) == 1
    repairs = [r for r in study.repairs if said in r]
    assert len(repairs) == 1 and repairs[0].startswith("observations: 1 row: ")
    assert "(observations.csv, row 2: " in repairs[0]
    assert study.problems == ()


@pytest.mark.parametrize(("found", "expected", "said"), OBSERVATIONS + BOXES)
def test_what_is_mended_stays_as_it_is(tmp_path, found, expected, said):
    once = read_camtrapdp(write_package(tmp_path / "p", observations=[observation(**found)]))
    again = read_camtrapdp(write_package(tmp_path / "q", once.deployments, once.media,
                                         once.observations))
    assert list(again.observations) == list(once.observations)
    assert again.repairs == ()


MEDIA = [
    ({"filePath": "cam\\a\\b.jpg"}, {"filePath": "cam/a/b.jpg"}, "other slashes"),
    ({"filePath": "./cam/a.jpg"}, {"filePath": "cam/a.jpg"}, "a dot before it"),
    ({"fileMediatype": ""}, {}, "fileMediatype by the ending"),
    ({"fileMediatype": "mp4", "fileName": "", "filePath": "a"},
     {"fileMediatype": "video/mp4", "fileName": "", "filePath": "a"}, "by the ending"),
    ({"captureMethod": "motionDetection"}, {"captureMethod": "activityDetection"}, "captureMethod"),
    ({"captureMethod": "by hand"}, {"captureMethod": "", "mediaComments": "captureMethod:by hand"},
     "captureMethod: not allowed there"),
    ({"filePublic": "Yes"}, {}, "filePublic: spelled otherwise"),
    ({"mediaID": ""}, {"mediaID": "media-2"}, "mediaID was not given"),
]


@pytest.mark.parametrize(("found", "expected", "said"), MEDIA)
def test_media_are_mended_and_told(tmp_path, found, expected, said):
    rows = [medium("m1"), medium("m2", **found)]
    study = read_camtrapdp(write_package(tmp_path / "p", media=rows))
    assert list(study.media) == [
        rows[0], medium("m2", **{**{k: medium("m2")[k] for k in found}, **expected})
    ]
    assert [said in r and "row 3" in r for r in study.repairs] == [True]


def test_deployments_are_mended_and_told(tmp_path):
    row = deployment(latitude="50,5", cameraHeading="285.4", featureType="Trail game",
                     deploymentStart="2024-05-01", deploymentEnd="2024-05-02", baitUse="no",
                     coordinateUncertainty="0")
    study = read_camtrapdp(write_package(tmp_path / "p", [row]), time_zone="Europe/Brussels")
    assert list(study.deployments) == [deployment(
        cameraHeading="285", featureType="trailGame", baitUse="false",
        deploymentStart="2024-05-01T00:00:00+02:00", deploymentEnd="2024-05-02T23:59:59+02:00",
        deploymentTags="coordinateUncertainty:0",
    )]
    assert len(study.repairs) == 7


def test_deployments_that_only_others_name_are_made_from_their_times(tmp_path):
    early, late = "2024-05-01T03:00:00+00:00", "2024-05-01T04:30:00+02:00"
    study = read_camtrapdp(write_package(
        tmp_path / "p", media=[medium(), medium("m2", deploymentID="x", timestamp=early),
                               medium("m3", deploymentID="x", timestamp=late)],
        observations=[observation(), observation("o2", deploymentID="y")],
    ))
    made = list(study.deployments)[1:]
    assert [(d["deploymentID"], d["deploymentStart"], d["deploymentEnd"]) for d in made] == [
        ("x", late, early), ("y", START, END)]  # by the instant, not by the text
    assert made[0]["latitude"] == ""
    assert study.repairs == (
        'deployments: 2 rows: deployment that only other tables name, made from their times, '
        'without coordinates (media.csv, row 3: "" to "x")',
    )
    assert len(study.media) == 3 and len(study.observations) == 2


def test_identifiers_that_stand_twice(tmp_path):
    rows = [observation(), observation("o1_2"), observation(count="2"), observation(),
            observation(count="3")]
    study = read_camtrapdp(write_package(tmp_path / "p", observations=rows))
    out = list(study.observations)
    assert [(r["observationID"], r["count"]) for r in out] == [
        ("o1", "1"), ("o1_2", "1"), ("o1_3", "2"), ("o1_4", "3")]
    assert out == list(study.observations) and len(study.observations) == 4
    assert study.repairs == (
        'observations: 2 rows: observationID that stands twice with other cells, named anew '
        '(observations.csv, row 4: "o1" to "o1_3")',
        'observations: 1 row: row that stands twice, left out the second time '
        '(observations.csv, row 5: "o1" to "")',
    )


def test_media_and_deployments_that_stand_twice(tmp_path):
    study = read_camtrapdp(write_package(
        tmp_path / "p", [deployment(), deployment(), deployment(habitat="wood")],
        [medium(), medium(filePath="other.jpg")],
    ))
    assert [d["deploymentID"] for d in study.deployments] == ["dep1", "dep1_2"]
    assert [m["mediaID"] for m in study.media] == ["m1", "m1_2"]
    assert sum("other tables mean the first" in r for r in study.repairs) == 2


def test_times_without_a_zone_need_one(tmp_path):
    folder = write_package(
        tmp_path / "p", media=[medium(timestamp="2024:05:01 06:30:00")],
        observations=[observation(eventStart="2024-12-01T06:30:00", eventEnd="soon")],
    )
    bare = read_camtrapdp(folder)
    assert next(iter(bare.media))["timestamp"] == "2024:05:01 06:30:00"
    assert bare.repairs == ()
    assert [p.split(";")[0] for p in bare.problems[:2]] == [
        "media: 1 row: timestamp has no time zone",
        "observations: 1 row: eventStart has no time zone",
    ]
    assert 'eventEnd is no time such as' in bare.problems[2] and '"soon"' in bare.problems[2]
    zoned = read_camtrapdp(folder, "Europe/Brussels")
    assert next(iter(zoned.media))["timestamp"] == "2024-05-01T06:30:00+02:00"
    assert next(iter(zoned.observations))["eventStart"] == "2024-12-01T06:30:00+01:00"
    assert sum("time given the stated zone" in r for r in zoned.repairs) == 2


@pytest.mark.parametrize(("row", "said"), [
    ({"deployments": [deployment(latitude="")]}, "deployments: 1 row: latitude is empty"),
    ({"deployments": [deployment(latitude="95")]},
     "deployments: 1 row: latitude is not a number from -90 to 90"),
    ({"deployments": [deployment(), deployment("")]}, "row without a deploymentID, left out"),
    ({"media": [medium(timestamp="")]}, "media: 1 row: timestamp is empty"),
    ({"media": [medium(deploymentID="")]}, "media: 1 row: deploymentID is empty"),
    ({"observations": [observation(eventStart="", mediaID="", eventEnd="")]},
     "observations: 1 row: eventStart is empty"),
])
def test_what_cannot_be_mended_is_told(tmp_path, row, said):
    study = read_camtrapdp(write_package(tmp_path / "p", **row))
    assert any(said in p for p in study.problems)


def test_many_repairs_of_a_kind_are_one_line(tmp_path):
    rows = [observation(f"o{i}", sex="F" if i % 2 else "M") for i in range(1001)]
    study = read_camtrapdp(write_package(tmp_path / "p", observations=rows))
    assert study.repairs == (
        'observations: 1,001 rows: sex: spelled otherwise (observations.csv, row 2: "M" to "male")',
    )


def test_a_row_that_fits_is_not_touched():
    log, mender = Log(), Mender("observations")
    row = observation(bboxX="0.20", bboxY="+.5", bboxWidth="1e-15", bboxHeight="1", count="+3",
                      classificationTimestamp="2024-02-29T23:59:59+0530", individualSpeed="1.",
                      eventStart="2024-02-29T00:00:00Z")
    given = row.copy()
    mender.mend(row, log, "x", 1)
    assert row == given and log.repairs == log.problems == ()
