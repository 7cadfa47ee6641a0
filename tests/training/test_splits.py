"""Who trains: individuals with enough pictures, seen and unseen ones held out, nothing shared."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.training.data import IndividualPictures
from ecotone.training.splits import split_individuals
from tests.training.worlds import coats, noise, tiny


def pictures(counts: dict[str, int], viewpoint: str | None = "left", **more: list[str]
             ) -> IndividualPictures:
    names = [name for name, n in counts.items() for _ in range(n)]
    views = None if viewpoint is None else [viewpoint] * len(names)
    return IndividualPictures.from_arrays(noise(len(names), 16), names, views, **more)


def everything(data: IndividualPictures) -> np.ndarray:
    return np.ones(len(data), dtype=bool)


def test_parts_share_nothing_and_unseen_individuals_do_not_train() -> None:
    data = coats(12, 8, 9)
    split = split_individuals(data, tiny(), everything(data))
    parts = [set(p.tolist()) for p in (split.train, split.seen, split.unseen)]
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])
    assert set.union(*parts) == set(range(len(data)))
    trains = set(data.individual[split.train])
    assert set(data.individual[split.seen]) <= trains
    assert not set(data.individual[split.unseen]) & trains and len(split.unseen)
    assert not set(data.encounter[split.seen]) & set(data.encounter[split.train])
    assert 0.15 < len(split.validation) / len(data) < 0.35
    assert np.array_equal(np.bincount(split.target[split.train]), split.counts)


def test_a_class_is_a_flank_of_an_individual_where_viewpoints_are_given() -> None:
    data = coats(3, 2, 8)
    flanks = split_individuals(data, tiny(validation=0.0), everything(data))
    whole = split_individuals(data, tiny(validation=0.0, by_viewpoint=False), everything(data))
    assert len(flanks.classes) == 10 and len(whole.classes) == 5
    assert all(c.endswith(("left", "right")) for c in flanks.classes)


def test_the_same_name_in_two_species_is_two_individuals() -> None:
    data = pictures({"A": 4, "B": 4}, species=["zebra"] * 2 + ["lion"] * 2 + ["zebra"] * 4)
    split = split_individuals(data, tiny(validation=0.0, min_pictures=2), everything(data))
    assert len(split.classes) == 3


def test_the_order_of_rows_changes_nothing() -> None:
    data = coats(8, 5, 7)
    order = np.random.default_rng(1).permutation(len(data))
    one = split_individuals(data, tiny(), everything(data))
    two = split_individuals(data.take(order), tiny(), everything(data))
    assert set(one.unseen) == set(order[two.unseen]) and one.classes == two.classes


def test_individuals_with_few_pictures_are_left_out_and_told() -> None:
    data = pictures({"many": 5, "more": 6, "single": 1, "pair": 2})
    split = split_individuals(data, tiny(validation=0.0), everything(data))
    assert [c.split(" | ")[0] for c in split.classes] == ["many", "more"]
    assert "2 individuals have fewer than 3 pictures" in split.notes[0]
    assert "pair, single" in split.notes[0]


@pytest.mark.parametrize("counts, says", [
    ({"alone": 9}, "only 'alone' has 3 pictures"), ({"a": 1, "b": 2}, "none of 2 individuals"),
    ({}, "none of 0 individuals"),
])
def test_too_few_individuals_are_told(counts: dict[str, int], says: str) -> None:
    data = pictures(counts)
    with pytest.raises(InputError, match=says):
        split_individuals(data, tiny(), everything(data))


def test_broken_pictures_do_not_count() -> None:
    data = pictures({"a": 3, "b": 3, "c": 3})
    usable = everything(data)
    usable[0] = False
    assert len(split_individuals(data, tiny(validation=0.0), usable).classes) == 2


def test_a_given_split_is_taken() -> None:
    data = pictures({"a": 5, "b": 5, "c": 4},
                    split=["train"] * 3 + ["val"] * 2 + ["train"] * 4 + ["test"] + ["val"] * 4)
    split = split_individuals(data, tiny(), everything(data))
    assert split.seen.tolist() == [3, 4] and split.unseen.tolist() == [10, 11, 12, 13]
    assert split.train.tolist() == [0, 1, 2, 5, 6, 7, 8]


def test_missing_viewpoints_are_told() -> None:
    data = pictures({"a": 4, "b": 4}, viewpoint=None)
    assert not split_individuals(data, tiny(validation=0.0), everything(data)).notes[1:]
    data.viewpoint[:2] = "left"
    notes = split_individuals(data, tiny(validation=0.0), everything(data)).notes
    assert any("6 training pictures have no viewpoint" in n for n in notes)
