"""A finished fusion that is made up: posteriors and a record, without any learning."""

from __future__ import annotations

import numpy as np

from ecotone.project.records import LATEST, write_json
from ecotone.store.vectors import write_posteriors
from ecotone.types import Posteriors

RUN = "2024-07-01T00-00-00-fuse-1"


def fake_run(project, classes, best, run=RUN, ids=None):
    """Posteriors of all detections in use: `best` gives the class of each, in their order, with
    probability 0.8; the rest of the mass goes to the class after it."""
    ids = project.catalog.detections().id if ids is None else np.array(ids, dtype=object)
    values = np.zeros((len(ids), len(classes)), dtype=np.float32)
    for row, name in enumerate(best):
        k = classes.index(name)
        values[row, k] = 0.8
        values[row, (k + 1) % len(classes)] += 0.2
    for name in (f"{run}-fused", f"{run}-local", run):
        write_posteriors(project.catalog, project.vectors, name,
                         Posteriors(ids, values, tuple(classes)))
    write_json(project.path / "runs" / f"{run}.json", {
        "run": run, "created": "2024-07-01T00:00:00+00:00", "classes": list(classes),
        "preferred": "fused", "score_models": ["world", "detector"],
        "versions": {"ecotone": "0.9"},
    })
    project.catalog.set_note(LATEST, {"run": run, "time": 0.0})
    return run
