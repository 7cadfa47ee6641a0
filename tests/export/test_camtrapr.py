from __future__ import annotations

import csv
import shutil
import subprocess
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.export.camtrapr import COLUMNS, write_record_table
from ecotone.ingest.camtrapdp import read_camtrapdp
from ecotone.ingest.labels import read_labels
from ecotone.study import Study
from tests.export.studies import deployment, medium, observation, small_study


def table(study, tmp_path, **options):
    written = write_record_table(study, tmp_path / "records.csv", **options)
    with (tmp_path / "records.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle)), written


def foxes(times, **cells):
    media = [medium(f"m{n}", "d1", f"2024-05-01T{t}+02:00", **cells) for n, t in enumerate(times)]
    rows = [observation(f"o{n}", m, scientificName="Vulpes vulpes") for n, m in enumerate(media)]
    return Study([deployment("d1")], media, rows)


def test_columns_and_times_of_a_record(tmp_path):
    rows, written = table(foxes(["06:00:00", "06:00:00", "08:30:30"]), tmp_path)
    assert tuple(rows[0]) == COLUMNS and written.counts == {"records": 2}
    first, second = rows
    assert (first["Station"], first["Species"]) == ("ridge d1", "Vulpes vulpes")
    assert (first["DateTimeOriginal"], first["Date"], first["Time"]) == (
        "2024-05-01 06:00:00", "2024-05-01", "06:00:00")
    assert (first["Directory"], first["FileName"], first["n_images"]) == ("d1", "m0.jpg", "2")
    assert [first[f"delta.time.{u}"] for u in ("secs", "mins", "hours", "days")] == [
        "0", "0.0", "0.0", "0.0"]
    assert [second[f"delta.time.{u}"] for u in ("secs", "mins", "hours", "days")] == [
        "9030", "150.5", "2.5", "0.1"]


def test_records_that_are_too_close_count_for_the_one_before(tmp_path):
    study = foxes(["06:00:00", "06:20:00", "06:40:00", "07:05:00"])
    rows, _ = table(study, tmp_path, minutes=30)
    assert [(r["Time"], r["n_images"]) for r in rows] == [("06:00:00", "4")]
    rows, _ = table(study, tmp_path, minutes=30, compared_to="last independent record")
    assert [(r["Time"], r["n_images"], r["delta.time.mins"]) for r in rows] == [
        ("06:00:00", "2", "0.0"), ("06:40:00", "2", "40.0")]


def test_an_events_own_observations_stand_for_its_pictures(tmp_path):
    rows, written = table(small_study(), tmp_path)
    assert [(r["Species"], r["Time"], r["n_images"]) for r in rows] == [
        ("Meles meles", "06:30:00", "2"), ("Vulpes vulpes", "23:00:00", "1")]
    assert written.warnings == ["1 observations of models are left out; ask for them with machine"]
    rows, written = table(small_study(), tmp_path, machine=True, kinds=("animal", "human"))
    assert [r["Species"] for r in rows] == ["Meles meles", "Vulpes vulpes", "hiker"]


def test_stations_are_any_column_of_deployments(tmp_path):
    places = [deployment("a", locationName="ridge"), deployment("b", locationName="ridge"),
              deployment("c", locationName="", locationID="")]
    media = [medium(f"m{p['deploymentID']}", p["deploymentID"], "2024-05-01T06:00:00")
             for p in places]
    study = Study(places, media, [observation(m["mediaID"], m, label="fox") for m in media])
    rows, written = table(study, tmp_path)
    assert [(r["Station"], r["n_images"]) for r in rows] == [("c", "1"), ("ridge", "2")]
    assert "3 deployments are 2 stations" in written.warnings[0]
    rows, written = table(study, tmp_path, station="deploymentID")
    assert [r["Station"] for r in rows] == ["a", "b", "c"] and not written.warnings


def test_what_has_no_time_is_told_and_wrong_options_too(tmp_path):
    rows, written = table(Study([deployment("d1")], [m := medium("m", "d1", "")],
                                [observation("o", m), observation("p", m)]), tmp_path)
    assert rows == [] and written.warnings == ["2 observations have no time, left out"]
    with pytest.raises(InputError, match="no column 'place'"):
        write_record_table(small_study(), tmp_path / "x.csv", station="place")
    with pytest.raises(InputError, match="last record or last independent record"):
        write_record_table(small_study(), tmp_path / "x.csv", compared_to="first")
    assert not (tmp_path / "x.csv").exists()


def test_its_own_table_is_read_as_labels(tmp_path):
    table(small_study(), tmp_path)
    rows = read_labels(tmp_path / "records.csv").rows
    assert [(r.path, r.label, r.location) for r in rows] == [
        ("d1/m1.jpg", "Meles meles", "ridge d1"), ("d1/m3.jpg", "Vulpes vulpes", "ridge d1")]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["fox", "deer"]),
                          st.integers(0, 200)), max_size=12), st.sampled_from([0, 1, 30]),
       st.booleans())
