"""The page about confidence: its Python runs, its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ecotone.confidence.bounds import clopper_pearson_lower, fewest_units
from tests.confidence.worlds import draw

PAGE = Path(__file__).resolve().parents[2] / "docs" / "confidence.md"


def test_its_python_runs(capsys):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    proba, truth = draw(900, np.random.default_rng(0))
    target = np.where(np.arange(900) % 3 == 0, -1, truth)
    held_out = np.where(target[:, None] < 0, np.nan, proba)
    clf = SimpleNamespace(
        classes_=("red deer", "roe deer", "wild boar", "lynx"), predict_proba=lambda x, s: proba,
        selection_=SimpleNamespace(oof_proba=held_out),
    )
    names: dict[str, object] = {
        "target": target, "clf": clf, "embeddings": None, "scores": None,
        "location": np.arange(900) // 30,
    }
    exec(compile(code, PAGE.name, "exec"), names)
    assert capsys.readouterr().out.count("\n") == 4
    assert names["may_be"].shape == (900, 4) and names["needs_no_eye"].shape == (900,)
    assert names["shares"].groups == 30
    assert names["suspects"][0]["given"] in clf.classes_


def test_its_numbers_of_labels_are_those_of_the_code():
    rows = re.findall(r"^\| (\d+) % \| (\d+) \| (\d+) \| (\d+) \|$",
                      PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 4
    for wanted, *counts in rows:
        precision = int(wanted) / 100
        assert fewest_units(precision, 0.1) == int(counts[0])
        for mistakes, n in zip((0, 1, 3), map(int, counts), strict=True):
            assert clopper_pearson_lower(n - mistakes, n, 0.1) >= precision - 1e-12
            assert clopper_pearson_lower(n - 1 - mistakes, n - 1, 0.1) < precision
