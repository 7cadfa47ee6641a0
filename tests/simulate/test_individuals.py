"""Generated coats: the same from the same seed, told apart by the pattern and by nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.simulate.individuals import make_coats, marked_species

ZEBRA, LEOPARD = "Equus quagga", "Panthera pardus"


def test_a_seed_gives_the_same_pictures_and_another_seed_others() -> None:
    one, two, other = (make_coats({ZEBRA: [3, 4]}, size=48, seed=s) for s in (5, 5, 6))
    assert np.array_equal(one.pictures, two.pictures)
    assert one.pictures.shape == (7, 48, 48, 3) and one.pictures.dtype == np.uint8
    assert list(one.encounter) == list(two.encounter)
    assert not np.array_equal(one.pictures, other.pictures)


def test_more_individuals_species_and_pictures_change_none_of_the_others() -> None:
    few = make_coats({ZEBRA: [4, 2]}, size=32, seed=1)
    many = make_coats({LEOPARD: [3], ZEBRA: [5, 2, 6]}, size=32, seed=1)
    for name in set(few.individual):
        mine, theirs = (d.pictures[d.individual == name] for d in (few, many))
        assert np.array_equal(mine, theirs[: len(mine)])


def test_truth_is_consistent() -> None:
    counts = {s.scientific: [5, 1] for s in marked_species()}
    data = make_coats(counts, size=32, seed=2)
    assert len(data) == 6 * len(counts) == len(data.pictures)
    assert set(data.species) == set(counts) and set(data.viewpoint) == {"left", "right"}
    for column in (data.individual, data.viewpoint, data.species):
        for encounter in set(data.encounter):  # one animal from one side
            assert len(set(column[data.encounter == encounter])) == 1
    one = data.take(data.species == ZEBRA)
    assert len(one) == 6 and set(one.species) == {ZEBRA}


def test_individuals_differ_by_their_pattern_alone() -> None:
    """Pixel by pixel, in the same pose and light, the flanks of two animals differ, those of one
    animal do not; grounds, poses and light say nothing of who it is."""
    from ecotone.simulate import individuals

    species = next(s for s in marked_species() if s.scientific == ZEBRA)
    draw = np.random.default_rng(0)
    how = individuals._How(64, 0.0, ("left",), 3, 1.0)
    seen = individuals._encounter(draw, how, "left")
    pictures = [
        individuals._picture(species, species.coat, seen, how, [0, 0, who],
                             np.random.default_rng(1)).astype(float)
        for who in (0, 0, 1)
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0] - pictures[2]).mean() > 5


def test_no_pictures_and_no_individuals_are_empty() -> None:
    assert len(make_coats({ZEBRA: []})) == 0
    assert make_coats({}, size=40).pictures.shape == (0, 40, 40, 3)


@pytest.mark.parametrize("wrong, says", [
    ({"counts": {"Felis catus": [3]}}, "known: Equus quagga"), ({"size": 4}, "at least 16"),
    ({"counts": {ZEBRA: [-1]}}, "negative"), ({"viewpoints": ("front",)}, "front"),
    ({"viewpoints": ()}, "left"), ({"per_encounter": 0}, "at least 1"),
])
def test_what_cannot_be_is_told(wrong: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_coats(**{"counts": {ZEBRA: [2]}, **wrong})


def test_thousands_of_pictures_take_a_minute_at_most() -> None:
    make_coats({ZEBRA: [20]}, size=96, seed=0)  # its poses are drawn
    start = time.process_time()
    make_coats({ZEBRA: [50]}, size=96, seed=1)
    assert (time.process_time() - start) / 50 < 0.04


def test_without_variation_pictures_of_one_flank_hardly_differ() -> None:
    spread = []
    for variation in (0.0, 1.0):
        data = make_coats({ZEBRA: [6]}, 48, 1, viewpoints=("left",), variation=variation)
        body = data.pictures[:, 18:30, 14:34].astype(float)
        spread.append(body.std(axis=0).mean())
    assert spread[0] < 0.3 * spread[1]
