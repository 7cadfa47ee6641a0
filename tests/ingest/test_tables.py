from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.tables import clean, key, number, read_table


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_any_delimiter_line_end_and_encoding(tmp_path, delimiter, end, encoding):
    rows = [["filePath", "Name, or so"], ["a/é 1.jpg", "deer; roe"], ["b.jpg", "x,y"]]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    table = read_table(write(tmp_path, buffer.getvalue(), encoding))
    assert [table.header, *table.rows] == rows
    assert table.lines == [2, 3] and table.problems == []


text = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n\ufeff"), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(text, text), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows, delimiter):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([["filePath", "one", "two"], *(["a.jpg", *row] for row in rows)])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    # Cells full of other delimiters would fool any guess, so the file says its own.
    path.write_text(f"sep={delimiter}\n" + buffer.getvalue(), encoding="utf-8")
    table = read_table(path)
    assert [tuple(row[1:]) for row in table.rows] == rows
    assert table.problems == []


def test_lines_are_those_of_the_file(tmp_path):
    table = read_table(write(tmp_path, 'filePath,note\n\na.jpg,"two\nlines"\n\nb.jpg,x\n'))
    assert table.lines == [3, 6]
    assert table.rows[0][1] == "two\nlines"


def test_short_rows_are_filled_and_long_ones_are_told(tmp_path):
    text = "filePath,label,site\na.jpg,deer\nb.jpg,a,b,c\nc.jpg,d,e,,\n"
    table = read_table(write(tmp_path, text))
    assert table.rows == [["a.jpg", "deer", ""], ["c.jpg", "d", "e"]]
    assert "row 3 (4 fields)" in table.problems[0] and "quote" in table.problems[0]


def test_a_delimiter_at_the_end_of_every_line_makes_no_column(tmp_path):
    assert read_table(write(tmp_path, "filePath;label;\na.jpg;deer;\n")).header == [
        "filePath", "label"]


@pytest.mark.parametrize(("text", "what"), [
    ('{"images": []}', "looks like json"), ("a.jpg,deer\nb.jpg,fox\n", "row 1.*column names"),
    ('filePath,label\n"a.jpg,deer\n' + "x" * 140000, "quote that is never closed"),
    ('filePath,label\na.jpg,fox\nb.jpg,"deer\nc.jpg,fox\n', "row 3.*quote that is never closed"),
])
def test_what_is_no_table_is_told(tmp_path, text, what):
    with pytest.raises(FormatError, match=what):
        read_table(write(tmp_path, text))


def test_columns_are_found_by_any_spelling(tmp_path):
    text = "File Path,Scientific_Name\na.jpg, Ursus  arctos \nb.jpg,NA\n"
    table = read_table(write(tmp_path, text))
    assert table.find(("nothing", "filepath")) == 0 and table.find(("nothing",)) is None
    assert table.column(1) == ["Ursus arctos", ""]
    assert table.column(None) == ["", ""]


def test_small_things():
    assert key(" File_Path ") == key("filePath") == "filepath"
    assert clean(" NaN ") == "" and clean("none") == "none"
    assert number("0,5") == number(" 0.5 ") == 0.5
    assert math.isnan(number("1,000.5")) and math.isnan(number("deer"))
