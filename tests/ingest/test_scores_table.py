from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecotone.errors import FormatError
from ecotone.ingest.scores_table import read_score_table


def read(tmp_path, text, name="scores.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_score_table(tmp_path / name)


def test_one_column_a_class(tmp_path):
    table = read(tmp_path, 'filePath,width,"hog, swine",fox\na.jpg,640,0.25,0.75\nb.jpg,640,1,\n')
    assert table.classes == ("hog, swine", "fox") and table.text == ["a.jpg", "b.jpg"]
    np.testing.assert_allclose(table.values.toarray(), [[0.25, 0.75], [1, 0]])
    assert table.complete and table.id_kind == "path" and table.bbox is None


def test_a_column_of_pictures_needs_no_certain_name(tmp_path):
    table = read(tmp_path, "Datei,deer\ncam1/a.jpg,0.5\ncam1/b.JPG,0.25\n")
    assert table.text == ["cam1/a.jpg", "cam1/b.JPG"] and table.classes == ("deer",)


def test_decimal_commas_and_per_cent(tmp_path):
    table = read(tmp_path, "filePath;deer;fox\na.jpg;25,5;70\nb.jpg;99;1\n")
    np.testing.assert_allclose(table.values.toarray(), [[0.255, 0.7], [0.99, 0.01]], rtol=1e-6)
    assert "per cent" in table.problems[0]


def test_top_scores_alone_are_incomplete_and_sums_over_one_are_scaled(tmp_path):
    assert not read(tmp_path, "filePath,deer,fox\na.jpg,0.4,0.1\n").complete
    table = read(tmp_path, "filePath,deer,fox\na.jpg,0.9,0.9\nb.jpg,0.1,0.2\n")
    np.testing.assert_allclose(table.values.toarray(), [[0.5, 0.5], [0.1, 0.2]], rtol=1e-6)
    assert "row 2" in table.problems[0] and not table.complete


@pytest.mark.parametrize(("text", "what"), [
    ("deer,fox\n0.1,0.9\n", "no column names the picture"),
    ("filePath,note\na.jpg,x\n", "no column of scores"),
    ("filePath,deer\na.jpg,0.5\nb.jpg,oops\n" + "c.jpg,0.1\n" * 20, "row 3, column 'deer': 'oops'"),
    ("filePath,deer,fox\na.jpg,0.5,0.5\nb.jpg,-3.2,1\n", "row 3, column 'deer': '-3.2'.*softmax"),
    ("filePath,deer,fox\na.jpg,0.5,0.5\nb.jpg,7.5,1\n", "row 3: a score of 7.5.*softmax"),
    ("filePath,deer,deer\na.jpg,0.5,0.5\n", "'deer' is there twice"),
])
def test_errors_name_row_and_column(tmp_path, text, what):
    with pytest.raises(FormatError, match=what):
        read(tmp_path, text)


def test_rows_of_class_and_score(tmp_path):
    table = read(tmp_path, "filename,prediction,score\n"
                           "a.jpg,fox,0.75\na.jpg,deer,0.25\nb.jpg,,0.5\n")
    assert table.classes == ("deer", "fox") and not table.complete
    np.testing.assert_allclose(table.values.toarray(), [[0, 0.75], [0.25, 0], [0, 0]])
    assert "row 4" in table.problems[0]


def test_boxes_and_ids(tmp_path):
    table = read(tmp_path, "filepath,bbox1,bbox2,bbox3,bbox4,prediction,confidence\n"
                           "a.jpg,0.1,0.2,0.3,0.4,fox,0.5\nb.jpg,,,,,fox,0.5\n")
    np.testing.assert_allclose(table.bbox, [[0.1, 0.2, 0.3, 0.4], [np.nan] * 4])
    assert read(tmp_path, "mediaID,deer\nm1,0.5\n").id_kind == "media"
    assert read(tmp_path, "filePath,detectionID,deer\na.jpg,m1:2,0.5\n").id_kind == "detection"


@settings(deadline=None, max_examples=40)
@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 5)),
                  elements=st.floats(0, 1, width=32)))
def test_csv_and_parquet_give_what_was_written(tmp_path_factory, raw):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path_factory.mktemp("s")
    values = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    names = [f"class {i}" for i in range(values.shape[1])]
    files = [f"{i}.jpg" for i in range(len(values))]
    lines = [",".join(["filePath", *names])] + [
        ",".join([f, *(repr(float(v)) for v in row)]) for f, row in zip(files, values, strict=True)]
    columns = {"filePath": files, **{n: values[:, i] for i, n in enumerate(names)}}
    parquet.write_table(pyarrow.table(columns), folder / "s.parquet")
    for table in (read(folder, "\n".join(lines)), read_score_table(folder / "s.parquet")):
        assert table.text == files and table.classes == tuple(names)
        np.testing.assert_allclose(table.values.toarray(), values, atol=2e-5)


def test_a_broken_parquet_is_told(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "s.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(FormatError, match=r"s\.parquet: not a parquet file"):
        read_score_table(tmp_path / "s.parquet")


def test_the_real_files(shared_data):
    formats = shared_data / "formats"
    faune = read_score_table(formats / "deepfaune/deepfaune-test.csv")
    assert len(faune.text) == 41 and "chamois" in faune.classes
    assert faune.values.max() <= 1 and "\\" in faune.text[0]
    animl = read_score_table(formats / "animl/Results.csv")
    assert len(animl.text) == 24 and animl.bbox is not None and "cougar" in animl.classes
    zamba = read_score_table(formats / "zamba/df_result.csv")
    assert zamba.values.shape[0] == 3 and all(c.startswith("species_") for c in zamba.classes)
    with pytest.raises(FormatError, match="names the picture"):
        read_score_table(formats / "animl/Predictions.csv")
