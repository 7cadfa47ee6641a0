"""Pictures of some detections for the report, whatever they are shown for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecotone.project.galleries import Shown, cut_out
from ecotone.project.gathering import take
from ecotone.types import Detections, Posteriors


def shown_of(project: Any, media: Any, detections: Detections, rows: Sequence[int]) -> Shown:
    """What pictures of detections `rows` are made from; people in them are known by the detector
    and by the global models."""
    from ecotone.store.vectors import read_scores, score_models

    use = take(detections, np.asarray(rows, dtype=np.intp))
    people: dict[str, list] = {}
    here = set(use.media_id.tolist())
    shot = detections.shot
    for row in np.flatnonzero(detections.category == "human"):
        if detections.media_id[row] in here:
            people.setdefault(shot[row], []).append(detections.bbox[row].tolist())
    folder, catalog = project.path / "vectors", project.catalog
    return Shown(
        use, Posteriors(use.id, np.zeros((len(use), 0)), ()), media, {},
        {name: read_scores(catalog, folder, name, use.id) for name in score_models(catalog)},
        people=people, blur_people=project.config.blur_people,
    )


class Shots:
    """Makes the picture part of report pictures: what `Picture` needs but words and figures."""

    def __init__(
        self, project: Any, media: Any, detections: Detections, ids: Sequence[str]
    ) -> None:
        place = {name: row for row, name in enumerate(detections.id)}
        self.ids = [name for name in ids if name in place]
        self._shown = shown_of(project, media, detections, [place[name] for name in self.ids])
        self._row = {name: row for row, name in enumerate(self.ids)}
        self._medium = {name: row for row, name in enumerate(media.id)}

    def of(self, name: str) -> dict[str, Any]:
        """The fields of a Picture of one detection; {} when it is no more."""
        row = self._row.get(name)
        if row is None:
            return {}
        media = self._shown.media
        at = self._medium[self._shown.detections.media_id[row]]
        crop, whole, size, hidden, problem = cut_out(
            self._shown, row, self._shown.picture(row, at), np.zeros(0))
        return {
            "file": self._shown.file_name(row, at), "place": str(media.deployment_id[at]),
            "time": str(media.timestamp[at]).replace("T", " ")[:16], "crop": crop, "whole": whole,
            "size": size, "hidden": hidden, "problem": problem,
        }
