"""What a single cell of Camtrap DP may hold, and how near misses are mended.

A rule takes a cell and gives the mended text with what was done, or None where nothing can be made
of it. Source: the three table schemas of https://camtrap-dp.tdwg.org/data/ (1.0.2).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ecotone.ingest.tables import key
from ecotone.study import DEPLOYMENT_COLUMNS, MEDIA_COLUMNS, OBSERVATION_COLUMNS

TABLES: dict[str, tuple[str, ...]] = {
    "deployments": DEPLOYMENT_COLUMNS, "media": MEDIA_COLUMNS, "observations": OBSERVATION_COLUMNS,
}
IDS = {"deployments": "deploymentID", "media": "mediaID", "observations": "observationID"}
NOTES = {  # where a value goes that its own column does not allow
    "deployments": "deploymentTags", "media": "mediaComments", "observations": "observationTags",
}
TIMES: dict[str, dict[str, bool]] = {  # column -> whether a bare day means its end
    "deployments": {"deploymentStart": False, "deploymentEnd": True},
    "media": {"timestamp": False},
    "observations": {"eventStart": False, "eventEnd": True, "classificationTimestamp": False},
}
REQUIRED = {
    "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath", "filePublic", "fileMediatype"),
    "observations": ("observationID", "deploymentID", "eventStart", "eventEnd", "observationLevel",
                     "observationType"),
}  # fmt: skip
SMALLEST_SIDE = "1e-15"
BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
BLANK_WORDS = frozenset(("blank", "empty", "none", "nothing", "noanimal", "na"))

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBERS = re.compile(" ".join([_NUMBER.pattern] * 4))
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")

Mended = tuple[str, str] | None


class Rule:
    """fits: whether a cell is as it should be. mend: the cell made so, and how; None if it cannot
    be. says: what is allowed, for messages."""

    def __init__(
        self, fits: Callable[[str], Any], mend: Callable[[str], Mended], says: str
    ) -> None:
        self.fits, self.mend, self.says = fits, mend, says


def words(allowed: str, **others: str) -> Rule:
    """One of a few words; `others`: a word -> the other spellings that mean it, "" for none."""
    values = tuple(allowed.split())
    meant = {key(v): v for v in values}
    for value, spellings in others.items():
        meant.update({key(s): value.rstrip("_") for s in spellings.split()})

    def mend(cell: str) -> Mended:
        found = meant.get(key(cell))
        return None if found is None else (found, "spelled otherwise")

    return Rule(frozenset(values).__contains__, mend, " or ".join(values))


def number(low: float = -math.inf, high: float = math.inf) -> Rule:
    """A number from `low` to `high`."""

    def fits(cell: str) -> bool:
        if not _NUMBER.fullmatch(cell):
            return False
        value = float(cell)
        return low <= value <= high and math.isfinite(value)

    def mend(cell: str) -> Mended:
        text = cell.strip()
        if text.endswith("%") and high == 1:
            part = text[:-1].strip().replace(",", ".")
            share = float(part) / 100 if _NUMBER.fullmatch(part) else math.nan
            return (f"{share:.10g}", "percent") if low <= share <= high else None
        if text.count(",") == 1 and "." not in text:
            text = text.replace(",", ".")
        return (text, "number written otherwise") if fits(text) else None

    return Rule(fits, mend, _range("a number", low, high))


def whole(low: float = -math.inf, high: float = math.inf) -> Rule:
    """A whole number from `low` to `high`; 12.0 is one, and 12.4 is rounded."""
    real = number(low, high)

    def fits(cell: str) -> bool:
        return bool(_WHOLE.fullmatch(cell)) and low <= int(cell) <= high

    def mend(cell: str) -> Mended:
        text = cell.strip()
        found = (text, "") if real.fits(text) else real.mend(text)
        if not found or abs(float(found[0])) >= 1e15:
            return None
        value = float(found[0])
        text = str(round(value))
        done = "rounded to a whole number" if value % 1 else "number written otherwise"
        return (text, done) if fits(text) else None

    return Rule(fits, mend, _range("a whole number", low, high))


def _range(what: str, low: float, high: float) -> str:
    if low == -math.inf:
        return what
    return f"{what} from {low:g}" + (f" to {high:g}" if high < math.inf else "")


_BOOLEAN = Rule(
    frozenset(("true", "True", "TRUE", "1", "false", "False", "FALSE", "0")).__contains__,
    words("true false", true="t yes y", false="f no n").mend, "true or false",
)

RULES: dict[str, Mapping[str, Rule]] = {
    "deployments": {
        "latitude": number(-90, 90), "longitude": number(-180, 180),
        "coordinateUncertainty": whole(1), "cameraDelay": whole(0), "cameraHeight": number(0),
        "cameraDepth": number(0), "cameraTilt": whole(-90, 90), "cameraHeading": whole(0, 360),
        "detectionDistance": number(0), "timestampIssues": _BOOLEAN, "baitUse": _BOOLEAN,
        "featureType": words(
            "roadPaved roadDirt trailHiking trailGame roadUnderpass roadOverpass roadBridge "
            "culvert burrow nestSite carcass waterSource fruitingTree"
        ),
    },
    "media": {
        "captureMethod": words(
            "activityDetection timeLapse", timeLapse="time timer interval",
            activityDetection="motionDetection motion trigger triggered pir sensor",
        ),
        "filePublic": _BOOLEAN, "favorite": _BOOLEAN,
    },
    "observations": {
        "observationLevel": words(
            "media event", media="image images photo picture file medialevel mediabased mediafile",
            event="sequence burst eventlevel eventbased",
        ),
        "observationType": words(
            "animal human vehicle blank unknown unclassified", animal="animals fauna wildlife",
            human="person people humans homosapiens", vehicle="car vehicles",
            blank="empty none nothing", unknown="unidentified unidentifiable unsure",
            unclassified="notclassified unlabelled unlabeled",
        ),
        "cameraSetupType": words("setup calibration"),
        "count": whole(1),
        "lifeStage": words(
            "adult subadult juvenile", subadult="youngadult yearling", juvenile="young offspring "
            "juv immature", adult="ad adults", _="unknown undetermined unidentified",
        ),
        "sex": words(
            "female male", female="f females", male="m males",
            _="unknown undetermined unidentified u",
        ),
        "individualPositionRadius": number(0), "individualPositionAngle": number(-90, 90),
        "individualSpeed": number(0),
        "classificationMethod": words(
            "human machine", human="person people expert manual manually humans",
            machine="ai model algorithm computer automatic",
        ),
        "classificationProbability": number(0, 1),
    },
}


def mend_box(cells: tuple[str, str, str, str]) -> tuple[tuple[str, str, str, str] | None, str]:
    """A box inside the picture and what was done with it, "" for nothing; None where it is none.

    >>> mend_box(("0.2", "0.25", "0", "0.5"))
    (('0.2', '0.25', '1e-15', '0.5'), 'box without a width or height, given the least of 1e-15')
    >>> mend_box(("0.9", "-0.1", "0.2", "0.5"))
    (('0.9', '0', '0.1', '0.4'), 'box beyond the picture, cut at its edge')
    """
    if _NUMBERS.fullmatch(" ".join(cells)):
        x, y, width, height = map(float, cells)
        if 0 <= x <= 1 and 0 <= y <= 1 and 1e-15 <= width <= 1 and 1e-15 <= height <= 1:
            return cells, ""
    texts = [c.strip().replace(",", ".") for c in cells]
    if not all(_NUMBER.fullmatch(t) for t in texts):
        return None, "box that is not four numbers"
    x, y, width, height = values = [float(t) for t in texts]
    if not any(values):
        return ("", "", "", ""), "box of zeros, taken as none"
    if min(width, height) < 0 or max(values) > 1.5 or not all(map(math.isfinite, values)):
        return None, "box that is not in parts of the picture (0 to 1)"
    left, top = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    right, bottom = min(max(x + width, 0.0), 1.0), min(max(y + height, 0.0), 1.0)
    if (width and right <= left) or (height and bottom <= top):
        return None, "box outside the picture"
    now = [left, top, right - left if width else 0.0, bottom - top if height else 0.0]
    out = [t if n == v else f"{n:.10g}" for t, n, v in zip(texts, now, values, strict=True)]
    cut = any(v != n for v, n in zip(values[:2], now[:2], strict=True)) or max(values) > 1
    sides = [s if n >= 1e-15 else SMALLEST_SIDE for s, n in zip(out[2:], now[2:], strict=True)]
    done = "box beyond the picture, cut at its edge" if cut else (
        f"box without a width or height, given the least of {SMALLEST_SIDE}"
        if SMALLEST_SIDE in sides and min(width, height) < 1e-15 else "box written otherwise"
    )
    return (out[0], out[1], sides[0], sides[1]), done


MEDIATYPE = re.compile(r"(image|video|audio)/.*")
_MEDIATYPES = {
    "image/jpeg": "jpg jpeg jpe", "image/png": "png", "image/tiff": "tif tiff",
    "image/bmp": "bmp", "image/gif": "gif", "image/webp": "webp", "image/heic": "heic",
    "video/mp4": "mp4 m4v", "video/x-msvideo": "avi", "video/quicktime": "mov",
    "video/mpeg": "mpg mpeg", "video/x-ms-wmv": "wmv", "video/x-matroska": "mkv",
    "video/webm": "webm", "audio/wav": "wav", "audio/mpeg": "mp3", "audio/flac": "flac",
}
_BY_ENDING = {ending: kind for kind, endings in _MEDIATYPES.items() for ending in endings.split()}


def mediatype_of(*names: str) -> str:
    """The media type by the ending of the first name that has a known one, else "".

    >>> mediatype_of("https://example.org/media/4f2a", "IMG_0001.JPG")
    'image/jpeg'
    """
    for name in names:
        found = _BY_ENDING.get(name.rpartition(".")[2].strip().lower())
        if found:
            return found
    return ""


def fits_path(path: str) -> bool:
    """Whether a filePath is as the schema's pattern demands: no "." or "~" first, no ".." at all,
    nor an absolute path."""
    return bool(path) and path[0] not in "./~" and ".." not in path and "\n" not in path


def mend_path(path: str) -> str:
    """A filePath with forward slashes, without "./" before it; other faults are left.

    >>> mend_path(r".\\cam1\\IMG_1.JPG")
    'cam1/IMG_1.JPG'
    """
    out = path if "://" in path else path.replace("\\", "/")
    while out.startswith("./"):
        out = out[2:].lstrip("/")
    return out
