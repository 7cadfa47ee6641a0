"""The commands on the pages about other programs run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from ecotone import cli
from ecotone.export.speciesnet import write_speciesnet
from ecotone.ingest.results_file import read_results
from tests.export.test_megadetector import validated

PAGES = Path(__file__).resolve().parents[2] / "docs/formats"
BLOCK = re.compile(r"<!-- run: (\w+) -->\n```sh\n(.*?)```", re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch, pictures, labels_csv, detections_json):
    """PHOTOS, labels.csv and md.json."""
    pictures.rename(tmp_path / "PHOTOS")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    return tmp_path


def run(page: str, block: str, capsys) -> str:
    blocks = dict(BLOCK.findall((PAGES / page).read_text(encoding="utf-8")))
    out = ""
    for line in blocks[block].splitlines():
        code = cli.run(shlex.split(line)[1:])
        told = capsys.readouterr()
        assert code == 0, f"{line}: {told.err}"
        out += told.out
    return out


def test_with_timelapse(workplace, capsys):
    out = run("with-timelapse.md", "timelapse", capsys)
    file = workplace / "PHOTOS/recognitionData.json"
    assert validated(file)["errors"] == []
    told = "timelapse: 24 images, 23 detections, 23 classifications, 0 failures"
    assert told in out and told in (PAGES / "with-timelapse.md").read_text(encoding="utf-8")
    data = json.loads(file.read_text(encoding="utf-8"))
    assert all((workplace / "PHOTOS" / i["file"]).is_file() for i in data["images"])


def test_with_speciesnet_and_megadetector(workplace, capsys):
    page = "with-speciesnet-and-megadetector.md"
    out = run(page, "megadetector", capsys)
    assert validated(workplace / "md_local.json")["errors"] == []
    for line in out.splitlines()[-2:]:
        assert line.startswith(("megadetector: 24", "speciesnet: 24"))
        assert line in (PAGES / page).read_text(encoding="utf-8")
    results = read_results(Path("local.json"))
    write_speciesnet(results.images, "legacy.json", generation="legacy", model_version="4.0.1a")
    legacy = read_results(Path("legacy.json"))
    assert legacy.kind == "SpeciesNet legacy" and len(legacy.images) == 24
    assert {s[0][0].split(";")[-1] for s in (i.scores for i in legacy.images) if s} >= {
        "red deer", "grey fox", "wild boar"}
    capsys.readouterr()
    assert cli.run(["init", "second"]) == cli.run(
        ["add", "images", "PHOTOS", "--project", "second"]) == 0
    assert cli.run(["add", "data", "local.json", "--project", "second"]) == 0
    assert "23 scores added" in capsys.readouterr().out
