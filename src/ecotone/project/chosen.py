"""Labels that were chosen and not drawn: which they are, and how many detections each stands for.

N detections, L labelled ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.project.gathering import Gathered


def chosen_rows(project: Any, gathered: Gathered) -> np.ndarray:
    """(N,) bool: labelled detections of pictures that `suggest`, `discover` or a queue of the
    review had chosen."""
    asked = project.catalog.chosen_media()
    labelled = np.array([label is not None for label in gathered.labels], dtype=bool)
    if not asked:
        return np.zeros(len(labelled), dtype=bool)
    media = gathered.detections.media_id
    return labelled & np.array([medium in asked for medium in media], dtype=bool)


def label_weight_of(project: Any, gathered: Gathered, seed: int = 0) -> np.ndarray | None:
    """Weights (L,) of the labelled rows, in their order, mean 1: how many of the N rows are nearest
    to each. None when no label was chosen: each then counts the same.

    Labels that came otherwise are weighed with the chosen ones. Questions keep away from what is
    labelled already: weighed alone, beside others at 1, the chosen ones would stand for rows that
    others lie nearer to, and the hard ones would count too much.
    Source: `ecotone.labelling.representation`.
    """
    from ecotone.labelling import label_weights

    if not chosen_rows(project, gathered).any():
        return None
    rows = np.flatnonzero([label is not None for label in gathered.labels])
    return label_weights(gathered.embeddings, rows, seed)
