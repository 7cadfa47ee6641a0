"""`ecotone train`: a network on soft labels, in a project or from a csv of labelled pictures."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.bundle.network import seal, unseal
from ecotone.errors import InputError, ProjectError
from ecotone.ingest.text import some
from ecotone.project.networks import FOLDER, MODEL, note_network
from ecotone.project.records import recorded_run, write_json
from ecotone.project.soft_labels import SoftLabels, gather_soft_labels, soft_labels_of_files

if TYPE_CHECKING:
    from ecotone.bundle.pictures import Picture

Progress = Callable[[int, "int | None", str], None]
ABOUT = "training.json"  # in the folder of a network: what it was trained on
LAST, FOLDS = "last.pt", "folds"  # what a training that has begun leaves, a round's too
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_BOXES = 5  # of a picture, the surest first


@dataclass(frozen=True)
class TrainResult:
    """A trained network. folder: with model.onnx, card.json, curves. pictures, labelled: what it
    learned from. best: figures of its best epoch on what was held out (`validation`). rounds: what
    each round of self-improvement gained. notes: what to know."""

    name: str
    folder: Path
    model: Path
    classes: tuple[str, ...]
    pictures: int
    labelled: int
    best: dict[str, float]
    validation: str
    rounds: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class HowToTrain:
    """What a training is asked for. start: starting weights, see `training.train_classifier`.
    settings: of `SoftLabelSettings`, over its defaults."""

    start: str = ""
    accept_license: bool = False
    device: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def key(self, data: Any) -> str:
        """A hash of the training, by which one that was stopped is known again."""
        text = json.dumps([self.start, self.made().as_dict()], sort_keys=True, default=str)
        return hashlib.sha256((text + data.fingerprint()).encode()).hexdigest()

    def made(self) -> Any:
        """The settings. Raises InputError on an unknown name or a bad value."""
        from ecotone.training import SoftLabelSettings

        return SoftLabelSettings.from_dict(dict(self.settings))


def train(
    project: Any, *, name: str = "", labels_only: bool = False,
    names: Mapping[str, str] | None = None, start: str = "", accept_license: bool = False,
    device: str = "", seed: int | None = None, rounds: int = 0, folds: int = 3,
    progress: Progress | None = None, **settings: Any,
) -> TrainResult:
    """Train a network on the project's crops: fused posteriors, people's labels clamped.

    Kept in `models/networks/<name>`; a training that was stopped goes on when it is called again.
    name: default the backbone's, with a number where that is another training's. labels_only: no
    pseudo-labels. names: of classes, see `ingest.training_table.read_names_table`. seed: default
    the project's. rounds, folds: of self-improvement, see `project.rounds`. settings: of
    `SoftLabelSettings`.

    Raises MissingExtraError without the extra `torch`, ProjectError without a fusion or labels,
    InputError on settings or when another training has that name.
    """
    need_torch()
    settings = {k: v for k, v in settings.items() if v is not None}
    seed = project.config.random_state if seed is None else seed
    how = HowToTrain(start, accept_license, device, {"seed": seed, **settings})
    how.made()
    if rounds:
        from ecotone.project.rounds import improve

        if labels_only or names or os.environ.get("WORLD_SIZE", "1") != "1":
            raise InputError("rounds need the fused posteriors in the project's own classes and "
                             "one process: leave out --labels-only, --mapping and torchrun.")
        return improve(project, how, name, rounds, folds, seed, progress)
    soft = gather_soft_labels(project, labels_only)
    soft = soft.renamed(names) if names else soft
    return train_on(project, soft, how, name, progress)


def need_torch() -> None:
    """Raises MissingExtraError without the extra `torch`."""
    from ecotone.training import train_classifier  # noqa: F401


def train_on(project: Any, soft: SoftLabels, how: HowToTrain, name: str,
             progress: Progress | None) -> TrainResult:
    """Train one network of a project and write down what it was made from."""
    data = soft.pictures()
    made = how.made()
    folder = network_folder(project, name, made.backbone, how.key(data))
    if os.environ.get("RANK", "0") != "0":  # the first process writes
        return _trained(soft, data, folder, how, None)
    kept = {"network": folder.name, "start": how.start, "fusion": soft.run, **made.as_dict()}
    with recorded_run(project.catalog, "train", kept, made.seed) as (run, summary):
        # Before there are any scores of it: they are never taken for those of a global model.
        note_network(project.catalog, folder.name, run=run)
        write_about(folder, how.key(data), run=run, fusion=soft.run,
                    detection_threshold=project.config.detection_threshold)
        result = _trained(soft, data, folder, how, progress)
        write_taxonomy(project, folder, soft.classes)
        seal(folder)
        summary.update(network=folder.name, best=result.best, pictures=result.pictures,
                       labelled=result.labelled)
    return result


def train_files(
    table: Path, output: Path, pictures: Path | None = None, names: Mapping[str, str] | None = None,
    detections: Path | None = None, threshold: float | None = None, min_pictures: int = 1,
    start: str = "", accept_license: bool = False, device: str = "",
    progress: Progress | None = None, **settings: Any,
) -> TrainResult:
    """Train a network on a csv of labelled pictures, without a project.

    table, names: as `ingest.training_table` reads them. detections: a MegaDetector file, whose
    animals are learned instead of whole pictures. min_pictures: classes with fewer are left out.
    Raises MissingExtraError, FormatError (tables), InputError.
    """
    from ecotone.ingest.training_table import read_labelled_files

    need_torch()
    how = HowToTrain(start, accept_license, device,
                     {k: v for k, v in settings.items() if v is not None})
    how.made()
    files = read_labelled_files(table, pictures)
    files = files.renamed(names) if names else files
    boxes, told = None, []
    if detections is not None:
        boxes, told = animal_boxes(files, detections, threshold)
    soft = _common(soft_labels_of_files(files, boxes), min_pictures)
    data = soft.pictures()
    first = os.environ.get("RANK", "0") == "0"  # of the processes of torchrun: it writes
    if first:
        _check_output(output, how.key(data))
        write_about(output, how.key(data), table=table.name, detection_threshold=threshold)
    result = _trained(soft, data, output, how, progress)
    if first:
        write_taxonomy(None, output, soft.classes)
        seal(output)
    result.notes[:0] = [*soft.notes, *told]
    return result


def _common(soft: SoftLabels, least: int) -> SoftLabels:
    """Without classes of fewer pictures than `least`."""
    counts = (soft.target > 0).sum(axis=0)
    few = {c: "remove" for c, n in zip(soft.classes, counts, strict=True) if n < least}
    if len(few) == len(soft.classes):
        raise InputError(f"no class has {least:,} pictures; lower --min-pictures.")
    if not few:
        return soft
    out = soft.renamed(few)
    return replace(out, notes=[*soft.notes, (
        f"{len(few):,} classes with fewer than {least:,} pictures are left out, "
        f"{len(soft) - len(out):,} pictures with them: {some(sorted(few))}")])


def animal_boxes(files: Any, detections: Path, threshold: float | None
                 ) -> tuple[dict[str, Picture], list[str]]:
    """The pictures with the boxes of animals on them, at most five; a picture of a class that is no
    animal (blank, human, vehicle) counts as a whole where the detector found none. And what to
    tell."""
    from ecotone.bundle.boxes import with_boxes
    from ecotone.bundle.pictures import WHOLE, Picture
    from ecotone.taxonomy.names import parse_label

    sure = np.ones(1, np.float32)
    given = [Picture(row.file, row.path, row.location, WHOLE, (0,), ("animal",), sure)
             for row in files.rows]
    boxed, told = with_boxes(given, detections, threshold)
    out: dict[str, Picture] = {}
    none = 0
    for row, whole, picture in zip(files.rows, given, boxed, strict=True):
        animals = np.flatnonzero([c == "animal" for c in picture.category])[:MOST_BOXES]
        special = any(parse_label(c).special for c in row.categories)
        out[row.file] = whole if special and not len(animals) else picture.take(animals)
        none += not len(out[row.file].boxes)
    if none:
        told.append(f"{none:,} pictures are left out: the detector found no animal on them")
    return out, told


def network_folder(project: Any, name: str, backbone: str, key: str) -> Path:
    """Where a training goes: the folder of that name, or the first of the backbone that is free or
    holds this very training. Raises InputError when the name is taken, or can be none."""
    root = project.models / FOLDER
    if name:
        if not NAME.fullmatch(name):
            raise InputError(f"--name {name!r}: use letters, digits, \".\", \"-\" and \"_\".")
        _check_key(root / name, key)
        return root / name
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", backbone.split("/")[-1]).strip("-.") or "network"
    for number in count(1):
        folder = root / (base if number == 1 else f"{base}-{number}")
        if not _begun(folder) or about(folder).get("key") == key:
            return folder
    raise AssertionError  # never: count has no end


def _check_output(output: Path, key: str) -> None:
    """Raises InputError when the folder holds anything but this very training."""
    _check_key(output, key)
    if not (output / ABOUT).is_file() and output.is_dir() and any(output.iterdir()):
        raise InputError(f"{output}: holds other files; give a new folder with -o.")


def _begun(folder: Path) -> bool:
    """Whether a training in it came to anything."""
    return (folder / ABOUT).is_file() and any(
        (folder / name).exists() for name in (LAST, MODEL, FOLDS))


def _check_key(folder: Path, key: str) -> None:
    if _begun(folder) and about(folder).get("key") != key:
        raise InputError(f"{folder}: holds a training on other data or with other settings; take "
                         "another name, or remove the folder.")


def about(folder: Path) -> dict[str, Any]:
    """What a network was trained on, {} where it is not told."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_about(folder: Path, key: str, **values: Any) -> None:
    """Write down what a network is trained on; the values of before stay for the same training."""
    known = about(folder)
    unseal(folder)
    write_json(folder / ABOUT, {**(known if known.get("key") == key else {}), "key": key, **values})


