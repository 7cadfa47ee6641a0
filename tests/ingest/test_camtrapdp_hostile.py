"""Packages that are broken, cut off or meant to harm: one clear error, and nothing outside."""

from __future__ import annotations

import csv
import gzip
import json
import os
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.errors import EcotoneError, FormatError
from ecotone.ingest import camtrapdp_package, camtrapdp_table
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.ingest.camtrapdp_package import parse_descriptor, safe_name
from tests.ingest.test_camtrapdp import (
    COLUMNS,
    csv_text,
    deployment,
    descriptor,
    medium,
    observation,
    resource,
    write_package,
    zipped,
)


def refused(path, *words: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_camtrapdp(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    for word in words:
        assert word in message, message


OUTSIDE = ["/etc/passwd", "../secret.csv", "a/../../secret.csv", "C:\\secret.csv", "..\\secret.csv",
           "~/secret.csv", "a\0b.csv"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("packed", [False, True])
def test_paths_that_lead_outside_are_refused(tmp_path, name, packed):
    (tmp_path / "secret.csv").write_text(csv_text([observation("secret")]), "utf-8")
    about = descriptor()
    resource(about, "observations")["path"] = name
    folder = write_package(tmp_path / "p", about=about)
    path = zipped(folder, tmp_path / "p.zip") if packed else folder
    refused(path, "leads outside the package", "observations")


def test_members_of_a_zip_that_lead_outside_are_not_seen(tmp_path):
    folder = write_package(tmp_path / "p")
    (folder / "observations.csv").unlink()
    path = zipped(folder, tmp_path / "p.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../observations.csv", csv_text([observation()]))
        archive.writestr("/observations.csv", csv_text([observation()]))
    refused(path, "observations.csv", "is not in the zip", "datapackage.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p", "p.zip"]


def test_web_addresses_are_to_be_downloaded_first(tmp_path):
    about = descriptor()
    resource(about, "media")["path"] = "https://example.org/media.csv"
    refused(write_package(tmp_path / "p", about=about), "web address", "download the file")


def test_bombs_do_not_go_off(tmp_path, monkeypatch):
    monkeypatch.setattr(camtrapdp_package, "FREE", 1 << 16)
    folder = write_package(tmp_path / "p")
    bomb = csv_text([observation()]).encode() + b"," * (1 << 22)
    (folder / "observations.csv").write_bytes(bomb)
    refused(zipped(folder, tmp_path / "p.zip"), "observations.csv", "its packed size")
    about = descriptor()
    resource(about, "observations")["path"] = "observations.csv.gz"
    (folder / "datapackage.json").write_text(json.dumps(about))
    (folder / "observations.csv").unlink()
    (folder / "observations.csv.gz").write_bytes(gzip.compress(bomb))
    refused(folder, "observations.csv.gz", "unpacks to more than 200 times its packed size")


def test_a_zip_in_which_something_else_is_huge_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(camtrapdp_package, "FREE", 1 << 16)
    folder = write_package(tmp_path / "p")
    (folder / "zeros.jpg").write_bytes(bytes(1 << 22))
    assert len(read_camtrapdp(zipped(folder, tmp_path / "p.zip")).observations) == 1


def test_endless_lines_and_cells(tmp_path, monkeypatch):
    folder = write_package(tmp_path / "p")
    text = csv_text([observation(observationComments="x" * 200_000)])
    (folder / "observations.csv").write_text(text)
    limit = csv.field_size_limit(1 << 17)
    try:
        refused(folder, "observations.csv, row 2", "field larger than field limit")
    finally:
        csv.field_size_limit(limit)
    monkeypatch.setattr(camtrapdp_table, "LONGEST_LINE", 1 << 16)
    refused(folder, "observations.csv, row 2", "is longer than 65,536 characters")
    text = csv_text([observation(observationComments="x\n" * 40_000)])
    (folder / "observations.csv").write_text(text)
    refused(folder, "is longer than 65,536 characters; is a quote never closed")


def test_a_quote_that_is_never_closed(tmp_path):
    folder = write_package(tmp_path / "p")
    text = csv_text([observation(), observation("o2", observationComments='"open')])
    (folder / "observations.csv").write_text(text.replace('"""open"', '"open'))
    refused(folder, "observations.csv, row 3", "a quote is opened and never closed")


@pytest.mark.parametrize(("data", "said"), [
    (b"", "holds no row"), (b"PK\x03\x04\0\0\0\0", "bytes of value 0"),
    (b"observationID,a\n\0\0\0", "row 2: holds bytes of value 0"),
    (b"name,colour\nx,red\n", "row 1: columns are name, colour, expected those of observations"),
    (b"\x1f\x8b\x08broken", "cannot be read"),
])
def test_files_that_are_no_tables(tmp_path, data, said):
    folder = write_package(tmp_path / "p")
    (folder / "observations.csv").write_bytes(data)
    refused(folder, "observations.csv", said)


def test_files_that_are_missing_or_no_files(tmp_path):
    folder = write_package(tmp_path / "p")
    (folder / "media.csv").unlink()
    refused(folder, "media.csv: no such file; it holds", "observations.csv")
    os.mkfifo(folder / "media.csv")  # would wait for ever
    refused(folder, "media.csv: no such file")
    (folder / "media.csv").unlink()
    (folder / "media.csv").mkdir()
    refused(folder, "media.csv: no such file")


def test_what_is_no_package(tmp_path):
    refused(tmp_path / "none", "no such file or folder")
    refused(tmp_path, "holds no datapackage.json")
    (tmp_path / "a.csv").write_text("x")
    refused(tmp_path / "a.csv", "is no data package")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("metadata.json", "{}")
    refused(tmp_path / "a.zip", "holds no datapackage.json; it holds metadata.json")
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:40])
    refused(tmp_path / "b.zip", "is no data package")
    one = write_package(tmp_path / "x" / "one")
    assert len(read_camtrapdp(tmp_path / "x").media) == 1
    write_package(tmp_path / "x" / "two")
    refused(tmp_path / "x", str(one), "give one of them")


DESCRIPTORS = [
    ("", "not valid json"), ("[1]", "expected a data package's descriptor"),
    ('{"resources": [}', "not valid json: expecting value at line 1, column 16"),
    ('{"images": [], "annotations": []}', "COCO"),
    ('{"resources": 3}', "resources is no list"), ('{"resources": [3]}', "resources is no list"),
    ("[" * 100_000, "nested too deeply"),
    ('{"resources": [], "x":' + "[" * 150 + "]" * 150 + "}", "nested more than 100 levels"),
    ('{"n": ' + "9" * 5000 + "}", "a number that is too long"),
    ('{"resources": [{"name": "observations", "data": 3}]}', "expected a list of rows"),
    ('{"resources": [{"name": "observations", "path": []}]}', "names no file"),
    ('{"resources": [{"name": "observations", "path": 4}]}', "path is 4"),
    ('{"resources": [{"name": "observations", "path": "observations.csv", "dialect": 4}]}',
     "dialect is 4"),
    ('{"resources": [{"name": "observations", "path": "observations.csv", "dialect":'
     '{"delimiter": ";;"}}]}', "dialect delimiter is ';;', expected one character"),
]


@pytest.mark.parametrize(("text", "said"), DESCRIPTORS)
def test_descriptors_that_are_none(tmp_path, text, said):
    folder = write_package(tmp_path / "p")
    (folder / "datapackage.json").write_text(text)
    refused(folder, "datapackage.json", said)


def test_descriptors_with_odd_keys_and_numbers(tmp_path):
    folder = write_package(tmp_path / "p")
    text = json.dumps(descriptor(name="first"))[:-1]
    text += ', "name": "last", "a": NaN, "b": [1, Infinity, 1e999], "c": 1e5}'
    (folder / "datapackage.json").write_text("\ufeff" + text, "utf-8")
    study = read_camtrapdp(folder)
    assert study.metadata["name"] == "last" and "a" not in study.metadata
    assert study.metadata["b"] == [1, None, None] and study.metadata["c"] == 1e5
    assert study.repairs == (
        "datapackage.json: 1 keys stand twice, the last is used: name",
        "datapackage.json: 3 values that json does not know are left out: NaN, Infinity, 1e999",
    )


def test_odd_encodings_are_not_tried(tmp_path):
    about = descriptor()
    for name, encoding in zip(COLUMNS, ("punycode", "rot13", 4), strict=True):
        resource(about, name)["encoding"] = encoding
    assert len(read_camtrapdp(write_package(tmp_path / "p", about=about)).observations) == 1


def test_a_table_that_vanishes_after_reading_is_told(tmp_path):
    folder = write_package(tmp_path / "p")
    study = read_camtrapdp(folder)
    (folder / "observations.csv").unlink()
    with pytest.raises(FormatError, match="observations.csv: no such file"):
        list(study.observations)


FUZZ = settings(max_examples=60, deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads_or_refuses(path) -> None:
    try:
        study = read_camtrapdp(path, "UTC")
    except EcotoneError as error:
        assert "\n" not in str(error)
        return
    for table, columns in COLUMNS.items():
        rows = list(getattr(study, table))
        assert len(rows) == len(getattr(study, table))
        assert all(set(columns) <= set(row) for row in rows)
        assert all(isinstance(cell, str) for row in rows for cell in row.values())


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([*(f"{t}.csv" for t in COLUMNS),
                                                 "datapackage.json"]),
       st.integers(0, 10_000), st.booleans())
def test_bytes_changed_anywhere_never_break_the_reader(tmp_path, noise, name, at, cut):
    folder = write_package(tmp_path / "p", media=[medium(), medium("m2")])
    data = (folder / name).read_bytes()
    at %= len(data)
    (folder / name).write_bytes(data[:at] + noise + (b"" if cut else data[at + len(noise):]))
    reads_or_refuses(folder)


@FUZZ
@given(st.data())
def test_zips_changed_anywhere_never_break_the_reader(tmp_path, data):
    path = zipped(write_package(tmp_path / "p"), tmp_path / "p.zip")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    reads_or_refuses(path)


ODD_CELLS = ["0", "-1", "1e400", "NaN", "٣", "1_0", "TRUE", "2024-02-30", "9" * 400, "event",
             "media", "m1", "Animal", "a|b", " ", "2024-01-01T00:00:00", "0001-01-01 00:00"]
CELLS = st.sampled_from(ODD_CELLS) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=12
)


