from __future__ import annotations

import csv
import sys
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError, MissingExtraError
from ecotone.export.tables import TableWriter, csv_cells, format_of, write_table

COLUMNS = {
    "filePath": ["cam1/a b.jpg", "cäm2/ö, ü.jpg", 'say "x".jpg'],
    "count": [1, 2, 3],
    "probability": np.array([0.25, np.nan, 1e-7], np.float32),
    "note": ["", None, "two\nlines"],
    "ok": [True, False, True],
}


def read(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def test_csv_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "new" / "out.csv"
    assert write_table(path, COLUMNS) == 3
    assert read(path) == [
        ["filePath", "count", "probability", "note", "ok"],
        ["cam1/a b.jpg", "1", "0.25", "", "true"],
        ["cäm2/ö, ü.jpg", "2", "", "", "false"],
        ['say "x".jpg', "3", "1e-07", "two\nlines", "true"],
    ]
    assert [p.name for p in path.parent.iterdir()] == ["out.csv"]


def test_parquet_keeps_types_and_gaps(tmp_path):
    path = tmp_path / "out.pq"
    write_table(path, COLUMNS)
    table = pq.read_table(path)
    assert table["filePath"].to_pylist() == COLUMNS["filePath"]
    assert table["count"].to_pylist() == [1, 2, 3]
    assert table["probability"].to_pylist() == [0.25, None, pytest.approx(1e-7)]
    assert str(table.schema.field("probability").type) == "float"
    assert table["note"].to_pylist() == ["", None, "two\nlines"]
    assert table["ok"].to_pylist() == [True, False, True]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_pieces_become_one_table(tmp_path, name):
    path = tmp_path / name
    pieces = ({"a": [str(i)], "b": [i], "c": [None if i < 2 else "x"]} for i in range(5))
    assert write_table(path, pieces) == 5
    if name.endswith("csv"):
        assert read(path)[1:] == [[str(i), str(i), "" if i < 2 else "x"] for i in range(5)]
    else:
        assert pq.read_table(path).to_pylist()[4] == {"a": "4", "b": 4, "c": "x"}


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_no_rows_still_have_a_heading(tmp_path, name):
    path = tmp_path / name
    empty = {"filePath": [], "p": np.zeros(0)}
    assert write_table(path, empty) == 0
    found = read(path)[0] if name.endswith("csv") else pq.read_table(path).column_names
    assert found == ["filePath", "p"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_run_that_breaks_leaves_the_old_file(tmp_path, name):
    path = tmp_path / name
    write_table(path, {"a": [1]})
    before = path.read_bytes()

    def pieces():
        yield {"a": [1, 2]}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, pieces())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_cells_are_no_formulas():
    values = np.array(["=1+1", "-x", "@home", "+1", "a=1", "", "\tx"], dtype=object)
    assert csv_cells(values) == ["'=1+1", "'-x", "'@home", "'+1", "a=1", "", "'\tx"]
    assert csv_cells(values, paths=True)[2] == "./@home"  # still the same path
    assert csv_cells(np.array([-1.5, 2.0])) == ["-1.5", "2"]  # numbers stay numbers


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6))
def test_any_text_survives_csv(tmp_path_factory, texts):
    texts = [t for t in texts if not t.startswith(("=", "+", "-", "@", "\t"))]
    path = tmp_path_factory.mktemp("t") / "out.csv"
    write_table(path, {"n": list(range(len(texts))), "text": texts})
    plain = [t.replace("\r\n", "\n").replace("\r", "\n") for t in texts]
    assert [row[1] for row in read(path)[1:]] == plain


def test_names_that_are_not_utf8_are_written_readably(tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", errors="surrogateescape")
    for file in ("out.csv", "out.parquet"):
        write_table(tmp_path / file, {"filePath": [name]})
    assert read(tmp_path / "out.csv")[1] == [r"caf\udce9.jpg"]
    assert pq.read_table(tmp_path / "out.parquet")["filePath"].to_pylist() == [r"caf\udce9.jpg"]


@pytest.mark.parametrize("columns, words", [
    ({"a": [1], "b": [1, 2]}, "different lengths"),
    ({"a": np.zeros((2, 2))}, r"shape \(2, 2\)"),
    ([{"a": [1]}, {"b": [1]}], "columns b after a"),
])  # fmt: skip
def test_columns_that_do_not_fit_are_named(tmp_path, columns, words):
    with pytest.raises(InputError, match=words):
        write_table(tmp_path / "out.csv", columns)
    assert list(tmp_path.iterdir()) == []


def test_types_that_change_are_named(tmp_path):
    with pytest.raises(InputError, match="other types"):
        write_table(tmp_path / "out.parquet", [{"a": [1]}, {"a": ["x"]}])


def test_formats():
    assert format_of("x.CSV") == "csv"
    assert format_of("x.txt", "parquet") == "parquet"
    for path, form in (("x.xlsx", None), ("x.csv", "xlsx"), ("x", None)):
        with pytest.raises(InputError, match="csv or .parquet"):
            format_of(path, form)


def test_missing_pyarrow_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[parquet\]"):
        TableWriter(tmp_path / "out.parquet").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_table(tmp_path / "file" / "out.csv", {"a": [1]})
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_table(tmp_path / "out.csv", {"a": [1]})


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_many_rows_need_little_memory(tmp_path, name):
    piece = {"filePath": [f"cam/{i}.jpg" for i in range(5000)], "p": np.zeros(5000)}

    def peak(count):
        tracemalloc.start()
        write_table(tmp_path / name, (piece for _ in range(count)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)
    assert peak(40) < 1.5 * peak(4) + 1_000_000
