"""What a refinement left behind: its record, its audit rows by detection, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ecotone.errors import ProjectError
from ecotone.hierarchy.before import Before, taxon_of
from ecotone.hierarchy.tree import ANIMAL, BESIDE
from ecotone.project.records import read_json
from ecotone.project.trusting import class_of
from ecotone.report.names import short_name
from ecotone.store.refinements import RefinementRun, RefinementTable
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy

PEOPLE = "people"  # the stage of detections that people labelled


class RefinedLabel(NamedTuple):
    """What a detection is called after a refinement.

    label: the local class where people have one for it, else a common or a scientific name. rank:
    "" where unknown. probability: NaN where a method gives none, or people said it. stage: which
    step decided; "people", "trusted" and "unchanged" mean that nothing did. was: the label before,
    in full.
    """

    label: str
    scientific_name: str
    rank: str
    probability: float
    stage: str
    was: str


class Refined(Mapping[str, RefinedLabel]):
    """Detection id -> RefinedLabel. run: the refinement. table: its audit rows."""

    def __init__(self, run: str, table: RefinementTable, names: Names) -> None:
        self.run, self.table = run, table
        self._row = {name: row for row, name in enumerate(table.detection_id.tolist())}
        self._names = names

    def __getitem__(self, detection: str) -> RefinedLabel:
        row, table = self._row[detection], self.table
        label, scientific = self._names.of(table.became[row])
        return RefinedLabel(
            label, scientific, table.rank[row], float(table.probability[row]), table.stage[row],
            table.was[row],
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def shown(self, label: str) -> tuple[str, str]:
        """(label, scientific name) as shown, of a label in the audit."""
        return self._names.of(label)

    def __len__(self) -> int:
        return len(self._row)


class Names:
    """How the labels of audit rows are shown: in people's words where they have some."""

    def __init__(
        self, taxonomy: Taxonomy | None, names: Mapping[str, tuple[str, str]], own: set[str]
    ) -> None:
        self.taxonomy, self.names = taxonomy or Taxonomy({}), names
        self._known: dict[str, tuple[str, str]] = {}
        self._taxon: dict[str, str] = {}
        for label in sorted(own):
            latin, common = names.get(label, ("", ""))
            fuller = f"{latin} ({common or label})" if latin else label
            self._taxon[label] = taxon_of(parse_label(fuller), self.taxonomy)

    def of(self, label: str) -> tuple[str, str]:
        """(label, scientific name) as shown."""
        found = self._known.get(label)
        if found is None:
            found = self._known[label] = self._find(label)
        return found

    def _find(self, label: str) -> tuple[str, str]:
        parsed = parse_label(label)
        if label in self._taxon:
            latin = self.names.get(label, ("", ""))[0] or parsed.scientific
            return label, latin or ("" if parsed.special else _capital(self._taxon[label]))
        if parsed.special in (ANIMAL, *BESIDE):
            return parsed.special, parsed.scientific
        taxon = taxon_of(parsed, self.taxonomy)
        latin = parsed.scientific or _capital(taxon)
        theirs = class_of(taxon, self._taxon, self.taxonomy) if taxon else None
        if theirs in self._taxon:
            same = self._taxon[theirs] == taxon
            return theirs, self.of(theirs)[1] if same else latin
        return short_name(label), latin


def refinement_of(project: Any, run: str | None = None) -> RefinementRun | None:
    """The refinement that counts: the newest that was not undone; or the one of this id.

    Raises ProjectError when there is no run of this id.
    """
    every = project.catalog.refinement_runs()
    if run is None:
        return next((r for r in reversed(every) if not r.undone), None)
    found = next((r for r in every if r.run == run), None)
    if found is None:
        known = ", ".join(r.run for r in every[-3:]) or "none"
        raise ProjectError(f"no refinement {run!r} here; there are: {known}")
    return found


def refined_of(project: Any, run: str | None = None) -> Refined | None:
    """What every detection is called after the newest refinement that was not undone; None when
    there is none. run: another one."""
    found = refinement_of(project, run)
    if found is None:
        return None
    names = names_of(project)
    return Refined(found.run, read_audit(project, found.run, names), names)


def read_audit(project: Any, run: str, names: Names) -> RefinementTable:
    """The audit rows of a run, over them what people have said since: their labels always win."""
    table = project.catalog.refinement(run)
    known = project.catalog.current_labels()
    labels = [known.get(i) for i in table.detection_id.tolist()]
    rows = np.flatnonzero([label is not None for label in labels])
    said = [labels[row] for row in rows]
    read = Before.read(said, names.taxonomy, len(said))
    changed = {name: getattr(table, name).copy() for name in (
        "stage", "became", "rank", "probability")}
    changed["stage"][rows], changed["probability"][rows] = PEOPLE, np.nan
    changed["became"][rows] = read.label
    changed["rank"][rows] = np.array([*read.rank, ""], dtype=object)[read.code]
    return replace(table, **changed)


def names_of(project: Any) -> Names:
    """How labels are shown in this project."""
    from ecotone.project.gathering import score_names, scores_of
    from ecotone.project.refining_tree import tree_of

    catalog = project.catalog
    own = set(catalog.current_labels().values()) | set(project.config.classes)
    none = _no_detections()
    scores = scores_of(project, none) if score_names(catalog) else {}
    try:
        taxonomy = tree_of(project, scores, sorted(own), catalog.label_names())
    except ProjectError:
        taxonomy = None
    return Names(taxonomy, catalog.label_names(), own)


def _no_detections() -> Any:
    from ecotone.types import Detections

    return Detections([], [], np.zeros((0, 4)), [], [])


def read_refine_record(project: Any, run: str) -> dict[str, Any]:
    """The record of a refinement.

    Raises ProjectError when its file is missing or broken.
    """
    path = project.path / "runs" / f"{run}.json"
    if not path.is_file():
        raise ProjectError(f"{path}: no such run record; run: ecotone refine")
    try:
        return read_json(path)
    except ProjectError as error:
        raise ProjectError(f"{error}; run: ecotone refine") from error


@dataclass(frozen=True)
class Undone:
    """undone: the refinement that no longer counts. now: the one that counts instead, "" = none."""

    undone: str
    now: str


def undo(project: Any, run: str | None = None) -> Undone:
    """Take a refinement back: the newest that counts, or the one of this id; its rows are kept.

    Raises ProjectError when there is none, or it was undone before.
    """
    found = refinement_of(project, run)
    if found is None:
        raise ProjectError("no refinement to undo; make one with: ecotone refine")
    if found.undone:
        raise ProjectError(f"{found.run} was undone already, {found.undone}")
    project.catalog.undo_refinement(found.run)
    now = refinement_of(project)
    return Undone(found.run, now.run if now else "")


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
