"""Who is let in, and what another site's page cannot do."""

from __future__ import annotations

import pytest

from ecotone.errors import InputError
from ecotone.review.safety import MOST_BYTES, OPEN_PATHS, Gate, is_loopback
from tests.review.conftest import WRITE, Client

BODY = {"key": "key-of-safety", "author": "Eve", "kind": "undo"}


def test_every_answer_carries_the_policy(client):
    for path in ("/", "/static/main.js", "/api/state", "/nothing"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8721", "localhost.evil.example",
                                  "192.168.1.5", "", "a@localhost"])
def test_a_foreign_name_that_leads_here_is_refused(client, host):
    assert client.get("/api/state", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8721", "127.0.0.1:8721", "[::1]:8721", "LOCALHOST"])
def test_our_own_names_are_known(client, host):
    assert client.get("/static/icon.svg", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("headers", [
    {}, {"x-ecotone": "0"}, {**WRITE, "origin": "http://evil.example"},
    {**WRITE, "origin": "http://localhost:9999"}, {**WRITE, "origin": "null"},
    {**WRITE, "sec-fetch-site": "cross-site"}, {**WRITE, "sec-fetch-site": "same-site"},
])
def test_writes_of_other_sites_are_refused(client, headers):
    assert client.request("POST", "/api/decide", json=BODY, headers=headers).status_code == 403


def test_writes_of_the_page_pass(client):
    headers = {**WRITE, "origin": "http://localhost:8721", "sec-fetch-site": "same-origin"}
    assert client.request("POST", "/api/decide", json=BODY, headers=headers).status_code == 200


def test_other_sites_cannot_show_pictures(client, ids):
    for path in (f"/picture/crop?id={ids[0]}", "/api/state", "/static/main.js"):
        assert client.get(path, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_request_that_is_too_large_is_refused(client):
    for size in (MOST_BYTES + 1, 3 * MOST_BYTES):
        answer = client.request("POST", "/api/decide", content=b"x" * size, headers=WRITE)
        assert answer.status_code == 413

    async def parts():
        for _ in range(5):
            yield b"x" * (MOST_BYTES // 2)

    assert client.request("POST", "/api/decide", content=parts(), headers=WRITE).status_code == 413


def test_an_open_address_needs_a_token():
    with pytest.raises(InputError):
        Gate(None, "0.0.0.0", 8721)
    assert is_loopback("::1") and is_loopback("127.9.9.9") and not is_loopback("0.0.0.0")


@pytest.fixture
def guarded(reserve):
    from ecotone.review.server import build

    app, close = build(reserve, "0.0.0.0", 8721, "a-secret-token", "Ana", 0)
    yield Client(app, "http://192.168.1.5:8721")
    close()


def test_with_a_token_nobody_else_gets_in(guarded):
    assert guarded.get("/").status_code == 401 and "token" in guarded.get("/").text
    for path in ("/api/state", "/static/main.js", "/picture/crop?id=x", "/api/state?token=x",
                 "/?token=", "/?token=a-secret-toke", "/api/state?token=a-secret-token"):
        assert guarded.get(path).status_code == 401, path
    answer = guarded.request("POST", "/api/decide", json=BODY, headers=WRITE)
    assert answer.status_code == 401
    wrong = {"cookie": "ecotone_8721=a-secret-tokeN"}
    assert guarded.get("/api/state", headers=wrong).status_code == 401


def test_who_gives_a_wrong_token_is_told_so_and_the_printed_address_does_as_well(guarded):
    assert "hidden>This is not the token" in guarded.get("/").text
    wrong = guarded.get("/?token=%3Cscript%3E").text
    assert "hidden" not in wrong and 'aria-invalid="true"' in wrong and "<script>" not in wrong
    for path in OPEN_PATHS:
        assert guarded.get(path).status_code == 200
    given = "http%3A%2F%2Fhost%3A8721%2F%3Ftoken%3Da-secret-token"
    assert guarded.get(f"/?token={given}").status_code == 303


def test_the_token_becomes_a_cookie_of_this_page_alone(guarded):
    answer = guarded.get("/?token=a-secret-token")
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    headers = {"cookie": cookie.split(";")[0]}
    assert guarded.get("/api/state", headers=headers).status_code == 200
    assert guarded.get("/api/state", headers={**headers, "host": "evil.example"}).status_code == 421
