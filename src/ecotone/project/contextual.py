"""What place, time and neighbouring pictures add to a fusion: arrays from the project, decided out
of fold by `ContextClassifier`, and what the run record says of it.

N detections with an embedding, K local classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.project.gathering import Gathered
from ecotone.project.records import held_scores

CONTEXT = "context"  # the set of posteriors with context
MAY_LOSE = 0.003  # of accuracy out of fold, labels weighted as the run weighs them


def add_context(
    project: Any, gathered: Gathered, sets: dict[str, np.ndarray], record: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Add posteriors with context to `sets` where they are better out of fold, and say so in the
    record: its out-of-fold posteriors and scores become those with context.

    Returns what was decided: used, reason, kind, gain (points of accuracy out of fold), accuracies.
    """
    found = _learn(project, gathered, sets[record["preferred"]], record, seed)
    if found is None:
        return {"used": False, "reason": "no held-out labels, or neither places nor times known"}
    classifier, where, rows = found
    seen, new = classifier.report_["seen"], classifier.report_["new_sites"]
    said = {"used": False, "kind": seen["kind"], "gain": round(seen["gain"], 2), "sites": seen,
            "new_sites": new}
    if seen["kind"] == new["kind"] == "image only" and not (seen["pool"] or new["pool"]):
        return {**said, "reason": "the image alone is as good out of fold"}
    held = record["out_of_fold"]
    proba = classifier.oof_proba_[rows]
    scores = held_scores(held["labels"], proba, record["classes"], held["weight"])
    if scores["accuracy"] < record["scores"]["accuracy"] - MAY_LOSE:
        return {**said, "reason": "the image alone is better on the labels as they are weighted"}
    image = sets[record["preferred"]]
    found = classifier.predict_proba(image, **where).astype(np.float32)
    if np.array_equal(found, image):
        return {**said, "reason": "it changes no picture here"}
    sets[CONTEXT] = found
    said.update(used=True, reason="better out of fold", image_scores=record["scores"])
    held["proba"] = np.round(proba, 5).tolist()
    record["scores"] = scores
    if record["scores_unweighted"]:
        record["scores_unweighted"] = held_scores(held["labels"], proba, record["classes"])
    record["notes"].append(_note(said))
    return said


def _learn(
    project: Any, gathered: Gathered, proba: np.ndarray, record: dict[str, Any], seed: int
) -> tuple[Any, dict[str, Any], np.ndarray] | None:
    """The fitted ContextClassifier, the keywords of its situation, and the rows of the record's
    held-out labels; None where there is nothing to learn from."""
    held = record["out_of_fold"]
    if not held["ids"] or len(record["classes"]) < 2:
        return None
    where = situation_of(project, gathered)
    if not (any(where["site"]) or any(where["time"])):
        return None
    from ecotone.context import ContextClassifier

    row_of = {name: row for row, name in enumerate(gathered.detections.id)}
    rows = np.array([row_of[name] for name in held["ids"]], dtype=np.intp)
    evidence = np.asarray(proba, dtype=np.float64).copy()
    evidence[rows] = held["proba"]  # what the image says of a labelled row without its label
    labels = np.full(len(gathered), None, dtype=object)
    labels[rows] = held["labels"]
    classifier = ContextClassifier(record["classes"], random_state=seed)
    return classifier.fit(evidence, labels, **where), where, rows


def situation_of(project: Any, gathered: Gathered) -> dict[str, Any]:
    """Site (the location's name, else the deployment), camera, time and event of each detection."""
    media, places = project.catalog.media(), project.catalog.deployments()
    row_of = {name: row for row, name in enumerate(media.id)}
    rows = np.array([row_of[m] for m in gathered.detections.media_id], dtype=np.intp)
    location = {d: name for d, name in zip(places.id, places.location_name, strict=True) if name}
    camera = media.deployment_id[rows]
    site = np.array([location.get(d, d) for d in camera], dtype=object)
    event = media.event_id[rows]
    return {"site": site, "camera": camera, "time": media.timestamp[rows].tolist(),
            "event": event if any(event) else None}


def _note(said: dict[str, Any]) -> str:
    what = said["kind"] if said["kind"] != "image only" else "bursts decided together"
    line = f"context ({what}) is used: {said['gain']:+.1f} points of accuracy out of fold"
    silent = said["sites"].get("silent_sites")
    return line + (f"; left to the image alone at {', '.join(silent)}" if silent else "")
