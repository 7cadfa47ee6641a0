"""What a writer of a format says of its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """path: the file or folder. counts: rows by kind, e.g. {"media": 12}. warnings: what the format
    cannot hold or another tool will not take, one line a kind."""

    path: Path
    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
