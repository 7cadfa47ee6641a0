"""What place, time and neighbouring pictures add to a fusion: arrays from the project, decided out
of fold by `ContextClassifier`, and what the run record says of it.

N detections with an embedding, K local classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.project.gathering import Gathered, media_rows
from ecotone.project.records import held_scores

MAY_LOSE = 0.003  # of accuracy out of fold, labels weighted as the run weighs them


def add_context(
    project: Any, gathered: Gathered, image: np.ndarray, record: dict[str, Any], seed: int
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Posteriors with context (N, K) float32 beside those of the image, where they are better out
    of fold, else None; the record's out-of-fold posteriors and scores become those with context.

    image: (N, K), an array or a view. Returns what was decided (used, reason, kind, gain: points of
    accuracy out of fold, accuracies) and the posteriors.
    """
    found = _learn(project, gathered, image, record, seed)
    if found is None:
        return {"used": False,
                "reason": "no held-out labels, or neither places nor times known"}, None
    classifier, where, rows = found
    seen, new = classifier.report_["seen"], classifier.report_["new_sites"]
    said = {"used": False, "kind": seen["kind"], "gain": round(seen["gain"], 2), "sites": seen,
            "new_sites": new}
    if seen["kind"] == new["kind"] == "image only" and not (seen["pool"] or new["pool"]):
        return {**said, "reason": "the image alone is as good out of fold"}, None
    held = record["out_of_fold"]
    proba = classifier.oof_proba_[rows]
    scores = held_scores(held["labels"], proba, record["classes"], held["weight"])
    if scores["accuracy"] < record["scores"]["accuracy"] - MAY_LOSE:
        return {**said, "reason": "the image alone is better on the labels as they are weighted"
                }, None
    posteriors, changed = _predicted(classifier, image, where)
    if not changed:
        return {**said, "reason": "it changes no picture here"}, None
    said.update(used=True, reason="better out of fold", image_scores=record["scores"])
    held["proba"] = np.round(proba, 5).tolist()
    record["scores"] = scores
    if record["scores_unweighted"]:
        record["scores_unweighted"] = held_scores(held["labels"], proba, record["classes"])
    record["notes"].append(_note(said))
    return said, posteriors


def _predicted(
    classifier: Any, image: np.ndarray, where: dict[str, Any]
) -> tuple[np.ndarray, bool]:
    """Posteriors with context (N, K) float32, some sites at a time, and whether any is new."""
    from ecotone.context.when import whole_sites

    out, changed = np.empty(image.shape, dtype=np.float32), False
    for rows in whole_sites(where["site"], where["event"]):
        some = {name: None if values is None else values[rows] for name, values in where.items()}
        plain = image[rows]
        out[rows] = classifier.predict_proba(plain, **some)
        changed = changed or not np.array_equal(out[rows], plain)
    return out, changed


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

    wanted = set(held["ids"])  # in the order of the detections, as these are
    rows = np.flatnonzero(np.fromiter((i in wanted for i in gathered.detections.id), dtype=bool))
    evidence = np.array(proba[:])
    evidence[rows] = held["proba"]  # what the image says of a labelled row without its label
    labels = np.full(len(gathered), None, dtype=object)
    labels[rows] = held["labels"]
    classifier = ContextClassifier(record["classes"], random_state=seed)
    return classifier.fit(evidence, labels, **where), where, rows


def situation_of(project: Any, gathered: Gathered) -> dict[str, Any]:
    """Site (the location's name, else the deployment), camera, time and event of each detection."""
    media = project.catalog.places()
    rows = media_rows(media, gathered.detections)
    camera = media.deployment_id[rows]
    site = places_of(project.catalog, gathered.detections)
    event = media.event_id[rows]
    return {"site": site, "camera": camera, "time": media.timestamp[rows],
            "event": event if any(event) else None}


def places_of(catalog: Any, detections: Any) -> np.ndarray:
    """The site of each detection, (N,) str: the location's name, else the deployment."""
    media, places = catalog.places(), catalog.deployments()
    location = {d: name for d, name in zip(places.id, places.location_name, strict=True) if name}
    camera = media.deployment_id[media_rows(media, detections)]
    return np.array([location.get(c, c) for c in camera], dtype=object)


def _note(said: dict[str, Any]) -> str:
    what = said["kind"] if said["kind"] != "image only" else "bursts decided together"
    line = f"context ({what}) is used: {said['gain']:+.1f} points of accuracy out of fold"
    silent = said["sites"].get("silent_sites")
    return line + (f"; left to the image alone at {', '.join(silent)}" if silent else "")
