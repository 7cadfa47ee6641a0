from __future__ import annotations

import numpy as np
import pytest

from ecotone.hierarchy.results import UNCHANGED, Refinement
from ecotone.hierarchy.tree import ClassTree
from ecotone.project import refining_figures
from ecotone.project.refining_figures import (
    hide,
    hold_out,
    join,
    measure,
    part,
    scores_of,
    settled,
)
from ecotone.project.refining_input import gather_refinement
from ecotone.project.refining_settings import settings_of
from ecotone.taxonomy.tree import Taxonomy
from tests.project.refine_world import make_project

TREE = Taxonomy.from_rows([
    {"scientificName": "Cervus elaphus", "family": "Cervidae", "class": "Mammalia"},
    {"scientificName": "Capreolus capreolus", "family": "Cervidae", "class": "Mammalia"},
    {"scientificName": "Lynx lynx", "family": "Felidae", "class": "Mammalia"},
])


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("figures") / "reserve")
    chosen = settings_of(project, "five-stage")
    yield gather_refinement(project, chosen, quiet), chosen
    project.close()


def answers(nodes, ranks, was=None):
    n = len(nodes)
    was = was or ["animal"] * n
    empty, blank = np.full(n, np.nan), np.full(n, "", dtype=object)
    stage = [UNCHANGED if a == b else "climb" for a, b in zip(nodes, was, strict=True)]
    return Refinement(*(np.array(v, dtype=object) for v in (nodes, ranks)), empty,
                      np.array(stage, dtype=object), np.array(was, dtype=object),
                      blank, empty, blank, empty, empty)


def test_only_labels_above_species_are_hidden_and_no_burst_or_place_is_split(gathered):
    data, _ = gathered
    held, why = hold_out(data, 0, 3)
    assert why == "" and len(held.rows) == 18
    assert data.trusted.by_people[held.rows].all() and not settled(data.before)[held.rows].any()
    for units in (data.groups, data.bursts, held.units):
        for unit in set(units[held.rows].tolist()):
            assert len(set(held.fold[units[held.rows] == unit])) == 1
    again, _ = hold_out(data, 0, 3)
    assert (again.fold == held.fold).all()


def test_hidden_labels_teach_nothing(gathered):
    data, chosen = gathered
    rows = np.flatnonzero(data.trusted.by_people)[:5]
    less = hide(data, rows, chosen)
    assert [less.said[r] for r in rows] == [None] * 5
    assert not less.trusted.by_people[rows].any()
    assert less.trusted.by_people.sum() == data.trusted.by_people.sum() - 5
    assert data.trusted.by_people[rows].all()  # the input stays as it is


def test_scores_count_right_wrong_and_finer_answers():
    tree = ClassTree.build(["Cervus elaphus", "Capreolus capreolus", "Lynx lynx", "Cervidae"], TREE)
    answer = answers(["Cervus elaphus", "Cervidae", "Felidae", "Cervus elaphus"] + ["animal"] * 2,
                     ["species", "family", "family", "species", "kingdom", "kingdom"])
    truth = np.array(["Cervus elaphus", "Capreolus capreolus", "Cervus elaphus", "Cervidae",
                      "Lynx lynx", "Lynx lynx"], dtype=object)
    found = scores_of(answer, truth, tree)
    assert (found["n"], found["finer"], found["changed"], found["right"]) == (5, 1, 3, 2)
    assert found["coverage"] == 0.6 and found["hierarchical_accuracy"] == pytest.approx(2 / 3)
    assert found["species_share"] == pytest.approx(1 / 3) and found["wrong_species_rate"] == 0
    assert found["low"] < 2 / 3 < found["high"]
    nothing = scores_of(part(answer, np.array([4, 5])), truth[4:], tree)
    assert nothing["coverage"] == 0 and nothing["hierarchical_accuracy"] is None
    assert (nothing["low"], nothing["high"]) == (0.0, 1.0)


def test_parts_of_answers_are_joined_in_order():
    answer = answers(["a", "b", "c"], ["species"] * 3)
    again = join([part(answer, np.array([2])), part(answer, np.array([0, 1]))])
    assert again.node.tolist() == ["c", "a", "b"] and len(again) == 3


def test_the_five_stages_have_a_curve_and_an_ablation(gathered, monkeypatch):
    monkeypatch.setattr(refining_figures, "FOLDS_FIVE", 2)
    data, chosen = gathered
    said = []
    figures, notes = measure(data, chosen, lambda done, total, text: said.append((done, total)))
    assert notes == [] and figures["method"] == "five-stage" and said == [(0, 2), (1, 2)]
    assert [row["at"] for row in figures["curve"]] == list(refining_figures.SCALES)
    names = {row["name"]: row for row in figures["ablation"]}
    assert list(names)[0] == "all stages" and len(names) == 6
    assert names["without centroids"]["changed"] <= names["without scoring"]["changed"]
    assert names["all stages"] == {**figures["scores"], "name": "all stages"}
    coverage = [row["coverage"] for row in figures["curve"]]
    assert coverage == sorted(coverage)


@pytest.mark.parametrize("labels, told", [(0, "0 labels by people"), (1, "12 are needed")])
def test_too_few_labels_give_no_figures_and_the_reason(tmp_path, labels, told):
    with make_project(tmp_path / "reserve", labels=labels) as project:
        chosen = settings_of(project, "five-stage")
        figures, notes = measure(gather_refinement(project, chosen, quiet), chosen, quiet)
    assert figures == {} and len(notes) == 1 and told in notes[0]


def test_labels_of_one_kind_or_one_burst_give_no_figures(gathered):
    data, _ = gathered
    one = data.said.copy()
    one[data.trusted.by_people] = "red deer"
    from dataclasses import replace

    assert "two kinds are needed" in hold_out(replace(data, labels=one), 0, 3)[1]
    alike = replace(data, bursts=np.ones(len(data), dtype=np.int64))
    assert hold_out(alike, 0, 3)[1] == "all labels are of one burst"
