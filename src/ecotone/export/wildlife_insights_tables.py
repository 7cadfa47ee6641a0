"""Rows of a study in the terms of Wildlife Insights' batch upload, one at a time.

Source: the templates and `wi_validation.R` of ConservationInternational's
Wildlife-Insights----Data-Migration, and MegaDetector's `data_management/cct_to_wi.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ecotone.ingest.labels import COMPUTER
from ecotone.ingest.wildlife_insights_files import COLUMNS, RANKS
from ecotone.ingest.wildlife_insights_project import DESIGNS, OWN
from ecotone.ingest.wildlife_insights_rows import (
    DEPLOYMENT_TAGS,
    OBSERVATION_TAGS,
    SOMEBODY,
    clock,
    scientific_name,
)
from ecotone.study import Row
from ecotone.taxonomy.rollup import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE

UPLOAD = {  # file -> its columns, all of which must be there
    "projects.csv": COLUMNS["projects"][:23],
    "cameras.csv": COLUMNS["cameras"][:6],
    "deployments.csv": COLUMNS["deployments"][:24],
    "images.csv": (
        "project_id", "deployment_id", "image_id", "location", "identified_by", "wi_taxon_id",
        *RANKS, "common_name", "uncertainty", "timestamp", "number_of_objects", "age", "sex",
        "animal_recognizable", "individual_id", "individual_animal_notes", "highlighted",
        "markings",
    ),
}
Cells = dict[str, str]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KINDS = {"blank": BLANK, "human": HUMAN, "vehicle": VEHICLE, "": UNKNOWN}
_NAMES = {"blank": "Blank", "human": "Human", "vehicle": "Vehicle", "animal": "Animal",
          "": "No CV Result"}
_SUFFIXES = {"idae": "family", "inae": "family", "iformes": "order", "odontia": "order"}
_CLASSES = frozenset({"mammalia", "aves", "reptilia", "amphibia", "insecta", "arachnida"})


def tagged(tags: str, names: Iterable[str]) -> Cells:
    """The values of "word:value | word:value" whose word is one of `names`."""
    parts = (part.partition(":") for part in tags.split(" | "))
    return {word: value for word, _, value in parts if word in set(names)}


def days(time: str) -> str:
    """A time as Wildlife Insights writes it, "2020-05-30 04:57:37", "" for none."""
    return clock(time).replace("T", " ")


class Taxa:
    """What Wildlife Insights calls a name: its id, ranks and common name.

    From the taxa of a download, else from the descriptor's `taxonomic`, else from the name itself.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._known: dict[tuple[str, str], Cells] = {}
        own = metadata.get(OWN)
        for entry in _entries(own.get("taxa") if isinstance(own, dict) else None):
            cells = {c: _text(entry.get(c)) for c in ("wi_taxon_id", *RANKS, "common_name")}
            self._keep(scientific_name(cells), cells)
        for entry in _entries(metadata.get("taxonomic")):
            name, common = _text(entry.get("scientificName")), entry.get("vernacularNames")
            cells = {**_from_name(name), **{r: _text(entry.get(r)) for r in RANKS[:4]
                                            if entry.get(r)}}
            identity = _text(entry.get("taxonID"))  # of any checklist; only its own are of use
            cells["wi_taxon_id"] = identity if _UUID.fullmatch(identity) else ""
            cells["common_name"] = _text(common.get("eng")) if isinstance(common, dict) else ""
            self._keep(name, cells)

    def _keep(self, name: str, cells: Cells) -> None:
        self._known.setdefault((name, cells["common_name"]), cells)
        if name:
            self._known.setdefault((name, ""), cells)

    def cells(self, kind: str, scientific: str, common: str) -> Cells:
        """Id, ranks and common name. kind: observationType, "" where nobody has looked."""
        found = self._known.get((scientific, common)) or (
            self._known.get((scientific, "")) if scientific else None
        )
        if found:
            return {**found, "common_name": common or found["common_name"]}
        bare = not scientific and not common
        if kind in _KINDS and not scientific or bare and kind == "animal":
            label = _KINDS.get(kind, ANIMAL)
            uuid, *tokens, _ = label.split(";")
            ranks = {r: "" if kind == "" else t.capitalize() if r != "species" else t
                     for r, t in zip(RANKS, tokens, strict=True)}
            return {"wi_taxon_id": uuid, **ranks, "common_name": common or _NAMES[kind]}
        return {"wi_taxon_id": "", **_from_name(scientific),
                "common_name": common or scientific or "Unknown"}


def _from_name(name: str) -> Cells:
    cells = dict.fromkeys(RANKS, "")
    genus, _, species = name.partition(" ")
    if species:
        cells.update(genus=genus, species=species)
    elif name:
        low = name.lower()
        rank = "class" if low in _CLASSES else next(
            (r for end, r in _SUFFIXES.items() if low.endswith(end)), "genus")
        cells[rank] = name
    return cells


