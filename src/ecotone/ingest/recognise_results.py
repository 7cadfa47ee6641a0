"""Which tool wrote a json file, by the outline of its beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ecotone.ingest.text import some

_VERSION = re.compile(r'"format_version"\s*:\s*"?([0-9][\w.]*)')
_CAMTRAP = re.compile(r"camtrap-dp/(?:v)?([0-9]+(?:\.[0-9]+)*)")
_TABLES = {"deployments", "media", "observations"}
_LATER = re.compile(
    r'"(images|annotations|categories|detection_categories|classification_categories)"\s*:\s*[\[{]'
)


class Named(NamedTuple):
    """A kind of file, as in `ecotone.ingest.recognise.Found`; path None: the file itself."""

    kind: str
    generation: str
    command: str
    says: str
    path: Path | None = None


def name_of_json(value: Any, tail: str) -> Named | None:
    """The kind of a json file, None when it is not known. tail: the end of a long one."""
    if not isinstance(value, dict):
        return None
    keys = set(value) | set(_LATER.findall(tail))
    version = camtrapdp_version(value)
    if version is not None:
        return Named("camtrapdp", version, "study", f"a Camtrap DP {version}".strip())
    if "$schema" in keys or isinstance(value.get("fields"), list) and "name" in keys:
        return Named("camtrapdp schema", "", "", "a schema of tables, which holds no data")
    if isinstance(value.get("predictions"), list):
        return _speciesnet(value, tail)
    if isinstance(value.get("instances"), list):
        return Named("speciesnet instances", "", "instances",
                     "SpeciesNet's input: pictures with their places")
    if _is_geofence(value):
        return Named("speciesnet geofence", "release", "geofence", "SpeciesNet's geofence")
    images = _objects(value.get("images"))
    if "detection_categories" in keys or any("detections" in i for i in images):
        return _megadetector(value, images, keys, tail)
    named = any("file_name" in i for i in images)
    if "images" in keys and (named or "annotations" in keys or isinstance(
            value.get("categories"), list)) or _are_annotations(value):
        return Named("coco", "", "study", "COCO Camera Traps json")
    return None


def _are_annotations(value: Mapping[str, Any]) -> bool:
    found = _objects(value.get("annotations"))
    return bool(found) and {"image_id", "category_id"} <= set(found[0])


def _is_geofence(value: Mapping[str, Any]) -> bool:
    taxon, rules = next(iter(value.items()), ("", None))
    return taxon.count(";") == 4 and isinstance(rules, dict) and bool({"allow", "block"} & {*rules})


def camtrapdp_version(value: Any) -> str | None:
    """The version of a Camtrap DP's descriptor, "" where it names none; None for other json."""
    resources = _objects(value.get("resources")) if isinstance(value, dict) else []
    names = {r.get("name") for r in resources if isinstance(r.get("name"), str)}
    urls = [value.get("profile") if isinstance(value, dict) else ""]
    urls += [r.get("schema") for r in resources]
    versions = [m.group(1) for u in urls if isinstance(u, str) and (m := _CAMTRAP.search(u))]
    if not resources or not (versions or names & _TABLES):
        return None
    return versions[0] if versions else ""


def _speciesnet(value: Mapping[str, Any], tail: str) -> Named:
    predictions = _objects(value["predictions"])
    boxes = [b for p in predictions for b in _objects(p.get("detections"))]
    info = value.get("info")
    version = info.get("format_version") if isinstance(info, dict) else None
    found = _VERSION.search(tail)
    if version is None and found:
        version = found.group(1)
    if version is None:
        version = "dev" if any("prediction" in b for b in boxes) else "legacy"
    scored = any("classifications" in p for p in predictions) or any(
        {"classifications", "raw_classifications", "processed_classification", "prediction"} & {*b}
        for b in boxes
    )
    what = "predictions of SpeciesNet" if scored else "detections of SpeciesNet"
    return Named("speciesnet predictions", str(version), "scores" if scored else "detections",
                 f"{what} ({version})")


def _megadetector(
    value: Mapping[str, Any], images: list[dict], keys: set[str], tail: str
) -> Named:
    info = value.get("info")
    version = info.get("format_version") if isinstance(info, dict) else None
    found = _VERSION.search(tail)
    if version is None and found:
        version = found.group(1)
    boxes = [b for i in images for b in _objects(i.get("detections"))]
    scored = "classification_categories" in keys or any("classifications" in b for b in boxes)
    generation = "" if version is None else str(version)
    more = " with classifications" if scored else ""
    return Named("megadetector", generation, "scores" if scored else "detections",
                 f"MegaDetector json {generation}".strip() + more)


def words_of_json(value: Any, count: int) -> str:
    """What a json value of no known kind looks like, in words."""
    if isinstance(value, dict):
        if value.get("type") == "FeatureCollection":
            return "GeoJSON, a map"
        keys = [k[:40] for k in value]
        return f"json with the keys {some(keys, 6)}" if keys else "an empty json object"
    objects = _objects(value)
    if objects:
        keys = [k[:40] for k in objects[0]]
        return f"a json list of {count:,} objects with the keys {some(keys, 6) or '(none)'}"
    kinds = {type(v).__name__ for v in value}
    return f"a json list of {count:,} values ({some(sorted(kinds))})" if kinds else (
        "an empty json list"
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
