"""The map: degrees, the scale bar, sites across 180 degrees, one site, none."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.report.site_map import KM, MapSite, degrees, map_chart, unwrap


def places(svg):
    """(x, y) of the dots by the name in their title."""
    return {m[3]: (float(m[1]), float(m[2])) for m in re.finditer(
        r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>([^:]*):', svg)}


@pytest.mark.parametrize("value, step, north, text", [
    (12.5, 0.5, True, "12.5° N"), (-19.0, 1.0, True, "19° S"), (0.0, 5.0, True, "0°"),
    (181.0, 1.0, False, "179° W"), (180.0, 1.0, False, "180°"), (23.25, 0.25, False, "23.25° E"),
])
def test_degrees(value, step, north, text):
    assert degrees(value, step, north) == text


def test_sites_across_180_degrees_are_neighbours():
    assert unwrap(np.array([179.9, -179.9])).tolist() == pytest.approx([179.9, 180.1])
    svg = map_chart([MapSite("west", -17.0, 179.9, 3), MapSite("east", -17.1, -179.9, 1)], "events")
    at = places(svg)
    assert at["west"][0] < at["east"][0] and at["west"][1] < at["east"][1]
    marks = re.findall(r">(1[\d.]+°[ EW]*)<", svg)
    assert "180.00°" in marks and any("E" in m for m in marks) and any("W" in m for m in marks)


@given(st.lists(st.floats(-180, 180), min_size=1, max_size=12))
def test_unwrapped_longitudes_are_the_same_places_in_the_shortest_range(values):
    found = unwrap(np.array(values))
    np.testing.assert_allclose(np.cos(np.radians(found)), np.cos(np.radians(values)), atol=1e-9)
    np.testing.assert_allclose(np.sin(np.radians(found)), np.sin(np.radians(values)), atol=1e-9)
    turned = np.mod(np.array(values)[:, None] - np.array(values)[None, :], 360.0)
    shortest = np.where(turned > 360 - 1e-6, 0, turned).max(axis=0).min()
    assert found.max() - found.min() <= shortest + 1e-6


def test_the_scale_bar_is_true_at_the_middle():
    svg = map_chart([MapSite("a", 50.0, 5.0, 1), MapSite("b", 50.0, 5.1, 1)], "events")
    at = places(svg)
    kilometres = 0.1 * KM * math.cos(math.radians(50.0))
    bar = re.search(r'd="M([\d.]+) [\d.]+V[\d.]+H([\d.]+)V', svg)
    told = float(re.search(r">([\d,.]+) km<", svg)[1])
    pixels = float(bar[2]) - float(bar[1])
    assert pixels / told == pytest.approx((at["b"][0] - at["a"][0]) / kilometres, rel=0.01)


def test_one_site_and_none():
    svg = map_chart([MapSite("only <here>", 1.0, 2.0, 0)], "events")
    assert "hollow" in svg and "<here>" not in svg and " m<" in svg
    assert map_chart([MapSite("lost", math.nan, 2.0, 1)], "events") == ""


@pytest.mark.parametrize("latitude", [-90.0, 89.99, 0.0])
def test_poles_and_equator_are_drawn(latitude):
    svg = map_chart([MapSite("a", latitude, 10.0, 1), MapSite("b", latitude, -120.0, 2)], "events")
    assert len(places(svg)) == 2 and "nan" not in svg and "inf" not in svg
