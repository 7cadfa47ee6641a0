"""Camtrap DP 1.0 to 1.0.2: a folder, its datapackage.json or a zip, read as a study.

The tables are read anew in every loop and never held, deployments apart. What does not fit the
standard is mended and told (see `docs/formats/camtrap-dp.md`); a valid package comes out as it is.
Source: https://camtrap-dp.tdwg.org (1.0.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_cells import IDS, TABLES
from ecotone.ingest.camtrapdp_links import Links, Read, find_links
from ecotone.ingest.camtrapdp_log import Log, Quiet
from ecotone.ingest.camtrapdp_mend import Mender
from ecotone.ingest.camtrapdp_package import Package, open_package
from ecotone.ingest.camtrapdp_table import PackageTable, Placed
from ecotone.ingest.camtrapdp_times import zone_of
from ecotone.ingest.text import looks_like, some
from ecotone.study import Row, Study

VERSIONS = ("1.0", "1.0.1", "1.0.2")
MORE = "-more"  # resources with the columns that the standard does not know
_VERSION = re.compile(r"camtrap-dp/v?([0-9]+(?:\.[0-9A-Za-z-]+)*)/")


class Rows:
    """The rows of a table, read anew in every loop; `len` is known."""

    def __init__(self, read: Callable[[], Iterator[Row]], count: int) -> None:
        self._read, self._count = read, count

    def __iter__(self) -> Iterator[Row]:
        return self._read()

    def __len__(self) -> int:
        return self._count


def read_camtrapdp(path: Path, time_zone: str | None = None) -> Study:
    """The study in a Camtrap DP.

    time_zone: of times without one, such as "Europe/Brussels" or "+02:00"; the clock is kept.

    Raises FormatError, naming file and place, when it is no Camtrap DP 1, or a file of it is
    missing or broken; InputError when the time zone is not known.
    """
    zone = zone_of(time_zone)
    package = open_package(Path(path))
    log = Log()
    for note in package.notes:
        log.note(f"{package.name}: {note}")
    resources = _resources(package, log)
    _check_version(package, resources, log)
    reads = {
        name: _reader(package, name, resources, Mender(name, zone), log) for name in TABLES
    }
    links = find_links(reads, log)
    media, observations = (_rows(links, t, reads[t], log) for t in ("media", "observations"))
    return Study(
        links.deployments, media, observations, _metadata(package, resources), str(path),
        log.repairs, log.problems,
    )


def _rows(links: Links, table: str, read: Read, log: Log) -> Rows:
    count = links.rows[table]
    if table in links.odd:
        count = sum(1 for _ in links.linked(table, read, log))
    return Rows(lambda: links.linked(table, read, Quiet()), count)


def _reader(
    package: Package, name: str, resources: Mapping[str, dict[str, Any]], mender: Mender, log: Log
) -> Read:
    table = PackageTable(package, resources[name], TABLES[name], log)
    more = resources.get(name + MORE)
    extra = None if more is None else PackageTable(package, more, (IDS[name],), log)

    def read(log: Log) -> Iterator[Placed]:
        rows = table.rows(log) if extra is None else _joined(table, extra, log)
        for file, line, row in rows:
            mender.mend(row, log, file, line)
            yield file, line, row

    return read


def _joined(table: PackageTable, extra: PackageTable, log: Log) -> Iterator[Placed]:
    """Rows with the columns that another table, in the same order, holds of some of them."""
    column = extra.columns[0]
    others = extra.rows(log)
    empty = dict.fromkeys(extra.unknown, "")
    beside = next(others, None)
    for file, line, row in table.rows(log):
        row = {**row, **empty}
        if beside is not None and beside[2][column] == row[column]:
            row.update(beside[2])
            beside = next(others, None)
        yield file, line, row
    if beside is not None:
        log.problem(extra.name, f"row of a {column} that is not in the {table.name}, or in another "
                    "order; it and those after it are left out", *beside[:2], beside[2][column])


def _resources(package: Package, log: Log) -> dict[str, dict[str, Any]]:
    """The resources by name; what is not listed but lies beside the descriptor is found."""
    where = package.where(package.name)
    listed = package.descriptor.get("resources")
    if listed is None and not _VERSION.search(str(package.descriptor.get("profile"))):
        raise FormatError(
            f"{where}: is {looks_like(package.descriptor)}, expected the datapackage.json of a "
            "Camtrap DP."
        )
    if not isinstance(listed, list) or not all(isinstance(r, dict) for r in listed):
        raise FormatError(f"{where}: resources is no list of objects; it should name the files of "
                          "deployments, media and observations.")
    out: dict[str, dict[str, Any]] = {}
    for resource in listed:
        name = resource.get("name")
        if not isinstance(name, str) or not name:
            log.note(f"{package.name}: a resource without a name is left out", problem=True)
        elif name in out:
            log.note(f"{package.name}: resource {name} stands twice, the first is used")
        else:
            out[name] = resource
    for name in TABLES:
        if name not in out:
            log.note(f"{package.name}: resource {name} is not listed; {name}.csv beside it is used")
            out[name] = {"name": name, "path": f"{name}.csv"}
    return out


def _check_version(
    package: Package, resources: Mapping[str, dict[str, Any]], log: Log
) -> None:
    """Refuses what is older than 1.0 or of the next generation."""
    said = [package.descriptor.get("profile"), *(resources[t].get("schema") for t in TABLES)]
    found = [m.group(1) for m in map(_VERSION.search, filter(_is_text, said)) if m]
    where = package.where(package.name)
    if not found:
        log.note(f"{package.name}: profile does not say which version of Camtrap DP; read as 1.0.2")
        return
    version = found[0]
    if version in VERSIONS:
        return
    if version.startswith("0.") or version.startswith("1.0-"):
        raise FormatError(
            f"{where}: is Camtrap DP {version}, expected 1.0 to 1.0.2, which has other columns; "
            "export the study again from its platform (Agouti, Trapper, ...), which write 1.0 or "
            "newer, or give its observations.csv as labels."
        )
    if not version.startswith("1."):
        raise FormatError(f"{where}: is Camtrap DP {version}, expected {some(list(VERSIONS))}.")
    log.note(f"{package.name}: Camtrap DP {version} is newer than 1.0.2, and read as if it were "
             "that", problem=True)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _metadata(package: Package, resources: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The descriptor without the rows that are in the study's tables."""
    known = {*TABLES, *(name + MORE for name in TABLES)}
    listed = [
        {k: v for k, v in resource.items() if k != "data"} if name in TABLES else resource
        for name, resource in resources.items() if name in TABLES or name not in known
    ]
    return {**package.descriptor, "resources": listed}
