"""The catalogue of a project: one SQLite file with media, detections, labels, runs and notes.

What a method has returned from is on the disk: a kill at any moment loses nothing of it. People's
words are there twice, see `store.journal`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecotone.store import discoveries as discovery_rows
from ecotone.store import labels as label_rows
from ecotone.store import media as media_rows
from ecotone.store import person_boxes
from ecotone.store import refinements as refinement_rows
from ecotone.store import runs as run_rows
from ecotone.store import studies as study_rows
from ecotone.store import suggestions as suggestion_rows
from ecotone.store import times as time_rows
from ecotone.store.connection import can_write, connect, in_wal, transaction
from ecotone.store.discoveries import DiscoveryTable, ProposalName
from ecotone.store.journal import MEMORY, Journal, journal_of, need_catalogue
from ecotone.store.page_sums import closed, opening, seal, unseal
from ecotone.store.refinements import RefinementRun, RefinementTable
from ecotone.store.suggestions import NewSuggestion, SuggestionTable
from ecotone.store.tables import (
    Box,
    DeploymentFacts,
    DeploymentTable,
    Failure,
    KeptStudy,
    KnownFile,
    LabelTable,
    MediaTable,
    NewLabel,
    NewMedium,
    PlaceTable,
    Run,
    TimeShift,
)
from ecotone.types import Detections

_COUNTS = {
    "media": "SELECT n FROM tally WHERE name = 'media'",
    "deployments": "SELECT count(*) FROM deployment",
    "events": "SELECT count(DISTINCT event_id) FROM medium WHERE event_id > ''",
    "detections": "SELECT n FROM tally WHERE name = 'detections'",
    "labels": """SELECT count(*) FROM label
        WHERE decision = 0 OR decision NOT IN (SELECT target FROM undone)""",
    "decisions": "SELECT count(*) FROM decision",
    "labelled_media": """SELECT count(DISTINCT media_id) FROM label
        WHERE decision = 0 OR decision NOT IN (SELECT target FROM undone)""",
    "runs": "SELECT count(*) FROM run",
    "failures": "SELECT count(DISTINCT media_id) FROM failure",
    "studies": "SELECT count(*) FROM study",
}


class Catalog:
    """The catalogue, open. Use `Catalog.open`, as a context manager or with `close()`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.journal = Journal(journal_of(path))
        self._trusted = self._closed = False
        self._sealed = str(path) != MEMORY and can_write(path) and in_wal(connection)

    @classmethod
    def open(cls, path: str | Path, create: bool = False) -> Catalog:
        """Open a catalogue, bringing it to the newest schema.

        Raises ProjectError when it is missing (and not `create`), damaged, or from a newer ecotone.
        """
        need_catalogue(Path(path))
        with opening(Path(path)):
            return cls(connect(Path(path), create), Path(path))

    def close(self) -> None:
        """Close the file; the last one to do so leaves checksums of its pages."""
        self.connection.close()
        if not self._closed:
            closed(self.path)
        self._closed = True
        if self._sealed:
            seal(self.path)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes of the block together or none; inner transactions join the outer one.

        Raises ProjectError when the catalogue lost what people said before.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        if not self._trusted and self._sealed:
            unseal(self.path)
        with transaction(self.connection):
            if not self._trusted:
                self.journal.check_ahead(self.connection)
                self._trusted = True
            yield self.connection
        self.journal.catch_up(self.connection)

    # Reading, as columns

    def media(self) -> MediaTable:
        """All media, in the order they were added."""
        return media_rows.read_media(self.connection)

    def places(self) -> PlaceTable:
        """Where and when all media were taken, in the order they were added."""
        return media_rows.read_places(self.connection)

    def files(self) -> list[KnownFile]:
        """The files of all media, as they were when last looked at."""
        return media_rows.read_files(self.connection)

    def deployments(self) -> DeploymentTable:
        """All deployments, by name."""
        return media_rows.read_deployments(self.connection)

    def detections(self) -> Detections:
        """All detections in use, by medium as added, then by number."""
        return media_rows.read_detections(self.connection)

    def blocks(self) -> Iterator[tuple[Detections, MediaTable]]:
        """All detections in use with their media, some media after others."""
        return media_rows.read_blocks(self.connection)

    def labels(self) -> LabelTable:
        """Every label that was given and not taken back, oldest first."""
        return label_rows.read_labels(self.connection)

    def current_labels(self) -> dict[str, str]:
        """Detection id -> class name: the newest label of each; see `store.labels`."""
        return self._current()[0]

    def ambiguous_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """(media id, labels) where one import gives labels that no category tells apart."""
        return self._current()[1]

    def _current(self) -> tuple[dict[str, str], list[tuple[str, tuple[str, ...]]]]:
        table = self.labels()
        here: dict[str, list[tuple[str, str]]] = defaultdict(list)
        rows = self.connection.execute(
            """SELECT m.id, d.number, d.category FROM detection d JOIN medium m ON m.n = d.medium
               WHERE d.retired = 0 AND m.id IN (SELECT media_id FROM label)
               ORDER BY d.medium, d.number"""
        )
        for medium, number, category in rows:
            here[medium].append((f"{medium}:{number}", category))
        return label_rows.current_labels(table, here)

    def replaced_boxes(self) -> set[str]:
        """Ids of the detections that a box drawn by a person stands for."""
        return person_boxes.replaced_boxes(self.connection)

    def label_names(self) -> dict[str, tuple[str, str]]:
        """Class name -> (scientificName, vernacularName), "" where a name was never given."""
        return label_rows.label_names(self.labels())

    def counts(self) -> dict[str, int]:
        """Numbers of media, deployments, events, detections, labels, decisions, labelled_media,
        runs, failures (media with one) and studies."""
        return {key: self.connection.execute(q).fetchone()[0] for key, q in _COUNTS.items()}

    def detectors(self) -> dict[str, int]:
        """How many pictures each detector has looked at."""
        return dict(self.connection.execute(
            "SELECT detector, count(*) FROM medium WHERE detector > '' GROUP BY detector "
            "ORDER BY min(n)"))

    def studies(self) -> list[KeptStudy]:
        """All studies that were added whole, oldest first."""
        return study_rows.read_studies(self.connection)

    def study_media(self, number: int) -> dict[str, str]:
        """A study's mediaID -> media id, of the pictures that are here."""
        return study_rows.read_study_media(self.connection, number)

    def study_deployments(self, number: int) -> dict[str, dict[str, str]]:
        """Deployment id -> the study's own row."""
        return study_rows.read_study_deployments(self.connection, number)

    def time_shifts(self) -> dict[str, list[TimeShift]]:
        """Deployment -> the corrections of its clock, oldest first; the newest counts."""
        return time_rows.read_shifts(self.connection)

    def refinement_runs(self) -> list[RefinementRun]:
        """Finished refinements, oldest first, with those that were undone."""
        return refinement_rows.read_runs(self.connection)

    def refinement(self, run: str) -> RefinementTable:
        """The audit rows of a refinement, of detections in use."""
        return refinement_rows.read_rows(self.connection, run)

    def suggestions(self, run: str = "") -> SuggestionTable:
        """The questions that were asked, of a run or of all, with the answers since."""
        return suggestion_rows.read_suggestions(self.connection, run)

    def newest_suggestions(self) -> SuggestionTable:
        """The queue: the questions of the newest `suggest`, none when nobody asked."""
        run = suggestion_rows.newest_run(self.connection)
        return suggestion_rows.read_suggestions(self.connection, run or "-")

    def chosen_media(self) -> set[str]:
        """Media that were labelled because they were chosen, not drawn."""
        return suggestion_rows.chosen_media(self.connection)

    def newest_discovery(self) -> str:
        """The newest finished `discover`, "" when there is none."""
        return discovery_rows.newest_run(self.connection)

    def discovery(self, run: str) -> DiscoveryTable:
        """What a `discover` found of each detection in use."""
        return discovery_rows.read_rows(self.connection, run)

    def proposal_names(self) -> list[ProposalName]:
        """The names that people gave to proposals, oldest first."""
        return discovery_rows.read_names(self.connection)

    # Writing

    def add_media(self, media: Sequence[NewMedium]) -> None:
        """Register media, each with its whole-picture detection ":0"."""
        with self.transaction() as connection:
            media_rows.insert_media(connection, media, run_rows.now())

    def update_media(self, media: Sequence[NewMedium]) -> None:
        """Renew what changed or moved files say (all but id and deployment)."""
        with self.transaction() as connection:
            media_rows.update_media(connection, media, run_rows.now())

    def set_deployments(self, deployment_of: Mapping[str, str], said_by: str = "labels") -> None:
        """Set the deployment of media, by media id."""
        with self.transaction() as connection:
            media_rows.set_deployments(connection, deployment_of, said_by)

    def set_timestamps(self, time_of: Mapping[str, str]) -> None:
        """Set the time (ISO 8601) of media, by media id."""
        with self.transaction() as connection:
            media_rows.set_timestamps(connection, time_of)

    def set_deployment_facts(self, facts: Sequence[DeploymentFacts]) -> int:
        """Add coordinates, times and names of deployments; how many are new or changed."""
        with self.transaction() as connection:
            return study_rows.set_deployment_facts(connection, facts)

    def add_time_shifts(self, shifts: Sequence[TimeShift]) -> None:
        """Append corrections of clocks."""
        with self.transaction() as connection:
            time_rows.insert_shifts(connection, shifts, run_rows.now())

    def add_study(
        self, study: KeptStudy, deployments: Iterable[tuple[str, dict[str, str]]]
    ) -> None:
        """Record a study whose tables are in place, and its deployment rows by id."""
        with self.transaction() as connection:
            study_rows.insert_study(connection, study, run_rows.now())
            study_rows.insert_study_deployments(connection, study.number, deployments)

    def add_study_media(self, number: int, media_of: Mapping[str, str]) -> int:
        """Remember which picture a study's mediaID means; how many are new."""
        with self.transaction() as connection:
            return study_rows.insert_study_media(connection, number, media_of)

    def set_study_summary(self, number: int, summary: Mapping[str, Any]) -> None:
        """Renew what is remembered of a study."""
        with self.transaction() as connection:
            study_rows.set_summary(connection, number, summary)

    def set_events(self, event_of: Mapping[str, str]) -> None:
        """Set the event of media, by media id."""
        with self.transaction() as connection:
            media_rows.set_events(connection, event_of)

    def replace_boxes(
        self, boxes_of: Mapping[str, Sequence[Box]], detector: str
    ) -> dict[str, int]:
        """Make these the detections of each medium; counts of media "new", "changed", "same"."""
        with self.transaction() as connection:
            return media_rows.replace_boxes(connection, boxes_of, detector)

    def set_videos(
        self, facts: Mapping[str, tuple[float | None, Sequence[int] | None]]
    ) -> None:
        """Set frame rate and frames looked at of videos, by media id; see `store.media`."""
        with self.transaction() as connection:
            media_rows.set_videos(connection, facts)

    def add_labels(
        self, labels: Iterable[NewLabel], author: str = "", source: str = ""
    ) -> int:
        """Append labels as one import; how many."""
        rows = list(labels)
        if not rows:
            return 0
        with self.transaction() as connection:
            return label_rows.insert_labels(connection, rows, run_rows.now(), author, source)

    def start_run(
        self, command: str, settings: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> str:
        """Record the start of a run with its settings, versions and seed; its id."""
        with self.transaction() as connection:
            return run_rows.start_run(connection, command, settings or {}, seed)

    def finish_run(
        self, run_id: str, status: str = "done", summary: Mapping[str, Any] | None = None
    ) -> None:
        """Record how a run ended: "done", "failed" or "interrupted"."""
        with self.transaction() as connection:
            run_rows.finish_run(connection, run_id, status, summary)

    def add_refinement(self, run: str, table: RefinementTable) -> int:
        """Append audit rows of a run, which count once it is done; how many."""
        with self.transaction() as connection:
            return refinement_rows.insert_rows(connection, run, table)

    def undo_refinement(self, run: str) -> None:
        """Mark a refinement as undone; its rows stay."""
        with self.transaction() as connection:
            refinement_rows.mark_undone(connection, run, run_rows.now())

    def drop_unfinished_refinements(self) -> int:
        """Delete rows of refinements that were never done; how many. Under the write lock only."""
        with self.transaction() as connection:
            return refinement_rows.drop_unfinished(connection)

    def add_suggestions(self, run: str, questions: Sequence[NewSuggestion]) -> int:
        """Append the questions of a run; how many."""
        with self.transaction() as connection:
            return suggestion_rows.insert_suggestions(connection, run, questions, run_rows.now())

    def add_discovery(self, run: str, table: DiscoveryTable) -> int:
        """Append rows of a `discover`, which count once it is done; how many."""
        with self.transaction() as connection:
            return discovery_rows.insert_rows(connection, run, table)

    def drop_unfinished_discoveries(self) -> None:
        """Delete rows of `discover` runs that were never done. Under the write lock only."""
        with self.transaction() as connection:
            discovery_rows.drop_unfinished(connection)

    def name_proposal(self, name: ProposalName, labels: Sequence[NewLabel]) -> int:
        """Keep the name of a proposal and the labels that it gives, together; how many labels."""
        with self.transaction() as connection:
            discovery_rows.insert_name(connection, name)
            return self.add_labels(labels, name.author, discovery_rows.COMMAND)

    def end_dead_runs(self) -> int:
        """Mark runs that were killed as "interrupted"; how many. Under the write lock only."""
        if not run_rows.count_running(self.connection):
            return 0
        with self.transaction() as connection:
            return run_rows.end_dead(connection)

    def runs(self) -> list[Run]:
        """All runs, oldest first; one that was killed keeps the status "running" until the next
        command that writes."""
        return run_rows.read_runs(self.connection)

    def record_failure(self, media_id: str, step: str, reason: str) -> None:
        """Remember that a step failed on a medium."""
        with self.transaction() as connection:
            run_rows.record_failure(connection, media_id, step, reason)

    def clear_failure(self, media_id: str, step: str | None = None) -> None:
        """Forget the failure of a step on a medium, or of all steps."""
        with self.transaction() as connection:
            run_rows.clear_failure(connection, media_id, step)

    def failures(self) -> list[Failure]:
        """All failures, in the order of the media."""
        return run_rows.read_failures(self.connection)

    def set_note(self, key: str, value: Any) -> None:
        """Keep a json value under a name."""
        with self.transaction() as connection:
            run_rows.set_note(connection, key, value)

    def note(self, key: str) -> Any:
        """The value of a note, None when there is none."""
        return run_rows.read_note(self.connection, key)


__all__ = ["Catalog"]
