"""Made-up studies for the tests of writers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ecotone.study import (
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    MORE,
    OBSERVATION_COLUMNS,
    Row,
    Study,
    blank_row,
)


def deployment(name: str, **cells: str) -> Row:
    """A deployment with a place and two days."""
    return blank_row(DEPLOYMENT_COLUMNS, **{
        "deploymentID": name, "locationID": f"L-{name}", "locationName": f"ridge {name}",
        "latitude": "51.5", "longitude": "-4.75", "deploymentStart": "2024-05-01T00:00:00Z",
        "deploymentEnd": "2024-05-03T00:00:00Z", "cameraID": f"K{name}",
        "cameraModel": "Reconyx-HF2X", **cells,
    })


def medium(name: str, place: str, time: str, **cells: str) -> Row:
    """A medium of a deployment."""
    return blank_row((*MEDIA_COLUMNS, *MORE["media"]), **{
        "mediaID": name, "deploymentID": place, "timestamp": time,
        "filePath": f"{place}/{name}.jpg", "fileName": f"{name}.jpg",
        "fileMediatype": "image/jpeg", "filePublic": "true", **cells,
    })


def observation(name: str, of: Row | None, **cells: str) -> Row:
    """An observation of a medium by a person, or of an event where `of` is None."""
    where = {} if of is None else {
        "mediaID": of["mediaID"], "deploymentID": of["deploymentID"],
        "eventStart": of["timestamp"], "eventEnd": of["timestamp"], "eventID": of["eventID"],
    }
    return blank_row((*OBSERVATION_COLUMNS, *MORE["observations"]), **{
        "observationID": name, "observationLevel": "event" if of is None else "media",
        "observationType": "animal", "classificationMethod": "human", **where, **cells,
    })


def small_study(**more: Any) -> Study:
    """Two deployments, four media in two events, people's rows, an event's and a machine's."""
    media = [
        medium("m1", "d1", "2024-05-01T06:30:00+02:00", eventID="e1", width="200", height="100"),
        medium("m2", "d1", "2024-05-01T06:30:05+02:00", eventID="e1", width="200", height="100"),
        medium("m3", "d1", "2024-05-02T23:00:00+02:00", eventID="e2"),
        medium("m4", "d2", "2024-05-02T12:00:00+02:00"),
    ]
    m1, m2, m3, m4 = media
    observations = [
        observation("o1", m1, scientificName="Vulpes vulpes", vernacularName="red fox", count="2",
                    bboxX="0.1", bboxY="0.25", bboxWidth="0.5", bboxHeight="0.125",
                    classifiedBy="Kim", sex="female", lifeStage="adult"),
        observation("o2", m2, observationType="blank"),
        observation("o3", m3, scientificName="Vulpes vulpes", vernacularName="red fox"),
        observation("o4", m4, observationType="human", label="hiker"),
        observation("o5", None, deploymentID="d1", eventID="e1", scientificName="Meles meles",
                    eventStart=m1["timestamp"], eventEnd=m2["timestamp"], count="1"),
        observation("o6", m1, scientificName="Vulpes lagopus", classificationMethod="machine",
                    classifiedBy="SpeciesNet 4.0.1a", classificationProbability="0.75"),
    ]
    return Study([deployment("d1"), deployment("d2")], media, observations, **more)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), max_size=5)
NAME = _TEXT.filter(lambda t: t and t.casefold() not in {"na", "nan", "null", "none"})
TIME = st.datetimes(timezones=st.none()).map(lambda t: t.replace(microsecond=0).isoformat()).filter(
    lambda t: not t.startswith("0000"))
SIDE = st.sampled_from(["", "64", "1920", "2047"])
SHARE = st.integers(1, 9999).map(lambda n: f"{n / 10000:.4f}".rstrip("0"))


@st.composite
def studies(draw: Any) -> Study:
    """A study of any names and times, with people's, machines' and events' observations."""
    places = draw(st.lists(NAME, min_size=1, max_size=3, unique=True))
    media = []
    for number in range(draw(st.integers(1, 6))):
        width = draw(SIDE)
        media.append(medium(
            f"m{number}", draw(st.sampled_from(places)), draw(st.one_of(st.just(""), TIME)),
            eventID=draw(st.sampled_from(["", "e1", "e2"])), width=width, filePath=f"{number}.jpg",
            fileName=f"{number}.jpg",
            height=width and draw(st.sampled_from(["48", "1080"])),
            mediaComments=draw(st.sampled_from(["", "corrupt:true", "seen twice"])),
        ))
    rows = [draw(_observations(f"o{n}", media)) for n in range(draw(st.integers(0, 6)))]
    return Study([deployment(p) for p in places], media, rows, source="made up")


@st.composite
def _observations(draw: Any, name: str, media: list[Row]) -> Row:
    of = draw(st.sampled_from(media))
    event = bool(of["eventID"]) and draw(st.booleans())
    cells = {
        "observationType": draw(st.sampled_from(["animal", "human", "blank", "unknown"])),
        "count": draw(st.sampled_from(["", "1", "12"])),
        "sex": draw(st.sampled_from(["", "female"])),
        "classificationMethod": draw(st.sampled_from(["human", "machine", ""])),
    }
    if cells["observationType"] != "blank":
        cells.update({c: draw(st.one_of(st.just(""), NAME))
                      for c in ("scientificName", "vernacularName", "label")})
    if not event and draw(st.booleans()):
        cells.update({c: draw(SHARE) for c in ("bboxX", "bboxY", "bboxWidth", "bboxHeight")})
    row = observation(name, of, **cells)
    if event:
        row.update(mediaID="", observationLevel="event")
    return row
