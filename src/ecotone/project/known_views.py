"""What the newest fusion says of the detections as they are now, where it still fits.

N detections with an embedding, K local classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.project.gathering import Gathered
from ecotone.project.records import LATEST, read_record
from ecotone.project.status import state_of


@dataclass(frozen=True, eq=False)
class KnownViews:
    """target: (N,) class numbers, -1 where unlabelled. proba: (N, K) of the newest fusion, of
    labelled rows out of fold; None where no fusion fits. run: of the fusion, "" for none."""

    target: np.ndarray
    proba: np.ndarray | None
    run: str
    notes: list[str] = field(default_factory=list)


def stored_sets(project: Any, gathered: Gathered) -> tuple[dict[str, Any], dict] | None:
    """The record and the "fused" and "local" posteriors (N, K) of the newest fusion, where it is of
    just these rows, labels and classes; else None."""
    from ecotone.store.vectors import read_posteriors

    latest = project.catalog.note(LATEST) or {}
    if not latest or latest.get("state") != state_of(project):
        return None
    record = read_record(project)
    same = record["classes"] == list(gathered.local_classes) and (
        record["embedding_model"] == gathered.embedding_model
        and record["score_models"] == list(gathered.scores)
    )
    if not same:
        return None
    sets = {}
    for key in ("fused", "local"):
        found = read_posteriors(project.catalog, project.vectors, f"{record['run']}-{key}")
        if len(found.id) != len(gathered) or (found.id != gathered.detections.id).any():
            return None
        sets[key] = found.values
    return record, sets


def target_of(gathered: Gathered) -> np.ndarray:
    """Class numbers (N,), -1 where unlabelled."""
    column = {name: k for k, name in enumerate(gathered.local_classes)}
    return np.array([column.get(label, -1) for label in gathered.labels], dtype=np.int64)


def known_views(project: Any, gathered: Gathered) -> KnownViews:
    """What is known of every row; a note says why where no fusion takes part."""
    from ecotone.store.vectors import read_posteriors

    target = target_of(gathered)
    if not (target >= 0).any():
        return KnownViews(target, None, "", ["no label yet: nothing is known to compare with, so "
                                             "every cluster is a proposal"])
    found = stored_sets(project, gathered)
    if found is None:
        return KnownViews(target, None, "", [
            "no fusion of the labels as they are now, so novelty goes by the embeddings alone and "
            "there are no probabilities with \"none of these\"; first run: ecotone fuse"])
    record, _ = found
    # The set that counts, which context may have had a part in, like in what was held out.
    proba = np.array(read_posteriors(project.catalog, project.vectors, record["run"]).values)
    held = record["out_of_fold"]
    place = {name: row for row, name in enumerate(gathered.detections.id)}
    rows = np.array([place[name] for name in held["ids"]], dtype=np.intp)
    # Labels beyond those that a fusion learns from are foretold by what has not seen them.
    taught = record["counts"].get("fitted_labels", int((target >= 0).sum()))
    if len(rows) < taught:
        return KnownViews(target, None, record["run"], [
            "too few labels were held out, so novelty goes by the embeddings alone"])
    own = np.asarray(held["proba"], dtype=np.float32).reshape(len(rows), proba.shape[1])
    proba[rows] = own / np.maximum(own.sum(axis=1, keepdims=True), 1e-12)
    return KnownViews(target, proba, record["run"])
