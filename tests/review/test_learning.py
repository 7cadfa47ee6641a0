"""Learning beside the page: a fusion in another process, questions, what is told of them."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ecotone.project import Project
from ecotone.review import learning
from ecotone.review.learning import Learner, foretold, history, new_labels
from ecotone.review.view import View


@pytest.fixture
def view(reserve):
    opened = View(reserve)
    yield opened
    opened.close()


def wait(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    assert condition()


def test_a_fusion_runs_beside_and_the_queue_takes_its_order(reserve, labels_csv):
    """About ten seconds: two real commands."""
    with Project(reserve) as project:
        project.add_labels(labels_csv)
    view = View(reserve)
    learner = Learner(view, every=3)
    try:
        assert new_labels(view) == 6
        before, epoch = view.answers.run, view.epoch
        learner.start()
        wait(lambda: view.answers.run != before and len(view.catalog.newest_suggestions()))
        assert view.epoch > epoch and new_labels(view) == 0
        (run,) = history(view)
        assert run["labels"] == 6 and 0 <= run["accuracy"] <= 1
        assert foretold(view)["gain"] is None and foretold(view)["why"]  # six labels tell nothing
    finally:
        learner.stop()
        view.close()


def test_a_failure_is_told_in_its_own_words(view, monkeypatch):
    def broken(command):
        code = "import sys; print('ecotone: no labels yet', file=sys.stderr); sys.exit(1)"
        return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(learning, "low_priority", broken)
    learner = Learner(view, every=0)
    learner.start()
    learner.ask()
    wait(lambda: learner.state == "failed", 20)
    assert learner.status()["message"] == "no labels yet"
    learner.stop()


def test_history_and_gain_are_those_of_the_runs(view):
    for n, accuracy in ((20, 0.8), (45, 0.85)):
        run = view.catalog.start_run("fuse")
        view.catalog.finish_run(run, "done", {
            "scores": {"accuracy": accuracy, "per_class_accuracy": 0.7},
            "counts": {"labelled": n}})
    view.catalog.finish_run(view.catalog.start_run("fuse"), "failed", {"error": "x"})
    gain = {"more": 50, "gain": 0.02, "low": 0.01, "high": 0.03, "now": 0.85, "then": 0.87}
    view.catalog.finish_run(view.catalog.start_run("suggest"), "done",
                            {"gain": gain, "gain_from": "by a short learning curve"})
    assert [(h["labels"], h["accuracy"]) for h in history(view)] == [(20, 0.8), (45, 0.85)]
    assert foretold(view) == {**gain, "why": "by a short learning curve"}
