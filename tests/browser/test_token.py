"""The page that asks for the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Served

TOKEN = "a-token-of-this-test"


@pytest.fixture
def locked(reserve: Path, chromium: Any) -> Iterator[Served]:
    """The page of the small project, for those who know the token."""
    server = Served(reserve, token=TOKEN)
    yield server
    server.stop()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_token_is_asked_for_in_the_look_of_the_page(chromium, locked, colours):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(color_scheme=colours, viewport={"width": 820, "height": 700})
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(locked.url)
    field = page.get_by_label("Token or address")
    field.wait_for()
    page.wait_for_function("() => document.activeElement.id === 'token'")
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(243, 244, 240)", "dark": "rgb(18, 23, 26)"}[colours]
    assert page.locator("#wrong").is_hidden() and not axe.run(page).response["violations"]
    field.fill("another")
    page.keyboard.press("Enter")
    page.locator("#wrong:visible").wait_for()
    assert page.get_by_label("Token or address").get_attribute("aria-invalid") == "true"
    assert not axe.run(page).response["violations"]
    page.get_by_label("Token or address").fill(f"{locked.url}?token={TOKEN}")
    page.get_by_role("button", name="Open the page").click()
    page.locator(".card").first.wait_for()
    assert TOKEN not in page.url and not problems
    context.close()
