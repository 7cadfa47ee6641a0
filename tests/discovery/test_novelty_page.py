"""The part of the page about novelty: its Python runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tests.discovery.test_novelty import draw, posterior

PAGE = Path(__file__).resolve().parents[2] / "docs" / "discovery.md"


def test_its_python_runs(capsys):
    text = PAGE.read_text(encoding="utf-8")
    code = re.search(r"<!-- run: novelty -->\n```python\n(.*?)```", text, re.DOTALL).group(1)
    truth = np.arange(400) % 10
    x = draw(truth, 0)
    proba = posterior(x, 8)
    target = np.where((truth < 8) & (np.arange(400) < 200), truth, -1)
    held_out = np.where(target[:, None] < 0, np.nan, proba)
    clf = SimpleNamespace(predict_proba=lambda x, s: proba,
                          selection_=SimpleNamespace(oof_proba=held_out))
    names: dict[str, object] = {"target": target, "clf": clf, "embeddings": x, "scores": None,
                                "location": np.arange(400)}
    exec(compile(code, PAGE.name, "exec"), names)
    assert "NovelShare" in capsys.readouterr().out
    unlabelled = int((target < 0).sum())
    assert names["with_none"].shape == (unlabelled, 9)
    assert names["flagged"][truth[target < 0] >= 8].mean() > 0.5
