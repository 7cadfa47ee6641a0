"""The overview of a project: who names what, sites, clocks, a large catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ecotone.project import Project
from ecotone.project.overview import collect_overview
from ecotone.project.records import LATEST, write_json
from ecotone.report.acceptance import AcceptanceData, SpeciesLine
from ecotone.store.tables import DeploymentFacts, NewLabel, NewMedium
from ecotone.store.vectors import write_posteriors
from ecotone.types import Posteriors

CLASSES = ("grey fox", "red deer", "blank")


def overview(project, acceptance=None):
    catalog = project.catalog
    return collect_overview(project, catalog.media(), catalog.detections(),
                            catalog.current_labels(), acceptance)


@pytest.fixture
def reserve(tmp_path):
    """Two cameras, three events of two pictures each at every one, 31 days apart at most."""
    with Project.init(tmp_path / "reserve") as opened:
        media = [
            NewMedium(f"m{c}{e}{p}", str(tmp_path), f"cam{c}/{e}{p}.jpg", f"cam{c}",
                      timestamp=f"2024-05-{1 + 10 * e:02d}T{6 + e:02d}:00:0{p}")
            for c in range(2) for e in range(3) for p in range(2)
        ]
        opened.catalog.add_media(media)
        opened.catalog.set_events({m.id: f"{m.deployment_id} {m.timestamp[:-1]}" for m in media})
        yield opened


def fused(project, best=0.9):
    """Posteriors: the first camera sees foxes, the second deer; the last picture is blank."""
    ids = project.catalog.detections().id
    values = np.full((12, 3), (1 - best) / 2)
    values[np.arange(12), [0] * 6 + [1] * 5 + [2]] = best
    write_posteriors(project.catalog, project.path / "vectors", "run-1",
                     Posteriors(ids, values, CLASSES))
    write_json(project.path / "runs" / "run-1.json",
               {"run": "run-1", "classes": CLASSES, "preferred": "fused"})
    project.catalog.set_note(LATEST, {"run": "run-1"})


def promised(threshold, accepted=5):
    rows = tuple(SpeciesLine(c, 6, accepted, 3, t, 0.95, 0, None, "")
                 for c, t in zip(CLASSES, threshold, strict=True))
    return AcceptanceData(0.95, 0.9, False, 3, 12, accepted, rows)


def test_a_project_without_pictures_has_none(tmp_path):
    with Project.init(tmp_path / "empty") as project:
        assert overview(project) is None


def test_labels_alone(reserve):
    reserve.catalog.add_labels([NewLabel("m000", "grey fox"), NewLabel("m110", "blank")])
    data = overview(reserve)
    assert data.who == "" and data.species == ("grey fox",)
    assert data.other == {"unnamed": 10, "blank": 1}
    assert (data.pictures, data.events, data.detections) == (12, 6, 12)
    assert data.tally.people.tolist() == [1] and data.tally.events.tolist() == [1]
    assert data.effort.days == pytest.approx([20 + 2 / 24 + 1 / 86400] * 2)
    assert data.site_events.tolist() == [1, 0]


def test_people_first_then_what_is_sure_enough(reserve):
    fused(reserve)
    reserve.catalog.add_labels([NewLabel("m000", "red deer")])
    data = overview(reserve, promised((0.8, None, None)))
    by_name = dict(zip(data.species, range(len(data.species)), strict=True))
    fox, deer = by_name["grey fox"], by_name["red deer"]
    assert data.who == "accepted" and data.precision == 0.95 and data.other == {"blank": 1}
    assert data.tally.people[[fox, deer]].tolist() == [0, 1]
    assert data.tally.model[[fox, deer]].tolist() == [5, 0]
    assert data.tally.unsure[[fox, deer]].tolist() == [0, 5]
    assert data.tally.events[[fox, deer]].tolist() == [3, 1]


def test_where_nothing_is_sure_the_most_probable_species_counts(reserve):
    fused(reserve)
    for acceptance in (None, promised((None, None, None), accepted=0)):
        data = overview(reserve, acceptance)
        assert data.who == "probable" and data.tally.model.tolist() == [6, 5]
        assert data.tally.events.tolist() == [3, 3] and not data.tally.unsure.any()
    assert [a.hours[[6, 7, 8]].tolist() for a in data.activity] == [[1, 1, 1], [1, 1, 1]]


def test_sites_are_names_at_places(reserve):
    facts = [DeploymentFacts("cam0", "the ford", 50.0, 4.0, "2024-05-01", "2024-05-11"),
             DeploymentFacts("cam1", "the ford", 50.0, 4.00001, "2024-05-11", "2024-05-20")]
    reserve.catalog.set_deployment_facts(facts)
    data = overview(reserve)
    assert data.sites == ("the ford",) and data.effort.given.all()
    assert data.overlap == 1 and data.overlap_days == pytest.approx(1.0, abs=1e-3)
    # A date alone is the whole day: the pictures of 11 May lie within.
    assert data.effort.outside.tolist() == [2, 4]
    reserve.catalog.set_deployment_facts([DeploymentFacts("cam1", "the ford", 51.0, 4.0)])
    assert overview(reserve).sites == ("the ford (cam0)", "the ford (cam1)")


def test_pictures_without_times_or_deployment(tmp_path):
    with Project.init(tmp_path / "bare") as project:
        project.catalog.add_media(
            [NewMedium(f"m{i}", str(tmp_path), f"{i}.jpg") for i in range(3)])
        project.catalog.add_labels([NewLabel(f"m{i}", "genet") for i in range(3)])
        data = overview(project)
    assert data.sites == () and data.untimed == 3 and data.events == 3 and not data.activity
    assert data.tally.events.tolist() == [3] and "3 pictures" in data.notes[0]


@dataclass
class Texts:
    """A table of media with as many rows as wanted."""

    id: np.ndarray
    deployment_id: np.ndarray
    timestamp: np.ndarray
    event_id: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


def test_odd_times_are_no_times(reserve):
    media = reserve.catalog.media()
    table = Texts(media.id, media.deployment_id, media.timestamp.copy(), media.event_id)
    table.timestamp[:3] = ["yesterday", "2024-13-45T00:00:00", ""]
    found = collect_overview(reserve, table, reserve.catalog.detections(), {}, None)
    assert found.untimed == 3
