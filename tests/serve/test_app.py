"""Answers and refusals of the application."""

from __future__ import annotations

import base64
import csv
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ecotone.bundle.predict import predict_folder, predict_to_file
from tests.serve.conftest import CLASSES, picture


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def problem(answer, status: int, reason: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["reason"] == reason and told["title"]
    assert "\n" not in told["detail"] and told["detail"]
    return told["detail"]


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it has very many pixels."""
    def chunk(name: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))


def test_one_picture(client):
    answer = client.predict(picture())
    assert answer.status_code == 200
    found = answer.json()
    assert found["model"] == "run-1" and found["bbox"] == [0, 0, 1, 1]
    values = [c["probability"] for c in found["classes"]]
    assert sorted(values, reverse=True) == values and sum(values) == pytest.approx(1, abs=1e-5)
    assert {c["label"] for c in found["classes"]} == set(CLASSES)
    assert found["label"] == found["classes"][0]["label"]
    assert found["probability"] == values[0]
    latin = {c["label"]: c["scientificName"] for c in found["classes"]}
    assert latin == {"red deer": "Cervus elaphus", "grey fox": "", "wild boar": ""}


def test_the_same_numbers_as_predict(client, pictures, model_folder, tmp_path):
    rows = list(predict_folder(pictures, model_folder, batch_size=5))
    predict_to_file(pictures, model_folder, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as handle:
        written = list(csv.DictReader(handle))
    for row, line in zip(rows, written, strict=True):
        found = client.predict((pictures / row["filePath"]).read_bytes()).json()
        assert found["label"] == row["localClass"] == line["localClass"]
        assert found["scientificName"] == row["scientificName"]
        assert found["probability"] == pytest.approx(row["classificationProbability"], abs=1e-6)


def test_the_same_numbers_for_boxes_and_large_rotated_pictures(client, model, model_folder,
                                                               tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture((1600, 1200), exif=exif, quality=92)
    (tmp_path / "a.jpg").write_bytes(data)
    boxes = [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], [0.9, 0.9, 0.1, 0.1]]
    content = {"images": [{"file": "a.jpg", "detections": [
        {"category": "1", "conf": 0.9 - i / 10, "bbox": b} for i, b in enumerate(boxes)]}],
        "detection_categories": {"1": "animal"}, "info": {"format_version": "1.4"}}  # fmt: skip
    (tmp_path / "md.json").write_text(json.dumps(content), encoding="utf-8")
    rows = {tuple(np.round([r[f"bbox{n}"] for n in ("X", "Y", "Width", "Height")], 3)): r
            for r in predict_folder(tmp_path, model_folder, tmp_path / "md.json")}
    asked = {"pictures": [{"data": b64(data), "boxes": boxes, "id": "a"}]}
    [found] = client.post("/v1/predict/batch", json=asked).json()["pictures"]
    assert found["id"] == "a" and len(found["predictions"]) == 3
    for box, one in zip(boxes, found["predictions"], strict=True):
        row = rows[tuple(np.round(box, 3))]
        assert one["bbox"] == box and one["label"] == row["localClass"]
        assert one["probability"] == pytest.approx(row["classificationProbability"], abs=1e-6)
    text = ",".join(str(v) for v in boxes[0])
    single = client.predict(data, params={"box": text}).json()
    asked["pictures"][0]["boxes"] = boxes[:1]  # alone it may be decoded at another size
    [found] = client.post("/v1/predict/batch", json=asked).json()["pictures"]
    assert single["probability"] == pytest.approx(found["predictions"][0]["probability"], abs=1e-6)
    form = client.post("/v1/predict", files={"picture": ("a.jpg", data)}, data={"box": text})
    assert form.json() == single


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_formats(client, kind):
    assert client.predict(picture(kind=kind), f"image/{kind.lower()}").status_code == 200


def test_of_several_frames_the_first_is_taken(client):
    frames = [Image.open(io.BytesIO(picture(seed=s, kind="PNG"))) for s in range(3)]
    for kind in ("GIF", "WEBP", "TIFF"):
        both, first = io.BytesIO(), io.BytesIO()
        frames[0].save(both, kind, save_all=True, append_images=frames[1:])
        frames[0].save(first, kind)
        kinds = f"image/{kind.lower()}"
        found = client.predict(both.getvalue(), kinds).json()["probability"]
        expected = client.predict(first.getvalue(), kinds).json()["probability"]
        assert found == pytest.approx(expected, abs=0.02)


def test_top(client):
    found = client.predict(picture(), params={"top": 1}).json()
    assert len(found["classes"]) == 1 and found["classes"][0]["label"] == found["label"]
    for wrong in ("0", "-1", "1.0", "x", "", "1_0", "99999999999", "٣"):
        problem(client.predict(picture(), params={"top": wrong}), 422, "parameter")
    problem(client.predict(picture(), params=[("top", 1), ("top", 2)]), 422, "parameter")
    assert "did you mean 'top'" in problem(
        client.predict(picture(), params={"tpo": 1}), 422, "parameter")


def test_a_batch_as_a_form_and_as_json(client):
    data = [picture(seed=i) for i in range(5)]
    data[3] = data[3][:200]
    files = [("pictures", (f"{i}.jpg", d)) for i, d in enumerate(data)]
    form = client.post("/v1/predict/batch", files=files, params={"top": 2}).json()
    asked = {"pictures": [{"data": b64(d), "id": f"{i}.jpg"} for i, d in enumerate(data)]}
    given = client.post("/v1/predict/batch", json=asked, params={"top": 2}).json()
    for one, other in zip(form["pictures"], given["pictures"], strict=True):
        assert one["id"] == other["id"] and one["error"] == other["error"]
        for a, b in zip(one["predictions"], other["predictions"], strict=True):
            assert a["probability"] == pytest.approx(b["probability"], abs=1e-6)
    assert [bool(p["error"]) for p in form["pictures"]] == [False, False, False, True, False]
    assert form["pictures"][3]["predictions"] == []
    assert all(len(p["predictions"][0]["classes"]) == 2 for p in form["pictures"] if not p["error"])


@pytest.mark.parametrize("data, reason", [
    (b"", "picture"), (b"no picture", "picture"), (picture()[:300], "picture"),
    (picture((400, 300))[:-2000], "picture"), (b"<svg onload='x'/>", "picture"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "picture"),
])
def test_what_is_no_picture(client, data, reason):
    detail = problem(client.predict(data), 422, reason)
    assert detail.startswith("picture: ")


@pytest.mark.parametrize("data, kind", [
    (bomb(60_000, 60_000), "image/png"), (bomb(2**31 - 1, 2**31 - 1), "image/png"),
    (bomb(1001, 1000), "image/png"), (picture((1010, 1000)), "image/jpeg"),
    (picture((1010, 1000), "WEBP"), "image/webp"), (picture((1010, 1000), "GIF"), "image/gif"),
    (picture((1010, 1000), "TIFF", compression="tiff_lzw"), "image/tiff"),
])
def test_too_many_pixels_are_known_before_they_are_decoded(make_client, monkeypatch, data, kind):
    monkeypatch.setattr("ecotone.media.preprocess.load_picture", lambda *a: pytest.fail("decoded"))
    client = make_client(max_pixels=1_000_000)
    assert "1,000,000" in problem(client.predict(data, kind), 413, "too-many-pixels")
    [item] = client.post("/v1/predict/batch", files=[("pictures", ("a", data))]).json()["pictures"]
    assert "pixels" in item["error"]


def test_too_many_bytes(make_client):
    client = make_client(max_bytes=5000)
    problem(client.predict(b"x" * 5001), 413, "too-many-bytes")

    async def endless():
        for _ in range(10_000):
            sent.append(1)
            yield b"x" * 1000

    sent = []
    answer = client.post("/v1/predict", content=endless(), headers={"content-type": "image/jpeg"})
    problem(answer, 413, "too-many-bytes")
    assert len(sent) < 20
    files = [("pictures", ("a.jpg", b"x" * 6000))]
    problem(client.post("/v1/predict/batch", files=files), 413, "too-many-bytes")
    assert client.pipeline.rows == 0


def test_content_types(client):
    for kind in ("text/plain", "application/json", "image/svg+xml", "", "image/jpegx"):
        detail = problem(client.predict(picture(), kind), 415, "media-type")
        assert "image/jpeg" in detail
    problem(client.post("/v1/predict/batch", content=b"x"), 415, "media-type")
    headers = {"content-type": "image/jpeg", "content-encoding": "gzip"}
    problem(client.post("/v1/predict", content=picture(), headers=headers), 415, "media-type")
    assert client.predict(picture(), "Image/JPEG; q=1").status_code == 200


@pytest.mark.parametrize("asked", [
    {}, [], {"pictures": []}, {"pictures": [{}]}, {"pictures": [{"data": "@@"}]},
    {"pictures": [{"data": 3}]}, {"pictures": [{"data": "", "url": "http://x/"}]},
    {"pictures": [{"data": "", "boxes": [[0, 0, 1]]}]},
    {"pictures": [{"data": "", "boxes": [[0, 0, 1, 1.5]]}]},
    {"pictures": [{"data": "", "boxes": [["0", 0, 1, 1]]}]},
    {"pictures": [{"data": "", "boxes": [[0, 0, 1, float("nan")]]}]},
    {"pictures": [{"data": "", "path": "/etc/passwd"}]},
    {"pictures": [{"data": ""}] * 33}, {"pictures": [{"data": "", "boxes": [[0, 0, 1, 1]] * 51}]},
    {"pictures": [{"data": "", "boxes": [[0, 0, 1, 1]] * 40}] * 2},
])
def test_json_that_is_not_as_described(client, asked):
    answer = client.post("/v1/predict/batch", content=json.dumps(asked),
                         headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["detail"]
    assert client.pipeline.rows == 0


def test_forms_that_are_not_as_described(client):
    for url, files in (
        ("/v1/predict", {"file": ("a.jpg", picture())}),
        ("/v1/predict", [("picture", ("a.jpg", picture()))] * 2),
        ("/v1/predict/batch", {"picture": ("a.jpg", picture())}),
        ("/v1/predict/batch", [("pictures", ("a.jpg", picture()))] * 33),
    ):
        assert client.post(url, files=files).status_code == 422, url
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = client.post("/v1/predict/batch", content=b"junk", headers={"content-type": kind})
        problem(answer, 422, "form")
    problem(client.post("/v1/predict/batch", data={"a": "b"}, files={"c": b""}), 422, "form")


def test_a_form_that_ends_before_its_end(client):
    part = b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    good = part + picture() + b"\r\n--x--\r\n"
    assert client.post("/v1/predict/batch", content=good, headers=headers).status_code == 200
    for body in (b"", part, good[:-6], part.replace(b"name=", b"nome=") + b"a\r\n--x--\r\n"):
        answer = client.post("/v1/predict/batch", content=body, headers=headers)
        problem(answer, 422, "form")
    long = b'--x\r\nContent-Disposition: form-data; name="box"\r\n\r\n' + b"0" * 2000
    problem(client.post("/v1/predict", content=long, headers=headers), 422, "form")
    assert client.pipeline.rows == 0


def test_paths_and_methods(client):
    problem(client.get("/nope"), 404, "no-such-path")
    problem(client.get("/v1/predict/"), 404, "no-such-path")
    answer = client.get("/v1/predict")
    problem(answer, 405, "method")
    assert answer.headers["allow"] == "POST"
    answer = client.post("/v1/model")
    problem(answer, 405, "method")
    assert "GET" in answer.headers["allow"]


def test_the_model_and_the_pages(client):
    found = client.get("/v1/model").json()
    assert [c["label"] for c in found["classes"]] == list(CLASSES)
    assert found["preprocessing"]["width"] == 32 and found["card"]["name"] == "run-1"
    assert found["limits"]["max_pictures"] == 32
    for path in ("/docs", "/"):
        page = client.get(path)
        assert page.status_code == 200 and "/v1/predict/batch" in page.text
        assert "http://" not in page.text and "https://" not in page.text  # nothing from elsewhere
        assert "<script" not in page.text
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_security_headers_and_no_cors(client):
    answer = client.post("/v1/predict", content=picture(), headers={
        "content-type": "image/jpeg", "origin": "https://elsewhere.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_the_token(make_client):
    client = make_client(token="0123456789abcdef")
    for given in ({}, {"authorization": "Bearer x"}, {"authorization": "0123456789abcdef"},
                  {"authorization": "Basic 0123456789abcdef"}):  # fmt: skip
        answer = client.post("/v1/predict", content=picture(), headers={
            "content-type": "image/jpeg", **given})
        problem(answer, 401, "token")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/metrics").status_code == 401
    assert client.get("/health/ready").status_code == 200
    good = {"content-type": "image/jpeg", "authorization": "Bearer 0123456789abcdef"}
    assert client.post("/v1/predict", content=picture(), headers=good).status_code == 200


def test_metrics(client):
    client.predict(picture())
    client.predict(b"x")
    files = [("pictures", ("a", picture())), ("pictures", ("b", b""))]
    client.post("/v1/predict/batch", files=files)
    client.get("/some/path")
    text = client.get("/metrics").text
    for line in (
        'ecotone_requests_total{method="POST",route="/v1/predict",status="200"} 1.0',
        'ecotone_requests_total{method="POST",route="/v1/predict",status="422"} 1.0',
        'ecotone_requests_total{method="GET",route="other",status="404"} 1.0',
        "ecotone_pictures_total 2.0", 'ecotone_rejected_total{reason="picture"} 2.0',
        "ecotone_queue_rows 0.0", "ecotone_queue_limit_rows 64.0", "ecotone_ready 1.0",
        "ecotone_batch_rows_count 2.0", "ecotone_decode_seconds_count 4.0",
        "ecotone_wait_seconds_count 2.0", "ecotone_model_seconds_count 2.0",
    ):  # fmt: skip
        assert line in text.splitlines(), line
