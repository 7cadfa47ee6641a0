"""A video in Chromium: its best frame as a card, its frames beside, played, decided at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecotone.project import Project
from tests.browser.conftest import Served, opened
from tests.project.runs import fake_run
from tests.review.conftest import CLASSES
from tests.videos import make_video

pytest.importorskip("av")


@pytest.fixture
def filmed(chromium: Any, tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """The page of a project of one video with two animals."""
    make_video(tmp_path / "media" / "cam1" / "a.mp4", 40, created="2024-05-01T06:30:00Z")
    with Project.init(tmp_path / "project") as project:
        project.add_images(tmp_path / "media")
        fake_run(project, CLASSES, ["red deer", "red deer", "grey fox", "grey fox"])
    served = Served(tmp_path / "project")
    pages = opened(chromium, served)
    yield next(pages), tmp_path / "project"
    next(pages, None)
    if served.thread.is_alive():
        served.stop()


def test_a_video_is_seen_played_and_named(filmed):
    page, folder = filmed
    cards = page.locator(".card")
    cards.nth(1).wait_for()
    assert cards.count() == 2
    cards.first.click()
    page.locator(".burst h3", has_text="Video, 4 frames").wait_for()
    assert "frame 0" in page.locator(".place .file").inner_text()
    page.locator(".strip button").nth(1).wait_for()
    play = page.locator("[data-key=play]")
    play.click()
    page.locator(".large img[src*='whole']").wait_for()
    play.click()
    page.locator(".large img[src*='crop']").wait_for()
    cards.first.click()
    page.keyboard.press("Enter")  # accept
    with Project(folder) as project:
        for _ in range(50):
            labels = project.catalog.current_labels()
            if labels:
                break
            page.wait_for_timeout(100)
        assert list(labels.values()) == ["red deer", "red deer"]  # its two frames, not the fox's
