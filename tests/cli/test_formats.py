"""Studies in and out by the command line."""

from __future__ import annotations

import csv
import json

import pytest

from ecotone import cli
from ecotone.project import Project
from tests.project.packages import make_pictures, tables, write_package
from tests.project.runs import fake_run


@pytest.fixture
def here(tmp_path, monkeypatch, make_picture):
    """A folder with a package `study` and an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    make_pictures(tmp_path / "study", make_picture, tables())
    write_package(tmp_path / "study", tables())
    Project.init("my-reserve").close()
    return tmp_path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def fused(best="blank"):
    with Project("my-reserve") as project:
        count = len(project.catalog.detections())
        fake_run(project, ("Cervus elaphus", "blank", "human"), [best] * count)


def test_a_study_in_and_out(here, call):
    text = call("add", "study", "study")
    assert "oak-study: 2 deployments, 6 media, 8 observations, kept in" in text
    assert "5 labels by people added" in text and "by machines" in text
    for name in ("datapackage.json", "media.csv"):
        assert "was here already" in call("add", "study", f"study/{name}")
    fused("Cervus elaphus")
    assert "15 observations" in call("export", "camtrapdp", "-o", "out")
    for table in ("deployments", "media"):
        assert rows_of(here / f"out/{table}.csv") == rows_of(here / f"study/{table}.csv")
    before, after = (rows_of(here / f"{f}/observations.csv") for f in ("study", "out"))
    assert after[:8] == before
    assert {r["classificationMethod"] for r in after[8:]} == {"machine"}
    value = json.loads(call("export", "camtrapdp", "-o", "people", "--no-machine", "--json"))
    assert value["counts"]["observations"] == 7 and value["run"] == ""


def test_a_study_comes_out_as_coco_and_for_wildlife_insights(here, call):
    call("add", "study", "study")
    fused()
    call("export", "coco", "-o", "coco.json")
    data = json.loads((here / "coco.json").read_text("utf-8"))
    assert len(data["images"]) == 6
    call("export", "wildlife-insights", "-o", "wi", "--no-machine")
    assert {p.name for p in (here / "wi").iterdir()} == {
        "projects.csv", "cameras.csv", "deployments.csv", "images.csv"}


@pytest.mark.parametrize("form", ["megadetector", "timelapse", "speciesnet"])
def test_results_are_read_again(here, call, form):
    from ecotone.ingest.results_file import read_results

    call("add", "study", "study")
    fused("Cervus elaphus")
    value = json.loads(call("export", form, "-o", "out.json", "--json"))
    assert value["counts"]["images"] == 6 and value["run"]
    found = {i.file: i for i in read_results(here / "out.json").images}
    assert set(found) == {f"img/cam{c}/IMG_{i}.JPG" for c in (1, 2) for i in range(3)}
    first = found["img/cam1/IMG_0.JPG"]
    assert [b.bbox for b in first.boxes] == [(0.1, 0.2, 0.3, 0.4), (0.6, 0.2, 0.3, 0.4)]
    best = max(first.boxes[0].scores, key=lambda s: s[1])
    assert "elaphus" in best[0].lower() and best[1] == pytest.approx(0.8)
    unseen = found["img/cam1/IMG_1.JPG"]
    assert (not unseen.boxes and unseen.scores) if form == "speciesnet" else (
        unseen.boxes[0].bbox == (0, 0, 1, 1))


def test_the_command_knows_all_formats():
    from ecotone.cli.results import FORMATS
    from ecotone.project import exporting

    assert sorted(FORMATS) == sorted(exporting.FORMATS)


def test_places_come_from_a_csv(here, call):
    call("add", "images", "study/img")
    (here / "places.csv").write_text("station,lat,lon\ncam1,1,2\ncam2,3,4\n", encoding="utf-8")
    assert "0 deployments added, 2 updated" in call("add", "deployments", "places.csv")
    text = call("export", "camtrapdp", "-o", "out", "--time-zone", "+02:00")
    assert "2 deployments, 6 media, 0 observations" in text and "nothing fused yet" in text
    assert [r["latitude"] for r in rows_of(here / "out/deployments.csv")] == ["1", "3"]
    assert rows_of(here / "out/media.csv")[0]["timestamp"].endswith("+02:00")


@pytest.mark.parametrize("words", [
    ["add", "study", "nowhere"], ["add", "study", "study/img"],
    ["add", "study", "my-reserve"], ["add", "study", "study", "--time-zone", "Mars"],
    ["add", "deployments", "study/media.csv"], ["add", "data", "study", "my-reserve"],
    ["export", "camtrapdp"], ["export", "camtrapdp", "-o", "out"],
    ["export", "csv", "-o", "x.csv", "--no-people"],
    ["export", "megadetector", "-o", "x.json", "--events"],
    ["export", "coco", "-o", "x.json", "--incomplete", "skip"],
])
def test_a_mistake_is_one_line_and_changes_nothing(here, capsys, words):
    assert cli.run(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("ecotone: ") and err.count("\n") == 1
    with Project("my-reserve") as project:
        assert project.catalog.studies() == [] and not len(project.catalog.media())


@pytest.mark.parametrize("paths", [
    ["labels.csv", "study", "more"], ["more", "study", "labels.csv"],
])
def test_anything_is_recognised_and_added_in_its_order(here, call, paths, make_picture):
    make_picture(here / "more/cam9/new.jpg", size=(20, 10))
    (here / "labels.csv").write_text("filePath,label\ncam9/new.jpg,lynx\n", encoding="utf-8")
    (here / "places.csv").write_text("site,lat,lon\ncam9,1,2\n", encoding="utf-8")
    paths = [*paths, "places.csv", "study/media.csv"]
    text = call("add", "data", *paths)
    assert text.index("1 pictures added") < text.index("oak-study") < text.index("1 labels added")
    value = json.loads(call("add", "data", *paths, "--json"))
    assert [v["kind"] for v in value] == [
        "pictures", "camtrapdp", "labels csv", "deployments csv"]
    assert [v["report"].get("added", 0) for v in value] == [0, 0, 0, 0]
    with Project("my-reserve") as project:
        assert dict(zip(*(getattr(project.catalog.deployments(), c) for c in ("id", "latitude")),
                        strict=True))["cam9"] == 1
