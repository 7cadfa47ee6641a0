"""A video on the page: one card an animal, by its best frame; one word counts for all of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from ecotone.project import Project
from ecotone.review.server import build
from tests.project.runs import fake_run
from tests.review.conftest import CLASSES, Client
from tests.videos import make_video, number_in

pytest.importorskip("av")
BEST = ["red deer", "red deer", "grey fox", "grey fox",  # cam1/a.mp4: two animals
        "red deer", "red deer", "red deer", "red deer",  # cam2/b.avi
        "wild boar"]  # cam2/c.jpg


@pytest.fixture(scope="module")
def filmed(tmp_path_factory, make_picture) -> Path:
    """Two videos of four frames that were looked at, and a picture, with a made-up fusion."""
    base = tmp_path_factory.mktemp("filmed")
    make_video(base / "media" / "cam1" / "a.mp4", 40, created="2024-05-01T06:30:00Z")
    make_video(base / "media" / "cam2" / "b.avi", 40)
    make_picture(base / "media" / "cam2" / "c.jpg")
    with Project.init(base / "project") as project:
        project.add_images(base / "media")
        assert len(project.catalog.detections()) == len(BEST)
        fake_run(project, CLASSES, BEST)
    return base / "project"


@pytest.fixture
def client(filmed: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "project"
    shutil.copytree(filmed, folder)
    app, close = build(folder, "localhost", 8721, "", "Ana", 0)
    client = Client(app)
    client.folder = folder
    yield client
    close()


def test_one_card_an_animal_by_its_surest_frame(client):
    found = client.queue(queue="all")
    assert found["total"] == 4
    by = {(c["file"], c["top"][0]["label"]): c for c in found["cards"]}
    assert set(by) == {("cam1/a.mp4", "red deer"), ("cam1/a.mp4", "grey fox"),
                       ("cam2/b.avi", "red deer"), ("cam2/c.jpg", "wild boar")}
    assert by["cam2/c.jpg", "wild boar"]["frame"] == -1
    with Project(client.folder) as project:
        from ecotone.project.records import LATEST
        from ecotone.store.vectors import read_posteriors

        run = project.catalog.note(LATEST)["run"]
        values = read_posteriors(project.catalog, project.vectors, run).values
        frames = project.catalog.detections().frame_number
    surest = values[4:8, CLASSES.index("red deer")].argmax()
    assert by["cam2/b.avi", "red deer"]["frame"] == frames[4:8][surest]


def test_the_picture_is_that_of_the_frame(client):
    for card in client.queue(queue="all")["cards"]:
        answer = client.get("/picture/whole", params={"id": card["id"]})
        assert answer.headers["content-type"] == "image/jpeg"
        if card["frame"] >= 0:
            assert number_in(Image.open(io.BytesIO(answer.content))) == card["frame"]


def test_the_other_frames_stand_beside_with_their_times(client):
    card = next(c for c in client.queue(queue="all")["cards"] if c["file"] == "cam1/a.mp4")
    found = client.get("/api/detail", params={"id": card["id"]}).json()
    assert found["video"]
    assert [s["frame"] for s in found["burst"]] == [0, 10, 20, 30]
    assert [s["time"][-2:] for s in found["burst"]] == ["00", "01", "02", "03"]
    assert found["boxes"] == [found["card"]]
    assert card["shot"] in [s["shot"] for s in found["burst"]]


def test_a_word_on_a_card_counts_for_all_frames_of_that_animal(client):
    cards = {(c["file"], c["top"][0]["label"]): c for c in client.queue(queue="all")["cards"]}
    client.say(cards["cam2/b.avi", "red deer"]["id"], "wild boar")
    client.say(cards["cam1/a.mp4", "grey fox"]["id"], "grey fox")
    with Project(client.folder) as project:
        labels, ids = project.catalog.current_labels(), project.catalog.detections().id
        assert {d: labels.get(d) for d in ids[4:8]} == dict.fromkeys(ids[4:8], "wild boar")
        assert [labels.get(d) for d in ids[:4]] == [None, None, "grey fox", "grey fox"]
        people = [o for o in project.study(machine=False).observations]
        assert sorted(o["vernacularName"] or o["label"] for o in people) == [
            "grey fox", "wild boar"]
    assert client.queue(queue="all", show="open")["total"] == 2
    client.decide(kind="undo")
    client.decide(kind="undo")
    with Project(client.folder) as project:
        assert project.catalog.current_labels() == {}
