"""The queue: bounded, in batches; refusals, deadlines, clients that leave, models that fail."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.bundle.predict import predict_folder
from ecotone.errors import InputError
from ecotone.serve.limits import Limits
from ecotone.serve.metrics import Metrics
from ecotone.serve.model import open_model
from ecotone.serve.pipeline import Pipeline
from ecotone.serve.problems import Refusal
from tests.serve.conftest import in_a_thread, picture

WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


class Slow:
    """A model whose answer tells the picture's first byte; it waits until it is let go."""

    name, classes, scientific_names = "slow", ("a", "b"), ("", "")

    def __init__(self, held: bool = True, error: Exception | None = None) -> None:
        self.go, self.error, self.batches = threading.Event(), error, []
        if not held:
            self.go.set()

    def prepare(self, data, boxes, max_pixels):
        return np.full((len(boxes), 1), (data or b"\0")[0] / 255, dtype=np.float32)

    def probabilities(self, batch):
        assert self.go.wait(20)
        self.batches.append(len(batch))
        if self.error is not None:
            raise self.error
        return np.concatenate([batch, 1 - batch], axis=1)

    def about(self):
        return {"preprocessing": {}, "card": {}}


def pipeline_of(model, **limits):
    made = Pipeline(Limits(**{"threads": 2, **limits}), Metrics())
    made.use(model)
    return made


def submit(pipeline, *values, boxes=WHOLE, seconds=20.0):
    tickets = []
    for value in values:
        with pipeline.place() as place:
            place.grow(len(boxes))
            tickets.append(place.submit(bytes([value]), boxes, time.monotonic() + seconds))
    return tickets


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_every_picture_gets_its_own_answer_in_batches():
    model = Slow()
    pipeline = pipeline_of(model, batch_size=8, queue=64)
    tickets = submit(pipeline, *range(40), boxes=np.tile(WHOLE, (1, 1)))
    until(lambda: pipeline.rows == 40)
    model.go.set()
    for value, ticket in enumerate(tickets):
        np.testing.assert_allclose(ticket.answer.result(20)[0, 0], value / 255, atol=1e-6)
    until(lambda: pipeline.rows == 0)
    assert sum(model.batches) == 40 and max(model.batches) == 8 and len(model.batches) <= 8
    pipeline.stop()


@settings(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 7))
def test_boxes_stay_with_their_picture(counts, batch_size):
    pipeline = pipeline_of(Slow(held=False), batch_size=batch_size, queue=200)
    tickets = [submit(pipeline, i, boxes=np.tile(WHOLE, (n, 1)))[0] for i, n in enumerate(counts)]
    for i, (n, ticket) in enumerate(zip(counts, tickets, strict=True)):
        found = ticket.answer.result(20)
        assert found.shape == (n, 2)
        np.testing.assert_allclose(found[:, 0], i / 255, atol=1e-6)
    pipeline.stop()
    assert pipeline.rows == 0


def test_a_full_queue_refuses_and_takes_again():
    model = Slow()
    pipeline = pipeline_of(model, queue=4, max_pictures=4)
    tickets = submit(pipeline, 1, 2, 3, 4)
    with pytest.raises(Refusal) as refused:
        submit(pipeline, 5)
    assert refused.value.status == 429 and refused.value.headers["Retry-After"] == "1"
    model.go.set()
    for ticket in tickets:
        ticket.answer.result(20)
    until(lambda: pipeline.rows == 0)
    submit(pipeline, 5)[0].answer.result(20)
    pipeline.stop()


def test_what_is_dropped_leaves_the_queue():
    model = Slow()
    pipeline = pipeline_of(model, queue=8, max_pictures=8, batch_size=1, threads=1)
    tickets = submit(pipeline, *range(8))
    pipeline.drop(tickets[1:])
    model.go.set()
    tickets[0].answer.result(20)
    until(lambda: pipeline.rows == 0)
    assert len(model.batches) <= 2  # one may have been on its way already
    pipeline.stop()


def test_a_deadline_that_passes_is_a_503():
    model = Slow()
    pipeline = pipeline_of(model, batch_size=1)
    first, late = submit(pipeline, 1, 2, seconds=0.05)
    time.sleep(0.1)
    model.go.set()
    with pytest.raises(Refusal) as refused:
        late.answer.result(20)
    assert refused.value.status == 503 and refused.value.reason == "timeout"
    pipeline.stop()


def test_while_starting_and_stopping_everything_is_refused(make_client):
    client = make_client(given=None)
    for path in ("/health/ready", "/v1/model"):
        assert client.get(path).json()["reason"] == "starting"
    answer = client.predict(picture())
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert client.get("/health/live").status_code == 200
    client.pipeline.use(Slow(held=False))
    assert client.predict(picture()).status_code == 200
    client.pipeline.refuse_more()
    assert client.predict(picture()).json()["reason"] == "stopping"
    assert "ecotone_ready 0.0" in client.get("/metrics").text