def image_cells(medium: Row, row: Row | None, taxa: Taxa, url: str) -> Cells:
    """A row of images.csv; row: an observation of the picture, None where there is none."""
    said = row or {}
    tags = tagged(said.get("observationTags", ""), OBSERVATION_TAGS)
    path = medium.get("filePath", "")
    kind = said.get("observationType", "")
    kind = "" if kind == "unclassified" else kind
    common = said.get("vernacularName") or said.get("label", "")
    return {
        **taxa.cells(kind, said.get("scientificName", ""), common), **tags,
        "deployment_id": medium.get("deploymentID", ""), "image_id": medium["mediaID"],
        "location": path if "://" in path or not url else f"{url.rstrip('/')}/{path}",
        "identified_by": _identified_by(said) if kind else "",
        "timestamp": days(medium.get("timestamp", "")), "number_of_objects": said.get("count", ""),
        "age": tags.get("age") or said.get("lifeStage", "").capitalize(),
        "sex": tags.get("sex") or said.get("sex", "").capitalize(),
        "individual_id": said.get("individualID", ""),
        "individual_animal_notes": said.get("observationComments", ""),
        "highlighted": medium.get("favorite", ""),
    }


def _identified_by(row: Row) -> str:
    who = row.get("classifiedBy", "")
    if row.get("classificationMethod") != "machine":
        return who or SOMEBODY
    return who if COMPUTER.fullmatch(who) else f"Computer vision ({who})" if who else (
        "Computer vision"
    )


def deployment_cells(row: Row, camera: str) -> Cells:
    """A row of deployments.csv, without the days. camera: its camera_id."""
    tags = tagged(row.get("deploymentTags", ""), DEPLOYMENT_TAGS)
    feature = re.sub(r"(?<=[a-z])([A-Z])", lambda m: " " + m.group(1).lower(),
                     row.get("featureType", ""))
    bait = {"true": "Other", "false": "None"}.get(row.get("baitUse", "").lower(), "")
    return {
        "bait_type": bait, "feature_type": feature[:1].upper() + feature[1:], **tags,
        "deployment_id": row["deploymentID"], "subproject_name": row.get("deploymentGroups", ""),
        "placename": row.get("locationName", ""), "longitude": row.get("longitude", ""),
        "latitude": row.get("latitude", ""), "camera_id": camera,
        "quiet_period": row.get("cameraDelay", ""), "recorded_by": row.get("setupBy", ""),
    }


def camera_cells(camera: str, model: str, own: Mapping[str, str]) -> Cells:
    """A row of cameras.csv. model: cameraModel, "make-model". own: what a download said."""
    make, _, rest = model.partition("-")
    return {"make": make, "model": rest, **own, "camera_id": camera}


def project_cells(metadata: Mapping[str, Any], given: Mapping[str, str]) -> Cells:
    """The row of projects.csv: as given, else of the download, else from the descriptor."""
    own = metadata.get(OWN)
    kept = _entries(own.get("projects") if isinstance(own, dict) else None)
    first = {name: _text(value) for name, value in kept[0].items()} if kept else {}
    return {**(first or _derived(metadata)), **given}


def _derived(metadata: Mapping[str, Any]) -> Cells:
    project = metadata.get("project")
    project = project if isinstance(project, dict) else {}
    people = sorted(_entries(metadata.get("contributors")),
                    key=lambda p: p.get("role") not in ("contact", "principalInvestigator"))
    contact = people[0] if people else {}
    licences = {_text(e.get("scope")): _text(e.get("name"))
                for e in _entries(metadata.get("licenses"))}
    layouts = {design: layout.capitalize() for layout, design in DESIGNS.items()}
    methods = project.get("captureMethod")
    methods = methods if isinstance(methods, list) else [methods]
    title = _text(metadata.get("title")) or _text(project.get("title"))
    return {
        "project_name": title or _text(metadata.get("name")),
        "project_id": _text(project.get("id")) or _text(metadata.get("name")) or "project",
        "project_short_name": _text(project.get("acronym")),
        "project_objectives": _text(project.get("description")) or _text(
            metadata.get("description")),
        "project_species": "Multiple",
        "project_sensor_layout": layouts.get(_text(project.get("samplingDesign")), ""),
        "project_sensor_method": "Time lapse" if methods == ["timeLapse"] else "Sensor detection",
        "project_individual_animals": "Yes" if project.get("individualAnimals") is True else "No",
        "project_admin": _text(contact.get("title")),
        "project_admin_email": _text(contact.get("email")),
        "metadata_license": _licence(licences.get("data", "")),
        "image_license": _licence(licences.get("media", "")),
    }


def _licence(name: str) -> str:
    """CC-BY-4.0 as CC-BY."""
    return re.sub(r"-\d+(\.\d+)*$", "", name)


def _entries(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
