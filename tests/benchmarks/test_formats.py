"""The benchmark of formats, small: both ways store the same rows."""

from __future__ import annotations

import json
import shutil

from tests.benchmarks.test_benchmarks import load


def test_both_ways_store_the_same_rows(tmp_path):
    formats = load("formats")
    formats.prepare(tmp_path, 300, 900)
    data = json.loads((tmp_path / "md.json").read_text(encoding="utf-8"))
    boxes = [b for i in data["images"] for b in i["detections"]]
    assert len(data["images"]) == 300 and len(boxes) == 900
    assert 250 < sum("classifications" in b for b in boxes) < 470
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(tmp_path / "md.json", work)
    shutil.copytree(tmp_path / "project", work / "project")
    formats.add(work)
    formats.insert(work)
    rows = formats.contents(work / "project/catalog.sqlite")
    assert rows == formats.contents(work / "peer.sqlite") and rows[0] > 900


def test_each_runs_in_a_process_of_its_own(tmp_path):
    formats = load("formats")
    formats.prepare(tmp_path, 40, 60)
    found = {what: formats.in_process(what, tmp_path) for what in ("ecotone", "peer")}
    assert all(f["seconds"] > 0 and f["peak"] > 0.01 for f in found.values())
    assert found["ecotone"]["rows"] == found["peer"]["rows"]
