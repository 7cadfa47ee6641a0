"""Where and when cameras stood: from csv with whatever columns people use, or from SpeciesNet.

    a deployment: deploymentID | deployment | station | site | camera | locationName | placename
    a place:      latitude | lat | y, longitude | lon | lng | long | x   (degrees, WGS 84)
    a time:       deploymentStart | start | start_date, deploymentEnd | end | end_date, timeZone
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecotone.errors import FormatError, InputError
from ecotone.ingest.camtrapdp_times import fits_time
from ecotone.ingest.events import iso_time
from ecotone.ingest.tables import Table, number, read_table
from ecotone.ingest.text import some
from ecotone.ingest.zones import find_zone

DEPLOYMENT = (
    "deploymentid", "deployment", "depid", "stationid", "station", "siteid", "site", "cameraid",
    "camera", "locationid", "location", "trap", "trapid", "folder", "id",
)
NAME = ("locationname", "placename", "place", "sitename", "stationname", "name")
LATITUDE = ("latitude", "lat", "decimallatitude", "latdd", "y", "ycoord", "gpslatitude")
LONGITUDE = (
    "longitude", "lon", "long", "lng", "decimallongitude", "londd", "x", "xcoord", "gpslongitude",
)
START = ("deploymentstart", "start", "startdate", "starttime", "startdatetime", "setupdate",
         "setup", "begin", "datestart", "deployed")
END = ("deploymentend", "end", "enddate", "endtime", "enddatetime", "retrievaldate", "retrieval",
       "dateend", "retrieved")
ZONE = ("timezone", "tz", "zone")
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
NEAR = 0.01  # degrees: two rows of one deployment that differ by more contradict each other


@dataclass(frozen=True)
class DeploymentRow:
    """One deployment: its row in the file, and what that says of it. latitude and longitude are
    None together."""

    line: int
    id: str
    name: str = ""
    latitude: float | None = None
    longitude: float | None = None
    start: str = ""
    end: str = ""
    time_zone: str = ""


@dataclass(frozen=True)
class DeploymentFile:
    """The deployments, one each, and what was wrong with rows or cells that are left out."""

    rows: list[DeploymentRow]
    problems: list[str]


def read_deployments(path: Path) -> DeploymentFile:
    """The deployments of a csv file.

    Rows of one deployment are joined: the first place, the earliest start, the latest end.
    Raises FormatError when it is no table, names no deployment, or says nothing of any.
    """
    table = read_table(path)
    told = _Told(path)
    rows = list(_rows(table, told))
    if not rows:
        raise FormatError(f"{path}: no row names a deployment; give one row a deployment.")
    out: dict[str, DeploymentRow] = {}
    for row in rows:
        before = out.get(row.id)
        out[row.id] = row if before is None else _joined(before, row, told)
    return DeploymentFile(list(out.values()), [*table.problems, *told.lines()])


def is_deployments(path: Path) -> bool:
    """Whether a file is a table that names deployments and their coordinates."""
    try:
        find = read_table(path).find
    except FormatError:
        return False
    named = find(DEPLOYMENT) is not None or find(NAME) is not None
    return named and find(LATITUDE) is not None and find(LONGITUDE) is not None


class _Told:
    """Cells that cannot be used, by what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._found: dict[str, list[str]] = defaultdict(list)

    def add(self, what: str, line: int, cell: str = "") -> None:
        self._found[what].append(f"row {line}" + (f" ({cell})" if cell else ""))

    def lines(self) -> list[str]:
        return [f"{self._name}: {what}: {some(rows)}" for what, rows in self._found.items()]


