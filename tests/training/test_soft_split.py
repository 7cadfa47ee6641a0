"""Held-out labels: by location, never the last of a class, none where there are few."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.training.pictures import LabelledPictures
from ecotone.training.soft_settings import SoftLabelSettings
from ecotone.training.soft_split import LABELS, NOTHING, PSEUDO, split_soft
from tests.training.worlds import colours, noise


def settings(**values: object) -> SoftLabelSettings:
    return SoftLabelSettings(**{"min_labels": 20, **values})


@pytest.mark.parametrize("seed", range(8))
def test_no_location_is_on_both_sides_and_no_class_loses_its_labels(seed: int) -> None:
    data, _ = colours(200, 4, 60, seed=seed)
    split = split_soft(data, settings(seed=seed), np.ones(200, bool))
    assert split.kind == LABELS and split.by == "location" and 1 <= len(split.held) <= 20
    assert not set(data.location[split.held]) & set(data.location[split.labelled])
    named = data.target.argmax(axis=1)
    assert set(named[split.held]) <= set(named[split.labelled])
    parts = np.concatenate([split.labelled, split.held, split.soft, split.bare])
    assert np.array_equal(np.sort(parts), np.arange(200))


def test_with_few_labels_pseudo_labels_tell_when_to_stop() -> None:
    data, _ = colours(200, 3, 10)
    split = split_soft(data, settings(), np.ones(200, bool))
    assert split.kind == PSEUDO and len(split.labelled) == 10 and len(split.held) <= 19
    assert not data.labelled[split.held].any()
    assert "none are held out" in split.notes[0] and "not the truth" in split.notes[1]


def test_what_is_given_is_taken() -> None:
    data, _ = colours(60, 3, 30)
    held = np.zeros(60, bool)
    held[np.flatnonzero(data.labelled)[:7]] = True
    held[np.flatnonzero(~data.labelled)[:3]] = True  # not labelled: cannot tell anything
    given = LabelledPictures.from_arrays(data.pictures, data.classes, data.target, data.labelled,
                                         data.location, held)
    usable = np.ones(60, bool)
    usable[np.flatnonzero(data.labelled)[0]] = False
    split = split_soft(given, settings(), usable)
    assert np.array_equal(split.held, np.flatnonzero(data.labelled)[1:7])
    assert not np.isin(np.flatnonzero(~usable), split.labelled).any()


def test_nothing_to_hold_out_is_told() -> None:
    one = LabelledPictures.from_arrays(noise(2), "ab", np.eye(2), [1, 0])
    split = split_soft(one, settings(), np.ones(2, bool))
    assert split.kind == NOTHING and "nothing stops early" in split.notes[-1]
    data, _ = colours(60, 3, 60)
    alone = LabelledPictures.from_arrays(data.pictures, data.classes, data.target, data.labelled,
                                         ["one"] * 60)
    split = split_soft(alone, settings(), np.ones(60, bool))
    assert split.kind == LABELS and split.by == "random"
