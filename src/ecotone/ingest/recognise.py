"""What a file or folder is, by its content: which tool made it, and which command takes it.

Of large files only the beginning (and of json the end) is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_package import DESCRIPTOR, Package
from ecotone.ingest.folder import ENDINGS
from ecotone.ingest.recognise_json import NotJson, outline
from ecotone.ingest.recognise_results import Named, camtrapdp_version, name_of_json, words_of_json
from ecotone.ingest.recognise_tables import name_of_table
from ecotone.ingest.text import binary_kind, decode, some
from ecotone.ingest.wildlife_insights_files import names_in, tables_among
from ecotone.media.patience import each_within, patient_open, within

HEAD = 256 << 10  # bytes read at the beginning of a file
TAIL = 64 << 10  # and at the end of a json file
LOOKED_AT = 20_000  # entries of a folder
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\x00", b"MM\x00*")
_CAMTRAPDP = ("deployments.csv", "media.csv", "observations.csv")


@dataclass(frozen=True)
class Found:
    """What a file or folder is.

    kind: "coco", "megadetector", "labels csv" and the like; generation: its version, "" where there
    is but one. command: the `ecotone add ...` that takes it, "" when there is nothing in it to add.
    says: one line for people. path: what to give to the command, for a table of a data set its
    folder.
    """

    kind: str
    generation: str
    command: str
    says: str
    path: Path


def recognise(path: Path) -> Found:
    """What a file or folder holds.

    Raises FormatError when it is of no known kind, and says what it looks like.
    """
    if within(path.is_dir, path):
        return _folder(path)
    try:
        with patient_open(path) as handle:
            head = handle.read(HEAD)
            size = os.fstat(handle.fileno()).st_size
            handle.seek(max(len(head), size - TAIL))
            tail = handle.read(TAIL)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(f"{path}: cannot be read ({reason}).") from error
    if not head.strip():
        raise FormatError(f"{path}: is empty; copy it again or make it again.")
    found = _binary(path, head)
    if found is not None:
        return found
    text = decode(head)
    if "\x00" in text:
        raise FormatError(f"{path}: not a text file (it holds bytes of value 0).")
    whole = len(head) == size
    if text.lstrip("\ufeff \r\n\t")[:1] in ("{", "["):
        named = _json(path, text, "" if whole else decode(tail))
    else:
        named = name_of_table(path, text, whole)
    return Found(named.kind, named.generation, named.command, named.says, named.path or path)


def _binary(path: Path, head: bytes) -> Found | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    bitmap = head[:2] == b"BM" and path.suffix.casefold() == ".bmp"
    if head.startswith(_PICTURES) or webp or bitmap:
        return Found("pictures", "", "images", "a picture; its folder is added", path.parent)
    if head.startswith(b"PAR1"):
        return Found("scores parquet", "", "scores", "a parquet table, read as a model's scores",
                     path)
    what = binary_kind(head)
    if what:
        raise FormatError(f"{path}: not a file to add but {what}.")
    return None


def _json(path: Path, text: str, tail: str) -> Named:
    start = len(text) - len(text.lstrip("\ufeff \r\n\t"))
    try:
        value, _, count = outline(text[start:])
    except NotJson as error:
        raise FormatError(
            f"{path}: begins like json, but is none from character {start + error.place + 1:,} on; "
            "mend it there, or make it again."
        ) from error
    named = name_of_json(value, tail)
    if named is None:
        raise FormatError(
            f"{path}: looks like {words_of_json(value, count)}; expected a file of MegaDetector, "
            "SpeciesNet, COCO Camera Traps or Camtrap DP, or a csv table."
        )
    return named


def _folder(path: Path) -> Found:
    names = within(lambda: names_in(path), path)
    found = _data_set(path, names)
    if found is not None:
        return found
    looked = islice(((d, f) for d, _, files in each_within(os.walk(path), path)
                     for f in files), LOOKED_AT)
    if any(Path(f).suffix.casefold() in ENDINGS for _, f in looked):
        return Found("pictures", "", "images", "a folder of pictures", path)
    raise FormatError(
        f"{path}: a folder that holds {some(names) or 'no file'} and no pictures; give a folder of "
        "pictures or one of its files."
    )


def _zip(path: Path) -> Found:
    names = names_in(path)
    found = _data_set(path, names)
    if found is not None:
        return found
    if any(n.startswith("xl/") for n in names):
        raise FormatError(f"{path}: an Excel file; save the table as csv.")
    raise FormatError(
        f"{path}: a zip that holds {some(names) or 'no file'}; unpack it and give the files."
    )


def _data_set(path: Path, names: list[str]) -> Found | None:
    """A Camtrap DP or a Wildlife Insights download among the names of a folder or zip."""
    tops = [n for n in names if n.rpartition("/")[2] == DESCRIPTOR]
    if tops:
        top = min(tops, key=lambda n: (n.count("/"), n))
        with Package(path, "", top, {}).open(top) as handle:
            text = decode(handle.read(HEAD)).lstrip("\ufeff \r\n\t")
        version = camtrapdp_version(_outline(text))
        if version is None:
            raise FormatError(f"{path}: its {DESCRIPTOR} is no Camtrap DP's; give its files.")
        return Found("camtrapdp", version, "study", f"a Camtrap DP {version}".strip(), path)
    tables = tables_among(names)
    if tables:
        generation = "sequences" if "sequences" in tables else "images"
        return Found("wildlife insights", generation, "study",
                     f"a Wildlife Insights download of {generation}", path)
    if {n.rpartition("/")[2] for n in names} >= set(_CAMTRAPDP):
        raise FormatError(
            f"{path}: holds the tables of a Camtrap DP but no {DESCRIPTOR}; put it beside them, or "
            "add observations.csv with: ecotone add labels"
        )
    return None


def _outline(text: str) -> Any:
    try:
        return outline(text)[0]
    except NotJson:
        return None
