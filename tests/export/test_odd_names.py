"""Every writer of a study with names that files, databases and tables find hard."""

from __future__ import annotations

import csv
import json
import os

import pytest

from ecotone.errors import InputError
from ecotone.export.atomic import Sheet, replaced
from ecotone.export.camtrapr import write_record_table
from ecotone.export.coco import write_coco
from ecotone.export.geojson import write_geojson
from ecotone.export.study_index import StudyIndex, scratch
from ecotone.export.wildlife_insights import write_wildlife_insights
from ecotone.study import Study
from tests.export.studies import deployment, medium, observation

WRITERS = [write_coco, write_geojson, write_record_table, write_wildlife_insights]
ODD = ["caf\udce9", "two\nlines", "one\rline", 'say "x"', "=1+1", "🐻 ursă", "a\0b", "a,b;c|d", " "]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_written_and_the_file_can_be_read(tmp_path, write, name):
    one = medium("m1", name, "2024-05-01T06:00:00", filePath=f"{name}/a.jpg", eventID=name)
    rows = [observation("o1", one, scientificName=name, label=name),
            observation("o2", None, deploymentID=name, eventID=name, label=name)]
    study = Study([deployment(name, locationName=name)], [one], rows)
    path = tmp_path / ("out" if write is write_wildlife_insights else "out.json")
    written = write(study, path)
    assert written.path == path
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        text = file.read_text(encoding="utf-8")
        if write in (write_coco, write_geojson):
            json.loads(text)
        else:
            table = list(csv.reader(text.splitlines(keepends=True)))
            assert len({len(row) for row in table}) == 1 and len(table) > 1


@pytest.mark.parametrize("write", WRITERS)
def test_a_place_that_cannot_be_written_is_told(tmp_path, write):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write(Study([], [], []), tmp_path / "file" / "out.json")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_nothing_is_left_when_a_writer_stops(tmp_path):
    with pytest.raises(ZeroDivisionError), replaced(tmp_path / "a.txt") as file:
        file.write(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
    with replaced(tmp_path / "a.txt") as file:
        Sheet(file).write(["x\ry", "b"])
    assert (tmp_path / "a.txt").read_bytes() == b'"x\ry","b"\n'
    assert os.stat(tmp_path / "a.txt").st_mode & 0o077  # others may read it, as any new file


def test_the_index_finds_media_and_events_by_name():
    media = [medium("a", "d1", "2024-05-01T06:00:05", eventID="e"),
             medium("b", "d1", "2024-05-01T06:00:00"), medium("a", "d2", ""),
             medium("c", "d2", "2024-05-01T06:00:00", eventID="e")]
    rows = [observation("o", {**media[1], "eventID": "e"})]
    with scratch() as database:
        index = StudyIndex(Study((), media, rows), database)
        assert (index.count, index.twice) == (3, 1) and index.shared == {"e"}
        assert index.medium("b") == media[1] and index.medium("z") is None
        assert index.event_of("b") == "e" and index.event_of("z") == ""
        assert [m["mediaID"] for m in index.of_event("e", "d1")] == ["b", "a"]
        assert index.of_event("", "d1") == []
        assert [(p.row["mediaID"], p.event, p.frame, p.frames) for p in index.media()] == [
            ("a", "e", 1, 2), ("b", "e", 0, 2), ("c", "e", 0, 1)]
        assert index.unused("x") == "x" and index.unused("x") != "x"
