"""SIGKILL while decisions come in: all that were answered are there, none twice."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from ecotone.project import Project
from tests.review.conftest import WRITE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
DECISIONS, AFTER = 1000, 300


def serve(project):
    command = [sys.executable, "-m", "ecotone", "review", "--project", str(project), "--port", "0",
               "--no-browser", "--learn-every", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = int(re.search(r":(\d+)/", process.stdout.readline()).group(1))
    return process, port


def ask(connection, method, path, body=None):
    headers = {**WRITE, "content-type": "application/json"} if body else {}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def decide(port, ids, worker, answered, done, decisions=DECISIONS):
    """Label pictures over and over until the server is gone or all is said."""
    names = ("red deer", "grey fox", "wild boar")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for n in range(worker, decisions, 2):
        key, name = f"decision-{n:05d}", names[n % 3]
        body = {"key": key, "author": f"person {worker}", "kind": "label", "force": True,
                "items": [{"id": ids[n % len(ids)], "label": name}]}
        try:
            status, _ = ask(connection, "POST", "/api/decide", body)
        except (OSError, http.client.HTTPException):
            break
        if status == 200:
            answered[key] = (ids[n % len(ids)], name)
        if len(answered) >= AFTER:
            done.set()
    connection.close()
    done.set()


def test_what_was_answered_survives_and_the_rest_can_be_sent_again(reserve):
    process, port = serve(reserve)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        ids = ask(connection, "GET", "/api/queue?queue=all")[1]["ids"]
        connection.close()
        answered, done = {}, threading.Event()
        workers = [threading.Thread(target=decide, args=(port, ids, w, answered, done))
                   for w in range(2)]
        for worker in workers:
            worker.start()
        done.wait(60)
        process.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.join()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert AFTER <= len(answered) < DECISIONS
    stored = check(reserve, answered)
    # The same decisions again, as a page sends what it had no answer for: nothing is doubled.
    process, port = serve(reserve)
    try:
        again = {}
        decide(port, ids, 0, again, threading.Event(), 100)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert len(check(reserve, {**answered, **again})) == len(stored | again.keys())


def check(reserve, answered):
    """Every answered decision is there once, whole; the keys that are stored."""
    with Project(reserve) as project:
        rows = project.catalog.connection.execute(
            "SELECT d.key, l.media_id || ':0', l.label, l.author, l.created FROM decision d "
            "JOIN label l ON l.decision = d.n").fetchall()
    stored = {key: (identity, label) for key, identity, label, _, _ in rows}
    assert len(stored) == len(rows)
    assert {k: stored.get(k) for k in answered} == answered
    assert all(author.startswith("person") and created for *_, author, created in rows)
    return stored.keys()


def test_another_command_can_run_beside_the_page(reserve, tmp_path):
    (tmp_path / "labels2.csv").write_text("filePath,label\ncam1/red_deer_1.jpg,red deer\n", "utf-8")
    process, _ = serve(reserve)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ecotone", "add", "labels", str(tmp_path / "labels2.csv"),
             "--project", str(reserve)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
        process.stdout.close()


def test_a_port_in_use_is_one_line(reserve, capsys):
    process, port = serve(reserve)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ecotone", "review", "--project", str(reserve), "--port",
             str(port), "--no-browser"], capture_output=True, text=True, timeout=30)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert done.returncode == 2 and done.stdout == ""
    assert f"port {port} is in use" in done.stderr and done.stderr.count("\n") == 1


def test_a_project_without_pictures_is_one_line(tmp_path):
    Project.init(tmp_path / "empty").close()
    done = subprocess.run(
        [sys.executable, "-m", "ecotone", "review", "--project", str(tmp_path / "empty"),
         "--port", "0", "--no-browser"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "ecotone add images" in done.stderr
    assert done.stderr.count("\n") == 1