@FUZZ
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS["observations"]), CELLS), max_size=4),
       st.dictionaries(st.sampled_from(COLUMNS["media"]), CELLS),
       st.dictionaries(st.sampled_from(COLUMNS["deployments"]), CELLS))
def test_cells_of_any_kind_never_break_the_reader(tmp_path, seen, picture, place):
    reads_or_refuses(write_package(
        tmp_path / "p", [deployment(), deployment() | place], [medium(), medium() | picture],
        [observation(f"o{i}") | row for i, row in enumerate(seen)],
    ))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["name", "path", "data", "schema", "dialect", "delimiter", "encoding", "profile", "x"]
    ) | st.text(max_size=4), inner, max_size=4), max_leaves=8,
)


@FUZZ
@given(st.dictionaries(st.sampled_from(["profile", "resources", "name", "x"]), JSON), JSON)
def test_descriptors_of_any_shape_never_break_the_reader(tmp_path, changes, table):
    about = {**descriptor(), **changes}
    if isinstance(table, dict) and isinstance(about["resources"], list):
        about["resources"] = [*about["resources"][:2], {"name": "observations", **table}]
    reads_or_refuses(write_package(tmp_path / "p", about=about))


@given(st.text())
def test_names_that_may_be_opened_stay_inside(name):
    try:
        safe = safe_name(name, "x")
    except FormatError:
        return
    assert not safe.startswith(("/", "~")) and ".." not in safe.split("/")


@given(st.binary(max_size=40))
def test_any_bytes_are_a_descriptor_or_an_error(data):
    try:
        value, _ = parse_descriptor(data, "x")
    except FormatError:
        return
    assert isinstance(value, dict)
