"""What the map alone says, without fitting any student: for questions asked of a stored fusion.

N detections, S global classes, K local classes.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ecotone.fusion.cotraining import FIRST_EXPONENT
from ecotone.fusion.evidence import EvidenceModel
from ecotone.fusion.local_model import softmax
from ecotone.fusion.mapping import Mapping
from ecotone.types import GlobalScores

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

CHUNK = 16384


def map_view(
    scores: MappingType[str, GlobalScores], target: np.ndarray, classes: Sequence[str],
    taxonomy: Taxonomy | None = None, aliases: MappingType[str, str] | None = None,
) -> tuple[np.ndarray, dict[str, Mapping]]:
    """The map's posterior (N, K) float32 of every row, and the maps by global model.

    scores: (N, S) by model, at least one. target: (N,) class numbers, -1 where unlabelled. Several
    models weigh the same here; a whole fit weighs them by held-out labels.
    """
    given, names = dict(scores), tuple(classes)
    labelled = np.flatnonzero(target >= 0)
    start = EvidenceModel.start(given, names, taxonomy, aliases)
    fitted = start.fit(given, labelled, np.eye(len(names))[target[labelled]])
    log_prior = np.log(fitted.class_prior).astype(np.float32)
    out = np.empty((len(target), len(names)), dtype=np.float32)
    for begin in range(0, len(target), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(target)))
        evidence, _ = fitted.log_evidence({n: s.take(rows) for n, s in given.items()}, len(rows))
        out[rows] = softmax(FIRST_EXPONENT * evidence + log_prior)
    return out, fitted.mappings