def test_a_model_that_fails_is_a_503_and_a_line_and_is_tried_again(make_client, caplog):
    model = Slow(held=False, error=RuntimeError("the session\nbroke at /secret/path"))
    client = make_client(model, pause=0.2)
    with caplog.at_level(logging.ERROR, "ecotone.serve"):
        answer = client.predict(picture())
    assert answer.status_code == 503 and answer.json()["reason"] == "model-failed"
    assert "/secret" not in answer.text and int(answer.headers["retry-after"]) >= 1
    [line] = [r.getMessage() for r in caplog.records if r.name == "ecotone.serve"]
    assert "RuntimeError: the session broke" in line and "\n" not in line
    assert client.get("/health/ready").status_code == 503
    model.error = None
    time.sleep(0.25)
    assert client.predict(picture()).status_code == 200
    assert client.get("/health/ready").status_code == 200
    assert client.pipeline.rows == 0


def test_answers_that_are_no_numbers_are_a_failure(make_client):
    class Broken(Slow):
        def probabilities(self, batch):
            return np.full((len(batch), 2), np.nan)

    assert make_client(Broken(held=False)).predict(picture()).status_code == 503


def test_429_over_http_and_all_that_was_taken_is_answered(make_client):
    model = Slow()
    client = make_client(model, queue=5, max_pictures=5)
    threading.Timer(0.5, model.go.set).start()
    asked = ("POST", "/v1/predict", {"content": picture(), "headers": {
        "content-type": "image/jpeg"}})
    answers = client.together([asked] * 20)
    statuses = sorted(a.status_code for a in answers)
    assert statuses == [200] * 5 + [429] * 15
    assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 429)
    assert 'ecotone_rejected_total{reason="queue-full"} 15.0' in client.get("/metrics").text


def test_a_client_that_leaves_is_dropped(make_client):
    model = Slow()
    client = make_client(model, batch_size=1, threads=1)

    async def go():
        left, sent = asyncio.Event(), []
        body = [{"type": "http.request", "body": picture(), "more_body": False}]

        async def receive():
            if body:
                return body.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/predict", "raw_path": b"",
                 "query_string": b"", "headers": [(b"content-type", b"image/jpeg")],
                 "http_version": "1.1", "scheme": "http", "server": ("s", 80), "root_path": ""}
        task = asyncio.ensure_future(client.app(scope, receive, send))
        await asyncio.sleep(0.2)
        left.set()
        await asyncio.wait_for(task, 5)
        return sent

    sent = in_a_thread(go)
    assert sent[0]["status"] == 499
    model.go.set()
    until(lambda: client.pipeline.rows == 0)
    assert 'reason="client-gone"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("limits", [
    {"queue": 0}, {"batch_size": 0}, {"max_pixels": 0}, {"queue": 4, "max_pictures": 5},
    {"timeout": 0}, {"timeout": float("nan")}, {"grace": -1},
])
def test_limits_that_are_none(limits):
    with pytest.raises(InputError, match="--"):
        Limits(**limits)


def test_a_project_means_its_latest_model(model_folder, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "latest").symlink_to(model_folder)
    (tmp_path / "ecotone.toml").write_text("", encoding="utf-8")
    assert open_model(tmp_path).name == "run-1"


def test_a_trained_network_is_served_as_predict_runs_it(make_client, onnx_model, pictures):
    (onnx_model.parent / "model.json").unlink()
    onnx = pytest.importorskip("onnx")
    model = onnx.load(onnx_model)
    for key, value in (("classes", '["red deer", "grey fox", "wild boar"]'),
                       ("preprocessing", '{"preset": "unit"}')):  # fmt: skip
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, onnx_model)
    client = make_client(open_model(onnx_model))
    for row in list(predict_folder(pictures, onnx_model))[:4]:
        found = client.predict((pictures / row["filePath"]).read_bytes()).json()
        assert found["label"] == row["localClass"]
        assert found["probability"] == pytest.approx(row["classificationProbability"], abs=1e-6)


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.binary(max_size=400),
    st.tuples(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]), st.integers(0, 2000),
              st.binary(min_size=1, max_size=4)),
))
def test_no_body_makes_a_500(client, body):
    if isinstance(body, tuple):
        kind, at, noise = body
        data = bytearray(picture(kind=kind))
        at %= len(data)
        data[at : at + len(noise)] = noise
        body = bytes(data)
    for cut in (len(body), len(body) // 2):
        assert client.predict(body[:cut]).status_code in (200, 413, 422)
    answer = client.post("/v1/predict/batch", files=[("pictures", ("a", body))])
    assert answer.status_code == 200
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/predict/batch", content=body, headers=headers)
    assert answer.status_code == 422
    headers = {"content-type": "multipart/form-data; boundary=a"}
    answer = client.post("/v1/predict/batch", content=b"--a\r\n" + body, headers=headers)
    assert answer.status_code in (200, 422)
    assert client.get("/health/ready").status_code == 200 and client.pipeline.rows == 0


def test_damaged_files_of_the_field(client, shared_data):
    for path in sorted((shared_data / "robustness").glob("*.jpg")):
        data = path.read_bytes()
        bad = "truncated" in path.name or not data
        assert client.predict(data).status_code == (422 if bad else 200), path.name
        if data and not bad:
            assert client.predict(data[: len(data) // 3]).status_code == 422


def test_the_client_of_these_tests_sees_500s(make_client):
    class Wrong(Slow):
        name = property(lambda self: 1 / 0)

    answer = make_client(Wrong(held=False)).predict(picture())
    assert answer.status_code == 500 and answer.json()["reason"] == "unexpected"
