"""Which rows of a study become labels and boxes."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.ingest.boxes import pair_boxes
from ecotone.project.study_labels import box_of, nearest, read_observations
from tests.project.packages import box, medium, observation

MEDIUM = medium("m", "d", "a.jpg", "2024-05-01T06:30:00Z")
SIDE = st.integers(1, 20).map(lambda v: v / 20)
RECT = st.tuples(SIDE, SIDE, SIDE, SIDE)


def read(*rows, threshold=0.2):
    return read_observations(rows, {"m": "id"}, threshold)


@given(RECT, st.lists(RECT, max_size=5))
@settings(max_examples=80, deadline=None)
def test_one_box_finds_the_one_that_pairing_finds(one, known):
    (expected,) = pair_boxes(np.array([one]), np.array(known).reshape(-1, 4))
    found = nearest(one, known)
    if found != expected:  # two overlap as much
        a, b = (pair_boxes(np.array([one]), np.array([known[n]])) for n in (found, expected))
        assert a == b == [0]


def test_people_are_told_from_machines():
    found = read(
        observation("a", MEDIUM, "Sus scrofa"),
        observation("b", MEDIUM, "Sus scrofa", method="machine"),
        observation("c", MEDIUM, "Sus scrofa", method="", classificationProbability="0.9"),
        observation("d", MEDIUM, "Lepus", method=""),
        observation("e", MEDIUM, "Sus scrofa", observationLevel="event", mediaID=""),
        observation("f", MEDIUM | {"mediaID": "other"}, "Sus scrofa"),
        observation("g", MEDIUM, kind="unclassified"),
        observation("h", MEDIUM, kind="animal"),
    )
    assert [s.observation_id for s in found.said] == ["a", "d"] and found.rows == 8
    assert dict(found.left) == {"machine": 1, "unsure": 1, "event": 1, "away": 1, "silent": 2}
    assert len(found.lines()) == 5


def test_a_class_is_what_the_row_names():
    rows = [observation("a", MEDIUM, kind="blank", vernacularName="Blank"),
            observation("b", MEDIUM, "Homo sapiens", kind="human", behavior="walking"),
            observation("c", MEDIUM, "Vulpes vulpes", label="fox", vernacularName="red fox")]
    found = [s.row for s in read(*rows).said]
    assert [(r.label, r.scientific_name, r.vernacular_name) for r in found] == [
        ("blank", "", ""), ("human", "Homo sapiens", ""), ("fox", "Vulpes vulpes", "red fox")]
    assert json.loads(read(*rows).said[1].attributes)["behavior"] == "walking"


def test_boxes_of_people_and_machines():
    found = read(
        observation("a", MEDIUM, "Sus scrofa", **box(0.1)),
        observation("b", MEDIUM, "Sus scrofa", method="machine", detectionConfidence="0.6",
                    **box(0.11)),
        observation("c", MEDIUM, kind="human", method="machine", detectionConfidence="0.6",
                    **box(0.6)),
        observation("d", MEDIUM, "Lepus", method="machine", detectionConfidence="0.1", **box(0.3)),
        observation("e", MEDIUM, kind="blank", **box(0.3)),
    )
    boxes = found.boxes["id"]
    assert [(b.category, b.confidence) for b in boxes] == [("animal", 1.0), ("human", 0.6)]
    assert boxes[0].bbox == (0.1, 0.2, 0.3, 0.4)


def test_what_is_no_box_is_none():
    assert box_of({**box(0.5), "bboxX": ""}) is None
    assert box_of({**box(0.5), "bboxX": "left"}) is None
    assert box_of({**box(0.5), "bboxWidth": "0"}) is None
    assert box_of(box(0.9)) == (0.9, 0.2, 1 - 0.9, 0.4)