def test_against_the_rule_written_out(tmp_path_factory, records, minutes, independent):
    folder = tmp_path_factory.mktemp("r")
    media = [medium(f"m{n}", p, datetime(2024, 5, 1, t // 60, t % 60).isoformat())
             for n, (p, _, t) in enumerate(records)]
    rows = [observation(f"o{n}", m, label=name)
            for n, (m, (_, name, _)) in enumerate(zip(media, records, strict=True))]
    compared = "last independent record" if independent else "last record"
    found, _ = table(Study((), media, rows), folder, minutes=minutes, compared_to=compared)
    expected = []
    for place, name in sorted({r[:2] for r in records}):
        times = sorted({t for p, n, t in records if (p, n) == (place, name)})
        kept = []
        for n, t in enumerate(times):
            before = kept if independent else times[:n]
            delta = min((t - b for b in before), default=0)
            if delta == 0 or delta >= minutes:
                kept.append(t)
                expected.append((place, name, delta * 60))
    assert [(r["Station"], r["Species"], int(r["delta.time.secs"])) for r in found] == expected
    assert sum(int(r["n_images"]) for r in found) == len(records)


IN_R = """
r <- read.csv("records.csv")
time <- as.POSIXct(r$DateTimeOriginal, format = "%Y-%m-%d %H:%M:%S", tz = "UTC")
before <- ave(as.numeric(time), r$Station, r$Species, FUN = function(t) c(t[1], head(t, -1)))
stopifnot(!anyNA(time), identical(format(time, "%H:%M:%S"), r$Time),
          all(as.Date(time) == as.Date(r$Date)), is.integer(r$n_images),
          all(as.numeric(time) - before == r$delta.time.secs),
          all(r$delta.time.mins == round(r$delta.time.secs / 60, 1)),
          all(r$delta.time.hours == round(r$delta.time.mins / 60, 1)),
          all(r$delta.time.days == round(r$delta.time.hours / 24, 1)))
cat(names(r), nrow(r))
"""


def test_r_reads_the_table_and_finds_the_same_times(tmp_path, shared_data):
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no R: Rscript is missing")
    rows, _ = table(read_camtrapdp(shared_data / "formats/camtrapdp_example"), tmp_path)
    done = subprocess.run([rscript, "--vanilla", "-e", IN_R], cwd=tmp_path, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*COLUMNS, str(len(rows))]


def test_the_real_example(tmp_path, shared_data):
    study = read_camtrapdp(shared_data / "formats/camtrapdp_example")
    rows, _ = table(study, tmp_path)
    assert len(rows) > 20 and {r["Station"] for r in rows} <= {
        d["locationName"] for d in study.deployments}
    ducks = [r for r in rows if r["Species"] == "Anas platyrhynchos"]
    assert "2020-05-30 04:57:37" in {r["DateTimeOriginal"] for r in ducks}  # the camera's clock
