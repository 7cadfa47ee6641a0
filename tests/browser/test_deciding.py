"""The page in Chromium: keys, undo, selection, bursts, boxes, other people, an absent server."""

from __future__ import annotations

import pytest

from ecotone.project import Project


def settled(page):
    page.get_by_text("all saved").wait_for()


def labels(served):
    with Project(served.project) as project:
        return project.catalog.current_labels()


def focused(page):
    return page.locator(".card.focus").get_attribute("data-id")


def test_the_page_asks_nobody_else(chromium, served):
    context = chromium.new_context()
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url)
    page.locator(".card img").first.wait_for()
    with page.expect_response("**/api/changes*"):  # all parts are there, it looks for news
        pass
    context.close()
    assert asked and all(url.startswith(served.url) for url in asked)


def test_keys_accept_name_and_go_on(page, served):
    first = focused(page)
    model = page.locator(".card.focus .best bdi").inner_text()
    page.keyboard.press("Enter")
    second = focused(page)
    assert second != first
    page.keyboard.press("b")
    third = focused(page)
    page.keyboard.press("c")
    page.locator("#picker-input").wait_for()
    page.keyboard.type("fo")
    page.locator("#picker-list [aria-selected=true]", has_text="grey fox").wait_for()
    page.keyboard.press("Enter")
    page.locator("#picker").wait_for(state="hidden")
    page.locator(f".card.focus:not([data-id='{third}'])").wait_for()
    page.keyboard.press("n")
    fourth = focused(page)
    page.keyboard.press("u")
    page.keyboard.press("p")
    settled(page)
    assert labels(served) == {first: model, second: "blank", third: "grey fox", fourth: "unknown"}


def test_undo_and_redo_also_after_a_reload(page, served):
    first = focused(page)
    page.keyboard.press("h")
    settled(page)
    assert labels(served) == {first: "human"}
    page.reload()
    page.locator(".card").first.wait_for()
    page.locator("#actions button", has_text="Undo").and_(
        page.locator(":enabled")).wait_for()
    page.keyboard.press("z")
    page.get_by_text("Undone: human on 1").wait_for()
    assert labels(served) == {}
    page.keyboard.press("y")
    page.get_by_text("Done again: human on 1").wait_for()
    assert labels(served) == {first: "human"}


def test_many_at_once(page, served):
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.get_by_text("4 selected").wait_for()
    page.keyboard.press("b")
    settled(page)
    assert list(labels(served).values()) == ["blank"] * 4
    page.keyboard.press("z")
    page.get_by_text("Undone: blank on 4").wait_for()
    assert labels(served) == {}


def test_a_new_class_with_a_long_name_from_right_to_left(page, served):
    name = "غزال جبلي صغير من وادي الظلال الطويل جدا جدا"
    page.keyboard.press("/")
    page.locator("#picker-input").fill(name)
    page.locator("#picker-list li", has_text="New class").click()
    page.get_by_role("button", name="Make this class").click()
    settled(page)
    assert list(labels(served).values()) == [name]
    page.locator(".card .said bdi", has_text=name).wait_for()


def test_names_are_text_and_never_markup(page, served):
    name = "<img src=x onerror=document.title='owned'><b>&amp;"
    page.keyboard.press("c")
    page.locator("#picker-input").fill(name)
    page.locator("#picker-list li", has_text="New class").click()
    page.get_by_role("button", name="Make this class").click()
    settled(page)
    page.locator(".card .said bdi", has_text=name).wait_for()
    assert page.locator("#cards b").count() == 0 and page.title() != "owned"


def test_a_box_is_fixed_with_the_mouse(page, served):
    first = focused(page)
    page.keyboard.press("f")
    page.locator(".edit").wait_for()
    page.locator(".stage .whole").evaluate("image => image.decode()")
    handle = page.locator(".handle.se").bounding_box()
    x, y = handle["x"] + 5, handle["y"] + 5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20)
    page.mouse.up()
    page.get_by_role("button", name="Save box").click()
    page.get_by_text("Box stored").wait_for()
    with Project(served.project) as project:
        detections = project.catalog.detections()
    place = {i: b for i, b in zip(detections.id, detections.bbox, strict=True)}
    made = first.replace(":0", ":1")
    assert first not in place and place[made][0] == pytest.approx(0.25, abs=0.01)
    assert place[made][2] > 0.55 and place[made][3] > 0.52


def test_two_people_see_each_other_and_conflicts_are_shown(page, chromium, served):
    other = chromium.new_context().new_page()
    other.goto(served.url)
    other.locator(".card").first.wait_for()
    other.locator("#author").fill("Ben")
    other.locator("#author").blur()
    other.route("**/api/changes*", lambda route: route.abort())  # Ben sees nothing for a while
    first = focused(page)
    page.keyboard.press("b")
    settled(page)
    other.locator(f".card[data-id='{first}']").click()
    other.keyboard.press("h")
    other.get_by_text("Somebody else was here").wait_for()
    assert labels(served) == {first: "blank"}
    other.get_by_role("button", name="Say mine too").click()
    page.locator(f".card.disputed[data-id='{first}']").wait_for()  # Ana is told within seconds
    assert labels(served) == {first: "human"}
    other.context.close()


def test_offline_work_is_kept_and_sent_when_the_server_is_back(page, served):
    first = focused(page)
    served.stop()
    page.keyboard.press("b")
    page.locator("#banner").get_by_text("1 decision waits").wait_for()
    page.keyboard.press("h")
    page.locator("#banner").get_by_text("2 decisions wait").wait_for()
    assert page.locator(f".card.pending[data-id='{first}']").count() == 1
    assert labels(served) == {}
    served.start()
    settled(page)
    page.locator("#banner").wait_for(state="hidden")
    assert sorted(labels(served).values()) == ["blank", "human"]
    assert page.locator(f".card.labelled[data-id='{first}']").count() == 1
