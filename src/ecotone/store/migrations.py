"""The schema of the catalogue, as numbered migrations that are applied in order and never changed.

`PRAGMA user_version` counts the migrations that a file has seen. A new one is appended to
`MIGRATIONS`; each is applied in one transaction together with its number.
"""

from __future__ import annotations

import sqlite3

from ecotone.errors import ProjectError

_FIRST = (
    """CREATE TABLE deployment (
        id TEXT PRIMARY KEY, location_name TEXT NOT NULL DEFAULT '',
        latitude REAL, longitude REAL) WITHOUT ROWID""",
    # deployment_from: what said which deployment it is, 'folder' or 'labels'. detector: the file
    # that gave the boxes, '' when no detector has seen the picture.
    """CREATE TABLE medium (
        n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, root TEXT NOT NULL,
        file_path TEXT NOT NULL, deployment_id TEXT NOT NULL DEFAULT '',
        deployment_from TEXT NOT NULL DEFAULT 'folder', timestamp TEXT NOT NULL DEFAULT '',
        event_id TEXT NOT NULL DEFAULT '', content_hash TEXT NOT NULL DEFAULT '',
        width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
        camera TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0,
        modified INTEGER NOT NULL DEFAULT 0, detector TEXT NOT NULL DEFAULT '',
        UNIQUE (root, file_path))""",
    # A box that a newer detector run no longer has is retired, never deleted: its number is not
    # given to another box, so vectors and labels of it can never belong to the wrong one.
    """CREATE TABLE detection (
        medium INTEGER NOT NULL REFERENCES medium (n), number INTEGER NOT NULL,
        x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
        category TEXT NOT NULL, confidence REAL NOT NULL, retired INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (medium, number)) WITHOUT ROWID""",
    """CREATE TABLE label (
        n INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER NOT NULL, media_id TEXT NOT NULL,
        detection_id TEXT NOT NULL DEFAULT '', label TEXT NOT NULL,
        scientific_name TEXT NOT NULL DEFAULT '', vernacular_name TEXT NOT NULL DEFAULT '',
        created TEXT NOT NULL, author TEXT NOT NULL DEFAULT '', source TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX label_medium ON label (media_id)",
    """CREATE TRIGGER label_no_update BEFORE UPDATE ON label BEGIN
        SELECT RAISE(ABORT, 'labels are append-only: add a newer label instead'); END""",
    """CREATE TRIGGER label_no_delete BEFORE DELETE ON label BEGIN
        SELECT RAISE(ABORT, 'labels are append-only: nothing is deleted'); END""",
    # INSERT OR REPLACE deletes without the trigger above when recursive triggers are off.
    """CREATE TRIGGER label_no_replace BEFORE INSERT ON label
        WHEN EXISTS (SELECT 1 FROM label WHERE n = NEW.n) BEGIN
        SELECT RAISE(ABORT, 'labels are append-only: this row exists'); END""",
    """CREATE TABLE run (
        n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, command TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT NOT NULL DEFAULT '', status TEXT NOT NULL,
        seed INTEGER, settings TEXT NOT NULL, versions TEXT NOT NULL,
        summary TEXT NOT NULL DEFAULT '{}')""",
    """CREATE TABLE failure (
        media_id TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL, created TEXT NOT NULL,
        PRIMARY KEY (media_id, step)) WITHOUT ROWID""",
    "CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # kind: 'scores', 'embeddings' or 'posteriors'; name: the model, or the run of posteriors.
    """CREATE TABLE vector_set (
        n INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
        classes TEXT NOT NULL DEFAULT '[]', dimension INTEGER NOT NULL DEFAULT 0,
        complete INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL, UNIQUE (kind, name))""",
    """CREATE TABLE shard (
        n INTEGER PRIMARY KEY AUTOINCREMENT, vector_set INTEGER NOT NULL REFERENCES vector_set (n),
        file TEXT NOT NULL, rows INTEGER NOT NULL, created TEXT NOT NULL)""",
    "CREATE INDEX shard_set ON shard (vector_set)",
    # Which detections a set holds, to count and resume without opening its shards.
    """CREATE TABLE vector_row (
        vector_set INTEGER NOT NULL, medium INTEGER NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (vector_set, medium, number)) WITHOUT ROWID""",
)

# Studies that were added whole, time shifts, what people say of an observation beside its class.
_STUDIES = (
    # kind: "camtrapdp", "coco", ...; folder: where its tables are kept as they came, below the
    # project's `sources`; origin: the path it was read from.
    """CREATE TABLE study (
        n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, folder TEXT NOT NULL,
        origin TEXT NOT NULL, content_hash TEXT NOT NULL, created TEXT NOT NULL,
        summary TEXT NOT NULL DEFAULT '{}')""",
    # cells: the study's own row as json, with all of its columns; what two studies have, both keep.
    """CREATE TABLE study_deployment (
        study INTEGER NOT NULL REFERENCES study (n), id TEXT NOT NULL, cells TEXT NOT NULL,
        PRIMARY KEY (study, id)) WITHOUT ROWID""",
    # The mediaID that a study gives to a picture of the project.
    """CREATE TABLE study_medium (
        study INTEGER NOT NULL REFERENCES study (n), id TEXT NOT NULL, media_id TEXT NOT NULL,
        PRIMARY KEY (study, id)) WITHOUT ROWID""",
    "CREATE INDEX study_medium_media ON study_medium (media_id)",
    # observation_id: as its study calls it. attributes: json of count, lifeStage, sex, behavior,
    # individualID and the like.
    "ALTER TABLE label ADD COLUMN observation_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE label ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE deployment ADD COLUMN start TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE deployment ADD COLUMN end TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE deployment ADD COLUMN time_zone TEXT NOT NULL DEFAULT ''",
    # Append-only. seconds are added to the camera's clock; the newest row of a deployment counts.
    """CREATE TABLE time_shift (
        n INTEGER PRIMARY KEY AUTOINCREMENT, deployment_id TEXT NOT NULL, seconds REAL NOT NULL,
        time_zone TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
        author TEXT NOT NULL DEFAULT '', created TEXT NOT NULL)""",
)

# What `refine` made of the detections, one audit row each; a run that was undone stays, marked.
_REFINEMENTS = (
    """CREATE TABLE refinement (
        run TEXT NOT NULL, medium INTEGER NOT NULL, number INTEGER NOT NULL,
        stage TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL, rank TEXT NOT NULL,
        probability REAL, first TEXT NOT NULL DEFAULT '', first_distance REAL,
        second TEXT NOT NULL DEFAULT '', second_distance REAL, threshold REAL,
        PRIMARY KEY (run, medium, number)) WITHOUT ROWID""",
    """CREATE TABLE refinement_undone (
        run TEXT PRIMARY KEY, created TEXT NOT NULL) WITHOUT ROWID""",
)

# What `suggest` asked people, append-only. after: the newest label when it was asked; any later
# label of the picture or the detection is the answer.
_SUGGESTIONS = (
    """CREATE TABLE suggestion (
        n INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, rank INTEGER NOT NULL,
        medium INTEGER NOT NULL REFERENCES medium (n), number INTEGER NOT NULL,
        reason TEXT NOT NULL, expected_class TEXT NOT NULL DEFAULT '', score REAL NOT NULL,
        species TEXT NOT NULL DEFAULT '', after INTEGER NOT NULL, created TEXT NOT NULL)""",
)

# Who the animals are: by runs (an undone one stays, marked), and people's word on pairs of
# detections, append-only; "open" takes a decision back.
_INDIVIDUALS = (
    """CREATE TABLE identification (
        run TEXT NOT NULL, medium INTEGER NOT NULL, number INTEGER NOT NULL,
        individual TEXT NOT NULL, decision TEXT NOT NULL, probability REAL, known REAL,
        candidates TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (run, medium, number)) WITHOUT ROWID""",
    """CREATE TABLE identification_undone (
        run TEXT PRIMARY KEY, created TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE pair_decision (
        n INTEGER PRIMARY KEY AUTOINCREMENT, first TEXT NOT NULL, second TEXT NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('same', 'different', 'open')),
        author TEXT NOT NULL DEFAULT '', source TEXT NOT NULL DEFAULT '', created TEXT NOT NULL)""",
    """CREATE TRIGGER pair_decision_no_update BEFORE UPDATE ON pair_decision BEGIN
        SELECT RAISE(ABORT, 'decisions are append-only: add a newer one instead'); END""",
    """CREATE TRIGGER pair_decision_no_delete BEFORE DELETE ON pair_decision BEGIN
        SELECT RAISE(ABORT, 'decisions are append-only: nothing is deleted'); END""",
    """CREATE TRIGGER pair_decision_no_replace BEFORE INSERT ON pair_decision
        WHEN EXISTS (SELECT 1 FROM pair_decision WHERE n = NEW.n) BEGIN
        SELECT RAISE(ABORT, 'decisions are append-only: this row exists'); END""",
)

# What people decide one by one: labels, boxes, pairs of individuals, and their taking back.
_DECISIONS = (
    # key: given by who asks, so that asking again stores nothing twice. kind: "label", "box",
    # "match", "undo" or "redo"; target: the decision that the last two speak of.
    """CREATE TABLE decision (
        n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        author TEXT NOT NULL, created TEXT NOT NULL, target INTEGER NOT NULL DEFAULT 0,
        content TEXT NOT NULL DEFAULT '{}')""",
    "CREATE INDEX decision_target ON decision (target)",
    "CREATE INDEX decision_author ON decision (author, n)",
    """CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN
        SELECT RAISE(ABORT, 'decisions are append-only: undo them instead'); END""",
    """CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN
        SELECT RAISE(ABORT, 'decisions are append-only: nothing is deleted'); END""",
    """CREATE VIEW undone AS SELECT d.target FROM decision d WHERE d.kind = 'undo' AND d.n =
        (SELECT max(e.n) FROM decision e WHERE e.target = d.target)""",
    # The decision that a label came from, 0 for those of an import.
    "ALTER TABLE label ADD COLUMN decision INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX label_decision ON label (decision) WHERE decision > 0",
    "CREATE INDEX label_batch ON label (batch)",
    # Boxes drawn by people. replaces: the number of the box before, -1 for an animal without one.
    """CREATE TABLE person_box (
        decision INTEGER PRIMARY KEY REFERENCES decision (n), medium INTEGER NOT NULL,
        number INTEGER NOT NULL, replaces INTEGER NOT NULL)""",
    "CREATE INDEX person_box_medium ON person_box (medium)",
)

# What `discover` found of each detection, and the names that people gave to its proposals.
_DISCOVERIES = (
    """CREATE TABLE discovery (
        run TEXT NOT NULL, medium INTEGER NOT NULL, number INTEGER NOT NULL, novelty REAL,
        novel INTEGER NOT NULL, cluster INTEGER NOT NULL, proposal INTEGER NOT NULL,
        membership REAL NOT NULL, repeat INTEGER NOT NULL,
        PRIMARY KEY (run, medium, number)) WITHOUT ROWID""",
    """CREATE TABLE proposal_name (
        n INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, proposal INTEGER NOT NULL,
        label TEXT NOT NULL, author TEXT NOT NULL, labels INTEGER NOT NULL,
        created TEXT NOT NULL)""",
    """CREATE TRIGGER proposal_name_no_update BEFORE UPDATE ON proposal_name BEGIN
        SELECT RAISE(ABORT, 'names are append-only: give a newer one instead'); END""",
    """CREATE TRIGGER proposal_name_no_delete BEFORE DELETE ON proposal_name BEGIN
        SELECT RAISE(ABORT, 'names are append-only: nothing is deleted'); END""",
)

# The decision at a page that a proposal's name came from, 0 for those of `discover --name`.
_NAMINGS = ("ALTER TABLE proposal_name ADD COLUMN decision INTEGER NOT NULL DEFAULT 0",)

# Size and checksum of a shard's file (or folder); '' for those that were written before.
_CHECKSUMS = (
    "ALTER TABLE shard ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE shard ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
)

# Videos. frame_rate: mean frames a second, 0 unknown, NULL for a picture. frames_processed: json
# list of the frames that were looked at. sampling: how they were chosen, "" by a detector's file.
_VIDEOS = (
    "ALTER TABLE medium ADD COLUMN frame_rate REAL",
    "ALTER TABLE medium ADD COLUMN frames INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE medium ADD COLUMN frames_processed TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE medium ADD COLUMN sampling TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE detection ADD COLUMN frame_number INTEGER",
)

# Numbers that `status` shows, kept by triggers: counting a million rows takes seconds.
_TALLIES = (
    "CREATE TABLE tally (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID",
    # present: detections in use that a set of scores or embeddings holds.
    "ALTER TABLE vector_set ADD COLUMN present INTEGER NOT NULL DEFAULT 0",
    "INSERT INTO tally SELECT 'media', count(*) FROM medium",
    "INSERT INTO tally SELECT 'detections', count(*) FROM detection WHERE retired = 0",
    """CREATE TRIGGER tally_medium AFTER INSERT ON medium BEGIN
        UPDATE tally SET n = n + 1 WHERE name = 'media'; END""",
    """CREATE TRIGGER tally_medium_gone AFTER DELETE ON medium BEGIN
        UPDATE tally SET n = n - 1 WHERE name = 'media'; END""",
    """CREATE TRIGGER tally_detection AFTER INSERT ON detection WHEN NEW.retired = 0 BEGIN
        UPDATE tally SET n = n + 1 WHERE name = 'detections';
        UPDATE vector_set SET present = present + 1 WHERE kind <> 'posteriors' AND EXISTS
            (SELECT 1 FROM vector_row v WHERE v.vector_set = vector_set.n
             AND v.medium = NEW.medium AND v.number = NEW.number); END""",
    """UPDATE vector_set SET present = (SELECT count(*) FROM vector_row v JOIN detection d
        ON d.medium = v.medium AND d.number = v.number
        WHERE v.vector_set = vector_set.n AND d.retired = 0)""",
    """CREATE TRIGGER tally_retired AFTER UPDATE OF retired ON detection
        WHEN NEW.retired <> OLD.retired BEGIN
        UPDATE tally SET n = n + OLD.retired - NEW.retired WHERE name = 'detections';
        UPDATE vector_set SET present = present + OLD.retired - NEW.retired
            WHERE kind <> 'posteriors' AND EXISTS
            (SELECT 1 FROM vector_row v WHERE v.vector_set = vector_set.n
             AND v.medium = NEW.medium AND v.number = NEW.number); END""",
    """CREATE TRIGGER tally_row AFTER INSERT ON vector_row BEGIN
        UPDATE vector_set SET present = present + 1 WHERE n = NEW.vector_set AND EXISTS
            (SELECT 1 FROM detection d WHERE d.medium = NEW.medium AND d.number = NEW.number
             AND d.retired = 0); END""",
    """CREATE TRIGGER tally_row_gone AFTER DELETE ON vector_row BEGIN
        UPDATE vector_set SET present = present - 1 WHERE n = OLD.vector_set AND EXISTS
            (SELECT 1 FROM detection d WHERE d.medium = OLD.medium AND d.number = OLD.number
             AND d.retired = 0); END""",
    "CREATE INDEX medium_event ON medium (event_id)",
)

_DETECTORS = ("CREATE INDEX medium_detector ON medium (detector) WHERE detector > ''",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _FIRST, _STUDIES, _REFINEMENTS, _SUGGESTIONS, _INDIVIDUALS, _DECISIONS, _DISCOVERIES, _NAMINGS,
    _CHECKSUMS,
    _VIDEOS,
    _TALLIES,
    _DETECTORS,
)


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring a catalogue to the newest schema; killed in between, the next call goes on.

    Raises ProjectError when a newer ecotone wrote the file.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have migrated while we waited for the lock.
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise ProjectError(
                f"{where}: written by a newer ecotone (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); update with: pip install -U ecotone"
            )
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
