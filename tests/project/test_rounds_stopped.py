"""A command of rounds that is stopped at any of its stages ends as if it had never been."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecotone import training
from ecotone.project import Project, rounds
from ecotone.project.cross_fit import SCORES, CrossFit
from ecotone.project.networks import CURRENT
from ecotone.project.records import read_record
from ecotone.store.catalog import Catalog
from ecotone.store.tables import NewLabel
from ecotone.store.vectors import (
    ScoreWriter,
    embedding_models,
    read_posteriors,
    read_scores,
    score_models,
)
from tests.project.network_world import SPECIES, knowing, make_project

pytest.importorskip("onnx")

ASKED = {"backbone": "colours", "rounds": 1, "folds": 2}


class Killed(BaseException):
    """The power fails."""


@pytest.fixture
def stages(monkeypatch):
    """The stages of a command as they are passed; at the one called `stop` it is killed."""
    log = Stages()
    monkeypatch.setattr(rounds, "USES", (SCORES,))
    monkeypatch.setitem(vars(training), "train_classifier", log.told("train", knowing))
    for owner, names in ((rounds, ("begin", "held_out", "score_detections", "note_network",
                                   "_judged", "_accept", "write_json", "_say_on_card")),
                         (CrossFit, ("save",)), (ScoreWriter, ("flush",)), (Project, ("fuse",)),
                         (Catalog, ("set_note",))):
        for name in names:
            monkeypatch.setattr(owner, name, log.told(name, getattr(owner, name)))
    return log


class Stages:
    """Counts calls; raises `Killed` right after the one that is called `stop`."""

    def __init__(self) -> None:
        self.begin_again("")

    def begin_again(self, stop: str) -> None:
        self.stop, self.passed = stop, []

    def told(self, name, function):
        def call(*args, **options):
            made = function(*args, **options)
            self.passed.append(f"{name} {sum(p.split()[0] == name for p in self.passed) + 1}")
            if self.passed[-1] == self.stop:
                raise Killed
            return made

        return call


def holds(project) -> dict:
    """What a project holds after rounds; numbers of runs aside."""
    record = read_record(project)
    posteriors = read_posteriors(project.catalog, project.vectors, record["run"])
    root = project.models / "networks"
    scores = {name: read_scores(project.catalog, project.vectors, name, posteriors.id).values
              for name in score_models(project.catalog)}
    return {
        "record": {k: record[k] for k in ("scores", "out_of_fold", "score_models", "classes",
                                          "embedding_model", "preferred", "known_classes")},
        "posteriors": (list(posteriors.id), np.asarray(posteriors.values).tolist()),
        "scores": {name: values.toarray().tolist() for name, values in scores.items()},
        "rows": (score_models(project.catalog), embedding_models(project.catalog)),
        "current": project.catalog.note(CURRENT),
        "files": sorted(str(p.relative_to(root)) for p in root.rglob("*")),
        "networks": project.status().networks,
    }


def came_to(result) -> list:
    return [replace(one, fusion="") for one in result.rounds]


@pytest.mark.parametrize("name", ["", pytest.param("net", marks=pytest.mark.slow)])
def test_stopped_at_every_stage_it_ends_as_if_it_had_not_been(tmp_path, stages, name):
    asked = {**ASKED, "name": name}
    with make_project(tmp_path / "calm") as calm:
        calm.fuse()
        stages.begin_again("")
        expected = calm.train(**asked)
        assert expected.rounds[0].accepted
        found = holds(calm)
    stops = ["begin 1", "held_out 1", "train 1", "train 2", "score_detections 2", "save 1",
             "held_out 2", "_judged 1", "note_network 1", "flush 1", "note_network 2",
             "set_note 3", "fuse 1", "_accept 1", "write_json 1", "_say_on_card 1", "begin 1"]
    with make_project(tmp_path / "killed") as project:
        project.fuse()
        for stop in stops if name else [*stops[::3], stops[-1]]:
            stages.begin_again(stop)
            with pytest.raises(Killed):
                project.train(**asked)
        stages.begin_again("")
        result = project.train(**asked)
        assert came_to(result) == came_to(expected)
        assert holds(project) == found
        assert not any(stage.startswith("train") for stage in stages.passed)
        assert any("nothing was trained" in note for note in result.notes)


@pytest.mark.slow
def test_a_second_round_goes_on_from_the_first(tmp_path, stages):
    asked = {**ASKED, "rounds": 2, "name": "net"}
    with make_project(tmp_path / "calm") as calm:
        calm.fuse()
        expected, found = calm.train(**asked), holds(calm)
        assert expected.rounds[0].accepted
    with make_project(tmp_path / "killed") as project:
        project.fuse()
        for stop in ("begin 2", "train 2", "_judged 1"):
            stages.begin_again(stop)
            with pytest.raises(Killed):
                project.train(**asked)
        stages.begin_again("")
        assert came_to(project.train(**asked)) == came_to(expected)
        assert holds(project) == found


def test_what_has_changed_since_is_learned_anew(tmp_path, stages):
    with make_project(tmp_path) as project:
        project.fuse()
        stages.begin_again("train 2")
        with pytest.raises(Killed):
            project.train(**ASKED)
        project.catalog.add_labels([NewLabel("m001", SPECIES[0])], author="test")
        stages.begin_again("")
        result = project.train(**ASKED)
        assert result.labelled == 37 and result.name == "colours-2"
        (project.path / project.catalog.note(CURRENT)["folds"]).unlink()
        stages.begin_again("")
        project.train(**ASKED)  # makes the lost file again
        assert "train 1" in stages.passed
        assert (project.path / project.catalog.note(CURRENT)["folds"]).is_file()
