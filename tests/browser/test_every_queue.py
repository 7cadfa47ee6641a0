"""Clicks and keys through every queue, and what is special in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecotone.project import Project
from ecotone.store import individuals
from tests.browser.conftest import Served, opened
from tests.browser.rich import ARABIC, CLASSES, LONG, MARKUP, make

QUEUES = ["next", "uncertain", "novel", "clusters", "changed", "refined", "repeats", "people",
          "model", "all"]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: Any, chromium: Any) -> Iterator[Served]:
    """One server for all tests here; each takes back what it decided."""
    server = Served(make(tmp_path_factory.mktemp("rich")))
    yield server
    server.stop()


@pytest.fixture
def desk(chromium: Any, rich: Served) -> Iterator[Any]:
    """The page, open, all queues there."""
    for page in opened(chromium, rich):
        page.locator("#queues [data-queue=repeats]").wait_for()
        yield page
        while page.locator("#actions [data-key=Undo]").is_enabled():
            undo(page)


def go(page: Any, queue: str) -> None:
    page.locator(f"#queues [data-queue={queue}]").click()
    page.locator(f"#queues [data-queue={queue}][aria-current=page]").wait_for()
    page.locator("#cards:not([aria-busy])").wait_for(state="attached")
    page.locator(".card, .side").first.wait_for()


def settled(page: Any) -> None:
    page.get_by_text("all saved").wait_for()


def undo(page: Any) -> None:
    with page.expect_response("**/api/decide") as answer:
        page.keyboard.press("z")
    assert answer.value.ok
    settled(page)


def labels(served: Served) -> dict[str, str]:
    with Project(served.project) as project:
        return dict(project.catalog.current_labels())


def names(served: Served) -> list[tuple[int, str, str]]:
    with Project(served.project) as project:
        return [(n.proposal, n.label, n.author) for n in project.catalog.proposal_names()]


def focused(page: Any) -> str:
    return page.locator(".card.focus").get_attribute("data-id")


def name_it(page: Any, letters: str, wanted: str) -> None:
    page.keyboard.type(letters)
    page.locator("#picker-list [aria-selected=true]", has_text=wanted).wait_for()
    page.keyboard.press("Enter")
    page.locator("#picker").wait_for(state="hidden")


@pytest.mark.parametrize("queue", QUEUES)
def test_keys_and_clicks_decide_in_every_queue(desk, rich, queue):
    before = labels(rich)
    go(desk, queue)
    first = focused(desk)
    best = desk.locator(".card.focus .best bdi").inner_text()
    desk.keyboard.press("Enter")
    settled(desk)
    assert labels(rich)[first] == best and best in CLASSES
    desk.locator(f".card[data-id='{first}']").click()
    desk.locator("#actions [data-key=Blank]").click()
    settled(desk)
    assert labels(rich)[first] == "blank"
    desk.locator(f".card[data-id='{first}']").click()
    desk.locator(".models [data-key=top-1]").click()
    settled(desk)
    assert labels(rich)[first] == CLASSES[(CLASSES.index(best) + 1) % len(CLASSES)]
    for _ in range(3):
        undo(desk)
    assert labels(rich) == before


def test_why_a_picture_is_asked_about_is_said(desk):
    for queue, reason in (("next", "typical of a group nobody labelled"), ("clusters", "group 1"),
                          ("novel", "like no known class, 90%"), ("repeats", "place 1")):
        go(desk, queue)
        desk.locator(".card.focus .reason", has_text=reason).wait_for()
    go(desk, "people")
    card = desk.locator(".card.disputed")
    card.get_by_text("Ben: grey fox").wait_for()
    assert card.locator(".said bdi").inner_text() == MARKUP


@pytest.mark.parametrize("letters", ["wildsch", "sangl", "sus scr", "boar"])
def test_a_class_by_letters_of_any_language(desk, rich, letters):
    go(desk, "all")
    first = focused(desk)
    desk.keyboard.press("c")
    name_it(desk, letters, "wild boar")
    settled(desk)
    assert labels(rich)[first] == "wild boar"


def test_a_whole_group_and_a_whole_burst_at_once(desk, rich):
    before = labels(rich)
    go(desk, "clusters")
    desk.keyboard.press("g")
    desk.locator("#picker-title", has_text="Class of all 2 in group 1").wait_for()
    name_it(desk, "gre", "grey fox")
    settled(desk)
    now = labels(rich)
    assert sorted(v for k, v in now.items() if k not in before) == ["grey fox"] * 2
    assert names(rich) == [(1, "grey fox", "Ana")]  # as `ecotone discover --name` keeps it
    if not desk.locator("#filters").is_visible():
        desk.locator("#filter-button").click()
    option = desk.locator("#filters [name=group] option", has_text="1 grey fox (0 open)")
    option.wait_for(state="attached")
    undo(desk)
    assert names(rich) == []
    go(desk, "all")
    desk.keyboard.press("End")
    desk.locator(".burst h3", has_text="Burst of 3").wait_for()
    desk.keyboard.press("e")
    desk.locator("#picker-title", has_text="Class of these 3").wait_for()
    name_it(desk, "благ", "red deer")
    settled(desk)
    now = labels(rich)
    assert sorted(v for k, v in now.items() if k not in before) == ["red deer"] * 3


def test_many_by_shift_click_and_by_the_mark_of_a_card(desk, rich):
    before = labels(rich)
    go(desk, "uncertain")
    cards = desk.locator(".card")
    cards.nth(1).click()
    cards.nth(4).click(modifiers=["Shift"])
    desk.locator(".chosen", has_text="4 selected").wait_for()
    cards.nth(6).hover()
    cards.nth(6).locator(".tick").click()
    desk.locator(".chosen", has_text="5 selected").wait_for()
    desk.keyboard.press("u")
    settled(desk)
    now = labels(rich)
    assert [v for k, v in now.items() if k not in before] == ["unknown"] * 5
    undo(desk)
    assert labels(rich) == before


def test_names_from_right_to_left_and_long_ones_stand_as_they_are(desk):
    go(desk, "all")
    for label in (ARABIC, LONG, MARKUP):
        card = desk.locator(".card .best bdi").filter(has_text=label).first
        assert card.inner_text() == label
        box, name = card.locator("xpath=../../..").bounding_box(), card.bounding_box()
        assert name["x"] >= box["x"] and name["x"] + name["width"] <= box["x"] + box["width"] + 1
    arabic = desk.locator(".card .best bdi").filter(has_text=ARABIC).first
    assert arabic.evaluate("n => getComputedStyle(n).direction") == "rtl"
    assert desk.locator("#cards b, #detail .models b").count() == 0
    assert "owned" not in desk.title()


def test_people_are_blurred_until_wanted(desk, rich):
    go(desk, "all")
    card = desk.locator(".card", has=desk.locator(".veil")).first
    card.click()
    assert "sharp" not in card.locator("img").get_attribute("src")
    desk.keyboard.press("s")
    desk.wait_for_function("() => document.querySelector('.card.focus img').src.includes('sharp')")
    assert desk.locator(".card.focus .veil").count() == 0
    desk.locator(".tools", has_text="Blur people").wait_for()


def test_a_picture_is_enlarged_and_looked_at_closely(desk):
    go(desk, "all")
    desk.keyboard.press("l")
    stage = desk.locator("#viewer .zoom")
    stage.wait_for()
    desk.keyboard.press("+")
    desk.keyboard.press("+")
    assert float(stage.get_attribute("data-scale")) == pytest.approx(1.96)
    moved = stage.locator(".zoomed").evaluate("n => n.style.transform")
    desk.keyboard.press("ArrowRight")
    assert stage.locator(".zoomed").evaluate("n => n.style.transform") != moved
    desk.keyboard.press("w")
    assert "/picture/whole" in stage.locator("img").get_attribute("src")
    desk.keyboard.press("0")
    assert stage.get_attribute("data-scale") == "1.00"
    stage.hover()
    desk.mouse.wheel(0, -400)
    desk.wait_for_function("() => document.querySelector('#viewer .zoom').dataset.scale > 2")
    desk.keyboard.press("Escape")
    desk.locator("#viewer").wait_for(state="hidden")


def test_a_box_is_added_with_the_keys_alone(desk, rich):
    go(desk, "all")
    desk.keyboard.press("End")
    first = focused(desk)
    desk.keyboard.press("d")
    desk.locator(".edit").wait_for()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowDown"):
        desk.keyboard.press(key)
    desk.keyboard.press("Enter")
    desk.get_by_text("Box added").wait_for()
    with Project(rich.project) as project:
        found = project.catalog.detections()
    (made,) = [b for i, b in zip(found.id, found.bbox, strict=True)
               if i.rpartition(":")[0] == first.rpartition(":")[0] and i != first]
    assert made.tolist() == pytest.approx([0.305, 0.305, 0.405, 0.405], abs=1e-6)
    desk.wait_for_function("() => document.activeElement.classList.contains('card')")


def test_pairs_same_different_or_nobody_can_tell(desk, rich):
    def said():
        with Project(rich.project) as project:
            return [d.decision for d in individuals.read_decisions(project.catalog.connection)]

    go(desk, "matches")
    desk.locator(".question", has_text="50 %").wait_for()
    assert desk.locator(".side img").count() == 2
    wide = desk.locator("main").evaluate("n => getComputedStyle(n).gridTemplateColumns")
    assert len(wide.split()) == 1  # the two pictures have all the room
    desk.locator("#actions [data-key=Cannot]").click()
    desk.locator(".question", has_text="90 %").wait_for()
    desk.locator(".side figcaption bdi", has_text=ARABIC).wait_for()
    desk.keyboard.press("p")
    desk.locator(".word", has_text="cannot tell (Ana)").wait_for()
    desk.keyboard.press("n")
    desk.keyboard.press("d")
    desk.get_by_text("No pair is left").wait_for()
    settled(desk)
    assert said() == ["different"]
    undo(desk)
    assert said() == []
    desk.locator("#left", has_text="1 left").wait_for()
    undo(desk)
    desk.locator("#left", has_text="2 left").wait_for()


def test_one_species_one_site_one_time_and_back(desk):
    go(desk, "all")
    form = desk.locator("#filters")
    if not form.is_visible():
        desk.locator("#filter-button").click()
    form.locator("[name=site]").select_option("وادي رم")
    desk.locator("#left", has_text="15 in this queue").wait_for()
    form.locator("[name=start]").fill("2024-05-06")
    desk.locator("#left", has_text="9 in this queue").wait_for()
    form.locator("[name=name]").select_option(ARABIC)
    desk.locator("#filter-button", has_text="3").wait_for()
    desk.reload()
    desk.locator("#filter-button", has_text="3").wait_for()
    form.get_by_role("button", name="Show everything again").click()
    desk.locator("#left", has_text="42 in this queue").wait_for()
