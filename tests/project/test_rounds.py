"""Rounds of self-improvement: kept where held-out labels say so, and else nothing has happened."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ecotone import training
from ecotone.bundle.predict import predict_folder
from ecotone.errors import InputError, ProjectError
from ecotone.project import rounds
from ecotone.project.cross_fit import EMBEDDINGS, SCORES
from ecotone.project.gathering import gather
from ecotone.project.records import read_record
from ecotone.store.vectors import embedding_models, score_models
from tests.project.network_world import COLOURS, SPECIES, N, heart, knowing, make_project

pytest.importorskip("onnx")


@pytest.fixture
def project(tmp_path):
    with make_project(tmp_path) as made:
        made.fuse(use_context=False)
        yield made


@pytest.fixture
def scores_alone(monkeypatch):
    """Try one of the three ways to give a network back: a third of the time."""
    monkeypatch.setattr(rounds, "USES", (SCORES,))


def trainer(monkeypatch, function) -> list:
    calls = []

    def train(data, folder, settings=None, **options):
        calls.append(data)
        return function(data, folder, settings, **options)

    monkeypatch.setitem(vars(training), "train_classifier", train)
    return calls


def test_a_network_that_helps_is_kept_and_goes_into_fusion(project, monkeypatch):
    calls = trainer(monkeypatch, knowing)
    before = read_record(project)["scores"]
    result = project.train(backbone="colours", rounds=1, folds=2)
    (one,) = result.rounds
    assert one.accepted and one.after["log_loss"] < one.before["log_loss"] - one.error
    assert len(calls) == one.trainings == 3
    record = read_record(project)
    assert "colours+folds" in (*record["score_models"], record["embedding_model"])
    assert record["scores"]["log_loss"] < before["log_loss"]
    assert record["scores"]["accuracy"] > 0.8
    assert any("networks and fusions without the held-out labels" in n for n in record["notes"])
    again = project.fuse(use_context=False)  # unasked, it takes the network and stays honest
    assert again.scores["log_loss"] == pytest.approx(record["scores"]["log_loss"], rel=0.1)
    card = json.loads((result.folder / "card.json").read_text(encoding="utf-8"))
    assert card["round"]["accepted"] and "## Round" in (result.folder / "CARD.md").read_text()


def test_labels_learned_by_heart_do_not_fool_the_guard(tmp_path, monkeypatch):
    with make_project(tmp_path, telling=False) as project:
        project.fuse(use_context=False)
        trainer(monkeypatch, heart)
        state = _state(project)
        result = project.train(backbone="heart", rounds=3, folds=2)
        assert [r.accepted for r in result.rounds] == [False]  # the first that fails is the last
        assert "not kept, the project is as before" in result.rounds[0].line()
        assert _state(project) == state
        assert (result.folder / "cross_fit.npz").is_file()
        calls = trainer(monkeypatch, heart)
        again = project.train(backbone="heart", rounds=1, folds=2)
        assert again.rounds == result.rounds and len(calls) == 1  # the whole one, which is finished
        # The same network looks perfect to whoever lets it speak of the labels that it has seen.
        project.classify(str(result.model))
        fooled = project.fuse(score_models=["world", "heart"], use_context=False)
        assert fooled.scores["accuracy"] > 0.95
        assert any("learned from these labels" in note for note in fooled.notes)
        honest = project.fuse(use_context=False)
        assert honest.scores["accuracy"] < 0.75


def test_what_was_stopped_goes_on(project, monkeypatch, scores_alone):
    calls = []

    def stopped(data, folder, settings, **_):
        calls.append(folder)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return knowing(data, folder, settings)

    trainer(monkeypatch, stopped)
    before = read_record(project)
    with pytest.raises(KeyboardInterrupt):
        project.train(backbone="colours", rounds=1, folds=2)
    assert read_record(project) == before and not project.status().unfinished
    result = project.train(backbone="colours", rounds=1, folds=2)
    assert calls[0] == calls[2] == result.folder and calls[1] == calls[3]
    assert result.rounds[0].accepted


def _state(project) -> tuple:
    """All that a fusion depends on, and the newest one."""
    return (read_record(project), score_models(project.catalog),
            embedding_models(project.catalog), project.catalog.counts()["labels"])


def test_no_network_of_a_fold_sees_the_labels_of_the_fold(project, monkeypatch, scores_alone):
    calls = trainer(monkeypatch, knowing)
    project.train(backbone="colours", rounds=1, folds=3)
    whole, *parts = calls
    assert whole.labelled.sum() == 36
    gone = [whole.labelled & ~part.labelled for part in parts]
    assert sum(g.sum() for g in gone) == 36 and not (gone[0] & gone[1]).any()
    for part, hidden in zip(parts, gone, strict=True):
        # Whole cameras, since labels come from many; and soft targets where a label was.
        assert not set(whole.location[hidden]) & set(whole.location[part.labelled])
        assert (part.target[hidden].max(axis=1) < 1).all()
        assert np.array_equal(part.target[part.labelled], whole.target[part.labelled])


def test_two_rounds_replace_the_network(project, monkeypatch, scores_alone):
    trainer(monkeypatch, knowing)
    result = project.train(backbone="colours", name="net", rounds=2, folds=2)
    assert result.rounds[0].accepted
    record = read_record(project)
    taken = {m for m in (*record["score_models"], record["embedding_model"]) if "+folds" in m}
    last = [r for r in result.rounds if r.accepted][-1]
    assert taken == {f"{last.network}+folds"}
    told = [line for line in project.status().networks if "fusion takes its" in line]
    assert len(told) == 1 and told[0].startswith(f"{last.network}: ")
    gathered = gather(project, networks=True)  # unasked, too, it is the last one alone
    assert {m for m in (*gathered.scores, gathered.embedding_model) if "+folds" in m} == taken
    # What cannot judge a network that has seen the labels, such as evaluate, does without it.
    without = gather(project)
    assert (list(without.scores), without.embedding_model) == (["world"], "enc")
    file = project.path / "models" / "networks" / last.network / "cross_fit.npz"
    kept = file.read_bytes()
    file.write_bytes(kept[:-50])
    with pytest.raises(ProjectError, match="cross_fit.npz: .*remove the file, and fusion does wi"):
        project.fuse(use_context=False)
    file.unlink()
    gone = project.fuse(use_context=False)
    assert gone.run != record["run"] and "world" in read_record(project)["score_models"]
    assert read_record(project)["embedding_model"] == "enc"
    assert sum(f"is missing, so fusion does without {last.network}+folds" in note
               for note in gone.notes) == 1
    told = [line for line in project.status().networks if "fusion" in line]
    assert len(told) == 1 and "fusion does without it: cross_fit.npz is missing" in told[0]


def test_a_local_model_on_a_networks_embeddings_takes_pictures(project, monkeypatch, tmp_path):
    trainer(monkeypatch, knowing)
    monkeypatch.setattr(rounds, "USES", (EMBEDDINGS,))
    (one,) = project.train(backbone="colours", rounds=1, folds=2).rounds
    assert one.accepted and one.used == EMBEDDINGS
    record = read_record(project)
    assert record["embedding_model"] == "colours+folds" and record["score_models"] == ["world"]
    picture = tmp_path / "photos" / "cam0"
    rows = list(predict_folder(picture, project.models / "latest"))
    assert len(rows) == 9 and not any(row["error"] for row in rows)
    colours = {tuple(map(int, COLOURS[k])): name for k, name in enumerate(SPECIES)}
    for row in rows:
        seen = np.asarray(Image.open(picture / row["filePath"])).mean(axis=(0, 1))
        near = min(colours, key=lambda c: np.abs(np.array(c) - seen).sum())
        assert row["localClass"] == colours[near]


def test_what_rounds_cannot_do_is_told(project, tmp_path, monkeypatch):
    trainer(monkeypatch, knowing)
    with pytest.raises(InputError, match="leave out --labels-only"):
        project.train(rounds=1, labels_only=True)
    with make_project(tmp_path / "two") as other:
        other.catalog.connection.execute("UPDATE medium SET deployment_id = 'one', event_id = 'e'")
        other.catalog.connection.commit()
        other.fuse(use_context=False)
        with pytest.raises(ProjectError, match="two places or bursts"):
            other.train(backbone="colours", rounds=1)


def test_the_whole_data_goes_through(project, monkeypatch):
    calls = trainer(monkeypatch, knowing)
    result = project.train(backbone="colours")
    assert result.pictures == N == len(calls[0]) and result.labelled == 36
    assert np.allclose(calls[0].target.sum(axis=1), 1)
    only = project.train(backbone="colours", labels_only=True)
    assert only.pictures == only.labelled == 36 and only.name == "colours-2"
