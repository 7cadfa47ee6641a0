"""Readers of tables and any bytes: rows, or one line that says why not."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.dialects_boxes import read_box_table
from ecotone.ingest.labels import class_names, read_labels
from ecotone.ingest.recognise import recognise
from ecotone.ingest.scores_table import read_score_table
from ecotone.ingest.tables import read_table
from ecotone.ingest.taxonomy_file import read_taxonomy
from tests.ingest.hostile import reads_or_says

LABELS = "filePath;scientificName;label;location;timestamp;bboxX;bboxY;bboxWidth;bboxHeight\r\n" \
         "cam1\\ä.jpg;Vulpes vulpes;\"fox; red\";A1;2024-05-01 06:30:00;0,1;0,1;0,5;0,5\r\n"
SCORES = "filePath,width,fox,\"hog, swine\"\na.jpg,640,0.25,0.75\nb.jpg,640,1,\n"
LONG = "file_name,classification,score\na.jpg,bear,0.9\na.jpg,cat,0.1\n"
BOXES = "FilePath,category,conf,bbox1,bbox2,bbox3,bbox4\na.jpg,1,0.9,0.1,0.2,0.3,0.4\n"
MEWC = "filename,label,class_id,prob,class_name,class_rank\ncam/IMG-1-0.jpg,s,1,0.9,fox,1\n"
TAXA = "u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer\nu2;aves;;;;;bird\n"
RANKS = "scientificName,vernacularName,family,genus,species\nCervus elaphus,deer,Cervidae,,\n"
ODD = st.one_of(st.binary(max_size=5), st.sampled_from([
    b'"', b"\r", b"\r\n", b"\n\n", b",,,,,,", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"NaN", b"inf",
    b"1e999", b"-1", b"../../etc/passwd", b"/etc/passwd", b"9" * 400, b"sep=|\n", b"{", b"1_0",
    "\ud83d\udc3b".encode("utf-8", "surrogatepass"), b"\xe9", b"=1+1", b"# ", b";" * 6,
]))


@st.composite
def spoiled_bytes(draw, good):
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-8-sig", "cp1252"]))
    data = bytearray(good.encode(encoding))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 12))] = draw(ODD)
    return bytes(data[: draw(st.integers(1, len(data) or 1))] if draw(st.booleans()) else data)


def check_labels(file):
    for row in file.rows:
        assert row.said and (row.path or row.media_id or row.detection_id) and row.line > 1
        assert row.bbox is None or all(0 <= v <= 1 for v in row.bbox)
    assert len(class_names(file.rows, {})) == len(file.rows)


def check_scores(table):
    assert table.values.shape == (len(table.text), len(table.classes))
    assert np.isfinite(table.values.data).all() and (table.values.data >= 0).all()
    assert table.bbox is None or table.bbox.shape == (len(table.text), 4)


def check_boxes(results):
    for image in results.images:
        assert image.file and all(0 <= v <= 1 for b in image.boxes for v in b.bbox)


def check_taxa(rows):
    assert rows and all("\n" not in v for row in rows for v in row.values())


@pytest.mark.parametrize(("read", "check", "good"), [
    (read_labels, check_labels, LABELS), (read_score_table, check_scores, SCORES),
    (read_score_table, check_scores, LONG), (read_score_table, check_scores, MEWC),
    (read_box_table, check_boxes, BOXES), (read_taxonomy, check_taxa, TAXA),
    (read_taxonomy, check_taxa, RANKS),
], ids=["labels", "wide", "long", "mewc", "boxes", "taxa", "ranks"])
def test_spoiled_tables_are_read_or_refused_in_one_line(tmp_path_factory, read, check, good):
    path = tmp_path_factory.mktemp("h") / "t.csv"

    @settings(deadline=None, max_examples=60)
    @given(spoiled_bytes(good))
    def spoil(data):
        path.write_bytes(data)
        found = reads_or_says(read, path)
        if found is not None:
            check(found)
        reads_or_says(recognise, path)

    spoil()


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("h") / "t.csv"
    path.write_bytes(data)
    for read in (read_labels, read_score_table, read_box_table, read_taxonomy, recognise):
        reads_or_says(read, path)


def test_short_rows_below_a_wide_header_do_not_fill_the_memory(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{n}" for n in range(50_000)) + "\n" + "x\n" * 50_000)
    start = time.perf_counter()
    with pytest.raises(FormatError, match=r"t\.csv, row \d+: 1 of 50,000 fields"):
        read_table(path)
    assert time.perf_counter() - start < 20


def test_a_header_of_many_columns_is_searched_at_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{n}" for n in range(200_000)) + ",filePath,label\n")
    start = time.perf_counter()
    assert read_labels(path).rows == []
    assert time.perf_counter() - start < 20
