"""SpeciesNet's instances.json: the pictures it is to look at, and where each was taken.

Source: google/cameratrapai, advanced_topics.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.json_stream import open_json
from ecotone.ingest.results import Problems, entries, read_word, storable
from ecotone.ingest.speciesnet import FILE_KEYS, read_degrees
from ecotone.ingest.text import looks_like


@dataclass(frozen=True)
class Instance:
    """A picture and its place: country as ISO 3166-1 alpha-3, admin1_region as a US state's two
    letters, degrees; "" and None where the file does not say."""

    file: str
    country: str = ""
    admin1_region: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Instances:
    """A file of instances, in its order, and what could not be used, one line a reason."""

    path: Path
    rows: list[Instance]
    problems: list[str] = field(default_factory=list)

    def by_file(self) -> dict[str, Instance]:
        """File as it is written there -> instance; of several the last one."""
        return {row.file: row for row in self.rows}


def read_instances(path: Path) -> Instances:
    """The instances in a file.

    Raises FormatError when it is no such file, and says what it looks like.
    """
    document = open_json(path)
    if not isinstance(document.outline, dict) or "instances" not in document.outline:
        raise FormatError(
            f"{path}: looks like {looks_like(document.outline)}; expected SpeciesNet's "
            'input, {"instances": [{"filepath": ...}]}.'
        )
    problems = Problems(path)
    rows = []
    for number, entry in entries(document, "instances", problems):
        file = next((entry[k] for k in FILE_KEYS if isinstance(entry.get(k), str)), "").strip()
        if not file:
            problems.add("an instance has no 'filepath', left out", f"entry {number:,}")
            continue
        rows.append(_instance(storable(file), entry, problems))
    if document.outline["instances"] and not rows:
        raise FormatError(f"{path}: none of its instances has a 'filepath'.")
    return Instances(path, rows, problems.lines())


def _instance(file: str, entry: dict, problems: Problems) -> Instance:
    country = read_word(entry.get("country")).upper()
    if country and not (len(country) == 3 and country.isascii() and country.isalpha()):
        problems.add("country is no code of three letters (ISO 3166-1), left out",
                     f"{file}: {country[:20]}")
        country = ""
    place = []
    for key, limit in (("latitude", 90.0), ("longitude", 180.0)):
        place.append(read_degrees(entry.get(key), limit))
        if entry.get(key) is not None and place[-1] is None:
            problems.add(f"{key} is no number of degrees, left out", file)
    if None in place:
        place = [None, None]
    return Instance(file, country, read_word(entry.get("admin1_region")).upper(), *place)
