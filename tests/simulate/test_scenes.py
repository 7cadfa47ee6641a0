"""Landscapes, light, and animals placed in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from ecotone.simulate import biomes
from ecotone.simulate.exposure import STRIP, Light, develop, flash, light_of, night_view, stamp
from ecotone.simulate.landscape import PICTURE, View, make_view
from ecotone.simulate.scenes import cast, compose, openness
from ecotone.simulate.species import RESERVE

NOON = datetime(2024, 7, 1, 12)
DAY = Light(False, (1.0, 1.0, 1.0), 1.0, 0.01)
NIGHT = Light(True, (1.0, 1.0, 1.0), 0.0, 0.02)


@pytest.fixture(scope="module")
def view() -> View:
    return make_view(biomes.RESERVE[0], 4, 0.5)


def test_a_view_is_a_picture_with_distances(view: View) -> None:
    assert view.scene.shape == (*PICTURE, 3)
    assert view.scene.dtype == np.float32
    assert view.scene.min() >= 0 and view.scene.max() <= 1
    bottom, top = view.distance[-1], view.distance[0]
    assert bottom.max() < 4 < 100 < np.median(top)
    assert view.row(3.0) > view.row(10.0) > view.horizon
    distances = [layer.distance for layer in view.layers]
    assert distances == sorted(distances, reverse=True)


def test_plants_stay_and_colours_change_with_the_season(view: View) -> None:
    again = make_view(biomes.RESERVE[0], 4, 0.5)
    np.testing.assert_array_equal(again.scene, view.scene)
    dry, wet = (make_view(biomes.RESERVE[0], 4, season) for season in (0.0, 1.0))
    far = [np.mean(v.layers[0].alpha) for v in (dry, wet)]
    assert far[0] == pytest.approx(far[1], rel=0.3)  # grass grows a little

    def green(v: View) -> float:
        ground = v.scene[int(v.horizon) + 40 :]
        return float((ground[..., 1] - ground[..., 0]).mean())

    assert green(wet) > green(dry) + 0.05


@pytest.mark.parametrize("biome", [*biomes.RESERVE, *biomes.ELSEWHERE], ids=lambda b: b.name)
def test_every_biome_can_be_drawn(biome: biomes.Biome) -> None:
    sparse = replace(biome, tufts=5, far_trees=3, bushes=2)
    assert np.isfinite(make_view(sparse, 1, 0.3).scene).all()


def test_an_animal_is_seen_where_it_is_put(view: View) -> None:
    clear = replace(view, layers=())
    actor = cast(RESERVE[0], np.random.default_rng(1))[0]
    actor = replace(actor, x=0.0, distance=5.0, size=1.0)
    scene, seen = compose(clear, [actor], DAY)
    assert len(seen) == 1
    x, y, w, h = seen[0].box
    assert x < 0.5 < x + w
    assert (y + h) * PICTURE[0] == pytest.approx(view.row(5.0), abs=8)
    assert seen[0].visible > 0.9
    changed = np.abs(scene - view.scene).max(axis=2) > 0.05
    rows, columns = np.nonzero(changed)
    assert columns.min() > x * 640 - 140 and columns.max() < (x + w) * 640 + 140


def test_nearer_plants_hide_an_animal(view: View) -> None:
    actor = replace(cast(RESERVE[0], np.random.default_rng(1))[0], x=0.0, distance=6.0)
    wall = replace(view.layers[-1], alpha=np.ones(PICTURE, np.float32),
                   colour=np.full((*PICTURE, 3), 0.3, np.float32))
    hidden = replace(view, layers=(wall,))
    assert compose(hidden, [actor], DAY)[1] == []
    assert openness(hidden, actor) < 0.05 < 0.9 < openness(replace(view, layers=()), actor)
    behind = replace(hidden, layers=(replace(wall, distance=50.0),))
    assert compose(behind, [actor], DAY)[1][0].visible > 0.9


def test_an_animal_outside_the_picture_is_not_seen(view: View) -> None:
    actor = replace(cast(RESERVE[0], np.random.default_rng(1))[0], x=40.0, distance=6.0)
    scene, seen = compose(view, [actor], DAY)
    assert seen == []
    assert openness(view, actor) == 0
    np.testing.assert_array_equal(scene, view.scene)


def test_the_animals_of_a_burst_move_on() -> None:
    actor = cast(RESERVE[0], np.random.default_rng(5))[0]
    actor = replace(actor, speed=0.5, left=False)
    later = actor.after(2.0)
    assert later.x == pytest.approx(actor.x + 1.0)
    assert later.pose.stride != actor.pose.stride
    assert replace(actor, left=True).after(2.0).x == pytest.approx(actor.x - 1.0)


def test_the_flash_reaches_only_so_far(view: View) -> None:
    assert flash(3.0) > 2 * flash(10.0) > 4 * flash(30.0)
    dark = night_view(view)
    np.testing.assert_array_equal(dark.scene[..., 0], dark.scene[..., 2])
    assert dark.scene[:40].max() < 0.05  # the sky
    near, far = dark.scene[-60:].mean(), dark.scene[int(view.horizon) + 2].mean()
    assert near > 2 * far


def test_night_pictures_are_grey_and_eyes_shine(view: View) -> None:
    actor = replace(cast(RESERVE[13], np.random.default_rng(3))[0], x=0.0, distance=4.0)
    dark = replace(night_view(view), layers=())
    scene, seen = compose(dark, [actor], NIGHT)
    picture = develop(scene, NIGHT, np.random.default_rng(0))
    assert seen and np.ptp(picture.astype(int), axis=2).max() <= 1
    assert picture.max() > 200


def test_dawn_is_redder_and_darker_than_noon() -> None:
    def light(hour: int) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.mean([light_of(NOON.replace(hour=hour), False, rng).tint for _ in range(40)], 0)

    dawn, noon = light(6), light(12)
    assert dawn[0] / dawn[2] > 1.15 * noon[0] / noon[2]
    assert dawn[1] < noon[1]


def test_a_part_is_developed_as_in_the_whole(view: View) -> None:
    quiet = replace(DAY, noise=0.0)
    whole = develop(view.scene, quiet, np.random.default_rng(0))
    part = develop(view.scene[100:200, 300:400], quiet, np.random.default_rng(0),
                   (100, 300, *PICTURE))
    difference = np.abs(whole[110:190, 310:390].astype(int) - part[10:-10, 10:-10])
    assert difference.max() <= 1


def test_the_strip_is_stamped_below(view: View) -> None:
    picture = develop(view.scene, DAY, np.random.default_rng(0))
    stamped = stamp(picture, NOON, "C01", 21)
    np.testing.assert_array_equal(stamped[:-STRIP], picture[:-STRIP])
    strip = stamped[-STRIP:]
    assert np.median(strip) < 30 and strip.max() > 200
    other = stamp(picture, NOON.replace(minute=1), "C01", 21)
    assert (other[-STRIP:] != strip).any()
