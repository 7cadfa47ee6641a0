"""The page for everybody: axe on every queue and dialog in both themes, the focus, who listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Served, opened
from tests.browser.rich import make

WIDE = """() => [...document.querySelectorAll('html, main, aside, .cards, header')]
    .filter((n) => n.scrollWidth > n.clientWidth + 1).map((n) => n.className || n.tagName)"""
LAPTOP, TABLET = (1440, 900), (820, 1180)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: Any, chromium: Any) -> Iterator[Served]:
    """One server for all tests here: they look, and what they decide is their own card."""
    project: Path = make(tmp_path_factory.mktemp("rich"))
    server = Served(project)
    yield server
    server.stop()


@pytest.fixture(params=["light", "dark"])
def desk(request: Any, chromium: Any, rich: Served) -> Iterator[Any]:
    """The page in a theme of the computer."""
    yield from opened(chromium, rich, color_scheme=request.param, size=LAPTOP)


@pytest.fixture
def one(chromium: Any, rich: Served) -> Iterator[Any]:
    """The page, whatever its colours."""
    yield from opened(chromium, rich, size=LAPTOP)


@pytest.fixture
def check() -> Any:
    """Fails where axe finds something."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def run(page: Any) -> None:
        page.wait_for_function("() => document.getAnimations().length === 0")
        found = axe.run(page).response["violations"]
        assert not found, "\n".join(
            f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:300]}"
            for v in found for n in v["nodes"][:3])

    return run


def queues(page: Any) -> list[str]:
    page.locator("#queues [data-queue=repeats]").wait_for()  # the last that comes
    return page.locator("#queues button").evaluate_all("all => all.map(b => b.dataset.queue)")


def go(page: Any, queue: str) -> None:
    page.locator(f"#queues [data-queue={queue}]").click()
    page.locator(f"#queues [data-queue={queue}][aria-current=page]").wait_for()
    page.locator("#cards:not([aria-busy])").wait_for(state="attached")
    page.locator(".card, .side, .end:not(:empty)").first.wait_for()


def test_no_queue_has_a_fault(desk, check):
    found = queues(desk)
    assert set(found) == {"next", "uncertain", "novel", "clusters", "changed", "refined", "repeats",
                          "people", "model", "matches", "all"}
    for queue in found:
        go(desk, queue)
        check(desk)


def test_no_dialog_has_a_fault(desk, check):
    for key, dialog in (("?", "help"), ("c", "picker"), ("l", "viewer")):
        desk.keyboard.press(key)
        desk.locator(f"#{dialog}[open]").wait_for()
        if dialog == "picker":
            desk.keyboard.type("sangl")
            desk.locator("#picker-list", has_text="wild boar").wait_for()
        check(desk)
        desk.keyboard.press("Escape")
        desk.locator(f"#{dialog}").wait_for(state="hidden")
    desk.locator(".accuracy").click()
    desk.locator("#curve[open]").wait_for()
    check(desk)
    desk.keyboard.press("Escape")
    desk.keyboard.press("c")
    desk.keyboard.type("aardwolf")
    desk.locator("#picker-list li", has_text="New class").wait_for()
    desk.keyboard.press("Enter")
    desk.locator(".fresh input").first.wait_for()
    check(desk)
    desk.keyboard.press("Escape")


def test_selection_boxes_and_an_absent_server_have_no_fault(desk, check):
    desk.keyboard.press("Control+a")
    desk.locator(".chosen").wait_for()
    check(desk)
    desk.keyboard.press("Escape")
    desk.keyboard.press("f")
    desk.locator(".edit").wait_for()
    check(desk)
    desk.keyboard.press("Escape")
    desk.context.set_offline(True)
    desk.locator("#banner").wait_for()
    check(desk)


