"""Without the server, beside others, and against what must not run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecotone.project import Project
from ecotone.store import individuals
from tests.browser.conftest import Served, opened
from tests.browser.rich import MARKUP, make


@pytest.fixture(scope="module")
def rich(tmp_path_factory: Any, chromium: Any) -> Iterator[Served]:
    """One server for all tests here."""
    server = Served(make(tmp_path_factory.mktemp("rich")))
    yield server
    server.stop()


@pytest.fixture
def pages(chromium: Any, rich: Served) -> Iterator[tuple[Any, Any]]:
    """Ana's and Ben's page on all pictures, in two browsers."""
    for ana in opened(chromium, rich):
        for ben in opened(chromium, rich):
            for page, who in ((ana, "Ana"), (ben, "Ben")):
                page.locator("#author").fill(who)
                page.locator("#author").blur()
                page.locator("#queues [data-queue=all]").click()
                page.locator("#title", has_text="All pictures").wait_for()
            yield ana, ben


def settled(page: Any) -> None:
    page.get_by_text("all saved").wait_for()


def labels(served: Served) -> dict[str, str]:
    with Project(served.project) as project:
        return dict(project.catalog.current_labels())


def pick(page: Any) -> str:
    """A card that nobody has decided, in focus."""
    card = page.locator(".card.open").first
    card.click()
    return card.page.locator(".card.focus").get_attribute("data-id")


def test_offline_the_page_goes_on_and_even_another_one_sends_what_waits(chromium, rich):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(rich.url)
    page.locator("#queues [data-queue=all]").click()
    page.locator("#title", has_text="All pictures").wait_for()
    first = pick(page)
    context.set_offline(True)
    page.keyboard.press("b")
    page.locator("#banner", has_text="1 decision waits").wait_for()
    page.locator(f".card.pending[data-id='{first}']").wait_for()
    page.locator("#link", has_text="offline").wait_for()
    page.keyboard.press("c")
    page.locator("#picker[open]").wait_for()  # what was seen before can still be chosen
    page.keyboard.press("Escape")
    assert labels(rich).get(first) is None
    page.close()  # before the server ever heard of it
    context.set_offline(False)
    again = context.new_page()
    again.goto(rich.url)
    settled(again)
    again.wait_for_function("() => !Object.keys(localStorage).some((k) => k.includes('outbox'))")
    assert labels(rich)[first] == "blank"
    again.locator("#actions [data-key=Undo]").and_(again.locator(":enabled")).wait_for()
    with again.expect_response("**/api/decide"):
        again.keyboard.press("z")
    assert labels(rich).get(first) is None
    context.close()


def test_each_sees_what_the_other_did_and_took_back(pages, rich):
    ana, ben = pages
    one = pick(ana)
    ana.keyboard.press("u")
    settled(ana)
    theirs = ben.locator(f".card.labelled[data-id='{one}']")
    theirs.wait_for()
    theirs.get_by_text("Ana").wait_for()
    ana.keyboard.press("z")
    ben.locator(f".card.open[data-id='{one}']").wait_for()


def test_a_conflict_is_shown_and_theirs_can_stay(pages, rich):
    ana, ben = pages
    ben.route("**/api/changes*", lambda route: route.abort())  # Ben is not told for a while
    one = pick(ana)
    ana.keyboard.press("b")
    settled(ana)
    ben.locator(f".card[data-id='{one}']").click()
    ben.keyboard.press("u")
    dialog = ben.locator("#conflict[open]")
    dialog.get_by_text("Ana").wait_for()
    assert "You said unknown" in dialog.inner_text() and "blank" in dialog.inner_text()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert axe.run(ben).response["violations"] == []
    ben.keyboard.press("Escape")  # the safe answer: theirs
    dialog.wait_for(state="hidden")
    ben.locator(f".card.labelled[data-id='{one}']").wait_for()
    assert labels(rich)[one] == "blank"
    assert ben.evaluate("() => document.activeElement.classList.contains('card')")
    ben.unroute_all(behavior="ignoreErrors")


def pairs_of(page: Any) -> None:
    page.locator("#queues [data-queue=matches]").click()
    page.locator(".question").wait_for()


def said(served: Served) -> list[str]:
    with Project(served.project) as project:
        return [d.decision for d in individuals.read_decisions(project.catalog.connection)]


def test_another_word_on_a_pair_is_heard_and_a_conflict_is_shown(pages, rich):
    ana, ben = pages
    pairs_of(ana)
    pairs_of(ben)
    ben.locator(".question", has_text="50 %").wait_for()
    ana.keyboard.press("s")
    settled(ana)
    ben.locator(".word", has_text="same (Ana)").wait_for()  # while the pair is open
    ana.keyboard.press("z")
    ben.locator(".word").wait_for(state="detached")
    ben.route("**/api/changes*", lambda route: route.abort())  # Ben is not told for a while
    ana.keyboard.press("s")
    settled(ana)
    ben.keyboard.press("d")
    dialog = ben.locator("#conflict[open]")
    dialog.get_by_text("Ana").wait_for()
    assert "You said different" in dialog.inner_text() and "same" in dialog.inner_text()
    ben.locator(".question", has_text="50 %").wait_for()  # the pair that it is about
    assert said(rich) == ["same"]
    with ben.expect_response("**/api/decide"):
        dialog.get_by_role("button", name="Say mine too").click()
    settled(ben)
    ben.locator(".question", has_text="90 %").wait_for()  # on with where Ben was
    ben.unroute_all(behavior="ignoreErrors")
    assert said(rich) == ["different"]
    ana.keyboard.press("p")
    ana.locator(".word", has_text="different (Ben)").wait_for()
    assert ana.locator(".word").all_inner_texts() == ["different (Ben)", "same (Ana)"]
    ben.keyboard.press("z")
    ana.locator(".word", has_text="different").wait_for(state="detached")
    assert said(rich) == ["same"]
    ana.keyboard.press("z")
    ana.locator("#toast", has_text="Undone").wait_for()


def test_a_name_with_markup_is_text_everywhere_also_when_it_is_said(pages, rich):
    ana, ben = pages
    one = pick(ana)
    ana.keyboard.press("c")
    ana.locator("#picker-input").fill(MARKUP)
    ana.locator("#picker-list [aria-selected=true]").wait_for()
    ana.keyboard.press("Enter")
    ana.locator("#told", has_text="Stored: <img").wait_for(state="attached")
    ben.locator(f".card.labelled[data-id='{one}'] .said bdi", has_text=MARKUP).wait_for()
    for page in pages:
        assert page.locator("[src=x], #cards b, #told b, #filters b").count() == 0
        assert "owned" not in page.title()


def test_the_policy_stops_scripts_and_other_computers(chromium, rich):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(rich.url)
    page.locator(".card").first.wait_for()
    page.evaluate("""() => {
        window.blocked = [];
        document.addEventListener('securitypolicyviolation', (e) => window.blocked.push(
            `${e.effectiveDirective} ${e.blockedURI}`));
        const script = document.createElement('script');
        script.textContent = 'window.owned = true';
        document.body.append(script);
        const image = document.createElement('img');
        image.src = 'http://127.0.0.1:9/x.png';
        document.body.append(image);
        const link = document.createElement('div');
        link.innerHTML = '<p onclick="window.owned = true">x</p>';
        document.body.append(link);
        link.firstChild.click();
        fetch('http://127.0.0.1:9/x').catch(() => {});
    }""")
    page.wait_for_function("() => window.blocked.length >= 4")
    assert page.evaluate("() => window.owned") is None
    found = " ".join(page.evaluate("() => window.blocked"))
    assert all(what in found for what in ("script-src", "img-src", "connect-src"))
    context.close()
