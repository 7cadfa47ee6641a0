"""Questions in the catalogue: any later label of the picture answers them."""

from __future__ import annotations

import pytest

from ecotone.store.catalog import Catalog
from ecotone.store.suggestions import NewSuggestion
from ecotone.store.tables import Box, NewLabel

ASKED = [NewSuggestion("m1:0", 1, "uncertain", "fox", 0.5),
         NewSuggestion("m3:0", 2, "typical", score=0.25, species="lynx")]


def test_questions_come_back_in_their_order(catalog):
    assert not len(catalog.newest_suggestions())
    assert catalog.add_suggestions("run-1", ASKED) == 2
    table = catalog.newest_suggestions()
    assert table.detection_id.tolist() == ["m1:0", "m3:0"]
    assert table.media_id.tolist() == ["m1", "m3"]
    assert table.rank.tolist() == [1, 2] and table.score.tolist() == [0.5, 0.25]
    assert table.expected_class.tolist() == ["fox", ""] and table.species.tolist() == ["", "lynx"]
    assert not table.answered.any()
    catalog.add_suggestions("run-2", ASKED[1:])
    assert catalog.newest_suggestions().run.tolist() == ["run-2"]
    assert catalog.suggestions().run.tolist() == ["run-1", "run-1", "run-2"]


def test_only_a_label_that_came_later_is_an_answer(catalog):
    catalog.add_labels([NewLabel("m1", "hare")])
    catalog.add_suggestions("run-1", ASKED)
    assert catalog.suggestions("run-1").answer.tolist() == ["", ""]
    catalog.add_labels([NewLabel("m1", "fox"), NewLabel("m2", "deer")])
    assert catalog.suggestions("run-1").answer.tolist() == ["fox", ""]
    catalog.add_labels([NewLabel("m1", "wolf"), NewLabel("m3", "lynx", detection_id="m3:0")])
    assert catalog.suggestions("run-1").answer.tolist() == ["wolf", "lynx"]


def test_another_box_of_the_picture_is_no_answer_and_a_retired_one_no_question(catalog):
    catalog.replace_boxes({"m3": [Box((0, 0, 0.5, 0.5), "animal", 0.9),
                                  Box((0.5, 0.5, 0.5, 0.5), "animal", 0.9)]}, "md")
    ids = [d for d in catalog.detections().id if d.startswith("m3:")]
    catalog.add_suggestions("run-1", [NewSuggestion(ids[0], 1, "uncertain")])
    catalog.add_labels([NewLabel("m3", "fox", detection_id=ids[1])])
    assert catalog.suggestions().answer.tolist() == [""]
    catalog.replace_boxes({"m3": [Box((0.2, 0.2, 0.1, 0.1), "animal", 0.9)]}, "md2")
    assert not len(catalog.suggestions())


def test_questions_survive_a_reopening(tmp_path, catalog):
    catalog.add_suggestions("run-1", ASKED)
    path = catalog.path
    catalog.close()
    with Catalog.open(path) as again:
        assert again.suggestions().reason.tolist() == ["uncertain", "typical"]


@pytest.mark.parametrize("rows", [[], [NewSuggestion("gone:0", 1, "uncertain")]])
def test_nothing_and_unknown_media_leave_no_row(catalog, rows):
    catalog.add_suggestions("run-1", rows)
    assert not len(catalog.suggestions())
