"""A study: deployments, media and observations as rows of text, in the terms of Camtrap DP 1.0.2.

What every reader of a whole data set gives and every writer of one takes. A row is a dict of
column name to text, "" where nothing is known; a cell keeps the very text that it was read with, so
that a study that is read and written again is the same. Beside the standard's columns a row may
hold those of `MORE`, which some formats know and Camtrap DP does not.
Source: https://camtrap-dp.tdwg.org/data/ (1.0.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, str]

DEPLOYMENT_COLUMNS = (
    "deploymentID", "locationID", "locationName", "latitude", "longitude",
    "coordinateUncertainty", "deploymentStart", "deploymentEnd", "setupBy", "cameraID",
    "cameraModel", "cameraDelay", "cameraHeight", "cameraDepth", "cameraTilt", "cameraHeading",
    "detectionDistance", "timestampIssues", "baitUse", "featureType", "habitat",
    "deploymentGroups", "deploymentTags", "deploymentComments",
)
MEDIA_COLUMNS = (
    "mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName",
    "fileMediatype", "exifData", "favorite", "mediaComments",
)
OBSERVATION_COLUMNS = (
    "observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd",
    "observationLevel", "observationType", "cameraSetupType", "scientificName", "count",
    "lifeStage", "sex", "behavior", "individualID", "individualPositionRadius",
    "individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth", "bboxHeight",
    "classificationMethod", "classifiedBy", "classificationTimestamp",
    "classificationProbability", "observationTags", "observationComments",
)
# Columns beside the standard's. media: pixels, and the event of a picture that has no observation.
# observations: the common name, the local class, and the confidence of the detector in the box.
MORE = {
    "media": ("width", "height", "eventID"),
    "observations": ("vernacularName", "label", "detectionConfidence"),
}


@dataclass(frozen=True, eq=False)
class Study:
    """One data set.

    deployments, media, observations: rows; media and observations may be any iterables that can be
    gone through again, so that a large study need not be in memory. metadata: the descriptor as
    json values (name, title, contributors, project, taxonomic, ...), {} when unknown. source: what
    it was read from, for messages. repairs: one line a kind of repair made while reading, with the
    number of rows; problems: what could not be used.
    """

    deployments: Iterable[Row] = ()
    media: Iterable[Row] = ()
    observations: Iterable[Row] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def blank_row(columns: Iterable[str], **cells: str) -> Row:
    """A row with all of `columns`, "" where `cells` says nothing.

    >>> blank_row(("mediaID", "filePath"), filePath="a.jpg")
    {'mediaID': '', 'filePath': 'a.jpg'}
    """
    row = dict.fromkeys(columns, "")
    row.update(cells)
    return row


__all__ = [
    "DEPLOYMENT_COLUMNS", "MEDIA_COLUMNS", "MORE", "OBSERVATION_COLUMNS", "Row", "Study",
    "blank_row",
]
