from __future__ import annotations

import json

import pytest

from ecotone import cli
from ecotone.project.refined import refinement_of
from tests.project.refine_world import make_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The made-up reserve, on the disk."""
    path = tmp_path_factory.mktemp("cli") / "reserve"
    make_project(path).close()
    return path


def run(capsys, folder, *words, code=0):
    """What a command prints; its error where it ends with another code."""
    assert cli.run([*words, "--project", str(folder)]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out if code == 0 else said.err


def opened(folder):
    from ecotone.project import Project

    return Project(folder)


def test_refine_says_what_it_did_and_undo_takes_it_back(folder, capsys, tmp_path):
    said = run(capsys, folder, "refine", "--method", "five-stage", "--trusted-score", "0.85")
    assert "96 detections:" in said and "hidden labels" in said and "ecotone refine --undo" in said
    with opened(folder) as project:
        first = refinement_of(project).run
    assert f"refined      {first} (five-stage" in run(capsys, folder, "status")
    as_json = json.loads(run(capsys, folder, "refine", "--method", "five-stage", "--no-check",
                             "--seed", "3", "--json"))
    assert as_json["counts"]["detections"] == 96 and as_json["figures"] == {}
    table = tmp_path / "out.csv"
    run(capsys, folder, "export", "csv", "-o", str(table))
    head, row = table.read_text(encoding="utf-8").splitlines()[:2]
    assert head.endswith("refinedLabel,refinedScientificName,refinedRank,refinedProbability,"
                         "refinedStage,labelBefore")
    assert ",red deer,Cervus elaphus,species,0.9,trusted,d1;mammalia;" in row
    assert f"{first} counts again" in run(capsys, folder, "refine", "--undo")
    back = json.loads(run(capsys, folder, "refine", "--undo", "--run", first, "--json"))
    assert back == {"undone": first, "now": ""}
    assert "refined      not yet" in run(capsys, folder, "status")
    assert "nothing fused yet" in run(capsys, folder, "export", "csv", "-o", str(table), code=1)


@pytest.mark.parametrize("words, code, told", [
    (["--alpha", "2"], 2, "alpha is 2, expected a number between 0 and 1"),
    (["--alpha", "x"], 2, "'x' is not a valid float"),
    (["--method", "best"], 2, "'best' is not one of"),
    (["--species", "gone.csv"], 2, "no such list of species"),
    (["--country", "KENYA"], 2, "expected the three letters of ISO 3166"),
    (["--country", "KEN"], 2, "needs SpeciesNet's geofence"),
    (["--thresholds", "roll_up"], 2, "expected NAME=VALUE"),
    (["--thresholds", "rol=1"], 2, "did you mean 'roll_up'"),
    (["--scores", "x"], 2, "no scores of a model 'x' here; there are: speciesnet"),
    (["--embedding", "x"], 2, "no embeddings of 'x' here"),
    (["--trusted-score", "2"], 2, "--trusted-score"),
    (["--undo", "--run", "x"], 1, "no refinement 'x' here"),
    (["--undo", "--alpha", "0.1"], 2, "--undo takes no other option"),
    (["--run", "x"], 2, "--run is for --undo"),
])
def test_mistakes_are_told_in_one_line(folder, capsys, words, code, told):
    said = run(capsys, folder, "refine", *words, code=code)
    assert told in said and said.count("\n") == 1 and said.startswith("ecotone: ")


def test_a_list_with_no_known_name_is_told(folder, capsys, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("Abc def\n", encoding="utf-8")
    said = run(capsys, folder, "refine", "--species", str(path), code=2)
    assert "none of its names is in the tree (Abc def)" in said


def test_an_empty_project_and_help(tmp_path, capsys):
    from ecotone.project import Project

    Project.init(tmp_path / "empty").close()
    assert "no pictures in this project yet" in run(capsys, tmp_path / "empty", "refine", code=1)
    assert cli.run(["refine", "--help"]) == 0
    said = capsys.readouterr().out
    assert "ecotone refine --undo" in said and "--alpha" in said
