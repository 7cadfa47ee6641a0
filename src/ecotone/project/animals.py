"""Detections of animals as re-identification takes them: embeddings, species, who, which side.

N detections with an embedding, D dimensions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.ingest.text import some
from ecotone.project.gathering import choose_embeddings
from ecotone.project.individual_labels import named_individuals


@dataclass(frozen=True, eq=False)
class Animals:
    """id, media_id, individual (people's word), species (people's word, else ecotone's), viewpoint,
    encounter (the event of a picture that shows one animal alone), deployment, file_path: (N,) str,
    "" where nothing is known. embeddings: (N, D) float32. model: whose. notes: what to know."""

    id: np.ndarray
    media_id: np.ndarray
    embeddings: np.ndarray
    individual: np.ndarray
    species: np.ndarray
    viewpoint: np.ndarray
    encounter: np.ndarray
    deployment: np.ndarray
    file_path: np.ndarray
    model: str
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows: np.ndarray) -> Animals:
        """Some rows: indices or a mask."""
        arrays = {k: v[rows] for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **arrays)

    @property
    def columns(self) -> dict[str, np.ndarray | None]:
        """species, viewpoint and encounter as `ReIdentifier` takes them; None where nobody knows
        any."""
        kept = {"species": self.species, "viewpoint": self.viewpoint, "encounter": self.encounter}
        return {k: v if (v != "").any() else None for k, v in kept.items()}


def gather_animals(
    project: Any, embedding_model: str | None = None, encounters: bool = True
) -> Animals:
    """All detections of animals with an embedding.

    encounters: whether pictures of one event are one encounter. Raises ProjectError without
    pictures or embeddings, InputError for a model that has none here.
    """
    from ecotone.store.vectors import read_embeddings

    catalog = project.catalog
    everything = catalog.detections()
    if not len(everything):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    model = choose_embeddings(project, embedding_model)
    rows = np.flatnonzero(everything.category == "animal")
    species = species_of(project, everything.id[rows])
    shown = np.array([s is not None for s in species], dtype=bool)
    rows, species = rows[shown], species[shown]
    values, present = read_embeddings(
        catalog, project.vectors, model, everything.id[rows])
    usable = present & values.any(axis=1)
    notes = _lost(int((~usable).sum()), model)
    rows, species, values = rows[usable], species[usable], values[usable]
    if not len(rows):
        raise ProjectError(f"no animal has an embedding of {model!r}; run: ecotone embed")
    named, media = named_individuals(catalog), catalog.media()
    at = {m: n for n, m in enumerate(media.id)}
    place = np.array([at[m] for m in everything.media_id[rows]], dtype=np.intp)
    ids = everything.id[rows]
    if named.unclear:
        files = [str(media.file_path[at[m]]) for m in named.unclear if m in at]
        notes.append(f"{len(files):,} pictures name an individual and show several animals; name "
                     f"the box: {some(files)}")
    met = media.event_id[place] if encounters else np.full(len(rows), "", dtype=object)
    return Animals(
        ids, everything.media_id[rows], np.asarray(values, dtype=np.float32),
        _said(named.individual, ids), species.astype(object), _said(named.viewpoint, ids),
        _alone(everything.media_id[rows], met), media.deployment_id[place],
        media.file_path[place], model, notes)


def _lost(count: int, model: str) -> list[str]:
    return [f"{count:,} detections without an embedding of {model} are left out (run: ecotone "
            f"embed --model {model})"] if count else []


def _said(values: dict[str, str], ids: np.ndarray) -> np.ndarray:
    out = np.empty(len(ids), dtype=object)
    out[:] = [values.get(i, "") for i in ids]
    return out


def _alone(media_id: np.ndarray, event: np.ndarray) -> np.ndarray:
    """(N,) events, "" where a picture of the event shows several animals: then nothing tells which
    of them is the same in the next one."""
    count = Counter(media_id.tolist())
    crowded = {e for m, e in zip(media_id, event, strict=True) if count[m] > 1}
    out = np.empty(len(event), dtype=object)
    out[:] = ["" if e in crowded else e for e in event]
    return out


def species_of(project: Any, ids: np.ndarray) -> np.ndarray:
    """(n,) the species of detections: people's word, else what ecotone says; "" where nobody says,
    None where it is no animal."""
    from ecotone.project.answers import answers_of, type_of

    labels = project.catalog.current_labels()
    refined = answers_of(project, source="best")
    found = None if refined is None else refined.of(list(ids))
    kinds: dict[str, str] = {}
    out = np.empty(len(ids), dtype=object)
    for n, name in enumerate(ids):
        label = labels.get(name)
        if label is not None:
            kind = kinds.setdefault(label, type_of(label))
            out[n] = label if kind == "animal" else None
        elif found is not None and found.known[n]:
            out[n] = found.label[n] if found.type[n] == "animal" else None
        else:
            out[n] = ""
    return out


def chosen(
    animals: Animals, species: Sequence[str] = (), deployments: Sequence[str] = (),
    folder: str | Path | None = None,
) -> np.ndarray:
    """(N,) bool: the animals of some species, deployments, or below a folder of the pictures.

    Raises InputError when a name is none of this project's.
    """
    rows = np.ones(len(animals), dtype=bool)
    for wanted, column, what in ((species, animals.species, "species"),
                                 (deployments, animals.deployment, "deployments")):
        if not wanted:
            continue
        folded = {str(v).casefold(): str(v) for v in column if v}
        unknown = [w for w in wanted if w.casefold() not in folded]
        if unknown:
            there = ", ".join(sorted(folded.values())[:8]) or "none"
            raise InputError(f"no animals of {what} {unknown[0]!r} here; there are: {there}.")
        rows &= np.isin(column, [folded[w.casefold()] for w in wanted])
    if folder is not None:
        below = str(folder).replace("\\", "/").strip("/")
        rows &= np.array([f"/{p}".startswith(f"/{below}/") for p in animals.file_path])
        if not rows.any():
            raise InputError(f"no animals on pictures below {folder}; folders are those of the "
                             "pictures, as cam1.")
    return rows


__all__ = ["Animals", "chosen", "gather_animals", "species_of"]
