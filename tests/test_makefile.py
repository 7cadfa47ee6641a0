"""`make test-torch` runs every file of tests that skips without torch."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPS = re.compile(r"importorskip\([\"'](?:torch|timm)\b")


def test_every_test_of_torch_is_in_its_list() -> None:
    rule = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ntest-torch:")[1]
    listed = re.findall(r"tests/[\w/.]+", rule.split("\n\n")[0])
    assert all((ROOT / place).exists() for place in listed)
    found = [file.relative_to(ROOT).as_posix() for file in sorted((ROOT / "tests").rglob("*.py"))
             if SKIPS.search(file.read_text(encoding="utf-8")) and file != Path(__file__).resolve()]
    assert len(found) > 10
    missing = [file for file in found
               if not any(file == place or file.startswith(f"{place}/") for place in listed)]
    assert not missing
