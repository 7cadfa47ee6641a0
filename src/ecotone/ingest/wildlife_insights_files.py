"""Which files of a folder or zip are the tables of Wildlife Insights.

A download holds `deployments.csv`, `cameras.csv`, `projects.csv` and `images.csv`, which comes in
several files (`images_2000001_1.csv` ...) when it is long, and `sequences.csv` in projects that
identify bursts. Names that lead out of the folder are never opened.
Source: Wildlife Insights data downloads; MegaDetector's `utils/wi_platform_utils.py`.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_log import Log
from ecotone.ingest.camtrapdp_package import Package
from ecotone.ingest.camtrapdp_table import PackageTable, Placed, records
from ecotone.ingest.tables import key, sniff
from ecotone.ingest.text import decode, some

TABLES = {  # table -> what a row of it must name
    "projects": ("project_id",), "cameras": ("camera_id",), "deployments": ("deployment_id",),
    "images": ("deployment_id",), "sequences": ("deployment_id", "sequence_id"),
}
RANKS = ("class", "order", "family", "genus", "species")
IDENTIFIED = (
    "is_blank", "identified_by", "wi_taxon_id", *RANKS, "common_name", "uncertainty", "age", "sex",
    "animal_recognizable", "individual_id", "individual_animal_notes", "behavior", "highlighted",
    "markings", "cv_confidence",
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "projects": (
        "project_name", "project_id", "project_short_name", "project_objectives", "project_species",
        "project_species_individual", "project_sensor_layout",
        "project_sensor_layout_targeted_type", "project_bait_use", "project_bait_type",
        "project_stratification", "project_stratification_type", "project_sensor_method",
        "project_individual_animals", "project_blank_images", "project_sensor_cluster",
        "project_admin", "project_admin_email", "country_code", "embargo", "initiative_id",
        "metadata_license", "image_license", "project_admin_organization", "data_citation",
        "count_optional", "project_type",
    ),
    "cameras": ("project_id", "camera_id", "make", "model", "serial_number", "year_purchased",
                "camera_name"),
    "deployments": (
        "project_id", "deployment_id", "subproject_name", "subproject_design", "placename",
        "longitude", "latitude", "start_date", "end_date", "event_name", "event_description",
        "event_type", "bait_type", "bait_description", "feature_type", "feature_type_methodology",
        "camera_id", "quiet_period", "camera_functioning", "sensor_height", "height_other",
        "sensor_orientation", "orientation_other", "recorded_by", "camera_name", "plot_treatment",
        "plot_treatment_description", "detection_distance", "remarks",
    ),
    "images": ("project_id", "deployment_id", "image_id", "sequence_id", "filename", "location",
               "timestamp", "number_of_objects", *IDENTIFIED),
    "sequences": ("project_id", "deployment_id", "sequence_id", "start_time", "end_time",
                  "group_size", *IDENTIFIED),
}
_NAME = re.compile(rf"({'|'.join(TABLES)})(?:[\W_\d].*)?\.csv", re.IGNORECASE)
MOST_NAMES = 100_000
LONGEST_NAME = 60  # characters of a column's name that a message shows
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError)


def names_in(path: Path) -> list[str]:
    """Names of the files in a folder (and in the only folder in it) or in a zip.

    Names that lead out of it are left out. Raises FormatError when it is no zip that can be read.
    """
    if path.is_dir():  # a picture folder may hold downloads among others
        here = [p for p in islice(path.iterdir(), MOST_NAMES)]
        folders = [p for p in here if p.is_dir() and not p.name.startswith(".")]
        below = islice(folders[0].iterdir(), MOST_NAMES) if len(folders) == 1 else ()
        files = [p for p in (*here, *below) if p.is_file()]
        return sorted(p.relative_to(path).as_posix() for p in files)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [i.filename.replace("\\", "/") for i in archive.infolist() if not i.is_dir()]
    except (*_BROKEN, ValueError, NotImplementedError) as error:
        raise FormatError(f"{path}: is no zip that can be read ({error}).") from error
    return [n for n in found[:MOST_NAMES] if _inside(n)]


def _inside(name: str) -> bool:
    parts = name.split("/")
    return not (name.startswith(("/", "~")) or ".." in parts or "\0" in name
                or parts[0] == "__MACOSX" or re.match(r"[A-Za-z]:", name))


def tables_among(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of Wildlife Insights' tables by table, of the topmost folder that has images or
    sequences; {} when none has.

    >>> tables_among(["wi/images_1.csv", "wi/deployments.csv", "wi/read me.txt"])
    {'images': ['wi/images_1.csv'], 'deployments': ['wi/deployments.csv']}
    """
    folders: dict[str, dict[str, list[str]]] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        found = _NAME.fullmatch(file)
        if found:
            folders.setdefault(folder, {}).setdefault(found.group(1).lower(), []).append(name)
    whole = {f: t for f, t in folders.items() if "images" in t or "sequences" in t}
    top = min(whole, key=lambda f: (f.count("/") if f else -1, f), default=None)
    return {} if top is None else whole[top]


class Tables:
    """The tables of one download; `rows` reads them anew each time."""

    def __init__(self, path: Path, log: Log) -> None:
        self.path = path
        self._package = Package(path, "", path.name, {})
        names = names_in(path)
        files = tables_among(names)
        if not files:
            raise FormatError(
                f"{path}: is no Wildlife Insights download: it holds {some(names) or 'no file'}; "
                "expected images.csv or sequences.csv, and deployments.csv."
            )
        twice = [n for n, count in _counts(n for t in files.values() for n in t) if count > 1]
        if twice:
            raise FormatError(f"{path}: holds {twice[0]} twice; pack it again.")
        self._parts = {
            table: [self._open(table, name, log) for name in found]
            for table, found in files.items()
        }

    def __contains__(self, table: str) -> bool:
        return table in self._parts

    def _open(self, table: str, name: str, log: Log) -> PackageTable:
        header = self._header(name)
        spelled = {key(h): h for h in header}
        columns = tuple(c for c in COLUMNS[table] if key(c) in spelled)
        missing = [c for c in TABLES[table] if c not in columns]
        if missing:
            raise FormatError(
                f"{self._package.where(name)}, row 1: no column {missing[0]} (found: "
                f"{some(header, 6) or 'none'}); expected {table} of Wildlife Insights."
            )
        return PackageTable(self._package, {"name": table, "path": name}, columns, log)

    def _header(self, name: str) -> list[str]:
        with self._package.open(name) as handle:
            text = decode(handle.read(1 << 16))
        lines = io.StringIO(text.lstrip("\ufeff"), newline="")
        top = next(records(lines, self._package.where(name), {"delimiter": sniff(text)}), (1, []))
        return [" ".join(h.split())[:LONGEST_NAME] for h in top[1]]

    def rows(self, table: str, log: Log) -> Iterator[Placed]:
        """(file, line, cells) of all files of a table, with all of its columns."""
        empty = dict.fromkeys(COLUMNS[table], "")
        for part in self._parts.get(table, ()):
            for file, line, cells in part.rows(log):
                yield file, line, {**empty, **{k: " ".join(v.split()) for k, v in cells.items()}}


def _counts(names: Iterable[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return list(counts.items())
