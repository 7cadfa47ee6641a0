"""The page about SpeciesNet's decision: its Python runs, its thresholds are those of the code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from ecotone.hierarchy.ensemble import EnsembleThresholds
from ecotone.taxonomy.rollup import taxon_key
from tests.hierarchy.speciesnet_labels import CERVIDAE, JAY, RED_DEER, ROE, RULES, TAXONOMY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hierarchy-speciesnet.md"


def test_its_python_runs(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    monkeypatch.chdir(tmp_path)
    Path("taxonomy_release.txt").write_text("\n".join(TAXONOMY), encoding="utf-8")
    Path("geofence_release.json").write_text(json.dumps(RULES), encoding="utf-8")
    Path("geofence_fixes.csv").write_text(
        f"species,rule,country_code,admin1_region_code\n{taxon_key(RED_DEER)},block,USA,TX\n"
    )
    names: dict[str, object] = {"classes": [RED_DEER, ROE, JAY], "scores": [0.85, 0.1, 0.01]}
    exec(compile(code, PAGE.name, "exec"), names)
    assert names["label"] == CERVIDAE
    assert names["source"] == "classifier+geofence+rollup_to_family"


def test_its_thresholds_are_those_of_the_code():
    told = re.findall(r"`(\w+)` (\.\d+)", PAGE.read_text(encoding="utf-8"))
    assert {name: float(value) for name, value in told} == asdict(EnsembleThresholds())
