"""Self-improvement in rounds: fuse, train a network, fuse again with it, and keep that or not.

A round is kept only where people's labels, held out from all of it, are told surely better: the
network that speaks of a fold's labels, the pseudo-labels it learned from and the fusion that is
measured have none of them seen one (`cross_fit`). Else the project is as it was before.

N detections, K classes, F folds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.bundle.network import seal, unseal
from ecotone.errors import ProjectError
from ecotone.evaluation.paired import PairedChange, paired_change
from ecotone.project.chosen import label_weight_of
from ecotone.project.cross_fit import (
    EMBEDDINGS,
    SCORES,
    USES,
    CrossFit,
    given,
    held_out,
    label_folds,
)
from ecotone.project.gathering import DETECTOR, Gathered, gather, groups_of
from ecotone.project.inference import jobs_of
from ecotone.project.networks import CROSS_FIT, CURRENT, FOLDER, FOLDS, note_network
from ecotone.project.records import LATEST, read_record, recorded_run, write_json
from ecotone.project.rounds_begun import begin, begun, command_key, trained_before
from ecotone.project.soft_labels import SoftLabels, gather_soft_labels
from ecotone.project.status import state_of

Progress = Callable[[int, "int | None", str], None]
ROUND = "round.json"
EMBEDDING = "embedding"  # what a trained network calls it


@dataclass(frozen=True)
class RoundResult:
    """One round. network: its name. accepted: whether fusion now learns from it. used: what it
    takes, one of `cross_fit.USES`, "" when rejected. before, after: log-loss and share right of
    held-out labels; change and error: of the log-loss, see `evaluation.paired`. tried: log-loss by
    what was given back. trainings: how many the round took."""

    network: str
    accepted: bool
    used: str
    labels: int
    folds: int
    before: dict[str, float]
    after: dict[str, float]
    change: float
    error: float
    tried: dict[str, float]
    trainings: int
    fusion: str = ""

    def line(self) -> str:
        """What a round came to, for people."""
        figures = (f"log-loss {self.before['log_loss']:.3f} before, {self.after['log_loss']:.3f} "
                   f"after (error {self.error:.3f}), {self.before['accuracy']:.1%} and "
                   f"{self.after['accuracy']:.1%} right, of {self.labels:,} labels held out")
        if self.accepted:
            return f"{self.network}: kept, fusion takes its {self.used}; {figures}"
        return f"{self.network}: not kept, the project is as before; {figures}"


def improve(project: Any, how: Any, name: str, rounds: int, folds: int, seed: int,
            progress: Progress | None) -> Any:
    """Train in rounds; the last network, with what each round came to.

    A round takes one training and one a fold. The first round that is not kept is the last.
    A command that was stopped goes on from what it began from (`rounds_begun`); one that is
    finished, in a project that has not changed since, says what came out.
    Raises ProjectError when labels are of one place or burst alone.
    """
    say = progress or (lambda done, total, text: None)
    key = command_key(how, name, rounds, folds, seed)
    found = begun(project, key)
    if found is None:
        if (project.catalog.note(LATEST) or {}).get("state") != state_of(project):
            say(0, None, "fusing what was added since the last fusion")
            project.fuse(seed=seed, progress=progress)
        found = begin(project, key)
    results = [RoundResult(**result) for result in found["results"]]
    while not found["done"]:
        number = len(results) + 1
        own = f"{name}-round{number}" if name and number > 1 else name
        text = f"round {number} of {rounds}"
        made, result = _round(project, how, own, folds, seed, _told(say, text), found)
        results.append(result)
        done = not result.accepted or number == rounds
        found = begin(project, key, results, made, done)
        if done:
            return replace(made, rounds=results)
    return replace(trained_before(project, found), rounds=results)


def _told(say: Progress, text: str) -> Progress:
    return lambda done, total, what: say(done, total, f"{text}, {what}")


def _round(project: Any, how: Any, name: str, folds: int, seed: int, say: Progress,
           found: dict[str, Any]) -> tuple[Any, RoundResult]:
    """One round, from the fusion and the network that `rounds_begun` wrote down."""
    from ecotone.project.network_training import train_on

    record = read_record(project, found["run"])
    gathered, old = inputs_of(project, record, found["current"])
    weight = label_weight_of(project, gathered, seed)
    soft = gather_soft_labels(project, run=found["run"])
    soft = soft.take(np.isin(soft.ids.astype(str), gathered.detections.id.astype(str)))
    bursts = groups_of(project.catalog.media(), gathered.detections, gathered.labels, "event")
    fold = label_folds(gathered, bursts, folds, seed)
    count = int(fold.max()) + 1
    say(0, None, f"{count + 1} trainings: fusing without the labels of each of {count} folds")
    before, pseudo = held_out(gathered, fold, count, seed, weight, *old)
    made = train_on(project, soft, how, name, _told(say, f"network 1 of {count + 1}"))
    unseal(made.folder)
    cross = _cross_fit(project, how, made, soft, gathered, fold, pseudo, say)
    tried = {}
    for used in USES if cross.embeddings.any() else (SCORES,):
        say(0, None, f"fusing with the network's {used}")
        tried[used] = held_out(gathered, fold, count, seed, weight, cross, made.name + FOLDS,
                               used)[0]
    result = _judged(gathered, made.name, count, weight, before, tried)
    if result.accepted:
        result = _accept(project, gathered, cross, made, result, seed, say)
    write_json(made.folder / ROUND, asdict(result))
    _say_on_card(made.folder, result)
    seal(made.folder)
    return made, result


def inputs_of(project: Any, record: dict[str, Any], current: dict[str, Any]
              ) -> tuple[Gathered, tuple[Any, ...]]:
    """What a fusion was given: the inputs without networks, and of the network that it took and
    whose cross-fitted scores are there, what `held_out` takes: these, their name, the use.
    current: the note `CURRENT` of then."""
    name = current.get("name", "")
    models = [m for m in record["score_models"] if m not in (DETECTOR, name)]
    embeddings = record["embedding_model"]
    used = bool(name) and (name in record["score_models"] or name == embeddings)
    if name and name == embeddings:
        embeddings = current["base"]
    gathered = gather(project, record["classes"], embeddings, models or None)
    if not models:  # none was there
        gathered = replace(gathered, scores={
            m: s for m, s in gathered.scores.items() if m == DETECTOR})
    if not used or not (project.path / current["folds"]).is_file():
        return gathered, ()
    cross = CrossFit.load(project.path / current["folds"]).aligned(gathered.detections.id)
    return gathered, (cross, name, current["use"])


def _cross_fit(project: Any, how: Any, made: Any, soft: SoftLabels, gathered: Gathered,
               fold: np.ndarray, pseudo: list[np.ndarray], say: Progress) -> CrossFit:
    """Networks of every fold, and what they and the whole one say of all detections."""
    from ecotone.training import train_classifier

    kept = _kept(made.folder / CROSS_FIT, gathered, fold, soft.classes)
    if kept is not None:  # this very round was finished before
        shutil.rmtree(made.folder / "folds", ignore_errors=True)
        return kept
    place = {name: row for row, name in enumerate(gathered.detections.id)}
    at = np.array([place[i] for i in soft.ids], dtype=np.intp)
    models, count = [], len(pseudo)
    for f in range(count):
        hidden = soft.labelled & (fold[at] == f)
        target = np.where(soft.labelled[:, None] & ~hidden[:, None], soft.target, pseudo[f][at])
        part = replace(soft, target=target.astype(np.float32), labelled=soft.labelled & ~hidden)
        folder = made.folder / "folds" / str(f)
        models.append(train_classifier(
            part.pictures(), folder, how.made(), start=how.start,
            accept_license=how.accept_license, device=how.device,
            progress=_told(say, f"network {f + 2} of {count + 1}")).onnx)
    found = [score_detections(project, model, gathered, _told(say, f"looking with network {n}"))
             for n, model in enumerate([*models, made.model], 1)]
    classes = soft.classes
    cross = CrossFit(gathered.detections.id, fold, classes, np.stack([p for p, _ in found]),
                     np.stack([e for _, e in found]))
    cross.save(made.folder / CROSS_FIT)
    shutil.rmtree(made.folder / "folds", ignore_errors=True)
    return CrossFit.load(made.folder / CROSS_FIT)  # as every later fusion reads it


def _kept(path: Path, gathered: Gathered, fold: np.ndarray, classes: tuple[str, ...]
          ) -> CrossFit | None:
    """What the folds' networks of the same training said, None where it is not known."""
    try:
        found = CrossFit.load(path)
    except ProjectError:  # none yet, or damaged
        return None
    same = (found.classes == classes and found.folds == int(fold.max()) + 1
            and np.array_equal(found.ids.astype(str), gathered.detections.id.astype(str))
            and np.array_equal(found.fold, fold))
    return found if same else None


