"""The command as a process: starting, stopping, slow clients, mistakes."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import signal
import socket
import sys
import threading
import time

import pytest
from PIL import Image

from ecotone import cli
from ecotone.errors import InputError
from ecotone.serve.server import check_token
from tests.serve.conftest import in_a_thread, picture

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def post(port: int, body: bytes, kind: str = "image/jpeg") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_stop_finishes_what_was_taken_and_ends_with_0(start_server):
    server = start_server("--threads", "1", "--batch-size", "1")
    handle = io.BytesIO()
    Image.new("RGB", (6000, 5000), (90, 120, 60)).save(handle, "PNG")
    body = handle.getvalue()  # small, and takes long to decode
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(post(server.port, body)[0]))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 20
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        rows = 0.0
        while rows < 3:
            assert time.monotonic() < end and not found
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            rows = float(text.split("\necotone_queue_rows ")[1].split()[0])
    code, err = server.end(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    assert found == [200, 200, 200] and code == 0 and "Traceback" not in err
    with pytest.raises(OSError):
        post(server.port, body)


def test_one_server_many_slow_and_broken_clients(start_server):
    """One process for all of these: starting one takes longest."""
    server = start_server("--max-bytes", "200000", "--timeout", "2")
    address = ("127.0.0.1", server.port)
    slow = socket.create_connection(address, timeout=20)
    slow.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: s\r\nContent-Type: image/jpeg\r\n"
                 b"Content-Length: 1000\r\n\r\nabc")
    with socket.create_connection(address, timeout=20) as long_head:
        long_head.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
        answer = b"".join(iter(lambda: long_head.recv(1000), b""))
        assert answer.startswith(b"HTTP/1.1 400") and b"application/problem+json" in answer
    with socket.create_connection(address, timeout=20) as large:
        large.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: s\r\nContent-Type: image/jpeg\r\n"
                      b"Content-Length: 9999999999\r\n\r\n")
        assert large.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(address, timeout=20) as chunked:
        chunked.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: s\r\nContent-Type: image/jpeg\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65535 + b"\r\n"
                        + b"ffff\r\n" + b"x" * 65535 + b"\r\nffff\r\n" + b"x" * 65535 + b"\r\n"
                        + b"ffff\r\n" + b"x" * 65535 + b"\r\n")
        assert chunked.recv(100).startswith(b"HTTP/1.1 413")
    status, text = post(server.port, picture())
    assert status == 200, text
    assert slow.recv(200).startswith(b"HTTP/1.1 408")
    slow.close()
    assert server.end(signal.SIGINT)[0] == 0


def test_a_second_signal_ends_it_at_once(start_server):
    server = start_server("--grace", "60")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as held:
        held.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: s\r\nContent-Type: image/jpeg\r\n"
                     b"Content-Length: 1000\r\n\r\nabc")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None  # it waits for the rest of the body
        begun = time.monotonic()
        code, _ = server.end(signal.SIGTERM)
    assert code == 128 + signal.SIGTERM and time.monotonic() - begun < 30  # not the 60 of --grace


def test_heads_that_dribble_are_cut(monkeypatch):
    import asyncio

    uvicorn = pytest.importorskip("uvicorn")
    from ecotone.serve.protocol import TimedProtocol

    class Quick(TimedProtocol):
        head_seconds = 0.2

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def go() -> list[bytes]:
        config = uvicorn.Config(app, http=Quick, ws="none", lifespan="off", log_config=None, port=0)
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        found = []
        for start in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: s\r\n\r\nGET"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            found.append(await asyncio.wait_for(reader.read(), 5))
            writer.close()
        server.should_exit = True
        await task
        return found

    nothing, half, whole = in_a_thread(go)
    assert nothing == half == b"" and whole.startswith(b"HTTP/1.1 204")


def test_one_connection_too_many_is_a_problem():
    import asyncio

    uvicorn = pytest.importorskip("uvicorn")
    from ecotone.serve.protocol import TimedProtocol

    class Few(TimedProtocol):
        most = 1

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def go() -> list[bytes]:
        config = uvicorn.Config(app, http=Few, ws="none", lifespan="off", log_config=None, port=0)
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        first = await asyncio.open_connection("127.0.0.1", port)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        found = []
        second.write(b"GET / HTTP/1.1\r\nHost: s\r\n\r\n")
        found.append(await asyncio.wait_for(reader.read(), 20))
        second.close()
        first[1].write(b"GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n")
        found.append(await asyncio.wait_for(first[0].read(), 20))
        first[1].close()
        server.should_exit = True
        await task
        return found

    refused, taken = in_a_thread(go)
    assert refused.startswith(b"HTTP/1.1 503") and b'"reason": "connections"' in refused
    assert b"application/problem+json" in refused and b"retry-after: 1" in refused.lower()
    assert taken.startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize("words, told", [
    (["--queue", "0"], "--queue"), (["--max-pictures", "99"], "--max-pictures 99"),
    (["--token", "short"], "--token"), (["--host", "300.1.2.3"], "--host 300.1.2.3"),
])
def test_mistakes_are_one_line(model_folder, capsys, words, told):
    assert cli.run(["serve", "--model", str(model_folder), *words]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


def test_a_folder_without_a_model_is_one_line(tmp_path, capsys):
    assert cli.run(["serve", "--model", str(tmp_path), "--port", "0"]) == 1
    err = capsys.readouterr().err
    assert "not the folder of a local model" in err and err.count("\n") == 1


def test_a_port_in_use_is_one_line(model_folder, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli.run(["serve", "--model", str(model_folder), "--port", port]) == 2
    assert re.search(r"in use, perhaps by another `ecotone serve`", capsys.readouterr().err)


def test_without_its_extra_it_says_what_to_install(model_folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert cli.run(["serve", "--model", str(model_folder)]) == 1
    assert 'pip install "ecotone[serve]"' in capsys.readouterr().err


def test_it_warns_when_everybody_may_use_it(monkeypatch, model_folder, capsys):
    monkeypatch.setattr("ecotone.serve.server.serve", lambda *given: given[-1].opened("http://x"))
    words = ["serve", "--model", str(model_folder), "--host", "0.0.0.0"]
    assert cli.run(words) == 0 and "--token" in capsys.readouterr().err
    assert cli.run([*words, "--token", "x" * 20]) == 0 and capsys.readouterr().err == ""


@pytest.mark.parametrize("token", [
    "short", "with a space in it", "line\nbreak in the token", "é" * 20,
])
def test_tokens_that_cannot_be_sent(token):
    with pytest.raises(InputError, match="openssl"):
        check_token(token)
