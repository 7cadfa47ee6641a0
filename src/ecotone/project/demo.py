"""`ecotone demo`: the whole job on a generated reserve, and how much it gained.

Draws a year of pictures of a reserve in East Africa, trains a global model on another generated
region (other cameras, other names, some of the reserve's species unknown to it), and does with them
what a user does: add, classify, embed, fuse, evaluate, report. Nothing is downloaded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import InputError

Progress = Callable[[int, int | None, str], None]
GENERATED = "generated"
MARKER = "demo.json"
PICTURES, LABELS, LESSONS = 600, 30, 60
AUTHOR = "the generator"


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    accuracy: by method, overall and mean per class (0..1), on `tested` detections of events that
    nobody labelled. seconds: of the run.
    """

    project: Path
    report: Path
    pictures: int
    detections: int
    labels: int
    tested: int
    accuracy: dict[str, dict[str, float]]
    seconds: float
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The result in plain words."""
        fused, local, world = (self.accuracy[m] for m in ("fused", "labels alone", "global alone"))
        gain = 100 * (fused["overall"] - max(local["overall"], world["overall"]))
        head = (f"{self.pictures} generated pictures of a reserve, {self.detections} detections, "
                f"{self.labels} pictures labelled.")
        test = (f"Right on the {self.tested} detections of events that nobody labelled "
                "(the generator knows the truth):")
        rows = [("the labels alone", local), ("the global model alone, by names", world),
                ("both together, by ecotone", fused)]
        table = [f"  {name:<34}{100 * s['overall']:5.1f} %   mean per class "
                 f"{100 * s['perClass']:5.1f} %" for name, s in rows]
        return [head, test, *table,
                f"Gain: {gain:+.1f} points over the better of the two, "
                f"{100 * (fused['overall'] - local['overall']):+.1f} over the labels alone.",
                *self.notes, f"Report: {self.report}"]


def run_demo(
    folder: str | Path, n: int = PICTURES, seed: int = 0, progress: Progress | None = None,
    labels: int = LABELS, lessons: int = LESSONS,
) -> DemoResult:
    """Make a project in `folder` and do the whole job in it; run again it continues.

    n: pictures. seed: another one is another reserve. labels: pictures with a label. lessons:
    pictures of each class that the global model learns from.

    Raises InputError when the folder holds another project or another demo.
    """
    from ecotone.project.demo_truth import compare
    from ecotone.simulate.writing import Order

    started = time.perf_counter()
    folder = Path(folder).resolve()
    order = Order(str(folder / GENERATED), seed, n, lessons)
    settings = {"seed": seed, "pictures": n, "labels": labels, "lessons": lessons}
    with _open(folder, settings) as project:
        _generate(project, order, labels, settings, progress)
        fusion, report, notes = _work(project, progress)
        scores, tested = compare(project, folder / GENERATED / "truth.json")
        names = {"fused": "fused", "labels alone": "local only", "global alone": "global by names"}
        accuracy = {ours: {"overall": scores[key].overall, "perClass": scores[key].per_class}
                    for ours, key in names.items()}
        counts = project.catalog.counts()
        return DemoResult(
            folder, Path(report), counts["media"], fusion.detections, labels, tested, accuracy,
            round(time.perf_counter() - started, 1), notes,
        )


def _open(folder: Path, settings: dict[str, Any]) -> Any:
    """The demo's project, made or opened again."""
    from ecotone.config import FILE_NAME
    from ecotone.project import Project

    marker, toml = folder / GENERATED / MARKER, folder / FILE_NAME
    if marker.is_file():
        before = json.loads(marker.read_text(encoding="utf-8"))["settings"]
        if before != settings:
            raise InputError(
                f"{folder}: holds the demo with {_told(before)}, asked for is {_told(settings)}; "
                "give another folder: ecotone demo FOLDER"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds other things and no demo; give a new or empty folder.")
    else:
        marker.parent.mkdir(parents=True)
        _mark(marker, settings, drawn=False)
    if not toml.is_file():
        toml.write_text(_settings_text(settings["seed"]), encoding="utf-8")
    return Project(folder)


def _settings_text(seed: int) -> str:
    from ecotone.simulate.reserve import local_classes

    classes = ", ".join(f'"{name}"' for name in local_classes())
    return (f'name = "ecotone demo"\nclasses = [{classes}]\nembedding_model = "handcrafted"\n'
            f"random_state = {seed}\n")


def _mark(marker: Path, settings: dict[str, Any], drawn: bool) -> None:
    temporary = marker.with_suffix(".tmp")
    temporary.write_text(json.dumps({"settings": settings, "drawn": drawn}), encoding="utf-8")
    temporary.replace(marker)


def _told(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _generate(project: Any, order: Any, labels: int, settings: dict[str, Any],
              progress: Progress | None) -> None:
    """Draw the pictures and train the global model, unless an earlier run did."""
    from ecotone.project.demo_model import train_global_model
    from ecotone.simulate.elsewhere import global_classes
    from ecotone.simulate.writing import generate, read_lessons

    folder = Path(order.folder)
    marker = folder / MARKER
    if json.loads(marker.read_text(encoding="utf-8"))["drawn"]:
        return
    generate(order, labels, progress)
    pictures, known = read_lessons(order)
    names = [c.name for c in global_classes()]
    train_global_model(pictures, known, names, folder, order.seed, progress)
    _mark(marker, settings, drawn=True)


def _work(project: Any, progress: Progress | None) -> tuple[Any, Any, list[str]]:
    """What a user of the command line does, step by step."""
    from ecotone.project.demo_model import FILE
    from ecotone.project.demo_truth import evaluate_on_truth

    made = project.path / GENERATED
    notes: list[str] = []
    project.add_images(made / "photos", progress=progress)
    deployments = made / "deployments.csv"
    if deployments.is_file():  # the pictures of an older demo have none
        project.add_deployments(deployments)
    project.add_taxonomy(made / "species.csv")
    project.add_detections(made / "detections.json")
    added = project.add_labels(made / "labels.csv", author=AUTHOR)
    notes += added.problems
    project.classify(str(made / FILE), made / "global_classes.txt", progress=progress)
    project.embed("handcrafted", progress=progress)
    fusion = project.fuse(progress=progress)
    with project.writing("evaluate"):
        evaluate_on_truth(project, made / "truth.json", progress)
    report = project.report(progress=progress)
    return fusion, report, notes


__all__ = ["DemoResult", "run_demo"]
