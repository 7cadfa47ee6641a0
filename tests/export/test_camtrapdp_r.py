"""Written packages in R: the blocks of the documentation, and readr with the official schemas."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from ecotone.export.camtrapdp import write_camtrapdp
from ecotone.export.tables import write_table
from ecotone.ingest.camtrapdp import read_camtrapdp
from tests.conftest import REPOSITORY
from tests.export.test_camtrapdp_valid import official, small_study  # noqa: F401

PAGE = REPOSITORY / "docs" / "formats" / "with-r.md"
BLOCKS = dict(re.findall(r"<!-- run in R: (\w+) -->\n```r\n(.*?)```",
                         PAGE.read_text(encoding="utf-8"), re.DOTALL))
SAY = """
cat(jsonlite::toJSON(list({}), auto_unbox = TRUE, digits = 10, na = "null"))
"""


def run_r(code: str, folder: Path, *packages: str) -> dict:
    """What a piece of R prints as json in its last line; skips where R or a package is missing."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no R: Rscript is missing")
    needs = "\n".join(f'if (!requireNamespace("{p}", quietly = TRUE)) quit(status = 66)'
                      for p in ("jsonlite", *packages))
    file = folder / "code.R"
    file.write_text(f"{needs}\n{code}", encoding="utf-8")
    done = subprocess.run([rscript, "--vanilla", str(file)], cwd=folder, capture_output=True,
                          text=True)
    if done.returncode == 66:
        pytest.skip(f"no R package {' or '.join(('jsonlite', *packages))}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_base_r_reads_a_package_as_documented(tmp_path):
    write_camtrapdp(small_study(), tmp_path / "out")
    said = run_r(BLOCKS["package"] + SAY.format(
        "deployments = nrow(deployments), media = nrow(media), columns = ncol(observations), "
        "probability = observations$classificationProbability, label = observations$observationTags"
        ", start = as.numeric(observations$eventStart), places = nrow(seen), "
        "machine = as.list(table(machine$scientificName))"), tmp_path)
    assert (said["deployments"], said["media"], said["columns"], said["places"]) == (2, 3, 28, 4)
    assert said["probability"] == [None, 0.873, None, 0.99]
    assert said["label"][1].endswith("label:red deer")
    times = [r["eventStart"] for r in small_study().observations]
    assert said["start"] == [datetime.fromisoformat(t).timestamp() for t in times]
    assert said["machine"] == {"Cervus elaphus": 2}


def test_base_r_reads_the_table_of_detections_as_documented(tmp_path):
    write_table(tmp_path / "detections.csv", {
        "filePath": ["cam1/ä b.jpg", "cam1/2.jpg", "cam2/3.jpg"], "mediaID": ["01", "02", "03"],
        "deploymentID": ["1", "1", "2"], "detectionID": ["01:0", "02:0", "03:0"],
        "localClass": ["red deer", 'so-called "fox"', ""],
        "classificationProbability": [0.9, 0.85, None],
    })
    said = run_r(BLOCKS["detections"] + SAY.format(
        "rows = nrow(detections), ids = detections$mediaID, n = nrow(sure), "
        "classes = sure$localClass, path = detections$filePath[1]"), tmp_path)
    assert said == {"rows": 3, "ids": ["01", "02", "03"], "n": 2,
                    "classes": ["red deer", 'so-called "fox"'], "path": "cam1/ä b.jpg"}


TYPED = r"""
types <- list(string = readr::col_character(), any = readr::col_character(),
              number = readr::col_double(), integer = readr::col_integer(),
              boolean = readr::col_logical())
faults <- character(0)
fault <- function(bad, ...) if (isTRUE(any(bad, na.rm = TRUE))) faults <<- c(faults, paste(...))
tables <- list()
about <- jsonlite::fromJSON("out/datapackage.json", simplifyVector = FALSE)
for (resource in about$resources[1:3]) {
  schema <- jsonlite::fromJSON(file.path("schemas", paste0(resource$name, "-table-schema.json")),
                               simplifyVector = FALSE)
  names <- vapply(schema$fields, function(f) f$name, "")
  columns <- lapply(schema$fields, function(f)
    if (f$type == "datetime") readr::col_datetime(f$format) else types[[f$type]])
  data <- readr::read_csv(file.path("out", resource$path), col_names = names, skip = 1,
                          col_types = do.call(readr::cols, setNames(columns, names)),
                          na = unlist(schema$missingValues), trim_ws = FALSE, progress = FALSE,
                          locale = readr::locale(encoding = resource$encoding))
  header <- strsplit(readLines(file.path("out", resource$path), n = 1), ",")[[1]]
  fault(!identical(header, names), resource$name, "columns")
  fault(nrow(readr::problems(data)) > 0, resource$name, "cannot be parsed")
  for (f in schema$fields) {
    cells <- data[[f$name]]
    rules <- f$constraints
    if (isTRUE(rules$required)) fault(is.na(cells), f$name, "is missing")
    if (isTRUE(rules$unique)) fault(duplicated(cells), f$name, "stands twice")
    if (!is.null(rules$enum)) fault(!is.na(cells) & !cells %in% unlist(rules$enum), f$name, "enum")
    if (!is.null(rules$minimum)) fault(cells < rules$minimum, f$name, "too small")
    if (!is.null(rules$maximum)) fault(cells > rules$maximum, f$name, "too large")
  }
  tables[[resource$name]] <- data
}
within <- function(table, column, other) {
  cells <- tables[[table]][[column]]
  fault(!is.na(cells) & !cells %in% tables[[other]][[column]], table, column, "refers to nothing")
}
within("media", "deploymentID", "deployments")
within("observations", "deploymentID", "deployments")
within("observations", "mediaID", "media")

# As read_camtrapdp() joins: taxa by name, media to events by deployment and time.
seen <- tables$observations
taxa <- vapply(about$taxonomic, function(t) t$scientificName, "")
unknown <- setdiff(na.omit(seen$scientificName), taxa)
events <- unique(seen[!is.na(seen$eventID), c("deploymentID", "eventID", "eventStart", "eventEnd")])
both <- merge(as.data.frame(tables$media), as.data.frame(events), by = "deploymentID")
linked <- unique(both$mediaID[both$timestamp >= both$eventStart & both$timestamp <= both$eventEnd])
counts <- table(seen$scientificName, useNA = "no")
"""


@pytest.mark.parametrize("which", ["small", "example"])
def test_readr_with_the_official_schemas(tmp_path, official, shared_data, which):  # noqa: F811
    study = small_study()
    if which == "example":
        study = read_camtrapdp(shared_data / "formats" / "camtrapdp_example")
    write_camtrapdp(study, tmp_path / "out")
    shutil.copytree(official, tmp_path / "schemas")
    said = run_r(TYPED + SAY.format(
        "faults = I(faults), rows = vapply(tables, nrow, 1L), unknown = I(unknown), "
        "counts = as.list(counts), linked = length(linked)"), tmp_path, "readr")
    assert said["faults"] == [] and said["unknown"] == []
    rows = list(study.observations)
    assert said["rows"] == [len(list(study.deployments)), len(list(study.media)), len(rows)]
    assert said["counts"] == Counter(r["scientificName"] for r in rows if r["scientificName"])
    assert said["linked"] == {"small": 2, "example": 423}[which]


def test_r_finds_faults(tmp_path, official):  # noqa: F811
    write_camtrapdp(small_study(), tmp_path / "out")
    path = tmp_path / "out" / "observations.csv"
    path.write_text(path.read_text("utf-8").replace(",m3,", ",m9,").replace("0.873", "8.73"))
    shutil.copytree(official, tmp_path / "schemas")
    said = run_r(TYPED + SAY.format("faults = I(faults)"), tmp_path, "readr")
    assert said["faults"] == ["classificationProbability too large",
                              "observations mediaID refers to nothing"]
