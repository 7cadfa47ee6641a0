"""Pictures: only those of the project, cut, blurred where there are people, kept in bounds."""

from __future__ import annotations

import io
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from ecotone.errors import MediaError
from ecotone.review.pictures import Pictures, make, media_file


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_crop_strip_and_whole(client, ids):
    made = client.decide(kind="box", id=ids[0], bbox=[0.25, 0.25, 0.5, 0.25]).json()["made"]
    crop = opened(client.get("/picture/crop", params={"id": made}))
    assert crop.width > 1.5 * crop.height
    whole = opened(client.get("/picture/whole", params={"id": made}))
    assert whole.size == (96, 72) and not whole.getexif()
    assert opened(client.get("/picture/strip", params={"id": made})).format == "JPEG"
    assert client.get("/picture/raw", params={"id": made}).status_code == 422


def test_people_are_blurred_until_wanted(client, ids):
    before = client.get("/picture/crop", params={"id": ids[0]})
    client.decide(kind="label", items=[{"id": ids[0], "special": "human"}])
    blurred = client.get("/picture/crop", params={"id": ids[0]})
    sharp = client.get("/picture/crop", params={"id": ids[0], "sharp": "1"})
    detail = [np.asarray(opened(a).convert("L"), dtype=float) for a in (before, blurred, sharp)]
    edges = [np.abs(np.diff(d, axis=1)).mean() for d in detail]
    assert edges[1] < 0.5 * edges[0] and edges[2] == pytest.approx(edges[0])
    assert blurred.headers["cache-control"] == sharp.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["../secret.jpg", "link.jpg", "folder/secret.jpg",
                                  "cam1/../../secret.jpg", "SECRET", "cam1", "nothing.jpg"])
def test_no_file_outside_the_media_is_read(tmp_path, pictures, make_picture, path):
    secret = make_picture(tmp_path / "secret.jpg")
    (pictures / "link.jpg").symlink_to(secret)
    (pictures / "folder").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(MediaError):
        media_file(str(pictures), path.replace("SECRET", str(secret)))
    assert media_file(str(pictures), "cam1/red_deer_0.jpg")


def test_a_catalogue_that_names_a_file_outside_leads_nowhere(client, ids, reserve, tmp_path,
                                                             make_picture, pictures):
    make_picture(tmp_path / "secret.jpg")
    victim = client.card(ids[0])
    (pictures / victim["file"]).unlink()
    (pictures / victim["file"]).symlink_to(tmp_path / "secret.jpg")
    answer = client.get("/picture/crop", params={"id": ids[0]})
    assert answer.status_code == 404 and str(tmp_path) not in answer.text
    with sqlite3.connect(reserve / "catalog.sqlite") as connection:
        connection.execute("UPDATE medium SET file_path = '../secret.jpg' WHERE id = ?",
                           (client.card(ids[1])["media"],))
    from ecotone.review.server import build
    from tests.review.conftest import Client

    app, close = build(reserve, "127.0.0.1", 8721, "", "Ana", 0)
    try:
        assert Client(app).get("/picture/whole", params={"id": ids[1]}).status_code == 404
    finally:
        close()


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py",
                                  "/static/..%2fapp.py", "//etc/passwd", "/picture/../app.py"])
def test_no_file_by_its_path(client, path):
    assert client.get(path).status_code in (404, 422)


def test_pictures_are_made_once(tmp_path, make_picture, monkeypatch):
    from ecotone.review import pictures as module

    make_picture(tmp_path / "p" / "a.jpg")
    store, box = Pictures(tmp_path / "cache"), (0, 0, 1, 1)
    first = store.get(str(tmp_path / "p"), "a.jpg", "v", box, "crop")
    monkeypatch.setattr(module, "make", None)
    assert store.get(str(tmp_path / "p"), "a.jpg", "v", box, "crop") == first
    os.utime(tmp_path / "p" / "a.jpg", (1, 1))
    with pytest.raises(TypeError):  # the file has changed: made anew
        store.get(str(tmp_path / "p"), "a.jpg", "v", box, "crop")


def test_the_folder_of_pictures_stays_in_bounds(tmp_path, make_picture):
    for n in range(80):
        make_picture(tmp_path / "p" / f"{n}.jpg", seed=n)
    one = len(make(tmp_path / "p" / "0.jpg", (0, 0, 1, 1), "crop"))
    store = Pictures(tmp_path / "cache", limit=20 * one)
    for n in range(80):
        store.get(str(tmp_path / "p"), f"{n}.jpg", "", (0, 0, 1, 1), "crop")
    kept = sum(f.stat().st_size for f in (tmp_path / "cache").rglob("*.jpg"))
    assert 0 < kept <= 21 * one


def test_a_picture_that_cannot_be_read_says_so(client, ids, pictures):
    (pictures / client.card(ids[0])["file"]).write_bytes(b"no picture")
    answer = client.get("/picture/crop", params={"id": ids[0]})
    assert answer.status_code == 404 and "not a picture" in answer.json()["error"]
