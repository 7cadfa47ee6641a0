"""Paths and URLs: told apart in any form, read with retries, with one clear line where not."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import InputError, MediaError, MissingExtraError
from ecotone.media import location as places
from ecotone.media.decode import load_picture
from ecotone.media.location import filesystem, is_url, join, location, open_seekable, read_bytes


@pytest.mark.parametrize(("given", "expected", "url"), [
    ("s3://b/x.jpg", "s3://b/x.jpg", True),
    (Path("s3://b/x y.jpg"), "s3://b/x y.jpg", True),
    ("S3://b/x", "s3://b/x", True),
    ("http://h:80/x?y=1", "http://h:80/x?y=1", True),
    ("memory:///b/x", "memory://b/x", True),
    ("file:///a/b%20c.jpg", "/a/b c.jpg", False),
    (Path("file:///a/b"), "/a/b", False),
    ("file:///C:/a", "C:/a", False),
    ("C:/a", "C:/a", False),
    ("C:\\a", "C:\\a", False),
    ("a:b/c.jpg", "a:b/c.jpg", False),
    ("/a/b", "/a/b", False),
    ("", "", False),
])
def test_every_way_to_write_a_place(given: str | Path, expected: str, url: bool) -> None:
    assert location(given) == expected
    assert location(location(given)) == location(given)
    assert is_url(given) is url


def test_join() -> None:
    assert join("s3://b/p/", "cam 1/x#1.jpg") == "s3://b/p/cam 1/x#1.jpg"
    assert join("/a", "b/c.jpg") == "/a/b/c.jpg"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_a_picture_is_the_same_from_everywhere(tmp_path, make_picture, server) -> None:
    fsspec = pytest.importorskip("fsspec")
    path = make_picture(tmp_path / "cam 1" / "a.jpg")
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", path.read_bytes())
    here = np.asarray(load_picture(path))
    for where in (path.as_uri(), "memory://bucket/cam 1/a.jpg", f"{server}/cam 1/a.jpg",
                  Path(f"{server}/cam%201/a.jpg")):
        np.testing.assert_array_equal(np.asarray(load_picture(where)), here)
    with open_seekable("memory://bucket/cam 1/a.jpg") as handle:
        assert handle.seek(0, io.SEEK_END) == path.stat().st_size
    with pytest.raises(MediaError, match=r"none\.jpg: cannot be read \(there is no such file"):
        load_picture(f"{server}/none.jpg")
    with pytest.raises(MediaError, match=r"memory://bucket/none\.jpg: .*there is no such file"):
        load_picture("memory://bucket/none.jpg")
    fsspec.filesystem("memory").pipe("/bucket/empty.jpg", b"")
    with pytest.raises(MediaError, match=r"memory://bucket/empty\.jpg: the file is empty"):
        load_picture("memory://bucket/empty.jpg")


def test_a_failing_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "WAIT", 0.0)
    asked = []

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            good = self.path == "/second" and len(asked) > 1
            self.send_response(200 if good else 403 if self.path == "/secret" else 503)
            self.end_headers()
            self.wfile.write(b"good" if good else b"")

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        assert read_bytes(f"{url}/second") == b"good" and len(asked) == 2
        asked.clear()
        with pytest.raises(OSError, match="answers 503"):
            read_bytes(f"{url}/never")
        assert len(asked) == places.ATTEMPTS
        asked.clear()
        with pytest.raises(PermissionError, match="refuses it"):
            read_bytes(f"{url}/secret")
        assert len(asked) == 1
    finally:
        httpd.shutdown()
        httpd.server_close()
    with pytest.raises(MediaError, match="cannot be read"):
        load_picture(f"{url}/gone.jpg")


def test_unknown_schemes_and_missing_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(InputError, match="s4:// locations cannot be read"):
        filesystem("s4://b/x")
    with pytest.raises(InputError, match="cannot be listed or written"):
        filesystem("https://example.org/x")
    places._storage.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[scale\]"):
        filesystem("memory://b/x")
    with pytest.raises(MediaError, match=r"ecotone\[scale\]"):
        load_picture("memory://b/x.jpg")
    places._storage.cache_clear()