def _rows(table: Table, told: _Told) -> Iterable[DeploymentRow]:
    find = table.find
    identity, name = find(DEPLOYMENT), find(NAME)
    place = (find(LATITUDE), find(LONGITUDE))
    time = (find(START), find(END), find(ZONE))
    if identity is None and name is None:
        raise FormatError(
            f"{table.path}, row 1: no column names the deployment (found: {some(table.header, 8)});"
            " expected deploymentID, station, site, camera or locationName."
        )
    if None in place and all(c is None for c in time):
        raise FormatError(
            f"{table.path}, row 1: no columns of places or times (found: {some(table.header, 8)}); "
            "expected latitude and longitude in degrees, deploymentStart, deploymentEnd or "
            "timeZone."
        )
    columns = (table.column(c) for c in (identity, name, *place, *time))
    for line, cells in zip(table.lines, zip(*columns, strict=True), strict=True):
        key, label, lat, lon, start, end, zone = cells
        if not (key or label):
            told.add("rows that name no deployment, left out", line)
            continue
        latitude, longitude = _place(lat, lon, line, told)
        yield DeploymentRow(
            line, key or label, label, latitude, longitude, _time(start, line, told),
            _time(end, line, told, late=True), _zone(zone, line, told),
        )


def _place(lat: str, lon: str, line: int, told: _Told) -> tuple[float | None, float | None]:
    if not lat and not lon:
        return None, None
    latitude, longitude = degrees(lat, "NS"), degrees(lon, "EW")
    cell = f"{lat or 'nothing'}, {lon or 'nothing'}"
    if latitude != latitude or longitude != longitude:
        told.add("coordinates that are no degrees, left out", line, cell)
    elif abs(latitude) > 90 and abs(latitude) <= 180 and abs(longitude) <= 90:
        told.add("latitude beyond 90 degrees (are latitude and longitude exchanged?), left out",
                 line, cell)
    elif abs(latitude) > 90 or abs(longitude) > 180:
        told.add("coordinates that are not on earth (are they metres of a map grid? give degrees), "
                 "left out", line, cell)
    else:
        if latitude == 0 == longitude:
            told.add("coordinates 0, 0, which lie in the sea; check them", line)
        return latitude, longitude
    return None, None


def degrees(cell: str, signs: str) -> float:
    """Degrees as people write them, NaN when they are none; the second of `signs` is negative.

    >>> degrees("50,5", "NS"), degrees("4.25 W", "EW"), degrees("50°30'36\\" N", "NS")
    (50.5, -4.25, 50.51)
    """
    text = cell.strip().upper().replace("−", "-")
    side = next((s for s in signs if text.endswith(s) or text.startswith(s)), "")
    text = text.strip(signs + " ")
    parts = [p for p in re.split(r"[°º'′\"″ ]+", text) if p]
    values = [number(p) for p in parts]
    if not values or len(values) > 3 or any(v != v for v in values):
        return float("nan")
    if any(not 0 <= v < 60 for v in values[1:]):
        return float("nan")
    size = sum(abs(v) / 60**i for i, v in enumerate(values))
    negative = text.startswith("-") or side == signs[1]
    return round(-size if negative else size, 9)


def _time(cell: str, line: int, told: _Told, late: bool = False) -> str:
    """A time with its zone where it has one; a day alone begins, or ends, with it."""
    if not cell or fits_time(cell):
        return cell
    day = _DAY.fullmatch(cell)
    found = iso_time(f"{cell} {'23:59:59' if late else '00:00:00'}" if day else cell)
    if not found:
        told.add("times that cannot be read, left out; give such as 2024-05-01 06:30:00", line,
                 cell)
    return found


def _zone(cell: str, line: int, told: _Told) -> str:
    try:
        find_zone(cell)
    except InputError:
        told.add("time zones that are not known, left out; give such as Europe/Brussels or +01:00",
                 line, cell)
        return ""
    return cell


def _joined(a: DeploymentRow, b: DeploymentRow, told: _Told) -> DeploymentRow:
    if a.latitude is not None and b.latitude is not None:
        far = max(abs(a.latitude - b.latitude), abs((a.longitude or 0) - (b.longitude or 0)))
        if far > NEAR:
            told.add(f"another place than in row {a.line} of the same deployment, left out", b.line)
    first, last = sorted(t for t in (a.start, b.start) if t), sorted(t for t in (a.end, b.end) if t)
    here = a if a.latitude is not None else b
    return DeploymentRow(
        a.line, a.id, a.name or b.name, here.latitude, here.longitude, (first or [""])[0],
        (last or [""])[-1], a.time_zone or b.time_zone,
    )


def middle(places: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The place that most pictures of a deployment name."""
    return Counter(places).most_common(1)[0][0]
