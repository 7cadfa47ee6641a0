"""What `discover` found of each detection: novelty, cluster, proposal; and the names people gave.

Rows of a run may be written in pieces; they count from the moment that the run is done. Names are
append-only: the newest of a proposal counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ecotone.store.tables import columns

COMMAND = "discover"
BLOCK = 16384  # rows fetched at once


@dataclass(frozen=True, eq=False)
class DiscoveryTable:
    """One row a detection in use, by medium as added, then by number.

    detection_id: (N,) str. novelty: (N,) float64 probability that it is of no known class, NaN
    where nobody looked. novel: (N,) bool, flagged at the chosen rate of false alarms. cluster:
    (N,) int, -1 where rejected or not clustered. proposal: (N,) int from 1, 0 for none.
    membership: (N,) float64 in 0..1, how surely it is in its proposal. repeat: (N,) int from 1, the
    group of boxes that come back, 0 for none.
    """

    detection_id: np.ndarray
    novelty: np.ndarray
    novel: np.ndarray
    cluster: np.ndarray
    proposal: np.ndarray
    membership: np.ndarray
    repeat: np.ndarray

    def __len__(self) -> int:
        return len(self.detection_id)


@dataclass(frozen=True)
class ProposalName:
    """A name that a person gave to a proposal. labels: how many detections were labelled by it."""

    run: str
    proposal: int
    label: str
    author: str
    labels: int
    created: str


def insert_rows(connection: sqlite3.Connection, run: str, table: DiscoveryTable) -> int:
    """Append rows of a run; how many. Call within a transaction."""
    connection.executemany(
        """INSERT INTO discovery
           (run, medium, number, novelty, novel, cluster, proposal, membership, repeat)
           SELECT ?, n, ?, ?, ?, ?, ?, ?, ? FROM medium WHERE id = ?""", _cells(run, table),
    )
    return len(table)


def _cells(run: str, table: DiscoveryTable) -> Iterable[tuple]:
    rows = zip(
        table.detection_id, table.novelty.tolist(), table.novel.tolist(), table.cluster.tolist(),
        table.proposal.tolist(), table.membership.tolist(), table.repeat.tolist(), strict=True,
    )
    for detection, novelty, novel, cluster, proposal, member, repeat in rows:
        medium, _, number = str(detection).rpartition(":")
        yield (run, int(number), None if novelty != novelty else novelty, int(novel), cluster,
               proposal, member, repeat, medium)


def read_rows(connection: sqlite3.Connection, run: str) -> DiscoveryTable:
    """The rows of a run, of detections that are in use."""
    cursor = connection.execute(
        """SELECT m.id || ':' || r.number, r.novelty, r.novel, r.cluster, r.proposal, r.membership,
           r.repeat FROM discovery r JOIN medium m ON m.n = r.medium
           JOIN detection d ON d.medium = r.medium AND d.number = r.number AND d.retired = 0
           WHERE r.run = ? ORDER BY r.medium, r.number""", (run,),
    )
    parts = []
    while rows := cursor.fetchmany(BLOCK):
        cells = columns(rows, 7)
        parts.append([c if i == 0 else c.astype(np.float64) for i, c in enumerate(cells)])
    parts = parts or [[np.empty(0, dtype=object), *(np.empty(0) for _ in range(6))]]
    ids, novelty, novel, cluster, proposal, member, repeat = (
        np.concatenate(c) for c in zip(*parts, strict=True)
    )
    return DiscoveryTable(ids, novelty, novel.astype(bool), cluster.astype(np.int64),
                          proposal.astype(np.int64), member, repeat.astype(np.int64))


def newest_run(connection: sqlite3.Connection) -> str:
    """The newest finished run, "" when there is none."""
    row = connection.execute(
        "SELECT id FROM run WHERE command = ? AND status = 'done' ORDER BY n DESC LIMIT 1",
        (COMMAND,),
    ).fetchone()
    return row[0] if row else ""


def drop_unfinished(connection: sqlite3.Connection) -> None:
    """Delete rows of runs that were never done. Under the project's write lock, in a
    transaction."""
    connection.execute(
        """DELETE FROM discovery WHERE run IN
           (SELECT id FROM run WHERE command = ? AND status != 'done')""", (COMMAND,),
    )


def members(connection: sqlite3.Connection, run: str, proposal: int) -> set[str]:
    """The ids of a proposal's detections, in use or not."""
    return {row[0] for row in connection.execute(
        """SELECT m.id || ':' || r.number FROM discovery r JOIN medium m ON m.n = r.medium
           WHERE r.run = ? AND r.proposal = ?""", (run, proposal))}


def insert_name(connection: sqlite3.Connection, name: ProposalName, decision: int = 0) -> None:
    """Append the name of a proposal, with the decision at a page that gave it. Call within a
    transaction."""
    connection.execute(
        """INSERT INTO proposal_name (run, proposal, label, author, labels, created, decision)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (name.run, name.proposal, name.label, name.author, name.labels, name.created, decision),
    )


def read_names(connection: sqlite3.Connection) -> list[ProposalName]:
    """All names that were given and not taken back, oldest first."""
    rows = connection.execute(
        """SELECT run, proposal, label, author, labels, created FROM proposal_name
           WHERE decision = 0 OR decision NOT IN (SELECT target FROM undone) ORDER BY n"""
    )
    return [ProposalName(*row) for row in rows]
