"""Small files to add to a project, and what adding them left behind."""

from __future__ import annotations

import json

from ecotone.store.vectors import read_scores


def write(tmp_path, text, name="in.csv"):
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def numbers(report):
    return report.added, report.updated, report.skipped


def by_file(project):
    media = project.catalog.media()
    return dict(zip(media.file_path, media.id, strict=True))


def scores_of(project, name):
    """Scores by file path and detection number: {(file, number): {class: score}}."""
    path_of = {i: f for f, i in by_file(project).items()}
    ids = project.catalog.detections().id
    scores = read_scores(project.catalog, project.vectors, name, ids)
    out = {}
    for row, identity in enumerate(ids):
        medium, number = identity.split(":")
        values = scores.values[row]
        found = {scores.classes[c]: round(float(v), 4)
                 for c, v in zip(values.indices, values.data, strict=True)}
        if found:
            out[path_of[medium], int(number)] = found
    return out


def md(*images, threshold=None):
    info = {"format_version": "1.4", "detector": "md_v5a", "classifier": "net"}
    if threshold is not None:
        info["detector_metadata"] = {"typical_detection_threshold": threshold}
    return {"info": info, "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
            "classification_categories": {"0": "deer", "1": "fox"}, "images": list(images)}


def found(x=0.1, conf=0.9, category="1", **more):
    return {"category": category, "conf": conf, "bbox": [x, 0.2, 0.3, 0.4], **more}