def test_a_tablet_has_no_fault_and_nothing_sticks_out(chromium, rich, check):
    for size in (TABLET, (1180, 820)):
        for page in opened(chromium, rich, color_scheme="light", size=size):
            for queue in ("next", "matches"):
                go(page, queue)
                check(page)
                assert not page.evaluate(WIDE)


def test_colours_by_choice_stay_after_a_reload(chromium, rich):
    for page in opened(chromium, rich, color_scheme="light", size=LAPTOP):
        ground = "() => getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        button = page.locator("#theme-button")
        button.click()
        button.click()
        assert button.get_attribute("aria-label") == "Colours: dark"
        dark = page.evaluate(ground)
        assert dark != light
        page.reload()
        page.locator(".card").first.wait_for()
        assert page.evaluate(ground) == dark


def focus(page: Any) -> str:
    return page.evaluate("""() => { const n = document.activeElement;
        return n.id || n.dataset.queue || n.dataset.key || n.className || n.tagName; }""")


def test_tab_goes_through_everything_in_order_and_out_again(one):
    one.evaluate("() => document.activeElement.blur()")
    one.evaluate("() => document.querySelector('.skip').focus()")
    assert one.locator(".skip").evaluate("n => n.getBoundingClientRect().width > 20")
    seen = []
    for _ in range(80):
        one.keyboard.press("Tab")
        where = focus(one)
        if where == "BODY":
            break
        seen.append(where)
        ring = one.evaluate("""() => { const s = getComputedStyle(document.activeElement);
            return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }""")
        assert ring, where
    order = [seen.index(w) for w in ("author", "help-button", "next", "all", "filter-button",
                                     "Accept", "Class…")]
    assert order == sorted(order)
    cards = [w for w in seen if w.startswith("card-")]
    assert len(cards) == 1, "one stop in the grid"
    assert seen.index(cards[0]) > order[-1]
    assert "Enlarge" in seen[seen.index(cards[0]):]


def test_the_skip_link_leads_to_the_cards(one):
    one.evaluate("() => document.querySelector('.skip').focus()")
    one.keyboard.press("Enter")
    one.wait_for_function(
        "() => document.getElementById('cards').contains(document.activeElement)")
    one.keyboard.press("ArrowRight")
    one.wait_for_function(
        "() => document.activeElement.classList.contains('card')")


def test_the_focus_comes_back_after_every_dialog(one):
    one.keyboard.press("ArrowRight")
    where = focus(one)
    assert where.startswith("card-")
    for key in ("?", "c", "l"):
        one.keyboard.press(key)
        one.locator("dialog[open]").wait_for()
        assert one.evaluate("() => document.activeElement.closest('dialog') !== null")
        one.keyboard.press("Escape")
        one.locator("dialog[open]").wait_for(state="detached")
        assert focus(one) == where


def test_the_focus_stays_on_a_button_while_the_page_looks_for_news(one):
    one.locator("#actions [data-key=Human]").focus()
    for _ in range(2):
        with one.expect_response("**/api/changes*"):
            pass
        assert focus(one) == "Human"
    one.locator("#queues [data-queue=changed]").focus()
    with one.expect_response("**/api/changes*"):
        pass
    assert focus(one) == "changed"


def test_those_who_listen_hear_what_was_stored(one):
    go(one, "all")
    one.locator(".card.open").last.click()
    one.keyboard.press("u")
    one.locator("#told", has_text="Stored: unknown").wait_for(state="attached")
    card = one.locator(".card.labelled [title=unknown]").first
    card.wait_for()
    assert one.locator("#told").get_attribute("aria-live") == "polite"
    one.keyboard.press("z")
    one.locator("#toast", has_text="Undone: unknown on 1").wait_for()


def test_without_motion_nothing_moves(chromium, rich):
    for page in opened(chromium, rich, color_scheme="light", size=LAPTOP, reduced_motion="reduce"):
        assert page.locator("#toast").evaluate("n => getComputedStyle(n).transitionDuration") in (
            "0s", "1e-05s")
