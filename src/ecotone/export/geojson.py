"""GeoJSON of the deployments, a map for any GIS.

Each deployment is a feature at its place, with its days and the number of its media and of its
observations by species. Source: RFC 7946.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from ecotone.export.atomic import replaced
from ecotone.export.written import Written
from ecotone.ingest.tables import number
from ecotone.ingest.text import some
from ecotone.study import Row, Study

PROPERTIES = (
    "deploymentID", "locationID", "locationName", "deploymentStart", "deploymentEnd",
    "coordinateUncertainty", "cameraModel", "featureType", "habitat",
)


def write_geojson(study: Study, path: str | Path, machine: bool = False) -> Written:
    """Write the deployments of a study as a GeoJSON feature collection.

    machine: count what models said too. A deployment whose place is not known has no geometry.
    Raises InputError when the file cannot be written.
    """
    media = Counter(row.get("deploymentID", "") for row in study.media)
    species, left_out = _species(study, machine)
    nowhere: list[str] = []
    count = 0
    with replaced(path) as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for row in study.deployments:
            feature = _feature(row, media, species)
            if feature["geometry"] is None:
                nowhere.append(row["deploymentID"])
            file.write((",\n" if count else "\n") + json.dumps(feature, ensure_ascii=False))
            count += 1
        file.write("\n]}\n")
    warnings = []
    if nowhere:
        warnings.append(
            f"{len(nowhere):,} of {count:,} deployments have no latitude and longitude and are on "
            f"no map: {some(nowhere)}"
        )
    if left_out:
        warnings.append(f"{left_out:,} observations of models are not counted; ask for them with "
                        "machine")
    return Written(Path(path), {"deployments": count}, warnings)


def _species(study: Study, machine: bool) -> tuple[dict[str, Counter[str]], int]:
    """Deployment -> observations by name, and how many of models are left out."""
    out: dict[str, Counter[str]] = defaultdict(Counter)
    left_out = 0
    for row in study.observations:
        if row.get("classificationMethod") == "machine" and not machine:
            left_out += 1
            continue
        name = row.get("scientificName") or row.get("label") or row.get("vernacularName") or (
            row.get("observationType", "")
        )
        if name:
            out[row.get("deploymentID", "")][name] += 1
    return out, left_out


def _feature(
    row: Row, media: Counter[str], species: dict[str, Counter[str]]
) -> dict[str, Any]:
    place = row["deploymentID"]
    counts = species.get(place, Counter())
    return {
        "type": "Feature",
        "geometry": _point(row),
        "properties": {
            **{name: row[name] for name in PROPERTIES if row.get(name)},
            "media": media[place], "observations": sum(counts.values()),
            "observationsPerSpecies": dict(sorted(counts.items())),
        },
    }


def _point(row: Row) -> dict[str, Any] | None:
    """A point, longitude first; None where there is no place on earth."""
    longitude, latitude = (number(row.get(c) or "nan") for c in ("longitude", "latitude"))
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        return None
    return {"type": "Point", "coordinates": [longitude, latitude]}
