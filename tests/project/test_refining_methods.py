from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.hierarchy.climbing import conformal_threshold
from ecotone.project import refining_methods
from ecotone.project.refining_input import gather_refinement
from ecotone.project.refining_methods import Climb, blocks, sample
from ecotone.project.refining_settings import settings_of
from tests.project.refine_world import make_project


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """The input of the reserve, and its settings with a large alpha."""
    project = make_project(tmp_path_factory.mktemp("methods") / "reserve")
    chosen = settings_of(project, alpha=0.1)
    yield gather_refinement(project, chosen, quiet), chosen
    project.close()


def test_the_input_is_of_one_length_and_order(gathered):
    data, _ = gathered
    assert len(data) == len(data.ids) == len(data.was) == len(data.bursts) == len(data.groups) == 96
    assert set(data.scores) == {"speciesnet", "detector"} and data.score_models == ("speciesnet",)
    assert data.bursts[0] == data.bursts[1] != data.bursts[2] and data.bursts.min() == 1
    some = data.narrow(np.array([3, 50]))
    assert len(some) == 2 and some.was.tolist() == data.was[[3, 50]].tolist()
    assert some.scores["speciesnet"].values.shape[0] == 2 and some.usable.all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=0, max_size=60), st.integers(1, 9))
def test_blocks_hold_every_row_once_and_cut_no_burst(bursts, size):
    data = SimpleNamespace(bursts=np.array(bursts, dtype=np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refining_methods, "CHUNK", size)
        parts = list(blocks(data, np.arange(len(bursts))))
    assert sorted(np.concatenate([np.empty(0, int), *parts]).tolist()) == list(range(len(bursts)))
    seen = [set(data.bursts[p].tolist()) for p in parts]
    assert all(not a & b for i, a in enumerate(seen) for b in seen[i + 1:])
    assert all(len(p) >= min(size, 1) for p in parts)


def test_what_is_learned_on_is_bounded_and_keeps_whole_bursts(gathered):
    data, _ = gathered
    names = np.full(96, None, dtype=object)
    names[[10, 40]] = "red deer"
    rows = sample(data, names, 5, 0)
    assert {10, 11, 40, 41} <= set(rows.tolist()) and len(rows) == 9
    assert (np.diff(rows) > 0).all() and len(sample(data, names, 1000, 0)) == 96


def test_the_threshold_is_set_on_peoples_labels_where_there_are_enough(gathered):
    data, chosen = gathered
    method = Climb(data, chosen, 10)
    assert method.figures["calibrated_on"] == 24 and method.notes == ()
    people = data.trusted.by_people
    assert method.model.n_calibration_ == people.sum() == len(method.model.calibration_scores_)
    assert method.model.threshold_ == conformal_threshold(method.model.calibration_scores_, 0.1)
    strict = Climb(data, replace(chosen, alpha=0.03), 10)  # 33 labels would be needed
    assert strict.figures["calibrated_on"] == 24 + 26
    assert "too few labels by people to set the threshold (24, 33 are needed" in strict.notes[0]
    before = method.answer(data, np.arange(96)).changed.mean()
    method.at(0.001)
    assert method.answer(data, np.arange(96)).changed.sum() == 0 < before
