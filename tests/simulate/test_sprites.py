"""Bodies and coats: every species can be drawn, and what is drawn is what was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecotone.simulate.anatomy import Coat, Shape, Species
from ecotone.simulate.bodies import FAR, HORNS, Pose, build
from ecotone.simulate.elsewhere import ELSEWHERE
from ecotone.simulate.species import PEOPLE, RESERVE
from ecotone.simulate.sprites import Sprite, draw

ALL = (*RESERVE, PEOPLE, *ELSEWHERE)


def sprite_of(shape: Shape, coat: Coat, pixels: float = 60, **pose: object) -> Sprite:
    return draw(shape, coat, Pose(**pose), pixels, np.random.default_rng(0))


@pytest.mark.parametrize("species", ALL, ids=lambda s: s.vernacular)
def test_every_species_can_be_drawn(species: Species) -> None:
    sprite = sprite_of(species.shape, species.coat, 50, stride=0.2)
    height, width = sprite.alpha.shape
    assert sprite.colour.shape == (height, width, 3)
    assert sprite.colour.dtype == sprite.alpha.dtype == np.float32
    assert np.isfinite(sprite.colour).all()
    assert sprite.colour.min() >= 0 and sprite.alpha.min() >= 0 and sprite.alpha.max() <= 1.001
    assert 0.08 < (sprite.alpha > 0.5).mean() < 0.9
    assert sprite.eyes.max() > 0 or species is PEOPLE
    # The feet stand on the ground, the shoulder is about as high as asked for.
    rows = np.flatnonzero((sprite.alpha > 0.5).any(axis=1))
    assert abs(rows[-1] - sprite.ground) < 6
    assert sprite.ground - rows[0] > 40


def test_a_seed_gives_the_same_sprite() -> None:
    one, two = (sprite_of(RESERVE[0].shape, RESERVE[0].coat) for _ in range(2))
    np.testing.assert_array_equal(one.colour, two.colour)


def test_a_flipped_sprite_is_the_mirror_image() -> None:
    sprite = sprite_of(RESERVE[1].shape, RESERVE[1].coat)
    mirrored = sprite.flipped()
    np.testing.assert_array_equal(mirrored.alpha, sprite.alpha[:, ::-1])
    assert mirrored.centre == sprite.alpha.shape[1] - sprite.centre
    np.testing.assert_array_equal(mirrored.flipped().colour, sprite.colour)


@pytest.mark.parametrize(
    "pattern", ["stripes", "bars", "spots", "rosettes", "patches", "saddle", "dots", "quills"]
)
def test_a_pattern_shows_both_colours(pattern: str) -> None:
    white, black = (0.95, 0.95, 0.95), (0.02, 0.02, 0.02)
    plain = sprite_of(Shape(), Coat(white, fur=0))
    marked = sprite_of(Shape(), Coat(white, pattern=pattern, mark=black, fur=0))
    inside = plain.alpha > 0.95
    ratio = marked.colour[inside].mean(axis=1) / plain.colour[inside].mean(axis=1)
    assert (ratio < 0.5).mean() > 0.02  # marked there
    assert (ratio > 0.8).mean() > 0.1  # and plain there


def test_stripes_cross_the_trunk_and_a_saddle_lies_on_the_back() -> None:
    zebra = sprite_of(Shape(), Coat((1, 1, 1), pattern="stripes", mark=(0, 0, 0), fur=0), 100)
    middle = int(zebra.ground - 78)
    row = zebra.colour[middle, zebra.alpha[middle] > 0.95].mean(axis=1)
    assert (np.diff(np.sign(row - row.mean())) != 0).sum() > 8
    jackal = sprite_of(Shape(), Coat((1, 1, 1), pattern="saddle", mark=(0, 0, 0), fur=0), 100)
    column = int(jackal.centre)
    lit = jackal.colour[jackal.alpha[:, column] > 0.95, column].mean(axis=1)
    assert lit[: len(lit) // 4].mean() < 0.5 * lit[len(lit) // 2 :].max()


def test_a_grazing_head_is_lower_than_a_raised_one() -> None:
    def head(height: float) -> float:
        chains = build(Shape(), Pose(head=height))
        return next(c for c in chains if c.part == "head").points[-1, 1]

    assert head(0.0) < 0.35 < 0.9 < head(1.0)


@pytest.mark.parametrize("horns", sorted(HORNS))
def test_horns_come_in_pairs(horns: str) -> None:
    chains = build(Shape(horns=horns, horn=0.5), Pose(male=True))
    found = [c for c in chains if c.part == "horn"]
    assert sum(c.layer == FAR for c in found) * 2 == len(found) > 0
    assert all(np.isfinite(c.points).all() and (c.radii > 0).all() for c in found)


def test_only_males_have_antlers_and_great_manes() -> None:
    stag = Shape(horns="antler", horn=0.5, mane=0.3)
    parts = {male: {c.part for c in build(stag, Pose(male=male))} for male in (True, False)}
    assert {"horn", "mane"} <= parts[True]
    assert not {"horn", "mane"} & parts[False]


def test_turning_away_makes_the_body_shorter() -> None:
    def width(turn: float) -> int:
        return sprite_of(Shape(), Coat(), turn=turn).alpha.shape[1]

    assert width(0.6) < 0.75 * width(1.0)


def test_the_light_comes_from_above() -> None:
    sprite = sprite_of(replace(Shape(), head=0.1, neck=0.1), Coat((0.5, 0.5, 0.5), fur=0), 100)
    column = int(sprite.centre)
    lit = sprite.colour[sprite.alpha[:, column] > 0.95, column, 0]
    assert lit[: len(lit) // 3].mean() > 1.2 * lit[-len(lit) // 4 :].mean()
