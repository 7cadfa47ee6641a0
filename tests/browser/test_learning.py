"""Learning as one works, seen on the page."""

from __future__ import annotations

from typing import Any

from ecotone.project import Project
from tests.browser.conftest import Served, opened

SLOW = 180_000  # milliseconds that two real commands may take on a busy computer


def test_a_label_starts_a_fusion_whose_accuracy_and_order_appear(chromium, reserve, labels_csv):
    """About ten seconds: a real fusion of 24 pictures beside the page."""
    with Project(reserve) as project:
        project.add_labels(labels_csv)
        labelled = len(project.catalog.current_labels())
    served = Served(reserve, every=labelled + 1)  # one more is missing
    try:
        for page in opened(chromium, served):
            page.set_default_timeout(SLOW)
            learned(page, served, labelled)
    finally:
        served.stop()


def learned(page: Any, served: Served, labelled: int) -> None:
    page.locator("#learning", has_text="Not fused yet").wait_for()
    page.locator("#learning button", has_text=f"Learn now ({labelled} new)").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("all saved").wait_for()
    page.locator("#toast", has_text=f"Learned from {labelled + 1} labels").wait_for()
    page.locator(".accuracy b", has_text="%").wait_for()
    page.locator("#learning button", has_text="Learn now").wait_for()  # questions are chosen too
    with Project(served.project) as project:
        (fused,) = [r for r in project.catalog.runs() if r.command == "fuse" and r.status == "done"]
    shown = page.locator(".accuracy b").inner_text()
    assert shown == f"{100 * fused.summary['scores']['accuracy']:.1f} %"
    in_order(page)


def in_order(page: Any) -> None:
    """What follows the picture in focus is the server's new order."""
    page.wait_for_function("""async () => {
        const found = await (await fetch('/api/queue?queue=next&n=0')).json();
        const shown = [...document.querySelectorAll('.card')].map((c) => c.dataset.id);
        const at = shown.indexOf(document.querySelector('.card.focus').dataset.id);
        const rest = shown.slice(at + 1).filter((id) => found.ids.includes(id));
        const places = rest.map((id) => found.ids.indexOf(id));
        return rest.length > 3 && places.slice(-4).every((v, i, a) => !i || v > a[i - 1]);
    }""")
