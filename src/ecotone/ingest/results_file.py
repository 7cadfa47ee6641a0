"""Recognise a file of results by its content and read it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.dialects_boxes import is_box_table, read_box_table
from ecotone.ingest.json_stream import open_json
from ecotone.ingest.megadetector import is_megadetector, parse_megadetector
from ecotone.ingest.results import ResultFile
from ecotone.ingest.speciesnet import is_speciesnet, parse_speciesnet
from ecotone.ingest.text import looks_like


def read_results(path: Path) -> ResultFile:
    """Boxes and scores in a MegaDetector or SpeciesNet json file, or in a table of boxes.

    Raises FormatError when it is no json, cut off, or of another kind, and says what it looks like.
    """
    if is_box_table(path):
        return read_box_table(path)
    document = open_json(path)
    data = document.outline
    if isinstance(data, dict) and "annotations" not in data:
        with without_collector():
            if is_megadetector(data):
                return parse_megadetector(document)
            if is_speciesnet(data):
                return parse_speciesnet(document)
    raise FormatError(
        f"{path}: looks like {looks_like(data)}; expected MegaDetector json (images, "
        "detection_categories) or SpeciesNet json (predictions)."
    )


@contextmanager
def without_collector() -> Iterator[None]:
    """Python's search for cyclic garbage switched off: among millions of small objects that make no
    cycles it would take longer than reading and storing them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
