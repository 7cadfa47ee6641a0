"""`Project.refine` on a small made-up reserve: audit rows, records, undo, what is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.errors import InputError, ProjectError
from ecotone.hierarchy.results import UNCHANGED
from ecotone.project import Project, refining_figures
from ecotone.project.refined import names_of, read_refine_record, refined_of, refinement_of
from ecotone.store.tables import Box, NewLabel, NewMedium
from tests.project.refine_world import ABSENT, LINES, SPECIES, N, make_project, truth_of


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """The reserve, refined by climbing and checked, and the result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refining_figures, "FOLDS", 2)
        patch.setattr(refining_figures, "FOLDS_FIVE", 2)
        project = make_project(tmp_path_factory.mktemp("climb") / "reserve")
        said = []
        result = project.refine(progress=lambda done, total, text: said.append(text))
    yield project, result, said
    project.close()


@pytest.fixture
def project(tmp_path):
    opened = make_project(tmp_path / "reserve")
    yield opened
    opened.close()


def test_every_detection_has_one_audit_row(climbed):
    project, result, _ = climbed
    table = project.catalog.refinement(result.run)
    assert table.detection_id.tolist() == project.catalog.detections().id.tolist()
    changed = (table.was != table.became) & (table.stage != "people")
    assert changed.sum() == result.counts["changed"] == sum(result.stages.values()) > 20
    assert set(table.stage) == {"climb", "people", "trusted"}
    assert (table.stage[changed] == "climb").all()
    assert np.isfinite(table.probability[changed]).all()
    assert (table.became[~changed & (table.stage != "people")]
            == table.was[~changed & (table.stage != "people")]).all()


def test_most_answers_are_right_and_sure_species_stay(climbed):
    project, result, _ = climbed
    refined, truth = refined_of(project), truth_of()
    labels = np.array([refined[f"m{i:03d}:0"].label for i in range(N)])
    stages = np.array([refined[f"m{i:03d}:0"].stage for i in range(N)])
    assert (labels[stages == "trusted"] == truth[stages == "trusted"]).all()
    moved = stages == "climb"
    assert (labels[moved] == truth[moved]).mean() > 0.9
    assert result.counts["species_after"] > result.counts["species_before"] > 0


def test_labels_by_people_always_win(climbed):
    project, _, _ = climbed
    refined = refined_of(project)
    for detection, label in project.catalog.current_labels().items():
        assert refined[detection].label == label and refined[detection].stage == "people"
        assert np.isnan(refined[detection].probability)
    assert len(project.catalog.labels()) == 6 * 4


def test_the_record_keeps_what_makes_the_run_repeatable_and_the_figures(climbed):
    project, result, said = climbed
    record = read_refine_record(project, result.run)
    assert record["settings"]["refine_alpha"] == 0.05 and record["seed"] == 0
    assert record["settings"]["score_models"] == ["speciesnet"] and record["versions"]["ecotone"]
    assert record["counts"] == result.counts and record["learned"]["calibrated_on"] == 24
    figures = record["figures"]
    assert figures["labels"] == 18 and figures["scores"]["hierarchical_accuracy"] > 0.8
    assert figures["scores"]["low"] < figures["scores"]["hierarchical_accuracy"]
    assert [row["at"] for row in figures["curve"]] == list(refining_figures.ALPHAS)
    names = [row["name"] for row in figures["ablation"]]
    assert names[0] == "all stages" and "without birds" in names and names[-1] == "climb"
    (run,) = [r for r in project.catalog.runs() if r.command == "refine"]
    assert run.status == "done" and run.summary["counts"] == result.counts
    assert {"going down the tree", "checking climb on hidden labels"} <= set(said)
    json.dumps(record, allow_nan=False)


def test_the_same_again_gives_the_same(climbed, project):
    again = project.refine(check=False)
    table = project.catalog.refinement(again.run)
    first = climbed[0].catalog.refinement(climbed[1].run)
    assert table.became.tolist() == first.became.tolist()
    np.testing.assert_allclose(table.probability, first.probability, equal_nan=True, atol=1e-6)


def test_undo_gives_back_what_was_before(project):
    first = project.refine(check=False, method="five-stage")
    second = project.refine(check=False, method="five-stage", trusted_score=1.0)
    assert refinement_of(project).run == second.run
    back = project.undo_refine()
    assert (back.undone, back.now) == (second.run, first.run)
    assert refined_of(project).run == first.run
    with pytest.raises(ProjectError, match="was undone already"):
        project.undo_refine(second.run)
    assert project.undo_refine(first.run).now == ""
    assert refined_of(project) is None and refined_of(project, first.run).run == first.run
    with pytest.raises(ProjectError, match="no refinement to undo"):
        project.undo_refine()
    with pytest.raises(ProjectError, match="no refinement 'x' here"):
        project.undo_refine("x")
    assert len(project.catalog.refinement(first.run)) == N  # the audit stays


def test_the_five_stages_run_with_the_settings_of_the_file(project):
    (project.path / "ecotone.toml").write_text(
        'refine_method = "five-stage"\n[five_stage]\ncrops = 4\nbirds = false\n', "utf-8")
    with Project(project.path) as own:
        result = own.refine(check=False)
        table = own.catalog.refinement(result.run)
    assert result.method == "five-stage" and set(result.stages) == {"metric head"}
    moved = table.stage == "metric head"
    assert np.isfinite(table.first_distance[moved]).all() and np.isnan(
        table.probability[moved]).all()


