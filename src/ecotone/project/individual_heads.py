"""`ecotone individuals train` and `embed`: heads and networks of a project's own individuals."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.project.animals import Animals, gather_animals
from ecotone.project.records import recorded_run, versions, write_json
from ecotone.store.checksums import measure

Progress = Callable[[int, "int | None", str], None]
HEAD_NOTE = "individuals_head"  # the note that names the newest head
FOLDER = "individuals"  # below the project's models
HEAD_FILE = "head.npz"
CHUNK = 8192


@dataclass(frozen=True)
class HeadResult:
    """What a training chose. head: its name ("none": no head helps). map: head -> mean average
    precision on individuals that it has not seen. folder: with head.npz and card.json."""

    run: str
    head: str
    model: str
    folder: Path
    pictures: int
    individuals: int
    map: dict[str, float]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NetworkResult:
    """A trained network. model: its ONNX file, for `individuals embed`. figures: of its best epoch.
    """

    model: Path
    backbone: str
    pictures: int
    individuals: int
    figures: dict[str, float]
    notes: list[str] = field(default_factory=list)


def train_head(
    project: Any, head: str = "auto", embedding_model: str | None = None,
    seed: int | None = None, progress: Progress | None = None,
) -> HeadResult:
    """Train a head on the embeddings of the project's individuals, and keep it.

    head: one of `ecotone.reid.heads.CHOICES`; "auto" takes the best of all, or none. Raises
    ProjectError without individuals, InputError when a head cannot be trained.
    """
    say = progress or (lambda done, total, text: None)
    animals = labelled_animals(project, embedding_model)
    seed = project.config.random_state if seed is None else seed
    kept = {"head": head, "embedding_model": animals.model}
    with recorded_run(project.catalog, "individuals train", kept, seed) as (run, summary):
        say(0, None, f"trying heads on {len(set(animals.individual)):,} individuals")
        best, figures, note, makers = _tried(animals, head, seed)
        folder = project.models / FOLDER / run
        notes = [*animals.notes, note]
        if best != "none":
            say(0, None, f"training the head {best}")
            _save_head(folder, makers[best]().fit(animals.embeddings, _classes(animals)))
        card = {
            "run": run, "head": best, "embedding_model": animals.model, "seed": seed,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "pictures": len(animals), "individuals": len(set(animals.individual)),
            "species": sorted(set(animals.species) - {""}), "map": figures,
            "versions": versions(), "notes": notes,
        }
        folder.mkdir(parents=True, exist_ok=True)
        if best != "none":
            card["files"] = {HEAD_FILE: measure(folder / HEAD_FILE)}
        write_json(folder / "card.json", card)
        project.catalog.set_note(HEAD_NOTE, {
            "run": run, "head": best, "embedding_model": animals.model})
        summary.update(head=best, map=figures)
    return HeadResult(run, best, animals.model, folder, len(animals),
                      len(set(animals.individual)), figures, notes)


def _tried(animals: Animals, head: str, seed: int) -> tuple[str, dict[str, float], str, Any]:
    """The head to keep, mAP by head on individuals it has not seen, why, and the makers."""
    from ecotone.reid.gallery import labelled, labels_of
    from ecotone.reid.heads import AUTO, choose_head, head_makers

    makers = head_makers(head, seed)
    if head == AUTO:
        makers |= head_makers("arcface", seed)
    data, _ = labelled(labels_of(animals.embeddings, animals.individual, **animals.columns))
    if not makers:
        return "none", {}, "no head was asked for", makers
    best, figures, note = choose_head(data, makers, seed)
    return best if head == AUTO else head, figures, note, makers


def labelled_animals(project: Any, embedding_model: str | None) -> Animals:
    """The animals that people gave an individualID. Raises ProjectError without any."""
    animals = gather_animals(project, embedding_model)
    named = animals.individual != ""
    if not named.any():
        raise ProjectError(
            "no animal has an individualID yet; add some: ecotone add labels labels.csv with the "
            "columns filePath, scientificName, individualID and viewpoint")
    return animals.take(named)


def _classes(animals: Animals) -> np.ndarray:
    """(N,) what a head tells apart: a flank of an individual is a class of its own."""
    out = np.empty(len(animals), dtype=object)
    out[:] = [f"{s}|{w}|{v}" for s, w, v in zip(animals.species, animals.individual,
                                                animals.viewpoint, strict=True)]
    return out


def _save_head(folder: Path, head: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".head.npz.tmp"
    with temporary.open("wb") as handle:
        np.savez(handle, mean=head.mean_, projection=head.projection_)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, folder / HEAD_FILE)


def load_head(project: Any, run: str | None = None) -> tuple[Any, dict[str, Any]]:
    """A trained head and its card; the newest by default.

    Raises ProjectError when there is none, or its file is broken.
    """
    from ecotone.reid.linear_heads import LinearHead

    known = project.catalog.note(HEAD_NOTE) or {}
    run = run or known.get("run", "")
    folder = project.models / FOLDER / str(run)
    if not run or not (folder / "card.json").is_file():
        raise ProjectError("no head of individuals here; train one: ecotone individuals train")
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        if card["head"] == "none":
            raise ProjectError(f"{run}: no head was better than the embeddings as they are; match "
                               "without one.")
        with np.load(folder / "head.npz", allow_pickle=False) as values:
            head = LinearHead()
            head.mean_, head.projection_ = values["mean"], values["projection"]
    except (OSError, ValueError, KeyError) as error:
        raise ProjectError(f"{folder}: not a head ({error}); run: ecotone individuals train") \
            from error
    head.n_features_in_ = len(head.mean_)
    return head, card


def embed_individuals(
    project: Any, model: str | None = None, head: str | None = None,
    progress: Progress | None = None, **options: Any,
) -> Any:
    """Embeddings of all detections by a backend (`Project.embed`), or those of a trained head.

    model: as of `embed`; None with a head takes the embeddings that the head was trained on. head:
    a run of `individuals train`, or "latest"; its embeddings are kept as "MODEL+RUN".
    Raises ProjectError without the head, InputError when it belongs to other embeddings.
    """
    from ecotone.project.inference import InferenceReport, embed

    report = embed(project, model, progress=progress, **options) if model else None
    if head is None:
        if report is None:
            raise InputError("give a model to embed with, or a head: --model MODEL, --head latest.")
        return report
    return _apply_head(project, head, report, InferenceReport, progress)


def _apply_head(
    project: Any, head: str, report: Any, made: Any, progress: Progress | None
) -> Any:
    from ecotone.store.vectors import (
        EmbeddingWriter,
        done_ids,
        embedding_models,
        read_embeddings,
    )

    trained, card = load_head(project, None if head == "latest" else head)
    model = report.model if report is not None else card["embedding_model"]
    if model != card["embedding_model"]:
        raise InputError(f"head {card['run']} was trained on embeddings of "
                         f"{card['embedding_model']!r}, not of {model!r}; train one on them: "
                         f"ecotone individuals train --embedding {model}")
    catalog, folder = project.catalog, project.vectors
    if model not in embedding_models(catalog):
        raise ProjectError(f"no embeddings of {model!r} here; run: ecotone embed --model {model}")
    name = f"{model}+{card['run']}"
    ids = catalog.detections().id
    done = done_ids(catalog, folder, "embeddings", name)
    left = np.array([i for i in ids if i not in done], dtype=object)
    count = 0
    writer = EmbeddingWriter(catalog, folder, name, trained.projection_.shape[1])
    for start in range(0, len(left), CHUNK):
        part = left[start:start + CHUNK]
        values, present = read_embeddings(catalog, folder, model, part)
        present &= values.any(axis=1)
        if present.any():
            try:
                made_of = trained.transform(values[present])
            except InputError as error:
                raise InputError(f"head {card['run']} does not fit: {error} Or train it anew: "
                                 "ecotone individuals train") from error
            writer.append(part[present].tolist(), made_of)
            writer.flush()
        count += int(present.sum())
        if progress is not None:
            progress(start + len(part), len(left), f"head {card['run']}")
    return made(name, count, len(ids) - len(left), dimension=trained.projection_.shape[1])


def train_network(
    project: Any, backbone: str, progress: Progress | None = None, weights: str = "",
    accept_license: bool = False, device: str = "", seed: int | None = None, **settings: Any,
) -> NetworkResult:
    """Train a whole network on the pictures of the project's individuals; see `ecotone.training`.

    backbone: a timm name. weights: to start from. settings: of `TrainingSettings`. A training that
    was stopped goes on. Raises MissingExtraError without the extra `torch`, ProjectError without
    individuals.
    """
    from ecotone.ingest.individuals import IndividualRow
    from ecotone.project.individual_labels import named_individuals
    from ecotone.training import IndividualPictures, TrainingSettings, train_reid

    catalog = project.catalog
    named, detections, media = named_individuals(catalog), catalog.detections(), catalog.media()
    at = {m: n for n, m in enumerate(media.id)}
    labels = catalog.current_labels()
    rows = []
    for n, name in enumerate(detections.id):
        if name in named.individual:
            place = at[detections.media_id[n]]
            rows.append(IndividualRow(
                media.picture(place, detections.frame_number[n]), named.individual[name],
                named.viewpoint.get(name, ""), labels.get(name, ""),
                tuple(float(v) for v in detections.bbox[n]),
                encounter=str(media.event_id[place])))
    if not rows:
        raise ProjectError(
            "no animal has an individualID yet; add some: ecotone add labels labels.csv with the "
            "columns filePath, scientificName, individualID and viewpoint")
    given = {k: v for k, v in settings.items() if v is not None}
    made = train_reid(
        IndividualPictures.from_rows(rows), project.models / FOLDER / backbone.replace("/", "-"),
        TrainingSettings(backbone=backbone,
                         seed=project.config.random_state if seed is None else seed, **given),
        start=weights, accept_license=accept_license, device=device, progress=progress)
    return NetworkResult(
        made.onnx, backbone, len(rows), len(set(named.individual.values())),
        dict(made.card.get("best", {})), [*made.card.get("notes", []), *made.failed])
