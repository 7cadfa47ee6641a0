from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecotone.store.catalog import Catalog
from ecotone.store.tables import Box, NewMedium

WHOLE = (0.0, 0.0, 1.0, 1.0)


def box(x=0.1, category="animal", confidence=0.9):
    return Box((x, 0.2, 0.3, 0.4), category, confidence)


def test_media_come_with_their_whole_picture_as_a_detection(catalog):
    media, detections = catalog.media(), catalog.detections()
    assert media.id.tolist() == ["m0", "m1", "m2", "m3", "m4"]
    assert media.path.tolist()[2] == "/pics/b/2.jpg"
    assert media.width.tolist() == [4] * 5
    assert detections.id.tolist() == ["m0:0", "m1:0", "m2:0", "m3:0", "m4:0"]
    np.testing.assert_array_equal(detections.bbox, [WHOLE] * 5)
    assert set(detections.category) == {"animal"}
    assert catalog.counts()["media"] == 5 and catalog.counts()["deployments"] == 2


def test_an_empty_catalogue_gives_empty_arrays(tmp_path):
    with Catalog.open(tmp_path / "c.sqlite", create=True) as catalog:
        assert len(catalog.media()) == len(catalog.detections()) == len(catalog.labels()) == 0
        assert catalog.detections().bbox.shape == (0, 4)
        assert len(catalog.deployments()) == 0 and catalog.current_labels() == {}


def test_boxes_take_the_place_of_the_whole_picture(catalog):
    found = catalog.replace_boxes({"m1": [box(0.1), box(0.5, "human", 0.4)]}, "md")
    assert found == {"new": 1, "changed": 0, "same": 0}
    detections = catalog.detections()
    assert detections.id.tolist() == ["m0:0", "m1:1", "m1:2", "m2:0", "m3:0", "m4:0"]
    assert detections.category.tolist()[1:3] == ["animal", "human"]
    assert catalog.media().detector.tolist() == ["", "md", "", "", ""]


def test_the_same_boxes_again_change_nothing_and_keep_their_numbers(catalog):
    catalog.replace_boxes({"m1": [box(0.1), box(0.5)]}, "md")
    before = catalog.detections()
    assert catalog.replace_boxes({"m1": [box(0.5), box(0.1)]}, "md")["same"] == 1
    after = catalog.detections()
    assert after.id.tolist() == before.id.tolist()
    np.testing.assert_array_equal(after.bbox, before.bbox)


def test_a_number_is_never_given_to_another_box(catalog):
    catalog.replace_boxes({"m1": [box(0.1), box(0.5)]}, "md")
    catalog.replace_boxes({"m1": [box(0.5), box(0.3)]}, "other")
    assert [i for i in catalog.detections().id if i.startswith("m1")] == ["m1:2", "m1:3"]
    catalog.replace_boxes({"m1": [box(0.1)]}, "md")  # the first one is back
    assert [i for i in catalog.detections().id if i.startswith("m1")] == ["m1:1"]
    catalog.replace_boxes({"m1": [Box(WHOLE, "blank", 0.7)]}, "md")
    now = catalog.detections()
    assert now.id.tolist()[1] == "m1:0" and now.category.tolist()[1] == "blank"


@given(st.lists(st.lists(st.integers(1, 5), max_size=4, unique=True), min_size=1, max_size=6))
def test_whatever_the_order_an_id_stands_for_one_box_for_ever(history):
    with Catalog.open(":memory:", create=True) as catalog:
        catalog.add_media([NewMedium("m", "/", "x.jpg")])
        seen: dict[str, float] = {}
        for boxes in history:
            wanted = [box(x / 10) for x in boxes] or [Box(WHOLE, "blank", 1.0)]
            catalog.replace_boxes({"m": wanted}, "md")
            now = catalog.detections()
            assert len(now) == len(wanted)
            for identity, x in zip(now.id, now.bbox[:, 0], strict=True):
                assert math.isclose(seen.setdefault(identity, x), x, abs_tol=1e-6)


def test_deployments_can_be_set_and_unused_ones_go(catalog):
    catalog.set_deployments({"m0": "ridge", "m1": "ridge"})
    table = catalog.deployments()
    assert table.id.tolist() == ["b", "ridge"] and table.media.tolist() == [3, 2]
    assert np.isnan(table.latitude).all()
    assert catalog.media().deployment_from.tolist()[:3] == ["labels", "labels", "folder"]


def test_a_file_that_can_be_read_again_loses_its_failure(catalog):
    bad = NewMedium("m9", "/pics", "z.jpg", failure="the file is empty (0 bytes)")
    catalog.add_media([bad])
    catalog.record_failure("m9", "embed", "truncated")
    assert catalog.media().failure.tolist()[-1] in (
        "the file is empty (0 bytes); truncated", "truncated; the file is empty (0 bytes)")
    assert catalog.files()[-1].failed
    catalog.update_media([NewMedium("m9", "/pics", "z.jpg", size=5)])
    assert catalog.failures() == [] and not catalog.files()[-1].failed