def score_detections(project: Any, model: Path, gathered: Gathered, say: Progress
                     ) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K) and embeddings (N, D) by a network; rows of zeros are pictures that
    cannot be read."""
    from ecotone.backends.base import open_backend
    from ecotone.engine.local import Failed, run_jobs

    backend = open_backend(model, embedding=EMBEDDING)
    row_of = {name: row for row, name in enumerate(gathered.detections.id)}
    n = len(row_of)
    proba = np.zeros((n, len(backend.classes)), dtype=np.float32)
    embeddings = np.zeros((n, backend.dimension or 0), dtype=np.float32)
    seen = 0
    media = project.catalog.media()
    path_of = dict(zip(media.id, media.path, strict=True))
    videos = set(media.id[media.is_video])
    jobs = jobs_of(path_of, gathered.detections, np.ones(n, dtype=bool), videos)
    for result in run_jobs(jobs, backend, project.config.batch_size or None):
        if isinstance(result, Failed):
            seen += result.detections
            continue
        rows = [row_of[i] for i in result.detection_ids]
        proba[rows] = result.outputs.scores
        if result.outputs.embeddings is not None:
            embeddings[rows] = result.outputs.embeddings
        seen += len(rows)
        say(seen, n, "pictures")
    return proba, embeddings


def _judged(gathered: Gathered, name: str, count: int, weight: np.ndarray | None,
            before: dict[str, np.ndarray], tried: dict[str, dict[str, np.ndarray]]) -> RoundResult:
    """The best of what was tried, beside what was before."""
    from ecotone.evaluation.metrics import measure

    labelled = np.array([label is not None for label in gathered.labels])
    column = {c: k for k, c in enumerate(gathered.local_classes)}
    target = np.array([column[label] for label in gathered.labels[labelled]])
    groups = gathered.groups[labelled]

    def changed(after: dict[str, np.ndarray]) -> PairedChange:
        return paired_change(before["fused"][labelled], after["fused"][labelled], target, groups,
                             weight)

    changes = {used: changed(after) for used, after in tried.items()}
    used = min(changes, key=lambda u: (not changes[u].better, changes[u].after))
    best = changes[used]
    figures = [{key: measure(target, p["fused"][labelled], weight)[key]
                for key in ("log_loss", "accuracy")} for p in (before, tried[used])]
    figures[0]["log_loss"], figures[1]["log_loss"] = best.before, best.after
    return RoundResult(
        name, best.better, used if best.better else "", int(labelled.sum()), count, figures[0],
        figures[1], best.change, best.error, {u: c.after for u, c in changes.items()}, count + 1)


def _accept(project: Any, gathered: Gathered, cross: CrossFit, made: Any, result: RoundResult,
            seed: int, say: Progress) -> RoundResult:
    """Give the network's scores to fusion, and fuse."""
    from ecotone.backends.base import backend_info, open_backend
    from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

    catalog, name = project.catalog, made.name + FOLDS
    labelled = np.array([label is not None for label in gathered.labels])
    scores, embeddings = result.used != EMBEDDINGS, result.used != SCORES
    final = given(gathered, cross, cross.folds, labelled, name, result.used)
    note_network(catalog, name)  # until all is there, no fusion takes it
    ids = gathered.detections.id.tolist()
    say(0, None, f"keeping the network's {result.used}")
    if scores:
        with ScoreWriter(catalog, project.vectors, name, cross.classes, True) as writer:
            writer.append(ids, cross.scores(cross.folds, cross.fold >= 0).values)
    base = gathered.embedding_model
    if embeddings:
        there = final.embeddings.any(axis=1)
        with EmbeddingWriter(catalog, project.vectors, name, final.embeddings.shape[1]) as writer:
            writer.append(np.array(ids, dtype=object)[there].tolist(), final.embeddings[there])
        info = backend_info(open_backend(made.model, embedding=EMBEDDING))
        with recorded_run(catalog, "embed", {"model": name, "backend": info}, seed):
            pass  # says how a local model on these embeddings gets them from a picture
    old = (catalog.note(CURRENT) or {}).get("name")
    with catalog.transaction():
        if old and old != name:
            note_network(catalog, old)
        file = f"models/{FOLDER}/{made.name}/{CROSS_FIT}"
        note_network(catalog, name, accepted=True, scores=scores, embeddings=embeddings, folds=file)
        catalog.set_note(CURRENT, {"name": name, "use": result.used, "base": base, "folds": file})
    models = [m for m in gathered.scores if m != DETECTOR] + ([name] if scores else [])
    fused = project.fuse(
        classes=gathered.local_classes, embedding_model=name if embeddings else base,
        score_models=models or None, seed=seed, progress=say)
    return replace(result, fusion=fused.run)


def _say_on_card(folder: Path, result: RoundResult) -> None:
    """A section at the end of the card, and the figures in card.json."""
    from ecotone.bundle.files import CARD, CARD_TEXT, read_json
    from ecotone.export.atomic import replaced

    card = read_json(folder / CARD)
    write_json(folder / CARD, {**card, "round": asdict(result)})
    path = folder / CARD_TEXT
    page = path.read_text(encoding="utf-8").split("\n## Round\n")[0].rstrip()
    with replaced(path) as file:
        file.write(
            f"{page}\n\n## Round\n\n{result.line()}.\n\nThe labels of each fold were kept from the "
            "pseudo-labels, from the network and from the fusion that was measured on them; "
            f"{result.trainings} networks were trained for it. The network here has seen all "
            "labels, so its own scores on them prove nothing.\n")


__all__ = ["ROUND", "RoundResult", "improve", "inputs_of", "score_detections"]
