"""Every queue by a click, filters, and two individuals side by side."""

from __future__ import annotations

import numpy as np

from ecotone.project import Project
from ecotone.store import individuals as store


def test_every_queue_opens(page):
    page.locator("#queues button").first.wait_for()
    names = page.locator("#queues button").evaluate_all("all => all.map(b => b.dataset.queue)")
    assert {"next", "uncertain", "changed", "all"} <= set(names)
    for name in names:
        button = page.locator(f"#queues button[data-queue='{name}']")
        title = button.locator("span").first.inner_text()
        button.click()
        page.locator("#title", has_text=title).wait_for()
        page.locator(".card, #end:not(:empty)").first.wait_for()


def test_filters_narrow_a_queue(page):
    page.locator("#queues button[data-queue=all]").click()
    page.locator("#title", has_text="All pictures").wait_for()
    page.locator("#filters [name=site]").select_option("cam2")
    page.get_by_text("12 in this queue").wait_for()
    page.locator("#filters [name=name]").select_option("red deer")
    page.get_by_text("4 in this queue").wait_for()
    assert set(page.locator(".card .best bdi").all_inner_texts()) == {"red deer"}


def test_more_like_this_from_the_keyboard(page):
    model = page.locator(".card.focus .best bdi").inner_text()
    page.keyboard.press("m")
    page.locator("#title", has_text="More like this").wait_for()
    near = page.locator(".card .best bdi").all_inner_texts()[:8]
    assert near == [model] * 8


def test_same_or_different_individuals(chromium, served):
    with Project(served.project) as project:
        ids = project.catalog.detections().id
        run = project.catalog.start_run("individuals match")
        with project.catalog.transaction() as connection:
            store.insert_rows(connection, run, store.IdentificationTable(
                ids[:2], np.array(["Zuri", "Zuri"], dtype=object),
                np.array(["known", "known"], dtype=object), np.array([0.5, 0.9]),
                np.array([0.6, 0.9]),
                store.candidates_json([[("Zuri", 0.5, ids[5])], [("Zuri", 0.9, ids[6])]])))
        project.catalog.finish_run(run)
    page = chromium.new_context().new_page()
    page.goto(served.url)
    page.locator("#queues button[data-queue=matches]").click()
    page.get_by_text("the same with probability 50 %").wait_for()
    page.keyboard.press("s")
    page.get_by_text("the same with probability 90 %").wait_for()
    page.keyboard.press("d")
    page.get_by_text("No pair is left").wait_for()
    page.get_by_text("all saved").wait_for()

    def said():
        with Project(served.project) as project:
            return [d.decision for d in store.read_decisions(project.catalog.connection)]

    assert said() == ["same", "different"]
    page.keyboard.press("z")
    page.get_by_text("Undone: a pair").wait_for()
    assert said() == ["same"]
    page.context.close()
