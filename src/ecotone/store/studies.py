"""Studies that were added whole: what the catalogue remembers of them and of their deployments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecotone.store.runs import to_json
from ecotone.store.tables import DeploymentFacts, KeptStudy
from ecotone.study import Row

_FACTS = ("location_name", "latitude", "longitude", "start", "end", "time_zone")


def next_study(connection: sqlite3.Connection) -> int:
    """The number that the next study gets. Call within the transaction that inserts it."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'study'").fetchone()
    return 1 + (row[0] if row else 0)


def insert_study(connection: sqlite3.Connection, study: KeptStudy, created: str) -> None:
    """Record a study whose tables are in place; call within a transaction."""
    connection.execute(
        """INSERT INTO study (n, kind, folder, origin, content_hash, created, summary)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (study.number, study.kind, study.folder, study.origin, study.content_hash, created,
         to_json(study.summary)),
    )


def set_summary(connection: sqlite3.Connection, number: int, summary: Mapping[str, Any]) -> None:
    """Renew the summary of a study."""
    connection.execute("UPDATE study SET summary = ? WHERE n = ?", (to_json(summary), number))


def read_studies(connection: sqlite3.Connection) -> list[KeptStudy]:
    """All studies, oldest first."""
    rows = connection.execute(
        "SELECT n, kind, folder, origin, content_hash, created, summary FROM study ORDER BY n"
    )
    return [KeptStudy(*row[:6], json.loads(row[6])) for row in rows]


def insert_study_deployments(
    connection: sqlite3.Connection, number: int, rows: Iterable[tuple[str, Row]]
) -> None:
    """Keep the deployment rows of a study by id; call within a transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO study_deployment (study, id, cells) VALUES (?, ?, ?)",
        ((number, identity, to_json(row)) for identity, row in rows),
    )


def read_study_deployments(connection: sqlite3.Connection, number: int) -> dict[str, Row]:
    """Deployment id -> the study's own row, by id."""
    rows = connection.execute(
        "SELECT id, cells FROM study_deployment WHERE study = ? ORDER BY id", (number,)
    )
    return {identity: json.loads(cells) for identity, cells in rows}


def insert_study_media(
    connection: sqlite3.Connection, number: int, media_of: Mapping[str, str]
) -> int:
    """Remember which picture a study's mediaID means; how many are new. Within a transaction."""
    before = connection.total_changes
    connection.executemany(
        """INSERT INTO study_medium (study, id, media_id) VALUES (?, ?, ?)
           ON CONFLICT (study, id) DO UPDATE SET media_id = excluded.media_id
           WHERE media_id != excluded.media_id""",
        ((number, identity, medium) for identity, medium in media_of.items()),
    )
    return connection.total_changes - before


def read_study_media(connection: sqlite3.Connection, number: int) -> dict[str, str]:
    """A study's mediaID -> media id, of the pictures that the project has."""
    return dict(connection.execute(
        "SELECT id, media_id FROM study_medium WHERE study = ?", (number,)
    ))


def set_deployment_facts(
    connection: sqlite3.Connection, facts: Sequence[DeploymentFacts]
) -> int:
    """Add what is known of deployments; how many are new or changed. Call within a transaction."""
    changed = 0
    for fact in facts:
        before = connection.execute(
            'SELECT location_name, latitude, longitude, start, "end", time_zone FROM deployment '
            "WHERE id = ?", (fact.id,)
        ).fetchone()
        known = dict(zip(_FACTS, before or ("", None, None, "", "", ""), strict=True))
        told = {k: getattr(fact, k) for k in _FACTS if getattr(fact, k) not in ("", None)}
        after = {**known, **told}
        if before is not None and after == known:
            continue
        connection.execute(
            """INSERT INTO deployment (id, location_name, latitude, longitude, start, "end",
               time_zone) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
               location_name = excluded.location_name, latitude = excluded.latitude,
               longitude = excluded.longitude, start = excluded.start, "end" = excluded."end",
               time_zone = excluded.time_zone""",
            (fact.id, *after.values()),
        )
        changed += 1
    return changed
