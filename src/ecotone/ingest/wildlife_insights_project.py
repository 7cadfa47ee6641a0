"""What Wildlife Insights says of a project, in the terms of Camtrap DP's descriptor.

The rows of projects.csv and cameras.csv, and the taxa with their ids, stay whole under
`wildlifeInsights`, for an upload needs them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecotone.ingest.tables import key
from ecotone.ingest.wildlife_insights_files import RANKS
from ecotone.ingest.wildlife_insights_rows import NOBODY, scientific_name

METHODS = {"sensordetection": "activityDetection", "timelapse": "timeLapse"}
DESIGNS = {
    "randomized": "simpleRandom", "systematic": "systematicRandom", "clustered": "clusteredRandom",
    "targeted": "targeted", "convenience": "opportunistic",
}
OWN = "wildlifeInsights"  # the key under which the rows are kept as they are
Cells = Mapping[str, str]


def metadata_of(
    projects: Sequence[Cells], cameras: Sequence[Cells], taxa: Sequence[Cells], level: str
) -> dict[str, Any]:
    """A descriptor's facts. level: "media" or "event", what the project identifies."""
    own = {
        "projects": [_filled(p) for p in projects], "cameras": [_filled(c) for c in cameras],
        "taxa": [_filled(t) for t in taxa],
    }
    out: dict[str, Any] = {OWN: own, "taxonomic": [_taxon(t) for t in taxa if scientific_name(t)]}
    if projects:
        out.update(_of_project(projects, level))
    return out


def _of_project(projects: Sequence[Cells], level: str) -> dict[str, Any]:
    first = projects[0]
    methods = dict.fromkeys(METHODS.get(key(p["project_sensor_method"]), "") for p in projects)
    project = {
        "id": first["project_id"], "title": first["project_name"],
        "acronym": first["project_short_name"], "description": first["project_objectives"],
        "samplingDesign": DESIGNS.get(key(first["project_sensor_layout"]), ""),
        "captureMethod": [m for m in methods if m],
        "individualAnimals": key(first["project_individual_animals"]) == "yes",
        "observationLevel": [level],
    }
    out: dict[str, Any] = {
        "title": first["project_name"],
        "project": {k: v for k, v in project.items() if v not in ("", [])},
    }
    people = [
        {"title": p["project_admin"], "email": p["project_admin_email"],
         "organization": p["project_admin_organization"], "role": "contact"}
        for p in projects if p["project_admin"]
    ]
    if people:
        out["contributors"] = [{k: v for k, v in p.items() if v} for p in people]
    licences = [
        {"name": first[column], "scope": scope}
        for column, scope in (("metadata_license", "data"), ("image_license", "media"))
        if first[column]
    ]
    if licences:
        out["licenses"] = licences
    if first["data_citation"]:
        out["bibliographicCitation"] = first["data_citation"]
    return out


def _taxon(cells: Cells) -> dict[str, Any]:
    named = {r: cells[r] for r in RANKS if key(cells[r]) not in NOBODY}
    ranks = {r: name for r, name in named.items() if r != "species"}
    lowest = list(named)[-1]
    out: dict[str, Any] = {
        "scientificName": scientific_name(cells), "taxonID": cells["wi_taxon_id"],
        "taxonRank": lowest, **ranks,
    }
    if cells["common_name"]:
        out["vernacularNames"] = {"eng": cells["common_name"]}
    return {k: v for k, v in out.items() if v}


def _filled(cells: Cells) -> dict[str, str]:
    return {k: v for k, v in cells.items() if v}
