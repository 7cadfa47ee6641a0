"""The demo: a small one from beginning to end, its arithmetic, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.project.demo import DemoResult, run_demo
from ecotone.project.demo_truth import compare, overlap, true_labels
from ecotone.simulate.reserve import local_classes

SMALL = {"n": 60, "labels": 12, "lessons": 12}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("demos") / "demo", seed=1, **SMALL)


@pytest.mark.slow
def test_a_small_demo_from_beginning_to_end(demo: DemoResult) -> None:
    assert demo.pictures == 60
    assert demo.labels == 12
    assert 0 < demo.tested < demo.detections
    assert set(demo.accuracy) == {"fused", "labels alone", "global alone"}
    assert all(0 <= v <= 1 for s in demo.accuracy.values() for v in s.values())
    assert demo.report.is_file() and demo.report.stat().st_size > 50_000
    text = "\n".join(demo.lines())
    assert str(demo.report) in text and "Gain: " in text and "points" in text
    page = demo.report.read_text(encoding="utf-8")
    assert "Map of the sites" in page and "lie outside the dates" not in page
    assert (demo.project / "models" / "latest").exists()
    record = json.loads((demo.project / "evaluation" / "records.json").read_text(encoding="utf-8"))
    assert "generator's truth" in record["notes"][0]


@pytest.mark.slow
def test_the_gain_is_measured_on_what_nobody_labelled(demo: DemoResult) -> None:
    from ecotone.project import Project

    with Project(demo.project) as project:
        truth_file = demo.project / "generated" / "truth.json"
        scores, tested = compare(project, truth_file)
        labels, events = true_labels(project, truth_file)
        known = project.catalog.current_labels()
        ids = project.catalog.detections().id
    assert tested == demo.tested
    assert scores["fused"].overall == demo.accuracy["fused"]["overall"]
    assert len(labels) == len(events) == len(ids) == demo.detections
    assert set(labels) <= set(local_classes())
    seen = {event for event, i in zip(events, ids, strict=True) if i in known}
    assert tested == sum(event not in seen for event in events)


@pytest.mark.slow
def test_started_again_it_continues_and_says_the_same(demo: DemoResult) -> None:
    photo = next((demo.project / "generated" / "photos").rglob("*.jpg"))
    before = photo.stat().st_mtime_ns
    again = run_demo(demo.project, seed=1, **SMALL)
    assert photo.stat().st_mtime_ns == before
    assert again.accuracy == demo.accuracy
    assert again.detections == demo.detections


@pytest.mark.slow
def test_another_demo_in_the_same_folder_is_refused(demo: DemoResult) -> None:
    with pytest.raises(InputError, match="another folder"):
        run_demo(demo.project, seed=2, **SMALL)


def test_a_project_of_ones_own_is_not_touched(tmp_path: Path) -> None:
    from ecotone.project import Project

    Project.init(tmp_path / "mine").close()
    before = (tmp_path / "mine" / "ecotone.toml").read_bytes()
    with pytest.raises(InputError, match="no demo"):
        run_demo(tmp_path / "mine", **SMALL)
    assert (tmp_path / "mine" / "ecotone.toml").read_bytes() == before
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="no demo"):
        run_demo(tmp_path / "file", **SMALL)


def test_the_words_say_the_figures(tmp_path: Path) -> None:
    accuracy = {"fused": {"overall": 0.8, "perClass": 0.7},
                "labels alone": {"overall": 0.55, "perClass": 0.3},
                "global alone": {"overall": 0.6, "perClass": 0.5}}
    result = DemoResult(tmp_path, tmp_path / "report.html", 600, 1200, 30, 1000, accuracy, 1.0)
    text = "\n".join(result.lines())
    assert "+20.0 points over the better" in text
    assert "+25.0 over the labels alone" in text
    assert " 80.0 %" in text


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 0.5, 1), (0.5, 0, 0.5, 1), 0.0),
        ((0, 0, 0.5, 0.5), (0.25, 0, 0.5, 0.5), 1 / 3),
    ],
)
def test_overlap_of_boxes(a: tuple[float, ...], b: tuple[float, ...], expected: float) -> None:
    assert overlap(a, np.array(b)) == pytest.approx(expected)
    assert overlap(b, a) == pytest.approx(expected)
