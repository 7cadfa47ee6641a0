"""Rows of identifications and people's word on pairs: kept, undone, never changed."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from ecotone.store import individuals as store
from ecotone.store.individuals import DIFFERENT, OPEN, SAME, IdentificationTable, PairDecision


def objects(*values: str) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def some() -> IdentificationTable:
    return IdentificationTable(
        objects("m0:0", "m2:0"), objects("Ada", ""), objects("known", "cannot tell"),
        np.array([0.93, 0.4]), np.array([0.95, np.nan]),
        store.candidates_json([[("Ada", 0.93214, "m1:0")], []]))


def run_of(catalog, done: bool = True) -> str:
    run = catalog.start_run("individuals match", {}, 0)
    with catalog.transaction() as connection:
        assert store.insert_rows(connection, run, some()) == 2
    if done:
        catalog.finish_run(run, "done", {"known": 1})
    return run


def test_rows_come_back(catalog):
    found = store.read_rows(catalog.connection, run_of(catalog))
    assert found.detection_id.tolist() == ["m0:0", "m2:0"]
    assert found.individual.tolist() == ["Ada", ""] and found.probability.tolist() == [0.93, 0.4]
    assert np.isnan(found.known[1]) and found.best(0) == [("Ada", 0.9321, "m1:0")]
    assert len(store.read_rows(catalog.connection, "none")) == 0 == len(store.empty_table())


def test_an_undone_run_stays_and_an_unfinished_one_goes(catalog):
    run, broken = run_of(catalog), run_of(catalog, done=False)
    (only,) = store.read_runs(catalog.connection)
    assert (only.run, only.undone, only.summary) == (run, "", {"known": 1})
    with catalog.transaction() as connection:
        store.mark_undone(connection, run, "2024-05-01")
        assert store.drop_unfinished(connection) == 2
    assert store.read_runs(catalog.connection)[0].undone == "2024-05-01"
    assert len(store.read_rows(catalog.connection, run)) == 2
    assert len(store.read_rows(catalog.connection, broken)) == 0


def decide(catalog, *decisions: PairDecision) -> int:
    with catalog.transaction() as connection:
        return store.insert_decisions(connection, decisions, "2024-05-01")


def test_the_newest_decision_of_a_pair_counts_whatever_its_order(catalog):
    assert decide(catalog, PairDecision("m1:0", "m0:0", SAME, "Kim")) == 1
    assert decide(catalog, PairDecision("m0:0", "m1:0", SAME)) == 0
    assert decide(catalog, PairDecision("m0:0", "m1:0", DIFFERENT),
                  PairDecision("m0:0", "m2:0", SAME)) == 2
    found = store.read_decisions(catalog.connection)
    assert [(d.first, d.second, d.decision) for d in found] == [
        ("m0:0", "m1:0", DIFFERENT), ("m0:0", "m2:0", SAME)]
    assert decide(catalog, PairDecision("m0:0", "m1:0", OPEN)) == 1
    assert len(store.read_decisions(catalog.connection)) == 1


@pytest.mark.parametrize("statement", [
    "UPDATE pair_decision SET decision = 'different'", "DELETE FROM pair_decision",
    "INSERT OR REPLACE INTO pair_decision VALUES (1, 'a', 'b', 'open', '', '', '')",
    "INSERT INTO pair_decision VALUES (9, 'a', 'b', 'perhaps', '', '', '')",
])
def test_decisions_are_append_only(catalog, statement):
    decide(catalog, PairDecision("m0:0", "m1:0", SAME))
    with pytest.raises(sqlite3.IntegrityError):
        catalog.connection.execute(statement)
