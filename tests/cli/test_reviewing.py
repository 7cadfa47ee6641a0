"""`ecotone review`: what it says, and its mistakes in one line."""

from __future__ import annotations

import sys

import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.review.server import Address


@pytest.fixture
def empty(tmp_path):
    Project.init(tmp_path / "p").close()
    return str(tmp_path / "p")


def test_without_its_extra_it_says_what_to_install(empty, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.run(["review", "--project", empty, "--no-browser"]) == 1
    err = capsys.readouterr().err
    assert 'pip install "ecotone[review]"' in err and err.count("\n") == 1


@pytest.mark.parametrize("words, told", [
    (["--port", "0"], "ecotone add images"), (["--host", "300.1.2.3"], "--host 300.1.2.3"),
    (["--port", "70000"], "70000"),
])
def test_mistakes_are_one_line(empty, capsys, words, told):
    pytest.importorskip("uvicorn")
    assert cli.run(["review", "--project", empty, "--no-browser", *words]) != 0
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


@pytest.mark.parametrize("token", ["", "secret"])
def test_it_prints_the_address_and_opens_it_when_wanted(empty, monkeypatch, capsys, token):
    opened = []
    url = "http://127.0.0.1:1/" + ("?token=secret" if token else "")

    def serve(path, host, port, author, every, ready):
        assert author == "Amina" and every == 7
        ready(Address(host, port, token, url))

    class Now:
        def __init__(self, seconds, act, words):
            self.start = lambda: act(*words)

    monkeypatch.setattr("ecotone.review.server.serve", serve)
    monkeypatch.setattr("threading.Timer", Now)
    monkeypatch.setattr("webbrowser.open", opened.append)
    words = ["review", "--project", empty, "--author", "Amina", "--learn-every", "7"]
    assert cli.run(words) == cli.run([*words, "--no-browser"]) == 0
    out = capsys.readouterr().out
    assert opened == [url] and f"review: {url}" in out and ("token in" in out) == bool(token)
