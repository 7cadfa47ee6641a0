"""Who people say the animals are: individualID and viewpoint of each detection, from labels."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ecotone.ingest.labels import NOBODY

VIEWPOINT_TAG = "viewpoint"


@dataclass(frozen=True)
class Named:
    """individual, viewpoint: by detection id, only where people said so. unclear: media with an
    individual and several animals, of which no box tells which is meant."""

    individual: dict[str, str] = field(default_factory=dict)
    viewpoint: dict[str, str] = field(default_factory=dict)
    unclear: tuple[str, ...] = ()


def named_individuals(catalog: Any) -> Named:
    """What people's labels say of individuals; the newest word counts, and a label of a species
    alone takes none back."""
    table = catalog.labels()
    of_medium: dict[str, dict[str, str]] = defaultdict(dict)
    own: dict[str, dict[str, str]] = defaultdict(dict)
    for medium, detection, attributes in zip(
        table.media_id, table.detection_id, table.attributes, strict=True
    ):
        said = _said(attributes)
        if said:
            (own[detection] if detection else of_medium[medium]).update(said)
    if not of_medium and not own:
        return Named()
    animals: dict[str, list[str]] = defaultdict(list)
    every: set[str] = set()
    detections = catalog.detections()
    for name, medium, category in zip(
        detections.id, detections.media_id, detections.category, strict=True
    ):
        every.add(name)
        if category == "animal" and medium in of_medium:
            animals[medium].append(name)
    found = {d: said for d, said in own.items() if d in every}
    unclear = []
    for medium, said in of_medium.items():
        here = animals.get(medium, ())
        taken = {found[d].get("individualID") for d in here if d in found}
        free = [d for d in here if "individualID" not in found.get(d, {})]
        if said.get("individualID") in taken - {None}:
            continue  # a box of this picture carries the name already
        if len(free) == 1:
            found[free[0]] = {**said, **found.get(free[0], {})}
        elif len(free) > 1 and "individualID" in said:
            unclear.append(medium)
    return Named(
        {d: s["individualID"] for d, s in found.items() if "individualID" in s},
        {d: s["viewpoint"] for d, s in found.items() if "viewpoint" in s}, tuple(unclear))


def _said(attributes: str) -> dict[str, str]:
    if len(attributes) < 3:
        return {}
    try:
        cells = json.loads(attributes)
    except ValueError:
        return {}
    out = {}
    individual = str(cells.get("individualID", "")).strip()
    if individual and individual.casefold() not in NOBODY:
        out["individualID"] = individual
    side = str(cells.get("viewpoint", "") or _tag(cells.get("observationTags", "")))
    if side:
        out["viewpoint"] = side.strip().casefold()
    return out


def _tag(tags: str) -> str:
    """The viewpoint among `key:value | key:value`."""
    for part in str(tags).split("|"):
        key, _, value = part.partition(":")
        if key.strip().casefold() == VIEWPOINT_TAG:
            return value
    return ""