def write_taxonomy(project: Any, folder: Path, classes: tuple[str, ...]) -> None:
    """taxonomy.csv of the classes, as in the folder of a local model."""
    from ecotone.bundle.files import TAXONOMY
    from ecotone.bundle.folder import write_taxonomy as write
    from ecotone.project.gathering import taxonomy_of
    from ecotone.project.modelling import class_rows

    names = {} if project is None else project.catalog.label_names()
    tree = None if project is None else taxonomy_of(project.catalog, {})
    write(folder / TAXONOMY, class_rows(classes, names, tree))


def _trained(soft: SoftLabels, data: Any, folder: Path, how: HowToTrain,
             progress: Progress | None) -> TrainResult:
    from ecotone.training import train_classifier

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be written ({error.strerror}).") from error
    made = train_classifier(
        data, folder, how.made(), start=how.start, accept_license=how.accept_license,
        device=how.device, progress=progress)
    card = made.card
    best = {k: v for k, v in (card.get("best") or {}).items() if isinstance(v, (int, float))}
    return TrainResult(
        folder.name, folder, made.onnx, soft.classes, len(soft), int(soft.labelled.sum()), best,
        str((card.get("validation") or {}).get("kind", "")),
        notes=[*card.get("notes", ()), *made.failed])


__all__ = ["ABOUT", "HowToTrain", "TrainResult", "about", "train", "train_files", "train_on"]
