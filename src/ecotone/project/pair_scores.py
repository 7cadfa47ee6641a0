"""Similarities of pairs beside the embedding: matched points (`point_scores`), or from a file.

What is asked are rows of detections; a pair without a score is NaN, and the embedding decides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import FormatError
from ecotone.ingest.tables import number, read_table
from ecotone.ingest.text import some
from ecotone.project.individual_decisions import FIRST, SECOND, detections_of

Progress = Callable[[int, "int | None", str], None]
PairScore = Callable[[np.ndarray, np.ndarray], np.ndarray]
SCORE = ("score", "similarity", "matches", "value")


class FileScores:
    """Scores of pairs that another program made: a csv with first, second (paths or detectionIDs)
    and score, higher is more alike. name: of the file.

    Raises FormatError when it is no such table, or a score is no number.
    """

    def __init__(self, project: Any, file: Path) -> None:
        table = read_table(file)
        columns = [table.find(names) for names in (FIRST, SECOND, SCORE)]
        if any(c is None for c in columns):
            raise FormatError(f"{file}, row 1: expected columns first, second and score (found: "
                              f"{some(table.header, 8)}).")
        first, second, score = (table.column(c) for c in columns)
        values = [number(v) if v else float("nan") for v in score]
        bad = [f"{line} ({s})" for line, s, v in zip(table.lines, score, values, strict=True)
               if s and not np.isfinite(v)]
        if bad:
            raise FormatError(f"{file}: score is no number: row {some(bad)}.")
        names = detections_of(project, [*first, *second], file.parent)
        self.name = file.stem
        self._known = {
            tuple(sorted((a, b))): v for a, b, v in zip(
                names[:len(first)], names[len(first):], values, strict=True) if a and b}
        if not self._known:
            raise FormatError(f"{file}: no row names two animals of this project.")

    def between(self, left: np.ndarray, right: np.ndarray) -> PairScore:
        """The score of rows of two columns of detection ids."""
        nan = float("nan")
        return lambda a, b: np.array(
            [self._known.get(tuple(sorted(p)), nan)
             for p in zip(left[a], right[b], strict=True)], dtype=np.float64)


def scorers(
    project: Any, local: bool, file: Path | None, progress: Progress | None
) -> dict[str, Any]:
    """Name -> scorer, of those that are asked for."""
    out: dict[str, Any] = {}
    if local:
        from ecotone.project.point_scores import PointScores

        out["points"] = PointScores(project, progress)
    if file is not None:
        found = FileScores(project, Path(file))
        out[found.name] = found
    return out
