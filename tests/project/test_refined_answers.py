"""The answers of a refinement in the exports of other programs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.errors import InputError, ProjectError
from ecotone.project.answers import answers_of
from ecotone.project.refined import PEOPLE, refined_of
from tests.project.refine_world import make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A reserve that was refined and never fused."""
    opened = make_project(tmp_path_factory.mktemp("answers") / "reserve")
    opened.refine(check=False)
    yield opened
    opened.close()


def machine_rows(project, source):
    return [r for r in project.study(source=source).observations
            if r["classificationMethod"] == "machine"]


def test_machine_rows_are_what_the_refinement_says_and_people_are_left_out(project):
    refined = refined_of(project)
    said = {d for d, r in refined.items() if r.stage == PEOPLE}
    rows = {r["observationID"]: r for r in machine_rows(project, "refined")}
    assert said and not said & set(rows)
    assert set(rows) == set(refined) - said
    for identity, row in rows.items():
        answer = refined[identity]
        assert (row["label"] or row["scientificName"]) == answer.label
        if row["observationType"] == "animal":
            assert row["scientificName"] == answer.scientific_name
        sure = row["classificationProbability"]
        assert (sure == "") if np.isnan(answer.probability) else (
            float(sure) == pytest.approx(answer.probability, abs=1e-4))
        assert f"stage:{answer.stage}" in row["observationTags"]
        assert refined.run in row["classifiedBy"]


def test_without_a_fusion_the_refinement_is_the_best_there_is(project):
    assert answers_of(project).source == "refined"
    assert machine_rows(project, "best") == machine_rows(project, "refined")


def test_json_of_detectors_carries_the_answers(project, tmp_path):
    project.export(tmp_path / "md.json", format="megadetector", source="refined")
    data = json.loads((tmp_path / "md.json").read_text(encoding="utf-8"))
    names = data["classification_categories"]
    found = {names[c[0]] for image in data["images"] for box in image["detections"] or ()
             for c in box.get("classifications", ())}
    assert found and found <= {r.label for r in refined_of(project).values()}


def test_what_cannot_be_asked_is_told(project, tmp_path):
    with pytest.raises(InputError, match="columns of its own"):
        project.export(tmp_path / "t.csv", format="csv", source="refined")
    empty = make_project(tmp_path / "other")
    with empty, pytest.raises(ProjectError, match="run: ecotone refine"):
        answers_of(empty, source="refined")
