"""The csv files of the field's tools, told apart by their columns.

Each tool's table has columns that no other has. `command` is the `ecotone add` that takes it: what
people said are labels, what a model said are scores or detections, and a table of a whole data set
belongs to a study. Sources: animl-py's manifests and results; DeepFaune; pybioclip's
`bioclip predict`; zamba and Zamba Cloud; MEWC's mewc-predict; agentmorris/speciesnet-fine-tuning;
Timelapse; camtrapR's recordTable; MegaDetector's animl_to_md.py, zamba_to_md.py, mewc_to_md.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecotone.ingest.tables import key

LABELS, SCORES, DETECTIONS, STUDY, NOTHING = "labels", "scores", "detections", "study", ""
DEPLOYMENTS = "deployments"


@dataclass(frozen=True)
class Dialect:
    """One kind of table.

    kind, generation: as `ecotone.ingest.recognise` tells them. says: what it is, in words. needs:
    columns that it has, all of them. names, scores: the columns of a model's classes and scores,
    the first that is there.
    """

    kind: str
    generation: str
    says: str
    command: str
    needs: frozenset[str]
    names: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()


def _dialect(
    kind: str, generation: str, says: str, command: str, needs: str, names: str = "",
    scores: str = "",
) -> Dialect:
    return Dialect(
        kind, generation, says, command, frozenset(needs.split()), tuple(names.split()),
        tuple(scores.split()),
    )


DIALECTS = (
    _dialect("camtrapdp", "observations", "observations of a Camtrap DP", STUDY,
             "observationid deploymentid observationlevel"),
    _dialect("camtrapdp", "observations", "observations of a Camtrap DP", STUDY,
             "observationid deploymentid observationtype"),
    _dialect("camtrapdp", "media", "media of a Camtrap DP", STUDY,
             "mediaid deploymentid filemediatype"),
    _dialect("camtrapdp", "deployments", "deployments of a Camtrap DP", STUDY,
             "deploymentid latitude longitude deploymentstart"),
    _dialect("wildlife insights", "images", "images of a Wildlife Insights download", STUDY,
             "projectid deploymentid imageid"),
    _dialect("wildlife insights", "sequences", "sequences of a Wildlife Insights download", STUDY,
             "projectid deploymentid sequenceid starttime"),
    _dialect("wildlife insights", "deployments", "deployments of a Wildlife Insights download",
             STUDY, "projectid deploymentid startdate enddate"),
    _dialect("wildlife insights", "cameras", "cameras of a Wildlife Insights download", STUDY,
             "projectid cameraid serialnumber"),
    _dialect("wildlife insights", "projects", "projects of a Wildlife Insights download", STUDY,
             "projectid projectname projectadmin"),
    _dialect("ecotone csv", "", "a table of detections that ecotone wrote", LABELS,
             "detectionid runid localclass"),
    _dialect("animl csv", "results", "animl's results", SCORES,
             "filepath bbox1 bbox4 prediction confidence", "prediction", "confidence"),
    _dialect("animl csv", "results", "animl's results", SCORES,
             "file bbox1 bbox4 class classificationconf", "class", "classificationconf"),
    _dialect("animl csv", "detections", "animl's detections", DETECTIONS,
             "bbox1 bbox2 bbox3 bbox4 conf category"),
    _dialect("animl csv", "frames", "animl's list of frames, which holds neither labels nor scores",
             NOTHING, "filepath frame filename filemodifydate framenumber"),
    _dialect("animl csv", "manifest",
             "animl's list of files, which holds neither labels nor scores", NOTHING,
             "filepath filename extension filemodifydate"),
    _dialect("deepfaune csv", "", "DeepFaune's results", SCORES,
             "filename predictionbase scorebase", "predictionbase", "scorebase"),
    _dialect("deepfaune csv", "", "DeepFaune's results", SCORES,
             "filename seqnum prediction score", "prediction", "score"),
    _dialect("pybioclip csv", "custom classes", "pybioclip's predictions", SCORES,
             "filename classification score", "classification", "score"),
    _dialect("pybioclip csv", "tree of life", "pybioclip's predictions", SCORES,
             "filename kingdom score",
             "species genus family order class phylum kingdom", "score"),
    _dialect("mewc csv", "", "MEWC's predictions", SCORES, "filename classid prob",
             "classname classid", "prob"),
    _dialect("speciesnet-fine-tuning csv", "predictions",
             "predictions of a fine-tuned SpeciesNet", SCORES,
             "filename detectionconf pred1class pred1score", "pred1class", "pred1score"),
    _dialect("speciesnet-fine-tuning csv", "mapping",
             "a mapping of classes for fine-tuning SpeciesNet, which holds no pictures", NOTHING,
             "input output"),
    _dialect("zamba csv", "videos", "Zamba Cloud's results for videos", SCORES,
             "videouuid originalfilename"),
    _dialect("zamba csv", "images", "zamba's results for pictures", SCORES,
             "filepath x1 y1 x2 y2"),
    _dialect("timelapse csv", "", "a Timelapse table", LABELS, "file relativepath deleteflag"),
    _dialect("timelapse csv", "", "a Timelapse table", LABELS, "file relativepath rootfolder"),
    _dialect("camtrapr csv", "", "a record table of camtrapR", LABELS,
             "station species datetimeoriginal"),
    _dialect("speciesnet geofence", "fixes", "corrections to SpeciesNet's geofence", "geofence",
             "species rule countrycode"),
    _dialect("speciesnet-fine-tuning csv", "data", "labels for fine-tuning SpeciesNet", LABELS,
             "filename category location"),
)


def dialect_of(header: Iterable[str]) -> Dialect | None:
    """The dialect of a table by its columns; None when no tool's table is like it.

    >>> dialect_of(["file_name", "classification", "score"]).kind
    'pybioclip csv'
    """
    names = {key(h) for h in header}
    if len(names) > 1 and all(n.isdecimal() for n in names):
        return MATRIX
    found = next((d for d in DIALECTS if d.needs <= names), None)
    if found is not None and found.generation == "data" and len(names) > 3:
        return None  # any table of labels, with columns of its own
    return found


MATRIX = _dialect(
    "animl csv", "predictions", "a matrix of scores without the names of pictures and classes (for "
    "animl's, give Results.csv)", NOTHING, "",
)


def advice(command: str) -> str:
    """Which command takes a table, for an error of another command."""
    return {
        LABELS: "for what people said use: ecotone add labels",
        SCORES: "for what a model said use: ecotone add scores",
        DETECTIONS: "for a detector's boxes use: ecotone add detections",
        STUDY: "for a whole data set give its folder to: ecotone add study",
        DEPLOYMENTS: "for places and times of cameras use: ecotone add deployments",
        "taxonomy": "for names of taxa use: ecotone add taxonomy",
        "instances": "for SpeciesNet's input use: ecotone add data",
        "geofence": "a geofence is given to: ecotone refine --geofence",
    }.get(command, "there is nothing in it to add")
