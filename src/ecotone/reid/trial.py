"""How good a whole identifier is on the labelled pictures themselves, some of them held out.

N labelled pictures, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.gallery import Labels, labels_of
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.metrics import clusters, open_set, probability_ece

PART = 1 / 3  # of individuals that are held out whole, and of the others' encounters as queries


def evaluate_identifier(
    embeddings: np.ndarray, individuals: Sequence[object],
    species: Sequence[object] | None = None, viewpoint: Sequence[object] | None = None,
    encounter: Sequence[object] | None = None, head: Any = "auto",
    precision: float | None = 0.9, repeats: int = 3, random_state: int = 0,
    rerank: bool | str = False, expand: bool | str = False,
) -> dict[str, float]:
    """Mean figures of `ReIdentifier` over repeated splits of N labelled pictures.

    In each, a third of the individuals is held out whole and a third of the encounters (pictures
    without one) of every other individual are queries too. top1: of queries of known individuals;
    baks, baus, geometric_mean, normalised: see `open_set`, of the answer however unsure;
    known_precision and new_precision: of answers that were given; cannot_tell: share of queries;
    ece: of P(best candidate); bcubed_f1 and ari: of a catalogue of the held-out individuals.
    rerank, expand: as in `ReIdentifier`. Raises InputError with fewer than 6 individuals.
    """
    table = labels_of(embeddings, individuals, species, viewpoint, encounter)
    people = np.unique(table.individuals[table.individuals != ""].astype(str))
    if len(people) < 6:
        raise InputError(f"{len(people)} individuals: holding some of them out needs 6 or more.")
    columns = {"species": species, "viewpoint": viewpoint, "encounter": encounter}
    runs = []
    for repeat in range(repeats):
        rng = np.random.default_rng([random_state, repeat])
        strange = set(rng.permutation(people)[: max(1, round(PART * len(people)))])
        held = np.array([w in strange for w in table.individuals], dtype=bool)
        asked = (held | _some_encounters(table, rng)) & (table.individuals != "")
        known = ~asked & (table.individuals != "")
        reid = ReIdentifier(head, precision=precision, random_state=random_state,
                            rerank=rerank, expand=expand)

        def part(rows: np.ndarray) -> dict[str, Any]:
            return {k: None if v is None else np.asarray(v, dtype=object)[rows]
                    for k, v in columns.items()}

        x = np.asarray(embeddings)
        reid.fit(x[known], table.individuals[known], **part(known))
        found = reid.predict(x[asked], **part(asked))
        runs.append(_figures(table, asked, held, found, reid, x, part))
    return {k: float(np.nanmean([r[k] for r in runs])) if any(r[k] == r[k] for r in runs)
            else float("nan") for k in runs[0]}


def _some_encounters(table: Labels, rng: np.random.Generator) -> np.ndarray:
    """(N,) bool: a third of each individual's encounters, never all of them."""
    out = np.zeros(len(table), dtype=bool)
    for person in sorted(set(table.individuals)):
        rows = np.flatnonzero(table.individuals == person)
        met = [table.encounter[r] or f"picture {table.embeddings[r].tobytes()!r}" for r in rows]
        every = sorted(set(met))
        take = min(len(every) - 1, max(1, round(PART * len(every))))
        some = set(rng.permutation(every)[:take]) if take > 0 else set()
        out[rows] = [m in some for m in met]
    return out


def _figures(
    table: Labels, asked: np.ndarray, held: np.ndarray, found: Any, reid: ReIdentifier,
    x: np.ndarray, part: Any,
) -> dict[str, float]:
    truth, is_new = table.individuals[asked], held[asked]
    said = open_set(truth, found.answer, reid.classes_)
    right = found.candidates[:, 0] == truth
    known, new = found.decision == "known", found.decision == "new"
    grouped = reid.catalogue(x[held], **part(held))
    names = [f"{w} {s} {v}" for w, s, v in zip(table.individuals[held], table.species[held],
                                               table.viewpoint[held], strict=True)]
    made = clusters(names, grouped.cluster)
    nan = float("nan")
    return {
        "top1": float(right[~is_new].mean()) if (~is_new).any() else nan,
        **{k: said[k] for k in ("baks", "baus", "geometric_mean", "normalised")},
        "known_precision": float((found.individualID == truth)[known].mean()) if known.any()
        else nan,
        "new_precision": float(is_new[new].mean()) if new.any() else nan,
        "cannot_tell": float((found.decision == "cannot tell").mean()),
        "ece": probability_ece(found.candidate_probability[:, 0], right),
        "bcubed_f1": made["bcubed_f1"], "ari": made["ari"],
    }
