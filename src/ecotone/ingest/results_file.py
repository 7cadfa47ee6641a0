"""Recognise a json file of results by its content and read it."""

from __future__ import annotations

from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.megadetector import is_megadetector, parse_megadetector
from ecotone.ingest.results import ResultFile
from ecotone.ingest.speciesnet import is_speciesnet, parse_speciesnet
from ecotone.ingest.text import looks_like, read_json


def read_results(path: Path) -> ResultFile:
    """Boxes and scores in a MegaDetector or SpeciesNet json file.

    Raises FormatError when it is no json, cut off, or of another kind, and says what it looks like.
    """
    data = read_json(path)
    if isinstance(data, dict) and "annotations" not in data:
        if is_megadetector(data):
            return parse_megadetector(path, data)
        if is_speciesnet(data):
            return parse_speciesnet(path, data)
    raise FormatError(
        f"{path}: looks like {looks_like(data)}; expected MegaDetector json (images, "
        "detection_categories) or SpeciesNet json (predictions)."
    )
