"""People's words are kept a second time: each line on the disk before anyone is told."""

from __future__ import annotations

import json
import sqlite3

import pytest

from ecotone.errors import ProjectError
from ecotone.store.catalog import Catalog
from ecotone.store.journal import Journal, line_of, parse, positions, read_end
from ecotone.store.tables import NewLabel, NewMedium


def lines_of(path, kind):
    found = [parse(line) for line in path.read_bytes().splitlines()]
    return [one[1] for one in found if one and one[0] == kind]


def test_labels_are_in_the_journal_when_the_call_returns(catalog):
    catalog.add_labels([NewLabel("m0", "red deer"), NewLabel("m1", "grå \"fox\"\n")], "Ann")
    rows = lines_of(catalog.journal.path, "label")
    stored = catalog.connection.execute("SELECT * FROM label").fetchall()
    assert [tuple(row) for row in rows] == stored
    assert read_end(catalog.journal.path)[0] == positions(catalog.connection)
    assert lines_of(catalog.journal.path, "root") == [["/pics"]]


def test_what_was_rolled_back_is_not(catalog):
    before = catalog.journal.path.read_bytes()
    with pytest.raises(RuntimeError), catalog.transaction():
        catalog.add_labels([NewLabel("m0", "red deer")])
        raise RuntimeError
    assert catalog.journal.path.read_bytes() == before


def test_a_catalogue_without_a_journal_gets_one(catalog):
    catalog.add_labels([NewLabel("m0", "red deer")])
    catalog.journal.path.unlink()
    with Catalog.open(catalog.path) as other:
        other.add_labels([NewLabel("m1", "wild boar")])
        kept = [row[4] for row in lines_of(other.journal.path, "label")]
    assert kept == ["red deer", "wild boar"]


def test_a_torn_end_is_written_again(catalog):
    catalog.add_labels([NewLabel("m0", "red deer")])
    path = catalog.journal.path
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with Catalog.open(catalog.path) as other:
        other.set_note("a", 1)
        other.add_labels([NewLabel("m1", "wild boar")])
    assert {row[4] for row in lines_of(path, "label")} == {"red deer", "wild boar"}
    assert read_end(path)[0]["label"] == 2


def test_two_connections_write_each_row_once(catalog):
    with Catalog.open(catalog.path) as other:
        for n in range(3):
            catalog.add_labels([NewLabel("m0", f"a{n}")])
            other.add_labels([NewLabel("m1", f"b{n}")])
    assert [row[0] for row in lines_of(catalog.journal.path, "label")] == [1, 2, 3, 4, 5, 6]


def test_an_older_copy_of_the_catalogue_is_not_written_to(catalog, tmp_path):
    with sqlite3.connect(tmp_path / "old.sqlite") as copy:
        catalog.connection.backup(copy)
    catalog.add_labels([NewLabel("m0", "red deer")])
    catalog.close()
    (tmp_path / "old.sqlite").replace(tmp_path / "catalog.sqlite")
    with Catalog.open(tmp_path / "catalog.sqlite") as old:
        assert len(old.media()) == 5  # reading goes on
        with pytest.raises(ProjectError, match="(lacks what was stored|damaged).*ecotone repair"):
            old.add_labels([NewLabel("m1", "wild boar")])


def test_any_changed_byte_of_a_line_is_found():
    line = line_of("label", [1, 1, "m0", "", "red deer"]).encode()
    assert parse(line) == ("label", [1, 1, "m0", "", "red deer"])
    for place in range(len(line)):
        bad = bytearray(line)
        bad[place] ^= 1
        assert parse(bytes(bad)) is None or json.loads(bad) == json.loads(line)


def test_a_full_disk_is_told_and_the_rows_follow_later(catalog, monkeypatch):
    real = Journal._append

    def full(self, connection):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_append", full)
    with pytest.raises(ProjectError, match="No space left on device.*in the catalogue"):
        catalog.add_labels([NewLabel("m0", "red deer")])
    monkeypatch.setattr(Journal, "_append", real)
    catalog.set_note("a", 1)
    assert len(lines_of(catalog.journal.path, "label")) == 1


def test_a_root_is_kept_for_every_folder_of_pictures(catalog):
    catalog.add_media([NewMedium("x", "/elsewhere", "1.jpg")])
    assert [row[0] for row in lines_of(catalog.journal.path, "root")] == ["/pics", "/elsewhere"]
