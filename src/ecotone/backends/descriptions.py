"""Texts for zero-shot scores: from class names, or from descriptions that people write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecotone.backends.labels import decode_text, read_classes
from ecotone.errors import FormatError
from ecotone.taxonomy.names import parse_label

TEMPLATES = ("a photo of {}.", "a camera trap photo of {}.")
SPECIAL = {
    "blank": ("an empty landscape without any animal.", "a camera trap photo of vegetation only."),
    "human": ("a photo of a person.", "a camera trap photo of people."),
    "vehicle": ("a photo of a vehicle.", "a camera trap photo of a car."),
    "unknown": ("a photo of an animal.", "a blurred camera trap photo."),
    "animal": ("a photo of an animal.", "a camera trap photo of an animal."),
}
NAME_COLUMNS = ("label", "scientificname", "vernacularname", "class", "name")


def read_texts(path: str | Path) -> dict[str, list[str]]:
    """Class name to its texts, from a file.

    A JSON object of name to text or list of texts; a csv with a column `description` and one of
    label, scientificName, vernacularName, class, name (several rows of a name are several texts);
    or any label file, whose names are put into templates.

    Raises FormatError when the file is none of these.
    """
    path = Path(path)
    try:
        text = decode_text(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from None
    if text.lstrip().startswith("{"):
        found = _from_json(text, str(path))
        if found is not None:
            return found
    lines = text.splitlines()
    heading = [c.strip().lower() for c in lines[0].split(",")] if lines else []
    if "description" in heading:
        return _from_csv(text, str(path))
    return texts_of(read_classes(path))


def texts_of(names: Sequence[str] | Mapping[str, str]) -> dict[str, list[str]]:
    """Class name to texts made of the name itself, or of a fuller label that is given for it."""
    fuller = names if isinstance(names, Mapping) else {name: name for name in names}
    texts: dict[str, list[str]] = {}
    for name, label in fuller.items():
        parsed = parse_label(label)
        if parsed.special in SPECIAL:
            texts[name] = list(SPECIAL[parsed.special])
            continue
        if parsed.scientific and parsed.vernacular:
            common = parsed.vernacular[0]
            words = [f"{parsed.scientific} with common name {common}", common]
        else:
            words = [parsed.scientific or (parsed.vernacular or (label.replace("_", " "),))[0]]
        texts[name] = [t.format(word) for word in words for t in TEMPLATES]
    return texts


def _from_json(text: str, where: str) -> dict[str, list[str]] | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"{where}, line {error.lineno}: not valid JSON ({error.msg}).") from None
    texts = {name: [v] if isinstance(v, str) else v for name, v in value.items()}
    if all(str(name).isdigit() for name in texts):
        return None  # an object of index to name: a label file
    for name, entries in texts.items():
        if not isinstance(entries, list) or not entries:
            return None
        if not all(isinstance(e, str) and e.strip() for e in entries):
            raise FormatError(f"{where}, {name!r}: expected a text or a list of texts.")
    return texts


def _from_csv(text: str, where: str) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = {str(c).strip().lower(): c for c in rows.fieldnames or ()}
    key = next((columns[c] for c in NAME_COLUMNS if c in columns), None)
    if key is None:
        expected = ", ".join(NAME_COLUMNS)
        raise FormatError(f"{where}: no column of names; expected one of {expected}.")
    for number, row in enumerate(rows, 2):
        name, told = (row[key] or "").strip(), (row[columns["description"]] or "").strip()
        if not name or not told:
            raise FormatError(f"{where}, row {number}: a name and a description were expected.")
        texts.setdefault(name, []).append(told)
    if not texts:
        raise FormatError(f"{where}: no rows under the heading.")
    return texts
