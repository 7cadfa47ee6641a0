"""A project: a folder with `ecotone.toml`, a catalogue, vectors, models, runs and reports.

`Project` is what a user of Python calls; each method is one short delegation to the module of this
folder that does the work, under the project's write lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.config import FILE_NAME, Config, default_text, read_config
from ecotone.errors import ProjectError
from ecotone.media.patience import wait_at_most
from ecotone.project.individual_methods import Individuals

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

Progress = Callable[[int, int | None, str], None]
CATALOG_NAME = "catalog.sqlite"


class Project(Individuals):
    """A project folder.

    path: the folder, absolute. config: the settings of its `ecotone.toml`. catalog: the open
    catalogue. Use it as a context manager, or call `close()`.

        with Project.init("my-reserve") as project:
            project.add_images("PHOTOS")

    Raises ProjectError when the folder is no project.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        settings = self.path / FILE_NAME
        if not settings.is_file():
            raise ProjectError(
                f"{path}: not an ecotone project (no {FILE_NAME}); "
                f"make one with: ecotone init {path}"
            )
        self.config: Config = read_config(settings)
        wait_at_most(self.config.read_timeout)
        self._catalog: Catalog | None = None
        self._locks = 0

    @classmethod
    def init(cls, path: str | Path) -> Project:
        """Make a project folder, or open it when it is one already; nothing in it is overwritten.

        Raises ProjectError when `path` is a file or a folder with other things in it.
        """
        folder = Path(path)
        settings = folder / FILE_NAME
        if not settings.exists():
            if folder.exists() and not folder.is_dir():
                raise ProjectError(f"{path}: is a file; give a new folder for the project.")
            unfinished = folder / f"{FILE_NAME}.tmp"
            if folder.is_dir() and any(p != unfinished for p in folder.iterdir()):
                raise ProjectError(
                    f"{path}: holds other files and no {FILE_NAME}; give a new or empty folder."
                )
            try:
                folder.mkdir(parents=True, exist_ok=True)
                unfinished.write_text(default_text(folder.resolve().name), encoding="utf-8")
                unfinished.replace(settings)
            except OSError as error:
                raise ProjectError(f"{path}: cannot be made ({error.strerror}).") from error
        return cls(folder)

    def reload(self) -> None:
        """Read the settings again after their file was changed."""
        self.config = read_config(self.path / FILE_NAME)
        wait_at_most(self.config.read_timeout)

    @property
    def catalog(self) -> Catalog:
        """The open catalogue of the project (made on first use)."""
        if self._catalog is None:
            from ecotone.store.catalog import Catalog

            self._catalog = Catalog.open(self.path / CATALOG_NAME, create=True)
        return self._catalog

    @property
    def vectors(self) -> Path:
        """The folder of scores, embeddings and posteriors."""
        return self.path / "vectors"

    @property
    def models(self) -> Path:
        """The folder of local models; `latest` is the newest."""
        return self.path / "models"

    @property
    def runs(self) -> Path:
        """The folder of run records, one json file a run."""
        return self.path / "runs"

    @property
    def reports(self) -> Path:
        """The folder of html reports."""
        return self.path / "reports"

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """Hold the project's write lock; within one project object it may be nested."""
        from ecotone.project.lock import writer_lock

        if self._locks:
            yield
            return
        with writer_lock(self.path, command):
            self._locks += 1
            try:
                self.catalog.end_dead_runs()
                yield
            finally:
                self._locks -= 1

    def add_images(
        self, folder: str | Path, progress: Progress | None = None, frames: str = ""
    ) -> Any:
        """Register the pictures of a folder, URL or list; see `ecotone.project.adding`."""
        from ecotone.project.adding import add_images

        with self.writing("add images"):
            return add_images(self, folder, progress, frames)

    def add_labels(
        self, file: str | Path, author: str = "", progress: Progress | None = None
    ) -> Any:
        """Add labels from a csv file; see `ecotone.project.adding.add_labels`."""
        from ecotone.project.adding import add_labels

        with self.writing("add labels"):
            return add_labels(self, Path(file), author, progress)

    def add_detections(self, file: str | Path, progress: Progress | None = None) -> Any:
        """Add a detector's boxes; see `ecotone.project.adding.add_detections`."""
        from ecotone.project.adding import add_detections

        with self.writing("add detections"):
            return add_detections(self, Path(file), progress)

    def add_scores(
        self, file: str | Path, name: str | None = None, progress: Progress | None = None
    ) -> Any:
        """Add the scores of a global model; see `ecotone.project.adding.add_scores`."""
        from ecotone.project.adding import add_scores

        with self.writing("add scores"):
            return add_scores(self, Path(file), name, progress)

    def add_study(
        self, path: str | Path, kind: str | None = None, time_zone: str | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Add a whole data set; see `ecotone.project.adding_study.add_study`."""
        from ecotone.project.adding_study import add_study

        with self.writing("add study"):
            return add_study(self, Path(path), kind, time_zone, progress)

    def add_deployments(self, file: str | Path, progress: Progress | None = None) -> Any:
        """Add coordinates of cameras; see `ecotone.project.adding_deployments.add_deployments`."""
        from ecotone.project.adding_deployments import add_deployments

        with self.writing("add deployments"):
            return add_deployments(self, Path(file), progress)

    def add_instances(self, file: str | Path, progress: Progress | None = None) -> Any:
        """Add coordinates from SpeciesNet's input; see `ecotone.project.adding_deployments`."""
        from ecotone.project.adding_deployments import add_instances

        with self.writing("add instances"):
            return add_instances(self, Path(file), progress)

    def add_data(
        self, paths: Sequence[str | Path], time_zone: str | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Add anything, by its content; see `ecotone.project.adding_data.add_data`."""
        from ecotone.project.adding_data import add_data

        with self.writing("add data"):
            return add_data(self, [Path(p) for p in paths], time_zone, progress)

    def study(self, **options: Any) -> Any:
        """The project as one study; see `ecotone.project.study.study_of`."""
        from ecotone.project.study import study_of

        return study_of(self, **options)

    def fix_time(self, deployments: Sequence[str] = (), **options: Any) -> Any:
        """Correct the clocks of deployments; see `ecotone.project.times.fix_time`."""
        from ecotone.project.times import fix_time

        with self.writing("fix-time"):
            return fix_time(self, deployments, **options)

    def events(self, gap: float | None = None) -> Any:
        """Group pictures into events anew; see `ecotone.project.times.make_events`."""
        from ecotone.project.times import make_events

        with self.writing("events"):
            return make_events(self, gap)

    def add_taxonomy(self, file: str | Path) -> Any:
        """Add a taxonomy; see `ecotone.project.adding.add_taxonomy`."""
        from ecotone.project.adding import add_taxonomy

        with self.writing("add taxonomy"):
            return add_taxonomy(self, Path(file))

    def detect(self, model: str, **options: Any) -> Any:
        """Run a detector on the pictures; see `ecotone.project.detecting.detect`."""
        from ecotone.project.detecting import detect

        with self.writing("detect"):
            return detect(self, model, **options)

    def classify(self, model: str, classes: str | Path | None = None, **options: Any) -> Any:
        """Run a global model on the pictures; see `ecotone.project.inference.classify`."""
        from ecotone.project.inference import classify

        with self.writing("classify"):
            return classify(self, model, classes, **options)

    def embed(self, model: str, **options: Any) -> Any:
        """Run an encoder on the pictures; see `ecotone.project.inference.embed`."""
        from ecotone.project.inference import embed

        with self.writing("embed"):
            return embed(self, model, **options)

    def attach(self, place: str | Path, progress: Progress | None = None) -> Any:
        """Use shards where they lie, a folder or URL; see `ecotone.project.attaching.attach`."""
        from ecotone.project.attaching import attach

        with self.writing("attach"):
            return attach(self, place, progress)

    def fuse(self, **options: Any) -> Any:
        """Map, co-train, select; see `ecotone.project.fusing.fuse`."""
        from ecotone.project.fusing import fuse

        with self.writing("fuse"):
            return fuse(self, **options)

    def repeats(self) -> Any:
        """Boxes that come back; see `ecotone.project.repeating.find_repeated`."""
        from ecotone.project.repeating import find_repeated

        return find_repeated(self)

    def suggest(self, n: int = 50, **options: Any) -> Any:
        """What to label next, or where a wanted species is; see `ecotone.project.suggesting`."""
        from ecotone.project.suggesting import suggest

        with self.writing("suggest"):
            return suggest(self, n, **options)

    def accept(self, precision: float = 0.95, **options: Any) -> Any:
        """Which detections need no eye; see `ecotone.project.accepting.accept`."""
        from ecotone.project.accepting import accept

        with self.writing("accept"):
            return accept(self, precision, **options)

    def discover(self, **options: Any) -> Any:
        """What no label names: novelty, clusters, proposals; see `ecotone.project.discovering`."""
        from ecotone.project.discovering import discover

        with self.writing("discover"):
            return discover(self, **options)

    def name_proposal(self, proposal: int, name: str, **options: Any) -> Any:
        """Say what a proposal of `discover` is; see `ecotone.project.naming.name_proposal`."""
        from ecotone.project.naming import name_proposal

        with self.writing("discover --name"):
            return name_proposal(self, proposal, name, **options)

    def cluster_benchmark(self, **options: Any) -> Any:
        """Every way of clustering on the project's own labels; see
        `ecotone.project.cluster_benchmark`."""
        from ecotone.project.cluster_benchmark import cluster_benchmark

        return cluster_benchmark(self, **options)

    def refine(self, **options: Any) -> Any:
        """From "animal" down to species; see `ecotone.project.refining.refine`."""
        from ecotone.project.refining import refine

        with self.writing("refine"):
            return refine(self, **options)

    def undo_refine(self, run: str | None = None) -> Any:
        """Take a refinement back, the newest by default; see `ecotone.project.refined.undo`."""
        from ecotone.project.refined import undo

        with self.writing("refine --undo"):
            return undo(self, run)

    def train(self, **options: Any) -> Any:
        """A network on the fused posteriors as soft labels, in rounds where asked for; see
        `ecotone.project.network_training`."""
        from ecotone.project.network_training import train

        if os.environ.get("RANK", "0") != "0":  # torchrun's first process has the lock
            return train(self, **options)
        with self.writing("train"):
            return train(self, **options)

    def evaluate(self, **options: Any) -> Any:
        """Learning curves on the project's labels; see `ecotone.project.evaluating.evaluate`."""
        from ecotone.project.evaluating import evaluate

        with self.writing("evaluate"):
            return evaluate(self, **options)

    def report(self, **options: Any) -> Path:
        """Write the html report and return its path; see `ecotone.project.reporting.report`."""
        from ecotone.project.lock import is_sealed
        from ecotone.project.reporting import report

        if options.get("path") and is_sealed(self.path):  # nobody can change it meanwhile
            return report(self, **options)
        with self.writing("report"):
            return report(self, **options)

    def export(self, path: str | Path, **options: Any) -> Any:
        """Write the project in a format of another program; see `ecotone.project.exporting`."""
        from ecotone.project.exporting import export

        return export(self, Path(path), **options)

    def check(self, quick: bool = False) -> Any:
        """Look for damage without changing anything; see `ecotone.project.checking.check`."""
        from ecotone.project.checking import check

        return check(self, quick)

    def repair(self, progress: Progress | None = None) -> Any:
        """Mend what `check` finds; see `ecotone.project.repairing.repair`."""
        from ecotone.project.repairing import repair

        return repair(self, progress)

    def status(self) -> Any:
        """What the project holds and what to do next; see `ecotone.project.status.status`."""
        from ecotone.project.status import status

        return status(self)

    def run(self, pictures: str | Path, labels: str | Path, **options: Any) -> Any:
        """The whole job in one call; see `ecotone.project.running.run`."""
        from ecotone.project.running import run

        with self.writing("run"):
            return run(self, Path(pictures), Path(labels), **options)

    def close(self) -> None:
        """Close the catalogue."""
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__all__ = ["Project"]
