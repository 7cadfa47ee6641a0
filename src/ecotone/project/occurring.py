"""What occurs here: a list of species, from a file or from the project's labels, in the tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ecotone.errors import InputError
from ecotone.hierarchy.tree import taxa_of
from ecotone.ingest.occurrence import read_species_list
from ecotone.ingest.text import some
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy

LABELS = "labels"  # instead of a file: the labels in use
SHOWN = 8


@dataclass(frozen=True)
class Occurring:
    """names: those of the list that the tree knows. lost: the others. source: where it is from."""

    names: tuple[str, ...]
    lost: tuple[str, ...]
    source: str

    def notes(self) -> list[str]:
        """What to tell of names that are not in the tree."""
        if not self.lost:
            return []
        total = len(self.names) + len(self.lost)
        return [
            f"{len(self.lost):,} of {total:,} names in {self.source} are not in the tree and were "
            f"not used: {some(list(self.lost), SHOWN)}"
        ]


def find_list(given: str, folder: Path, set_in_file: bool) -> str | Path:
    """The list that is meant: "", "labels", or a file; in the settings relative to the project.

    Raises InputError when the file is missing.
    """
    if given in ("", LABELS):
        return given
    path = folder / given if set_in_file else Path(given)
    if not path.exists():
        raise InputError(
            f"{path}: no such list of species; give a csv, a datapackage.json, or the word "
            f"'{LABELS}'."
        )
    return path


def occurring(
    given: str | Path, labels: Iterable[str], taxonomy: Taxonomy
) -> Occurring | None:
    """What occurs here, None when no list is given.

    given: as `find_list` found it. labels: classes in use, for "labels". Raises FormatError when
    the file is no list, InputError when the tree knows none of its names.
    """
    if given == "":
        return None
    own = given == LABELS
    names = list(dict.fromkeys(labels)) if own else read_species_list(Path(given))
    source = "the labels" if own else str(given)
    known, lost = [], []
    for name in names:
        parsed = parse_label(name)
        # Blank, human and vehicle are no species: they may always be answered.
        if not parsed.special:
            (known if taxa_of(parsed, taxonomy) else lost).append(name)
    if not known:
        raise InputError(
            f"{source}: none of its names is in the tree ({some(lost or names, SHOWN)}); check the "
            "spelling, or add a taxonomy that has them: ecotone add taxonomy FILE"
        )
    return Occurring(tuple(known), tuple(lost), source)
