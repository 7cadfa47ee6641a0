from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_json(folder: Path, value: Any, name: str = "md.json") -> Path:
    """Write a value as a json file and return its path."""
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
