from __future__ import annotations

import dataclasses
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.store.catalog import Catalog
from ecotone.store.refinements import FIELDS, RefinementTable
from ecotone.store.tables import Box, NewMedium

NAN = float("nan")


def table(rows):
    """A RefinementTable of tuples in the order of FIELDS."""
    cells = []
    for name, values in zip(FIELDS, zip(*rows, strict=True), strict=True):
        number = isinstance(values[0], float)
        cells.append(np.array(values, dtype=np.float64 if number else object))
        assert number == (name in {"probability", "first_distance", "second_distance", "threshold"})
    return RefinementTable(*cells)


ROWS = [
    ("m0:0", "climb", "animal", "red deer", "species", 0.93, "red deer", 0.07, "roe deer", 0.95,
     0.41),
    ("m2:0", "unchanged", "", "", "", NAN, "", NAN, "", NAN, float("inf")),
]


def run_of(catalog, rows=ROWS, done=True):
    run = catalog.start_run("refine", {"alpha": 0.05}, 0)
    catalog.add_refinement(run, table(rows))
    if done:
        catalog.finish_run(run, "done", {"changed": 1})
    return run


def test_rows_come_back_as_they_were_in_the_order_of_the_media(catalog):
    run = run_of(catalog, ROWS[::-1])
    found = catalog.refinement(run)
    assert [r[:5] for r in found.rows()] == [r[:5] for r in ROWS]
    np.testing.assert_array_equal(found.probability, [0.93, NAN])
    np.testing.assert_array_equal(found.threshold, [0.41, float("inf")])
    assert found.became[0] is found.first[0]  # one text in memory, however often it is said
    (only,) = catalog.refinement_runs()
    assert (only.run, only.undone, only.summary) == (run, "", {"changed": 1})


def test_rows_of_pictures_and_boxes_that_are_gone_are_left_out(catalog):
    run = catalog.start_run("refine", {}, 0)
    assert catalog.add_refinement(run, table([*ROWS, ("gone:0", *ROWS[0][1:])])) == 2
    catalog.finish_run(run)
    catalog.replace_boxes({"m0": [Box((0.1, 0.1, 0.2, 0.2), "animal", 0.9)]}, "md")
    assert catalog.refinement(run).detection_id.tolist() == ["m2:0"]


def test_an_undone_run_is_marked_and_its_rows_stay(catalog):
    first, second = run_of(catalog), run_of(catalog)
    catalog.undo_refinement(second)
    catalog.undo_refinement(second)
    one, two = catalog.refinement_runs()
    assert (one.run, one.undone) == (first, "") and two.run == second and two.undone
    assert len(catalog.refinement(second)) == 2


def test_a_run_counts_only_when_it_is_done(catalog):
    killed, done = run_of(catalog, done=False), run_of(catalog)
    assert [r.run for r in catalog.refinement_runs()] == [done]
    assert catalog.drop_unfinished_refinements() == 2
    assert len(catalog.refinement(killed)) == 0 and len(catalog.refinement(done)) == 2


def test_an_empty_table_is_fine(catalog):
    run = catalog.start_run("refine", {}, 0)
    empty = dataclasses.replace(table(ROWS), **{f: getattr(table(ROWS), f)[:0] for f in FIELDS})
    assert catalog.add_refinement(run, empty) == 0
    assert len(catalog.refinement(run)) == 0


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts, texts, numbers, texts, numbers, texts, numbers,
                          numbers), min_size=1, max_size=4))
def test_whatever_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("c") / "c.sqlite"
    rows = [(f"m{i}:0", *row) for i, row in enumerate(rows)]
    with Catalog.open(path, create=True) as catalog:
        catalog.add_media([NewMedium(f"m{i}", "/p", f"{i}.jpg") for i in range(len(rows))])
        run = run_of(catalog, rows)
        found = catalog.refinement(run)
        for name, values in zip(FIELDS, zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(getattr(found, name), np.array(values, dtype=(
                np.float64 if isinstance(values[0], float) else object)))


def test_a_detection_has_one_row_in_a_run_and_all_rows_or_none_are_stored(catalog):
    with pytest.raises(sqlite3.IntegrityError):
        run_of(catalog, [*ROWS, ROWS[0]])
    assert catalog.refinement_runs() == []
    assert catalog.connection.execute("SELECT count(*) FROM refinement").fetchone() == (0,)
