"""Held-out figures of a fusion that takes the scores of the project's own network.

The network that speaks of most detections has seen people's labels, and so would the figures that
a fusion makes by leaving labels out of its own fits alone. Here they are made fold by fold, with
inputs that have not seen the fold (`cross_fit`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ecotone.project.cross_fit import (
    BOTH,
    EMBEDDINGS,
    SCORES,
    CrossFit,
    held_out,
    with_folds,
)
from ecotone.project.gathering import Gathered
from ecotone.project.networks import CURRENT
from ecotone.project.records import held_scores


def hold_out_networks(
    project: Any, gathered: Gathered, record: dict[str, Any], seed: int,
    weight: np.ndarray | None,
) -> None:
    """Put the honest out-of-fold posteriors and scores into the record of a fusion; nothing where
    it takes no network of the project's own. weight: (L,) of the labelled rows or None.

    Raises ProjectError when the file of cross-fitted scores is missing.
    """
    current = project.catalog.note(CURRENT) or {}
    name = current.get("name", "")
    scores, embeddings = name in gathered.scores, gathered.embedding_model == name
    if not name or not (scores or embeddings):
        return
    use = (BOTH if scores else EMBEDDINGS) if embeddings else SCORES
    base = replace(gathered, scores={m: s for m, s in gathered.scores.items() if m != name})
    cross = CrossFit.load(project.path / current["folds"]).aligned(gathered.detections.id)
    fold = with_folds(base, cross.fold, cross.folds)
    cross = replace(cross, fold=fold)
    found, _ = held_out(base, fold, cross.folds, seed, weight, cross, name, use)
    labelled = np.array([label is not None for label in gathered.labels])
    record["preferred"] = _preferred(record, found, gathered, labelled, weight)
    proba = found[record["preferred"]][labelled].astype(np.float64)
    labels = gathered.labels[labelled]
    record["out_of_fold"] = {
        "ids": gathered.detections.id[labelled].tolist(), "labels": labels.tolist(),
        "proba": np.round(proba, 5).tolist(),
        "weight": None if weight is None else np.round(weight, 5).tolist(),
    }
    record["scores"] = held_scores(labels, proba, record["classes"], weight)
    if record["scores_unweighted"]:
        record["scores_unweighted"] = held_scores(labels, proba, record["classes"])
    record["notes"].append(
        f"{name}: held-out figures are of networks and fusions without the held-out labels "
        f"({cross.folds} folds)")


def _preferred(record: dict[str, Any], found: dict[str, np.ndarray], gathered: Gathered,
               labelled: np.ndarray, weight: np.ndarray | None) -> str:
    """The local model where it is as good, as a fusion without networks decides."""
    from ecotone.fusion.pipeline import MARGIN

    loss = {key: held_scores(gathered.labels[labelled], proba[labelled].astype(np.float64),
                             record["classes"], weight)["log_loss"]
            for key, proba in found.items()}
    return "fused" if loss["fused"] < MARGIN * loss["local"] else "local"


__all__ = ["hold_out_networks"]
