"""Files appear whole or not at all, and what a killed writer left behind goes."""

from __future__ import annotations

from ecotone.export.atomic import replaced
from ecotone.export.tables import TableWriter


def test_what_a_killed_writer_left_is_removed_and_one_at_work_is_not(tmp_path):
    target = tmp_path / "out[1].csv"
    dead = tmp_path / ".out[1].csv-abc.tmp"
    dead.write_text("half")
    (tmp_path / ".other.csv-abc.tmp").write_text("of another file")
    with replaced(target) as first:
        assert not dead.exists()
        first.write("first")
        with replaced(target) as second:  # at once
            second.write("second")
        assert target.read_text() == "second"
    assert target.read_text() == "first"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.csv-abc.tmp", "out[1].csv"]


def test_tables_do_the_same(tmp_path):
    target = tmp_path / "out.csv"
    (tmp_path / ".out.csv-abc.tmp").write_text("half")
    with TableWriter(target) as first:
        first.append({"a": ["1"]})
        with TableWriter(target) as second:  # at once
            second.append({"a": ["2"]})
    assert target.read_text() == "a\n1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
