"""A study as Camtrap DP 1.0.2, a folder or a zip that the standard's validators take as it is.

Rows go through one by one. Rows of a valid package are written cell by cell as they were read.
Source: https://camtrap-dp.tdwg.org (1.0.2).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError, InputError
from ecotone.export.camtrapdp_descriptor import describe, resources
from ecotone.export.camtrapdp_files import Sheet, staged, write_descriptor
from ecotone.export.camtrapdp_rows import Coverage, Faults, Outgoing
from ecotone.export.written import Written
from ecotone.ingest.camtrapdp import MORE
from ecotone.ingest.camtrapdp_cells import IDS, TABLES
from ecotone.ingest.camtrapdp_package import DESCRIPTOR, Package, open_package, safe_name
from ecotone.ingest.camtrapdp_times import zone_of
from ecotone.ingest.text import some
from ecotone.study import Row, Study

INCOMPLETE = ("refuse", "skip")


def write_camtrapdp(
    study: Study, path: Path, *, time_zone: str | None = None, incomplete: str = "refuse"
) -> Written:
    """Write a study as Camtrap DP 1.0.2: a zip when `path` ends in .zip, a folder else.

    time_zone: of times without one. incomplete: "refuse" rows that lack what the standard requires
    (a deployment's place, a time), or "skip" them with what belongs to them. Pictures are not
    copied. `Written.warnings` says what was mended, made up or left out.

    Raises InputError when rows are refused, naming the first, or `path` cannot be written.
    """
    if incomplete not in INCOMPLETE:
        raise InputError(f"incomplete is {incomplete!r}, expected {' or '.join(INCOMPLETE)}.")
    path = Path(path)
    path = path.parent if path.name == DESCRIPTOR else path
    return _Writer(study, zone_of(time_zone), incomplete == "skip").write(path)


class _Writer:
    def __init__(self, study: Study, zone: tzinfo | None, skip: bool) -> None:
        self.study, self._zone, self._skip = study, zone, skip
        self._coverage = Coverage()
        self.warnings: list[str] = []
        self._more: dict[str, Iterable[str]] = {}
        self._counts = dict.fromkeys(TABLES, 0)

    def write(self, path: Path) -> Written:
        with staged(path, self.study.source) as folder:
            deployments = self._deployments()
            known = frozenset(row["deploymentID"] for row in deployments)
            media = self._outgoing("media", known)
            self._table(folder, media, self.study.media)
            observations = self._outgoing("observations", known, media)
            self._table(folder, observations, self.study.observations)
            deployments = self._dated(deployments)
            if not deployments:
                raise InputError(
                    "no deployment has a start and an end that can be told, so none can be "
                    "written; give the time zone of the times (--time-zone), or --incomplete "
                    "refuse to see what is missing."
                )
            sheet = Sheet(folder, "deployments")
            for row in deployments:
                sheet.write(row)
            self._close(sheet)
            descriptor = describe(self.study, deployments, self._coverage, self._warn)
            others = list(self._others(folder))
            more = {t: self._more.get(t, ()) for t in TABLES}
            descriptor["resources"] = resources(self.study, more, others)
            write_descriptor(folder, descriptor)
        return Written(path, self._counts, self.warnings)

    def _warn(self, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)

    def _outgoing(
        self, table: str, known: frozenset[str] = frozenset(), media: Outgoing | None = None
    ) -> Outgoing:
        ids = None if media is None else media.ids
        return Outgoing(table, self._zone, self._coverage, known, ids)

    def _deployments(self) -> list[Row]:
        """The deployments, but for start and end where these are yet to come from their media."""
        out = self._outgoing("deployments")
        rows = [row for row in map(out.take, self.study.deployments) if row is not None]
        self._settle(out, self.study.deployments)
        if not rows:
            raise InputError(
                "the study has no deployment that can be written, and Camtrap DP needs one; give a "
                "csv with deploymentID, latitude and longitude (ecotone add deployments)."
            )
        undated = [r for r in rows if not (r["deploymentStart"] and r["deploymentEnd"])]
        self._coverage.undated = {r["deploymentID"]: [] for r in undated}
        return rows

    def _dated(self, rows: list[Row]) -> list[Row]:
        """The deployments with a start and an end, from their media where they had none."""
        faults, out, made = Faults("deployments"), [], []
        for row in rows:
            times = self._coverage.undated.get(row["deploymentID"])
            if times:
                row["deploymentStart"] = row["deploymentStart"] or times[0]
                row["deploymentEnd"] = row["deploymentEnd"] or times[1]
                made.append(row["deploymentID"])
            if row["deploymentStart"] and row["deploymentEnd"]:
                out.append(row)
            else:
                faults.add("deploymentStart or deploymentEnd is empty", row["deploymentID"])
        if made:
            self._warn(f"deployments: {len(made):,} without start or end, written with the times "
                       f"of their first and last rows: {some(made)}")
        self._judge(faults)
        return out

    def _table(self, folder: Path, out: Outgoing, rows: Iterable[Row]) -> None:
        sheet = Sheet(folder, out.table)
        for given in rows:
            row = out.take(given)
            if row is not None:
                sheet.write(row)
        self._close(sheet)
        self._settle(out, rows)

    def _close(self, sheet: Sheet) -> None:
        sheet.close()
        self._more[sheet.name] = sheet.more
        self._counts[sheet.name] = sheet.rows

    def _settle(self, out: Outgoing, rows: Iterable[Row]) -> None:
        """Refuses the faults of a table and identifiers that stand twice; warns of repairs."""
        self._judge(out.faults)
        column = IDS[out.table]
        twice = out.ids.twice(lambda: (row.get(column, "") for row in rows))
        if twice:
            raise InputError(
                f"{out.table}: {len(twice):,} {column}s stand twice, and each must be one row's "
                f"own: {some(sorted(twice))}; give them other names."
            )
        for line in out.log.repairs:
            self._warn(line)

    def _judge(self, faults: Faults) -> None:
        lines = faults.lines()
        if lines and not self._skip:
            raise InputError("; ".join(lines) + '; or leave such rows out: --incomplete skip.')
        for line in lines:
            self._warn(line.replace("cannot be written", "left out", 1))

    def _others(self, folder: Path) -> Iterator[dict[str, Any]]:
        """The study's other resources, their files copied from where it was read."""
        listed = self.study.metadata.get("resources")
        made = {*TABLES, *(t + MORE for t in TABLES)}
        package: Package | None = None
        for resource in listed if isinstance(listed, list) else ():
            name = resource.get("name") if isinstance(resource, dict) else None
            if not isinstance(name, str) or name in made:
                continue
            if "data" in resource and "path" not in resource:
                yield resource
                continue
            paths = resource.get("path")
            paths = paths if isinstance(paths, list) else [paths]
            try:
                package = package or open_package(Path(self.study.source))
                for part in paths:
                    if not (isinstance(part, str) and "://" in part):
                        _copy(package, part, folder)
            except FormatError as error:
                self._warn(f"resource {name}: its file cannot be copied, left out ({error})")
                continue
            yield resource


def _copy(package: Package, part: Any, folder: Path) -> None:
    name = safe_name(part, package.where(package.name))
    target = folder / name
    if target.exists() or name == DESCRIPTOR:
        raise FormatError(f"{package.where(name)}: has the name of another file of the package.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with package.open(name) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except FormatError:
        target.unlink(missing_ok=True)
        raise
