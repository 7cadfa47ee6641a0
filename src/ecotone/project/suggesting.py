"""`ecotone suggest`: the detections whose labels bring most, or those of one wanted species.

N detections with an embedding, K local classes. The questions are kept in the catalogue; a label
that comes later answers them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.labelling import Gain
from ecotone.labelling.suggesting import RARE, UNREACHED
from ecotone.project.fusing import ensure_embeddings, fit
from ecotone.project.gathering import DETECTOR, Gathered, gather, media_rows, with_scores_read
from ecotone.project.known_views import stored_sets, target_of
from ecotone.project.learning_curve import gain_of
from ecotone.project.questions import SuggestResult, questions_of, write_questions
from ecotone.project.records import recorded_run
from ecotone.store.suggestions import NewSuggestion

Progress = Callable[[int, "int | None", str], None]
FIRST = (UNREACHED, RARE)  # reasons that are asked before the others
LOOKS = "looks like {}"


def suggest(
    project: Any, n: int = 50, species: str | None = None, output: str | Path | None = None,
    embedding_model: str | None = None, score_models: Sequence[str] | None = None,
    gain: bool = True, seed: int | None = None, progress: Progress | None = None,
) -> SuggestResult:
    """Ask for n labels, and keep the questions.

    Without labels and local classes the questions are typical pictures; with them what is
    uncertain, rare or disputed, by the newest fusion where nothing has been added since, else by a
    fit made here. species: hunt this one from the labels that it has. output: a csv file for
    `ecotone add labels`. gain: whether to tell what n labels bring, which may take a short
    measurement. One question a burst, none where a row of the burst has a label.
    Raises InputError for n below 1 and an unknown species, ProjectError where there are no pictures
    or no label of the species.
    """
    if n < 1:
        raise InputError(f"-n {n}: expected at least 1 question.")
    say = progress or (lambda done, total, text: None)
    notes = ensure_embeddings(project, embedding_model, progress)
    gathered = gather(project, None, embedding_model, score_models, cold=True, stored=True)
    gathered = with_scores_read(gathered)
    seed = project.config.random_state if seed is None else seed
    settings = {"n": n, "species": species or "", "random_state": seed,
                "embedding_model": gathered.embedding_model}
    with recorded_run(project.catalog, "suggest", settings, seed) as (run, summary):
        if species is None:
            mode, asked, reach = _questions(project, gathered, n, seed, say)
        else:
            mode, asked, reach = "hunt", _hunt(project, gathered, species, n, seed, say), None
        project.catalog.add_suggestions(run, asked)
        told, why = _gain(project, gathered, len(asked), gain and mode == "warm", progress)
        summary.update(mode=mode, questions=len(asked), species=species or "",
                       gain=None if told is None else vars(told), gain_from=why)
    questions = questions_of(project, run)
    path = None if output is None else write_questions(Path(output), questions)
    labelled = sum(label is not None for label in gathered.labels)
    if len(asked) < n:
        notes.append(f"only {len(asked):,} bursts without a label are left to ask about")
    return SuggestResult(
        run, mode, len(gathered), labelled, questions, told, why, reach, path,
        [*notes, *gathered.notes],
    )


def _questions(
    project: Any, gathered: Gathered, n: int, seed: int, say: Progress
) -> tuple[str, list[NewSuggestion], tuple[float, float]]:
    from ecotone.labelling import suggest as choose

    views = _views(project, gathered, seed, say)
    say(0, None, f"choosing among {len(gathered):,} detections")
    sites, bursts = places_of(project, gathered)
    found = choose(
        gathered.embeddings, groups=sites, bursts=bursts, n=n, random_state=seed, **views,
    )
    # What is rare or out of the global model's reach is asked first; else the order of choosing.
    order = sorted(range(len(found)), key=lambda i: _urgency(found.reason[i]))
    asked = [
        NewSuggestion(
            str(gathered.detections.id[found.row[i]]), rank, str(found.reason[i]),
            str(found.expected_class[i]), float(found.score[i]),
        )
        for rank, i in enumerate(order, start=1)
    ]
    return "warm" if gathered.local_classes else "cold", asked, found.reach


def _urgency(reason: str) -> int:
    return FIRST.index(reason) if reason in FIRST else len(FIRST)


def _views(project: Any, gathered: Gathered, seed: int, say: Progress) -> dict[str, Any]:
    """What is known of every row, as arguments of `labelling.suggest`."""
    if not gathered.local_classes:
        return {"scores": global_scores(gathered)}
    stored = _stored(project, gathered)
    if stored is None:
        say(0, None, f"learning from {sum(v is not None for v in gathered.labels):,} labels")
        stored = {"classifier": fit(gathered, seed), "scores": gathered.scores or None}
    return {"labels": gathered.labels, **stored}


def _stored(project: Any, gathered: Gathered) -> dict[str, Any] | None:
    """The views of the newest fusion, where it is of just these rows, labels and classes."""
    from ecotone.fusion.map_view import map_view
    from ecotone.labelling.situation import known_by

    found = stored_sets(project, gathered)
    if found is None:
        return None
    _, sets = found
    views = {"classes": gathered.local_classes, "posteriors": sets["fused"],
             "student_posteriors": sets["local"]}
    if gathered.scores:
        mapped, mappings = map_view(gathered.scores, target_of(gathered), gathered.local_classes,
                                    gathered.taxonomy, gathered.aliases)
        views["map_posteriors"] = mapped
        views["reachable"] = known_by(mappings.values(), len(gathered.local_classes))
    return views


def global_scores(gathered: Gathered) -> Any:
    """The scores of the first global model, the detector aside; None when there is none."""
    return next((s for name, s in gathered.scores.items() if name != DETECTOR), None)


def places_of(
    project: Any, gathered: Gathered
) -> tuple[np.ndarray | None, np.ndarray]:
    """Site (N,) of each detection, None where all are of one, and burst (N,): its event, else its
    picture."""
    media = project.catalog.places()
    at = media_rows(media, gathered.detections)
    site, event = media.deployment_id[at], media.event_id[at]
    burst = np.where(event != "", event, gathered.detections.media_id)
    return (site if len(set(site.tolist())) > 1 else None), burst


def _hunt(
    project: Any, gathered: Gathered, species: str, n: int, seed: int, say: Progress
) -> list[NewSuggestion]:
    from ecotone.labelling import hunt

    name = class_called(project, gathered, species)
    positives = np.array([label == name for label in gathered.labels], dtype=bool)
    negatives = np.array([label not in (None, name) for label in gathered.labels], dtype=bool)
    if not positives.any():
        raise ProjectError(
            f"no detection with an embedding is labelled {name!r} yet, and a hunt starts from "
            "examples; label one or more: ecotone add labels labels.csv"
        )
    say(0, None, f"hunting {name} among {len(gathered):,} detections")
    _, bursts = places_of(project, gathered)
    found = hunt(gathered.embeddings, positives, negatives, global_scores(gathered), bursts=bursts,
                 random_state=seed)
    rows = found.row[np.isfinite(found.score)][:n]
    return [
        NewSuggestion(str(gathered.detections.id[row]), rank, LOOKS.format(name), name,
                      float(found.score[rank - 1]), name)
        for rank, row in enumerate(rows, start=1)
    ]


def class_called(project: Any, gathered: Gathered, species: str) -> str:
    """The local class that a name means: its own, or the scientific or common one of it.

    Raises InputError for another name, with the nearest ones.
    """
    from ecotone.ingest.tables import key

    if not gathered.local_classes:
        raise ProjectError("no labels in this project yet, and a hunt starts from examples; add "
                           "some: ecotone add labels labels.csv")
    names: dict[str, str] = {}
    given = project.catalog.label_names()
    for local in gathered.local_classes:
        for other in given.get(local, ()):
            if other:
                names.setdefault(key(other), local)
    names.update((key(local), local) for local in gathered.local_classes)
    found = names.get(key(species))
    if found is None:
        near = difflib.get_close_matches(key(species), names, 3, cutoff=0.5)
        shown = list(dict.fromkeys(names[name] for name in near))
        here = gathered.local_classes[:5]
        more = ", ..." if len(gathered.local_classes) > len(here) else ""
        end = f"did you mean {', '.join(map(repr, shown))}?" if shown else \
            f"there are: {', '.join(map(repr, here))}{more}."
        raise InputError(f"--species {species!r}: no local class is called so; {end}")
    return found


def _gain(
    project: Any, gathered: Gathered, n: int, wanted: bool, progress: Progress | None
) -> tuple[Gain | None, str]:
    if not wanted or not n:
        return None, ""
    return gain_of(project, gathered, n, progress)
