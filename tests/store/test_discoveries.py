"""What a discovery found, and the names of proposals, in the catalogue."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from ecotone.store.discoveries import DiscoveryTable, ProposalName
from ecotone.store.tables import Box, NewLabel


def table(ids):
    n = len(ids)
    novelty = np.linspace(0, 1, n)
    novelty[0] = np.nan
    return DiscoveryTable(np.array(ids, dtype=object), novelty, np.arange(n) % 2 == 1,
                          np.arange(n) - 1, np.arange(n), np.linspace(0, 1, n), np.arange(n) // 2)


def add(catalog, ids, done=True):
    run = catalog.start_run("discover", {}, 0)
    catalog.add_discovery(run, table(ids[:1]))
    rest = table(ids)
    catalog.add_discovery(run, DiscoveryTable(*(getattr(rest, n)[1:] for n in
                                                DiscoveryTable.__dataclass_fields__)))
    if done:
        catalog.finish_run(run, "done", {})
    return run


def test_rows_come_back_as_they_were(catalog):
    ids = [f"m{i}:0" for i in range(5)]
    run = add(catalog, ids)
    found, given = catalog.discovery(run), table(ids)
    assert found.detection_id.tolist() == ids
    for name in ("novelty", "novel", "cluster", "proposal", "membership", "repeat"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name), err_msg=name)
    assert catalog.newest_discovery() == run and not len(catalog.discovery("other"))


def test_a_run_that_was_killed_does_not_count(catalog):
    assert catalog.newest_discovery() == ""
    run = add(catalog, ["m0:0", "m1:0"], done=False)
    assert catalog.newest_discovery() == ""
    catalog.drop_unfinished_discoveries()
    assert not len(catalog.discovery(run))


def test_retired_boxes_are_left_out(catalog):
    run = add(catalog, ["m0:0", "m1:0"])
    catalog.replace_boxes({"m0": [Box((0, 0, 0.5, 0.5), "animal", 0.9)]}, "md")
    assert catalog.discovery(run).detection_id.tolist() == ["m1:0"]


def test_names_are_only_added(catalog):
    name = ProposalName("r", 3, "lynx", "Kim", 2, "2024-01-01")
    assert catalog.name_proposal(name, [NewLabel("m0", "lynx"), NewLabel("m1", "lynx")]) == 2
    assert catalog.proposal_names() == [name]
    labels = catalog.labels()
    assert set(labels.source) == {"discover"} and set(labels.author) == {"Kim"}
    for statement in ("UPDATE proposal_name SET label = 'x'", "DELETE FROM proposal_name"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            catalog.connection.execute(statement)
