"""The plan of a reserve, the detector's boxes, the labels, the files, and the lessons elsewhere."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import EcotoneError
from ecotone.simulate import writing
from ecotone.simulate.elsewhere import ELSEWHERE, NAMES, UNKNOWN, global_classes
from ecotone.simulate.lessons import SIDE, make_lessons
from ecotone.simulate.reserve import (
    CAMERAS,
    LOWEST,
    OFTEN,
    Shot,
    detections_of,
    draw_events,
    local_classes,
    make_plan,
    taxonomy_rows,
)
from ecotone.simulate.species import BLANK, HUMAN, RESERVE
from ecotone.simulate.writing import Order, choose_labels, draw_part, generate


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    plan = [e for e in make_plan(400, 3) if e.camera == 0][:14]
    return list(draw_events(plan, 3))


def test_the_plan_has_a_long_tail_and_bursts() -> None:
    plan = make_plan(900, 0)
    assert sum(e.frames for e in plan) == 900
    counts = Counter(e.label for e in plan)
    assert counts["impala"] > 5 * counts["leopard"] > 0
    assert counts[BLANK] and counts[HUMAN]
    assert {e.frames for e in plan} == {1, 2, 3}
    assert {e.camera for e in plan} == set(range(len(CAMERAS)))
    files = [e.file(f) for e in plan for f in range(e.frames)]
    assert len(set(files)) == len(files)
    assert make_plan(900, 0) == plan
    assert make_plan(900, 1) != plan


def test_events_of_a_camera_are_minutes_apart() -> None:
    plan = make_plan(900, 0)
    for one, two in zip(plan, plan[1:], strict=False):
        if one.camera == two.camera:
            gap = (two.when - one.moment(one.frames - 1)).total_seconds()
            assert gap > 90


def test_animals_of_the_night_come_at_night() -> None:
    plan = make_plan(3000, 2)
    hyenas = [e for e in plan if e.label == "spotted hyena"]
    fowl = [e for e in plan if e.label == "helmeted guineafowl"]
    assert np.mean([e.night for e in hyenas]) > 0.6 > 0.1 > np.mean([e.night for e in fowl])
    assert all((e.when.hour >= 19 or e.when.hour <= 5) == e.night for e in plan)


def test_local_classes_and_the_species_list_fit() -> None:
    classes = local_classes()
    assert len(OFTEN) == len(RESERVE)
    assert len(set(classes)) == len(classes)
    assert {"jackal", BLANK, HUMAN} <= set(classes)
    rows = taxonomy_rows()
    assert {row["genus"] for row in rows} == {s.genus for s in (*RESERVE,)} | {"Homo"}
    vernacular = {row["vernacularName"] for row in rows}
    assert set(classes) - vernacular == {"jackal", BLANK}


def test_the_global_classes_know_some_and_not_others() -> None:
    classes = global_classes()
    names = [c.name for c in classes]
    assert len(set(names)) == len(names) >= 30
    known = {s.scientific for c in classes for s in c.members}
    assert not known & set(UNKNOWN)
    local = {s.scientific for s in RESERVE}
    assert local - known == set(UNKNOWN)
    assert set(NAMES) <= local
    assert len({s.scientific for s in ELSEWHERE} & local) == 0
    merged = [c for c in classes if len(c.members) > 1]
    assert [c.name for c in merged] == ["Tragelaphus sp. (Spiral-horned Antelope)"]


def test_drawn_pictures_of_a_burst_differ_a_little(shots: list[Shot]) -> None:
    assert all(s.pixels.shape == (480, 640, 3) and s.pixels.dtype == np.uint8 for s in shots)
    bursts: dict[int, list[Shot]] = {}
    for shot in shots:
        bursts.setdefault(shot.event.seed, []).append(shot)
    several = next(b for b in bursts.values() if len(b) > 1 and b[0].seen)
    first, second = several[0].pixels[:-30].astype(int), several[1].pixels[:-30].astype(int)
    assert 0.2 < np.abs(first - second).mean() < 25


def test_boxes_lie_on_the_animals_they_belong_to(shots: list[Shot]) -> None:
    for shot in shots:
        found = detections_of(shot)
        assert found == detections_of(shot)
        assert [d["conf"] for d in found] == sorted((d["conf"] for d in found), reverse=True)
        for detection in found:
            x, y, w, h = detection["bbox"]
            assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1.001 and y + h <= 1.001
            assert LOWEST <= detection["conf"] <= 0.98
            assert isinstance(detection["conf"], float)
    sure = [d for s in shots for d in detections_of(s) if d["conf"] > 0.6]
    assert sure
    assert all(s.seen for s in shots if s.event.species is not None and s.frame == 0)


def test_a_part_is_written_and_read_back(tmp_path: Path) -> None:
    from PIL import Image

    order = Order(str(tmp_path), seed=1, pictures=12, lessons=0, part=2)
    (tmp_path / "parts").mkdir()
    draw_part(order)
    notes = json.loads(order.notes().read_text(encoding="utf-8"))
    files = sorted(p.relative_to(order.photos).as_posix() for p in order.photos.glob("*/*.jpg"))
    assert files == sorted(notes["truth"]) == sorted(notes["boxes"])
    assert files, "this part has no picture; choose another seed"
    with Image.open(order.photos / files[0]) as picture:
        assert picture.size == (640, 480)
        taken = picture.getexif().get_ifd(0x8769)[36867]
    assert taken.replace(":", "").replace(" ", "-") == Path(files[0]).stem
    assert all(t["label"] in local_classes() for t in notes["truth"].values())
    assert all(t["label"] == BLANK for t in notes["truth"].values() if not t["boxes"])


def test_generate_writes_everything_and_the_same_again(tmp_path: Path) -> None:
    one, two = (Order(str(tmp_path / name), seed=5, pictures=8, lessons=0) for name in "ab")
    for order in (one, two):
        generate(order, labels=4)
    for name in ("labels.csv", "detections.json", "truth.json", "species.csv", "deployments.csv"):
        a, b = (Path(o.folder) / name for o in (one, two))
        assert a.read_bytes() == b.read_bytes()
    photos = sorted(p.relative_to(one.photos) for p in one.photos.glob("*/*.jpg"))
    assert len(photos) == 8
    assert all((one.photos / p).read_bytes() == (two.photos / p).read_bytes() for p in photos)
    with (Path(one.folder) / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = json.loads((Path(one.folder) / "truth.json").read_text(encoding="utf-8"))
    assert rows and all(truth[r["filePath"]]["label"] == r["vernacularName"] for r in rows)
    content = json.loads((Path(one.folder) / "detections.json").read_text(encoding="utf-8"))
    assert [i["file"] for i in content["images"]] == [p.as_posix() for p in photos]


def test_labels_are_of_different_events() -> None:
    truth = {f"c/{e}{f}.jpg": {"event": f"e{e}", "label": f"l{e}"} for e in range(9)
             for f in range(3)}
    rows = choose_labels(truth, 5, seed=0)
    assert len({truth[file]["event"] for file, _ in rows}) == 5
    assert rows == choose_labels(truth, 5, seed=0) != choose_labels(truth, 5, seed=1)
    assert len(choose_labels(truth, 50, seed=0)) == 9


def test_a_failing_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "asdict", lambda order: {**order.__dict__, "seed": "no number"})
    with pytest.raises(EcotoneError, match="drawing the pictures failed"):
        generate(Order(str(tmp_path), pictures=4, lessons=0), labels=2)


def test_lessons_show_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    from ecotone.simulate import lessons

    few = global_classes()[:3] + global_classes()[-1:]
    monkeypatch.setattr(lessons, "global_classes", lambda: few)
    pictures, labels = make_lessons(24, seed=0, part=3, parts=12)
    assert pictures.shape == (8, SIDE, SIDE, 3) and pictures.dtype == np.uint8
    assert Counter(labels.tolist()) == {0: 2, 1: 2, 2: 2, 3: 2}
    assert pictures.std(axis=(1, 2, 3)).min() > 3
