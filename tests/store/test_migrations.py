from __future__ import annotations

import sqlite3

import pytest

from ecotone.errors import ProjectError
from ecotone.store import migrations
from ecotone.store.catalog import Catalog


def version(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_a_new_catalogue_has_all_migrations(tmp_path):
    Catalog.open(tmp_path / "c.sqlite", create=True).close()
    assert version(tmp_path / "c.sqlite") == len(migrations.MIGRATIONS)


def test_an_old_catalogue_is_brought_forward_and_keeps_its_rows(tmp_path, monkeypatch):
    path = tmp_path / "c.sqlite"
    with Catalog.open(path, create=True) as catalog:
        catalog.set_note("kept", [1, 2])
    extra = ("ALTER TABLE medium ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'",)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, extra))
    with Catalog.open(path) as catalog:
        assert catalog.note("kept") == [1, 2]
        names = [row[1] for row in catalog.connection.execute("PRAGMA table_info(medium)")]
        assert "colour" in names
    assert version(path) == len(migrations.MIGRATIONS)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "c.sqlite"
    Catalog.open(path, create=True).close()
    before = version(path)
    bad = ("CREATE TABLE half (a)", "CREATE TABLE half (a)")
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, bad))
        with pytest.raises(ProjectError, match="half already exists"):
            Catalog.open(path)
    assert version(path) == before
    with Catalog.open(path) as catalog:
        tables = catalog.connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert ("half",) not in tables


def test_a_catalogue_of_a_newer_ecotone_is_refused(tmp_path):
    path = tmp_path / "c.sqlite"
    Catalog.open(path, create=True).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(ProjectError, match="newer ecotone.*pip install -U"):
        Catalog.open(path)


def test_missing_and_foreign_files_are_told(tmp_path):
    with pytest.raises(ProjectError, match="no catalogue here"):
        Catalog.open(tmp_path / "c.sqlite")
    (tmp_path / "c.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ProjectError, match="not a catalogue"):
        Catalog.open(tmp_path / "c.sqlite")
