"""The datapackage.json of a Camtrap DP 1.0.2: what the study's own metadata say, and the rest made
from its rows. Properties that the profile would refuse are mended or left out, with a warning.

Source: https://camtrap-dp.tdwg.org/metadata/ (1.0.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from ecotone.export.camtrapdp_rows import Coverage
from ecotone.export.camtrapdp_taxonomic import taxonomic
from ecotone.ingest.camtrapdp import MORE
from ecotone.ingest.camtrapdp_cells import IDS, TABLES
from ecotone.ingest.camtrapdp_times import instant
from ecotone.ingest.tables import key
from ecotone.study import Row, Study

VERSION = "1.0.2"
PROFILE = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}/camtrap-dp-profile.json"
SCHEMA = "https://raw.githubusercontent.com/tdwg/camtrap-dp/{version}/{table}-table-schema.json"
ROLES = ("contact", "principalInvestigator", "rightsHolder", "publisher", "contributor")
DESIGNS = ("simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted",
           "opportunistic")
CAPTURES = ("activityDetection", "timeLapse")
LEVELS = ("media", "event")
UNKNOWN = "unknown"
# What a resource says of its old file, which the new one is not.
_OF_THE_FILE = ("path", "data", "profile", "format", "mediatype", "encoding", "schema", "dialect",
                "bytes", "hash", "compression")


def describe(
    study: Study, deployments: Sequence[Row], coverage: Coverage, warn: Callable[[str], None]
) -> dict[str, Any]:
    """The descriptor without resources, in the order of the study's metadata where it has any."""
    given = {k: v for k, v in study.metadata.items() if v is not None}
    _keep_valid(given, warn)
    out = {"resources": None, "profile": PROFILE, **given}
    out["profile"] = PROFILE
    if not _is_time(out.get("created")):
        out["created"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(out.get("name"), str):
        out["name"] = _slug(out["name"])
    out["contributors"] = _contributors(given, warn)
    out["project"] = _project(given, study.source, coverage, warn)
    if not _is_geojson(out.get("spatial")):
        out["spatial"] = spatial(deployments)
    if not _is_period(out.get("temporal")):
        out["temporal"] = _temporal(deployments)
    out["taxonomic"] = taxonomic(given.get("taxonomic"), coverage.names, warn)
    order = [*study.metadata, *out]
    return {k: out[k] for k in dict.fromkeys(order) if k in out}


def resources(
    study: Study, more: Mapping[str, Iterable[str]], others: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The resources: the three tables and `others` in the order in which the study has them.

    more: the columns of each table beyond the standard, which have a file of their own.
    """
    given = study.metadata.get("resources")
    listed = [r for r in given if isinstance(r, dict)] if isinstance(given, list) else []
    old = {r["name"]: r for r in listed if isinstance(r.get("name"), str)}
    own = {table: _table(table, old.get(table, {})) for table in TABLES}
    kept = {r["name"]: {**r, "name": _slug(r["name"])} for r in others}
    names = [n for n in dict.fromkeys([*old, *TABLES]) if n in own or n in kept]
    out = [own.get(name) or kept[name] for name in names]
    out += [_beside(table, columns) for table, columns in more.items() if columns]
    return out


def _table(table: str, old: Mapping[str, Any]) -> dict[str, Any]:
    new = {
        "name": table, "path": f"{table}.csv", "profile": "tabular-data-resource", "format": "csv",
        "mediatype": "text/csv", "encoding": "utf-8",
        "schema": SCHEMA.format(version=VERSION, table=table),
    }
    return {**new, **{k: v for k, v in old.items() if k not in _OF_THE_FILE}}


def _beside(table: str, columns: Iterable[str]) -> dict[str, Any]:
    fields = [{"name": name, "type": "string"} for name in (IDS[table], *columns)]
    return {
        "name": f"{table}{MORE}", "path": f"{table}{MORE}.csv", "profile": "tabular-data-resource",
        "description": f"Columns of {table} that are not part of Camtrap DP, by {IDS[table]}.",
        "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
        "schema": {"fields": fields},
    }


def spatial(deployments: Sequence[Row]) -> dict[str, Any]:
    """The box around the deployments as GeoJSON, longitude first; a point for a single place."""
    east = [float(row["longitude"]) for row in deployments]
    north = [float(row["latitude"]) for row in deployments]
    west, right, south, top = min(east), max(east), min(north), max(north)
    if west == right and south == top:
        return {"type": "Point", "coordinates": [west, south]}
    ring = [[west, south], [right, south], [right, top], [west, top], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _temporal(deployments: Sequence[Row]) -> dict[str, str]:
    first = min((r["deploymentStart"] for r in deployments), key=lambda t: instant(t) or 0.0)
    last = max((r["deploymentEnd"] for r in deployments), key=lambda t: instant(t) or 0.0)
    return {"start": first[:10], "end": last[:10]}


def _contributors(given: Mapping[str, Any], warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """People with a name, their roles as the profile spells them."""
    roles = {key(r): r for r in ROLES}
    listed = given.get("contributors")
    out = []
    for person in listed if isinstance(listed, list) else ():
        if not isinstance(person, dict) or not isinstance(person.get("title"), str):
            warn("contributors: one without a title is left out")
            continue
        kinds = ("path", "email", "organization", "organisation")
        person = {k: v for k, v in person.items() if k not in kinds or isinstance(v, str)}
        role = person.get("role", "contributor")
        if role in ROLES:
            out.append(person)
            continue
        now = roles.get(key(str(role)), "contributor")
        warn(f"contributors: role {role!r} is not one of {', '.join(ROLES)}; written as {now}")
        out.append({**person, "role": now})
    if not out:
        warn("contributors: the study names nobody, written as unknown; add a title (a name) and "
             "role in datapackage.json")
        out.append({"title": UNKNOWN, "role": "contact"})
    return out


def _project(
    given: Mapping[str, Any], source: str, coverage: Coverage, warn: Callable[[str], None]
) -> dict[str, Any]:
    project = given.get("project")
    out = {k: v for k, v in project.items() if v is not None} if isinstance(project, dict) else {}
    for name in ("id", "acronym", "description", "path"):
        if name in out and not isinstance(out[name], str):
            out[name] = str(out[name])
    if not isinstance(out.get("title"), str):
        title = given.get("title") or given.get("name") or Path(source).stem
        out["title"] = title if isinstance(title, str) and title else UNKNOWN
    design = {key(d): d for d in DESIGNS}.get(key(str(out.get("samplingDesign", ""))))
    if design is None:
        warn("project: samplingDesign is not known, written as opportunistic; put it right in "
             f"datapackage.json, one of {', '.join(DESIGNS)}")
    out["samplingDesign"] = design or "opportunistic"
    out["captureMethod"] = _listed(out.get("captureMethod"), CAPTURES, coverage.captures) or [
        "activityDetection"
    ]
    if not isinstance(out.get("individualAnimals"), bool):
        out["individualAnimals"] = coverage.individuals
    out["observationLevel"] = _listed(out.get("observationLevel"), LEVELS, coverage.levels) or [
        "media"
    ]
    return out


def _listed(given: Any, allowed: Sequence[str], used: set[str]) -> list[str]:
    """What the metadata list of the allowed values, then what the rows use besides."""
    given = [given] if isinstance(given, str) else given
    known = [v for v in given if v in allowed] if isinstance(given, list) else []
    return list(dict.fromkeys([*known, *(v for v in allowed if v in used)]))


def _keep_valid(given: dict[str, Any], warn: Callable[[str], None]) -> None:
    """Takes out what the profile would refuse."""
    if _objects()(given.get("licenses")):
        given["licenses"] = [_licence(v) for v in given["licenses"]]
    for name, (fits, says) in _OPTIONAL.items():
        if name in given and not fits(given[name]):
            warn(f"{name}: is not {says}, left out")
            del given[name]


def _licence(given: dict[str, Any]) -> dict[str, Any]:
    """A licence whose name is an identifier: "CC BY 4.0" as "CC-BY-4.0"."""
    name = given.get("name")
    if not _is_text(name) or re.fullmatch(r"[-a-zA-Z0-9._]+", name):
        return given
    return {**given, "name": re.sub(r"[^-a-zA-Z0-9._]+", "-", name).strip("-") or UNKNOWN}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _objects(*required: str) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(v, dict) and all(isinstance(v.get(r), str) for r in required) for v in value
        )

    return fits


def _are_licences(value: Any) -> bool:
    return _objects("scope")(value) and len(value) >= 2 and all(
        v["scope"] in ("data", "media") and (_is_text(v.get("name")) or _is_text(v.get("path")))
        for v in value
    )


def _texts(least: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list) and len(value) >= least and all(map(_is_text, value))
    )


_OPTIONAL: dict[str, tuple[Callable[[Any], bool], str]] = {
    **{name: (_is_text, "text") for name in (
        "name", "id", "title", "description", "version", "image", "homepage",
        "bibliographicCitation",
    )},
    "coordinatePrecision": (
        lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), "a number"
    ),
    "keywords": (_texts(1), "a list of words"),
    "references": (_texts(0), "a list of texts"),
    "licenses": (_are_licences, "two licences or more, each with a scope (data or media)"),
    "sources": (_objects("title"), "a list of objects with a title"),
    "relatedIdentifiers": (
        _objects("relationType", "relatedIdentifier", "relatedIdentifierType"),
        "a list of objects with relationType, relatedIdentifier and relatedIdentifierType",
    ),
}


def _is_time(value: Any) -> bool:
    return _is_text(value) and bool(re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", value))


def _is_period(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    try:
        return all(date.fromisoformat(value[n]) and len(value[n]) == 10 for n in ("start", "end"))
    except (KeyError, TypeError, ValueError):
        return False


def _is_geojson(value: Any) -> bool:
    shapes = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind in shapes:
        return isinstance(value.get("coordinates"), list) and bool(value["coordinates"])
    return kind in ("Feature", "FeatureCollection", "GeometryCollection")


def _slug(name: str) -> str:
    """A name of small letters, digits, dots and dashes, as the profile wants it."""
    return re.sub(r"[^-a-z0-9._/]+", "-", name.lower()).strip("-") or UNKNOWN
