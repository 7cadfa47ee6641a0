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
    parts = np.concatenate([split.labelled, split.held, split.soft, split.bare, split.left_out])
    assert np.array_equal(np.sort(parts), np.arange(200))


def test_with_few_labels_pseudo_labels_tell_when_to_stop() -> None:
    data, _ = colours(200, 3, 10)
    split = split_soft(data, settings(), np.ones(200, bool))
    assert split.kind == PSEUDO and len(split.labelled) == 10 and len(split.held) <= 19
    assert not data.labelled[split.held].any()
    assert "none are held out" in split.notes[0] and "not the truth" in split.notes[1]


def places(held: int, n: int = 200) -> LabelledPictures:
    """Two locations with labels, of which the smaller holds `held` of n pictures, and a third."""
    rng = np.random.default_rng(0)
    location = np.array(["small"] * held + ["third"] * 20 + ["large"] * (n - held - 20))
    labelled = np.zeros(n, bool)
    labelled[:10] = labelled[-50:] = True
    truth = rng.permutation(np.arange(n) % 3)
    target = np.where(labelled[:, None], np.eye(3)[truth], 0.1 + 0.7 * np.eye(3)[truth])
    bare = np.arange(n) % 7 == 3
    target[bare & ~labelled] = 0
    return LabelledPictures.from_arrays(noise(n, 8), "abc", target, labelled, location)


def test_nothing_of_held_out_locations_trains_where_they_are_a_small_part() -> None:
    data = places(40)
    split = split_soft(data, settings(validation=0.1), np.ones(200, bool))
    assert split.kind == LABELS and set(data.location[split.held]) == {"small"} and split.strict
    train = np.concatenate([split.labelled, split.soft, split.bare])
    assert set(data.location[train]) == {"third", "large"}
    assert len(split.left_out) == 30 and "30 pictures without a held-out label" in split.notes[-1]
    loose = split_soft(data, settings(validation=0.1, strict_locations=False), np.ones(200, bool))
    assert not loose.strict and not len(loose.left_out) and np.array_equal(loose.held, split.held)
    assert set(data.location[loose.soft]) == {"small", "third", "large"}
    assert "30 pictures at locations of held-out labels train" in loose.notes[-1]


def test_where_they_are_a_large_part_their_pseudo_labels_train() -> None:
    data = places(80)
    loose = split_soft(data, settings(validation=0.1), np.ones(200, bool))
    assert set(data.location[loose.held]) == {"small"} and not loose.strict
    assert "these locations hold 40% of all pictures" in loose.notes[-1]
    assert "small" in data.location[loose.soft]
    wanted = split_soft(data, settings(validation=0.1, strict_locations=True), np.ones(200, bool))
    assert wanted.strict and len(wanted.left_out) == 70


def test_a_class_that_is_at_held_out_locations_alone_trains_there() -> None:
    data = places(40)
    target = np.c_[data.target, np.zeros(200)]
    target[20:24] = [0, 0, 0, 1]
    rare = LabelledPictures.from_arrays(data.pictures, "abcd", target, data.labelled, data.location)
    split = split_soft(rare, settings(validation=0.1), np.ones(200, bool))
    assert not split.strict and "there is no other of d" in split.notes[-1]
    assert rare.target[split.soft, 3].sum() == 4


def test_labels_alone_are_split_strictly() -> None:
    """As of a table of the recipe: pictures of several categories have no label of their own."""
    data = places(40)
    target = np.where(data.target.any(axis=1)[:, None], np.eye(3)[data.target.argmax(axis=1)], 0.5)
    target[::9] = [0.5, 0.5, 0]
    target /= target.sum(axis=1, keepdims=True)
    table = LabelledPictures.from_arrays(data.pictures, "abc", target, target.max(axis=1) == 1,
                                         data.location)
    split = split_soft(table, settings(), np.ones(200, bool))
    train = np.concatenate([split.labelled, split.soft, split.bare])
    assert split.strict and not set(table.location[train]) & set(table.location[split.held])


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
    assert split.kind == LABELS and split.by == "random" and not len(split.left_out)
    strict = split_soft(alone, settings(strict_locations=True), np.ones(60, bool))
    assert np.array_equal(strict.labelled, split.labelled)
