from __future__ import annotations

import csv

import numpy as np
import pytest

from ecotone.errors import InputError, ProjectError
from ecotone.store.vectors import read_posteriors


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("source", ["best", "fused", "local"])
def test_every_detection_is_a_row_with_its_best_class(small_project, tmp_path, source):
    run = small_project.fuse().run
    result = small_project.export(tmp_path / "out.csv", source=source)
    rows = rows_of(tmp_path / "out.csv")
    assert result.rows == len(rows) == 90
    name = run if source == "best" else f"{run}-{source}"
    stored = read_posteriors(small_project.catalog, small_project.vectors, name)
    best = dict(zip(stored.id, stored.values.max(axis=1), strict=True))
    for row in rows:
        assert float(row["classificationProbability"]) == pytest.approx(
            best[row["detectionID"]], abs=1e-5)
    assert rows[0]["filePath"] == "cam0/00.jpg" and rows[0]["label"] == "red deer"
    assert rows[0]["runID"] == run
    assert rows[0]["globalLabel"] == "Cervus elaphus (Red Deer)"


def test_the_preferred_set_is_the_one_of_the_run(small_project):
    result = small_project.fuse()
    catalog, folder = small_project.catalog, small_project.vectors
    best = read_posteriors(catalog, folder, result.run)
    same = read_posteriors(catalog, folder, f"{result.run}-{result.preferred}")
    np.testing.assert_array_equal(best.values, same.values)


def test_nothing_to_export_before_a_fusion(small_project, tmp_path):
    with pytest.raises(ProjectError, match="ecotone fuse"):
        small_project.export(tmp_path / "out.csv")


def test_an_unknown_format_or_source_is_refused(small_project, tmp_path):
    with pytest.raises(InputError, match="csv or .parquet"):
        small_project.export(tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="source is 'both'"):
        small_project.export(tmp_path / "out.csv", source="both")


def test_times_are_corrected_and_carry_their_zone(small_project, tmp_path):
    small_project.fix_time(["cam0"], shift="+1h", time_zone="Europe/Brussels")
    small_project.fuse()
    small_project.export(tmp_path / "out.csv")
    rows = {r["filePath"]: r["timestamp"] for r in rows_of(tmp_path / "out.csv")}
    assert rows["cam0/00.jpg"] == "2024-05-01T07:00:00+02:00"
    assert rows["cam1/01.jpg"] == "2024-05-01T06:01:00"


def test_what_a_format_cannot_have_is_said(small_project, tmp_path):
    with pytest.raises(ProjectError, match="ecotone fuse"):
        small_project.export(tmp_path / "MODEL-v1", format="addaxai")
    with pytest.raises(InputError, match="csv: people's and machine rows"):
        small_project.export(tmp_path / "a.csv", format="csv", people=False)
    with pytest.raises(InputError, match="--incomplete and --time-zone are for camtrapdp"):
        small_project.export(tmp_path / "a.json", format="coco", time_zone="UTC")
    small_project.fuse()
    with pytest.raises(InputError, match="MODEL-v1|ONNX|encoder"):
        small_project.export(tmp_path / "MODEL-v1", format="addaxai")
    assert not (tmp_path / "MODEL-v1").exists()


def test_progress_is_told(small_project, tmp_path):
    small_project.fuse()
    told = []
    for form in ("coco", "megadetector", "csv"):
        small_project.export(tmp_path / f"{form}.csv", format=form,
                             progress=lambda *a: told.append(a))
    texts = {text for _, _, text in told}
    assert {"media", "observations", "writing"} <= texts
