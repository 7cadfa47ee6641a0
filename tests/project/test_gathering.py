"""Groups, detector scores and local classes, on small made-up catalogues."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ecotone.config import Config
from ecotone.errors import ProjectError
from ecotone.project.gathering import (
    detector_scores,
    groups_of,
    has_detector,
    local_classes,
    take,
)
from ecotone.types import Detections

WHOLE = [0.0, 0.0, 1.0, 1.0]


def detections(*rows):
    """Detections from (medium, category, confidence)."""
    media = [r[0] for r in rows]
    return Detections([f"{m}:{i}" for i, m in enumerate(media)], media, [WHOLE] * len(rows),
                      [r[1] for r in rows], [r[2] for r in rows])


def media(n_deployments, per=2):
    n = n_deployments * per
    return SimpleNamespace(
        id=np.array([f"m{i}" for i in range(n)], dtype=object),
        deployment_id=np.array([f"d{i // per}" for i in range(n)], dtype=object),
        event_id=np.array([f"e{i}" if i else "" for i in range(n)], dtype=object),
        content_hash=np.array([f"h{i}" for i in range(n)], dtype=object),
    )


@pytest.mark.parametrize(("n", "by", "expected"), [
    (5, "auto", 5), (4, "auto", 8), (4, "deployment", 4), (5, "event", 10),
])
def test_deployments_are_the_groups_when_five_have_labels(n, by, expected):
    table = media(n)
    found = detections(*[(m, "animal", 1.0) for m in table.id])
    labels = np.array(["deer"] * len(found), dtype=object)
    assert len(set(groups_of(table, found, labels, by))) == expected


def test_copies_of_a_picture_are_in_one_group():
    table = media(3)
    table.content_hash[5] = table.content_hash[0]
    found = detections(*[(m, "animal", 1.0) for m in table.id])
    labels = np.array(["deer"] * len(found), dtype=object)
    groups = groups_of(table, found, labels, "auto")
    assert groups[0] == groups[5] and len(set(groups)) == 5


def test_unlabelled_deployments_do_not_count():
    table = media(6)
    found = detections(*[(m, "animal", 1.0) for m in table.id])
    labels = np.full(len(found), None, dtype=object)
    labels[:4] = "deer"  # two deployments
    assert len(set(groups_of(table, found, labels, "auto"))) == 12


def test_the_detector_speaks_as_one_more_model():
    found = detections(("a", "animal", 0.9), ("b", "blank", 0.8), ("c", "human", 0.6))
    scores = detector_scores(found)
    assert scores.classes == ("animal", "human", "vehicle", "blank")
    np.testing.assert_allclose(scores.values.toarray(), [
        [0.9, 0, 0, 0], [0, 0, 0, 0.8], [0, 0.6, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(scores.missing, [0.1, 0.2, 0.4], atol=1e-6)
    assert has_detector(found)
    assert not has_detector(detections(("a", "animal", 1.0)))


def test_local_classes_are_the_labels_in_use_and_what_the_detector_found():
    project = SimpleNamespace(config=Config())
    found = detections(("a", "animal", 1), ("b", "blank", 1), ("c", "human", 1))
    known = {"a:0": "red deer", "b:1": "Empty"}
    assert local_classes(project, found, known, None) == ("Empty", "red deer", "human")
    assert local_classes(project, found, known, ["x", "y", "x"]) == ("x", "y")
    fixed = SimpleNamespace(config=Config(classes=("deer spp.",)))
    assert local_classes(fixed, found, known, None) == ("deer spp.",)


def test_without_labels_and_classes_there_is_nothing_to_learn():
    project = SimpleNamespace(config=Config())
    with pytest.raises(ProjectError, match="ecotone add labels"):
        local_classes(project, detections(("a", "animal", 1)), {}, None)


def test_rows_are_taken_in_order():
    found = detections(("a", "animal", 0.5), ("b", "blank", 0.8), ("c", "human", 0.6))
    assert take(found, np.array([2, 0])).media_id.tolist() == ["c", "a"]
    assert len(take(found, np.array([False, True, False]))) == 1
