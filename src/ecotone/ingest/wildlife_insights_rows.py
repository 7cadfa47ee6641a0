"""Rows of Wildlife Insights' tables in the terms of Camtrap DP, one at a time.

What Camtrap DP has no column for is kept as "word:value | word:value" in deploymentTags and
observationTags, where `ecotone.export.wildlife_insights` finds it again.
Source: Wildlife Insights data downloads; the values that `wi_validation.R` of
ConservationInternational's Wildlife-Insights----Data-Migration allows.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecotone.ingest.camtrapdp_cells import RULES, mediatype_of
from ecotone.ingest.coco_cells import inner_path
from ecotone.ingest.events import iso_time
from ecotone.ingest.labels import COMPUTER
from ecotone.ingest.tables import key, number
from ecotone.ingest.wildlife_insights_files import RANKS
from ecotone.study import DEPLOYMENT_COLUMNS, MEDIA_COLUMNS, MORE, Row, blank_row
from ecotone.taxonomy.special import SPECIAL
from ecotone.taxonomy.words import key as words

DEPLOYMENT_TAGS = (
    "subproject_design", "event_name", "event_description", "event_type", "bait_type",
    "bait_description", "feature_type", "feature_type_methodology", "camera_functioning",
    "sensor_height", "height_other", "sensor_orientation", "orientation_other", "plot_treatment",
    "plot_treatment_description",
)
OBSERVATION_TAGS = ("uncertainty", "age", "sex", "animal_recognizable", "markings")
SOMEBODY = "Not recorded"  # identified_by of people's rows whose person is not known
NOBODY = frozenset({"", "nocvresult", "cvneeded", "cvfailed"})
TRUE = frozenset({"true", "1", "1.0", "yes", "t"})
LIFE_STAGES, SEXES = ("adult", "subadult", "juvenile"), ("female", "male")


def tags(cells: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The filled cells of some columns as "word:value | word:value"."""
    return " | ".join(f"{n}:{cells[n].replace('|', '/')}" for n in names if cells.get(n))


def clock(text: str, late: bool = False) -> str:
    """A time as "2020-05-30T04:57:37", a day as its start or, when `late`, as its end.

    >>> clock("2018-10-09", late=True), clock("2018-10-09 6:05:00")
    ('2018-10-09T23:59:59', '2018-10-09T06:05:00')
    """
    return iso_time(text) or iso_time(f"{text} {'23:59:59' if late else '00:00:00'}")


def deployment_row(cells: Mapping[str, str], identity: str, camera: Mapping[str, str]) -> Row:
    """A deployment of `deployments.csv`; camera: its row of `cameras.csv`, {} for none."""
    rules = RULES["deployments"]
    feature = rules["featureType"].mend(cells["feature_type"])
    bait = cells["bait_type"].casefold()
    kept = {**cells, "feature_type": "" if feature else cells["feature_type"],
            "bait_type": "" if bait == "none" else cells["bait_type"]}
    return blank_row(
        DEPLOYMENT_COLUMNS, deploymentID=identity, locationName=cells["placename"],
        latitude=cells["latitude"], longitude=cells["longitude"],
        deploymentStart=clock(cells["start_date"]),
        deploymentEnd=clock(cells["end_date"], late=True), setupBy=cells["recorded_by"],
        cameraID=cells["camera_id"],
        cameraModel="-".join(c for c in (camera.get("make", ""), camera.get("model", "")) if c),
        cameraDelay=_fitting("cameraDelay", cells["quiet_period"]),
        detectionDistance=_fitting("detectionDistance", cells["detection_distance"]),
        baitUse="" if not bait else "false" if bait == "none" else "true",
        featureType=feature[0] if feature else "", deploymentGroups=cells["subproject_name"],
        deploymentTags=tags(kept, DEPLOYMENT_TAGS), deploymentComments=cells["remarks"],
    )


def _fitting(column: str, cell: str) -> str:
    rule = RULES["deployments"][column]
    return cell if rule.fits(cell) else (rule.mend(cell) or ("",))[0]


def media_row(cells: Mapping[str, str], identity: str, deployment: str, method: str) -> Row:
    """A picture of `images.csv`. method: captureMethod of its project."""
    location, name = cells["location"], cells["filename"]
    path = inner_path(location or name)
    name = inner_path(name or location).rpartition("/")[2]
    return blank_row(
        (*MEDIA_COLUMNS, *MORE["media"]), mediaID=identity, deploymentID=deployment,
        captureMethod=method, timestamp=clock(cells["timestamp"]), filePath=path, fileName=name,
        fileMediatype=mediatype_of(name, path), eventID=cells["sequence_id"],
        favorite=_boolean(cells["highlighted"]),
    )


def _boolean(cell: str) -> str:
    return "" if not cell else "true" if cell.casefold() in TRUE else "false"


def scientific_name(cells: Mapping[str, str]) -> str:
    """The lowest name that the ranks give: "Vulpes vulpes", "Vulpes", "Canidae", "".

    >>> scientific_name({"genus": "Vulpes", "species": "vulpes"})
    'Vulpes vulpes'
    """
    names = [cells.get(r, "") for r in RANKS]
    *higher, genus, species = ["" if key(n) in NOBODY else n for n in names]
    if len(species.split()) > 1 and species.split()[0].casefold() == genus.casefold():
        return species
    if species:
        return f"{genus} {species}".strip()
    return genus or next((n for n in reversed(higher) if n), "")


def kind_of(cells: Mapping[str, str]) -> str:
    """The observationType of an identification, "" where nobody and nothing has looked."""
    name = words(cells["common_name"])
    special = SPECIAL.get(name, "")
    if key(cells["genus"]) == "homo" or special == "human":
        return "human"
    if scientific_name(cells):
        return "animal"
    if special == "blank" or (not name and cells["is_blank"].casefold() in TRUE):
        return "blank"
    if key(cells["common_name"]) in NOBODY:
        person = cells["identified_by"] and not COMPUTER.fullmatch(cells["identified_by"])
        return "unknown" if cells["identified_by"] and (name or person) else ""
    return special or "animal"


def identification(cells: Mapping[str, str], kind: str, count: str, scale: float) -> Row:
    """What a row says of the animal, as columns of an observation.

    kind: as of `kind_of`. count: number_of_objects or group_size. scale: of cv_confidence, 100
    where the file gives per cent.
    """
    person = cells["identified_by"]
    computer = not person or bool(COMPUTER.fullmatch(person))  # "": no person has confirmed it
    age, sex = cells["age"].casefold(), cells["sex"].casefold()
    kept = {**cells, "age": "" if age in (*LIFE_STAGES, "unknown") else cells["age"],
            "sex": "" if sex in (*SEXES, "unknown") else cells["sex"]}
    whole = number(count) if count else 0.0
    sure = number(cells["cv_confidence"]) / scale if computer and cells["cv_confidence"] else -1.0
    return {
        "observationType": kind, "scientificName": scientific_name(cells),
        "vernacularName": cells["common_name"],
        "count": f"{whole:.0f}" if kind != "blank" and 1 <= whole < 1e9 else "",
        "lifeStage": age if age in LIFE_STAGES else "", "sex": sex if sex in SEXES else "",
        "behavior": cells["behavior"], "individualID": cells["individual_id"],
        "classificationMethod": "machine" if computer else "human",
        "classifiedBy": "" if person == SOMEBODY else person,
        "classificationProbability": f"{sure:.10g}" if 0 <= sure <= 1 else "",
        "observationTags": tags(kept, OBSERVATION_TAGS),
        "observationComments": cells["individual_animal_notes"],
    }