def test_a_list_of_what_occurs_narrows_and_forces_nothing(project, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("scientificName\nCervus elaphus\nSus scrofa\nVulpes vulpes\nNessie nessie\n",
                    encoding="utf-8")
    result = project.refine(check=False, species=str(path))
    table, refined = project.catalog.refinement(result.run), refined_of(project)
    answered = {refined[d].label for d, s in zip(table.detection_id, table.stage, strict=True)
                if s == "climb"}
    assert not answered & {"lynx", "mallard", "roe deer"}
    assert any("Nessie nessie" in note for note in result.notes)
    assert read_refine_record(project, result.run)["present"]["not_in_the_tree"] == [
        "Nessie nessie"]


def test_without_labels_the_global_models_sure_species_teach(tmp_path):
    with make_project(tmp_path / "reserve", labels=0) as project:
        result = project.refine()
        assert result.counts["labelled"] == 0 and result.counts["trusted"] > 20
        assert result.counts["changed"] > 10 and result.figures == {}
        notes = " ".join(result.notes)
        assert "too few labels by people to set the threshold" in notes
        assert "no figures of how good this is: 0 labels by people" in notes
        shown = {refined.label for refined in refined_of(project).values()}
        assert "Cervus elaphus" in shown or "red deer" in shown


def test_detections_without_an_embedding_keep_their_label(project):
    project.catalog.add_media([NewMedium("new", "/x", "place0/new.jpg", "place0")])
    result = project.refine(check=False, method="five-stage")
    table = project.catalog.refinement(result.run)
    assert table.detection_id[-1] == "new:0" and len(table) == N + 1
    assert (table.stage[-1], table.was[-1], table.became[-1]) == (UNCHANGED, "animal", "animal")
    assert any("1 detections have no embedding" in note for note in result.notes)


def test_people_and_vehicles_are_left_alone(project):
    project.catalog.replace_boxes({"m000": [
        Box((0.0, 0.0, 1.0, 1.0), "animal", 0.9), Box((0.1, 0.1, 0.2, 0.2), "human", 0.9)]}, "md")
    from ecotone.store.vectors import EmbeddingWriter

    with EmbeddingWriter(project.catalog, project.vectors, "enc", 12) as writer:
        writer.append(["m000:1"], np.ones((1, 12), dtype=np.float32))
    result = project.refine(check=False)
    table = project.catalog.refinement(result.run)
    row = table.detection_id.tolist().index("m000:1")
    assert (table.was[row], table.became[row], table.stage[row]) == ("human", "human", UNCHANGED)


def test_what_a_project_lacks_is_told(tmp_path):
    with Project.init(tmp_path / "empty") as project:
        with pytest.raises(ProjectError, match="ecotone add images"):
            project.refine()
        with pytest.raises(InputError, match="alpha is 3"):
            project.refine(alpha=3)
        assert project.catalog.runs() == []


def test_nothing_to_learn_from_and_no_tree_are_told(tmp_path):
    with make_project(tmp_path / "reserve", labels=0) as project:
        with pytest.raises(ProjectError, match="nothing to learn from"):
            project.refine(trusted_score=0.99)
        with pytest.raises(InputError, match="no scores of a model 'x'"):
            project.refine(score_models=["x"])
        assert [r.status for r in project.catalog.runs()] == []


def test_a_run_that_fails_or_is_killed_leaves_nothing_that_counts(project, monkeypatch):
    from ecotone.project import refining

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refining, "measure", stop)
        with pytest.raises(KeyboardInterrupt):
            project.refine(method="five-stage")
    assert refined_of(project) is None
    assert [r.status for r in project.catalog.runs()] == ["interrupted"]
    result = project.refine(method="five-stage", check=False)
    rows = project.catalog.connection.execute("SELECT DISTINCT run FROM refinement").fetchall()
    assert rows == [(result.run,)]


def test_labels_are_shown_in_peoples_words(climbed):
    names = names_of(climbed[0])
    assert names.of(LINES["red deer"]) == ("red deer", "Cervus elaphus")
    assert names.of("Cervus elaphus") == ("red deer", "Cervus elaphus")
    assert names.of(ABSENT) == ("puma", "Puma concolor")
    assert names.of(";mammalia;carnivora;felidae;;;felidae") == ("felidae", "Felidae")
    assert names.of("Felidae") == ("Felidae", "Felidae")
    assert names.of("animal") == ("animal", "") and names.of("unknown") == ("unknown", "")
    assert {names.of(s)[0] for s in SPECIES} == set(SPECIES)


def test_later_labels_win_over_what_an_older_run_says(project):
    result = project.refine(method="five-stage", check=False)
    free = next(d for d, s in zip(*(getattr(project.catalog.refinement(result.run), f) for f in (
        "detection_id", "stage")), strict=True) if s != "people")
    project.catalog.add_labels([NewLabel(free[:-2], "mallard")])
    refined = refined_of(project)
    assert refined[free].label == "mallard" and refined[free].stage == "people"
