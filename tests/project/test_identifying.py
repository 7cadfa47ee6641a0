"""Match, catalogue, decisions, undo, exports: individuals of a project with made-up embeddings."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ecotone.cli import run
from ecotone.errors import InputError, ProjectError
from ecotone.project import Project
from ecotone.project.individual_heads import load_head
from ecotone.store.vectors import EmbeddingWriter

PEOPLE, EACH = 14, 5


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_picture):
    """70 pictures, p00_0.jpg ... p13_4.jpg, hours apart."""
    folder = tmp_path_factory.mktemp("individuals") / "PHOTOS"
    for person in range(PEOPLE):
        for n in range(EACH):
            make_picture(folder / f"cam1/p{person:02d}_{n}.jpg", (90, 10 * person, 40 + n),
                         size=(48, 36), seed=10 * person + n,
                         taken=f"2024:05:{1 + person:02d} {2 + 4 * n:02d}:00:00")
    return folder


@pytest.fixture
def project(tmp_path, photos):
    """A project of the pictures; 10 of 14 individuals are known, by 3 of 5 pictures."""
    rows = ["filePath,scientificName,individualID,viewpoint"]
    for person in range(PEOPLE):
        for n in range(EACH):
            name = f"Ada{person:02d}" if person < 10 and n < 3 else ""
            rows.append(f"cam1/p{person:02d}_{n}.jpg,Panthera pardus,{name},left")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with Project.init(tmp_path / "project") as made:
        made.add_images(photos)
        made.add_labels(labels)
        embed(made)
        yield made


def embed(project, noise: float = 0.25) -> None:
    files = files_of(project)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(PEOPLE, 16))
    ids = sorted(files, key=files.get)
    values = [centres[int(files[i][6:8])] + noise * rng.normal(size=16) for i in ids]
    writer = EmbeddingWriter(project.catalog, project.vectors, "made-up", 16)
    writer.append(ids, np.array(values))
    writer.flush()


def files_of(project) -> dict[str, str]:
    media, detections = project.catalog.media(), project.catalog.detections()
    path = dict(zip(media.id, media.file_path, strict=True))
    return {d: path[m] for d, m in zip(detections.id, detections.media_id, strict=True)}


def by_file(project) -> dict[str, object]:
    files = files_of(project)
    return {files[d]: said for d, said in project.individuals().items()}


def test_known_and_new_animals_are_told_apart(project):
    result = project.match_individuals()
    assert result.counts["gallery"] == 30 and result.counts["queries"] == 40
    assert result.counts["individuals"] == 10 and result.model == "made-up"
    said = by_file(project)
    for person in range(PEOPLE):
        answer = said[f"cam1/p{person:02d}_4.jpg"]
        if person < 10:
            assert (answer.individual, answer.decision) == (f"Ada{person:02d}", "known")
            assert answer.candidates[0][0] == f"Ada{person:02d}" and answer.probability > 0.5
        else:
            assert answer.decision == "new" and answer.individual.startswith("new-000")
            assert answer.individual == said[f"cam1/p{person:02d}_0.jpg"].individual
    assert said["cam1/p00_0.jpg"].decision == "people"
    record = json.loads((project.path / "runs" / f"{result.run}.json").read_text())
    assert record["curve"]["threshold"] and record["settings"]["embedding_model"] == "made-up"


def test_the_same_again_and_back(project):
    def answers() -> dict[str, tuple]:
        return {f: (s.individual, s.decision) for f, s in by_file(project).items()}

    first, names = project.match_individuals(), answers()
    second = project.match_individuals()
    assert second.counts == first.counts and answers() == names
    assert project.undo_individuals().now == first.run
    assert project.undo_individuals(first.run).now == ""
    assert {s.decision for s in by_file(project).values()} == {"people"}
    with pytest.raises(ProjectError, match="no run of individuals to undo"):
        project.undo_individuals()
    with pytest.raises(ProjectError, match="undone already"):
        project.undo_individuals(first.run)


def test_new_ids_stay_when_more_animals_come(project, tmp_path):
    project.match_individuals(folder="cam1")
    before = {f: s.individual for f, s in by_file(project).items() if s.decision == "new"}
    file = tmp_path / "named.csv"
    file.write_text("filePath,scientificName,individualID,viewpoint\n" + "".join(
        f"cam1/p10_{n}.jpg,Panthera pardus,Zoe,left\n" for n in range(5)), encoding="utf-8")
    project.add_labels(file)
    project.match_individuals()
    after = {f: s.individual for f, s in by_file(project).items() if s.decision == "new"}
    assert after == {f: name for f, name in before.items() if "/p10_" not in f}


def pairs(tmp_path, text: str):
    path = tmp_path / "pairs.csv"
    path.write_text("first,second,decision\n" + text, encoding="utf-8")
    return path


def test_peoples_decisions_are_kept_and_never_overridden(project, tmp_path):
    file = pairs(tmp_path, "cam1/p00_4.jpg,cam1/p01_0.jpg,same\n"
                 "cam1/p10_0.jpg,cam1/p10_1.jpg,different\ncam1/none.jpg,cam1/p01_0.jpg,same\n")
    report = project.add_decisions(file, author="Kim")
    assert (report.added, report.skipped) == (2, 0) and "1 rows" in report.problems[0]
    assert project.add_decisions(file).skipped == 2
    assert project.match_individuals().counts["decided"] == 1
    said = by_file(project)
    assert said["cam1/p00_4.jpg"].individual == "Ada01"
    assert said["cam1/p10_0.jpg"].individual != said["cam1/p10_1.jpg"].individual
    project.catalogue_individuals()
    said = by_file(project)
    assert said["cam1/p00_4.jpg"].individual == "Ada01"
    assert said["cam1/p10_0.jpg"].individual != said["cam1/p10_1.jpg"].individual
    for text in ("cam1/p01_1.jpg,cam1/p00_4.jpg,different\n",
                 "cam1/p00_0.jpg,cam1/p01_0.jpg,same\n"):
        with pytest.raises(InputError, match="contradict|carry two"):
            project.add_decisions(pairs(tmp_path, text))
    project.add_decisions(pairs(tmp_path, "cam1/p00_4.jpg,cam1/p01_0.jpg,open\n"))
    project.match_individuals()
    assert by_file(project)["cam1/p00_4.jpg"].individual == "Ada00"


def test_a_catalogue_from_nothing(tmp_path, photos):
    with Project.init(tmp_path / "nothing") as made:
        made.add_images(photos)
        embed(made, noise=0.1)
        result = made.catalogue_individuals()
        assert result.counts["individuals"] == PEOPLE and "guessed" in " ".join(result.notes)
        matched = made.match_individuals()
        assert matched.counts["new_individuals"] == PEOPLE
        hdbscan = made.catalogue_individuals(method="hdbscan")
        assert abs(hdbscan.counts["individuals"] - PEOPLE) < 4


def test_exports_carry_individuals(project, tmp_path):
    project.match_individuals()
    project.export(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8") as handle:
        rows = {r["filePath"]: r for r in csv.DictReader(handle)}
    assert rows["cam1/p00_4.jpg"]["individualID"] == "Ada00"
    assert float(rows["cam1/p00_4.jpg"]["individualProbability"]) > 0.5
    assert rows["cam1/p00_0.jpg"]["individualDecision"] == "people"
    study = project.study()
    media = {r["mediaID"]: r["filePath"] for r in study.media}
    seen = [(media[r["mediaID"]], r) for r in study.observations]
    machine = {f: r for f, r in seen if r["classificationMethod"] == "machine"}
    people = {f: r for f, r in seen if r["classificationMethod"] == "human"}
    row = machine["cam1/p00_4.jpg"]
    assert row["individualID"] == "Ada00" and row["scientificName"] == "Panthera pardus"
    assert "individualProbability:0." in row["observationTags"]
    assert "individualDecision:known" in row["observationTags"]
    assert "individuals-match" in row["classifiedBy"]
    assert people["cam1/p00_0.jpg"]["individualID"] == "Ada00"
    assert people["cam1/p00_0.jpg"]["observationTags"] == "viewpoint:left"
    assert people["cam1/p00_4.jpg"]["individualID"] == ""


def test_an_exported_camtrap_dp_brings_individuals_back(project, tmp_path, photos):
    (tmp_path / "deployments.csv").write_text(
        "deploymentID,latitude,longitude,deploymentStart,deploymentEnd\n"
        "cam1,50.7,4.0,2024-05-01T00:00:00,2024-07-01T00:00:00\n", encoding="utf-8")
    project.add_deployments(tmp_path / "deployments.csv")
    project.match_individuals()
    project.export(tmp_path / "package", format="camtrapdp", time_zone="UTC")
    from ecotone.project.individual_labels import named_individuals

    with Project.init(tmp_path / "other") as other:
        other.add_images(photos)
        other.add_study(tmp_path / "package")
        found = named_individuals(other.catalog)
        assert len(found.individual) == 30 and set(found.viewpoint.values()) == {"left"}


def test_a_head_is_trained_kept_and_applied(project):
    result = project.train_individuals(head="whitening")
    assert result.head == "whitening" and result.individuals == 10
    head, card = load_head(project)
    assert card["embedding_model"] == "made-up" and head.projection_.shape[0] == 16
    report = project.embed_individuals(head="latest")
    assert (report.done, report.skipped) == (70, 0) and report.model.startswith("made-up+")
    assert project.embed_individuals(head="latest").skipped == 70
    matched = project.match_individuals(embedding_model="made-up")
    assert matched.head == "whitening"
    with pytest.raises(ProjectError, match="no head of individuals"):
        project.embed_individuals(head="2020")


def test_evaluation_on_own_ids_and_on_a_split(project, tmp_path, photos):
    own = project.evaluate_individuals(head="none", repeats=1)
    assert own.ranking["top"][1] > 0.9 and own.identifier["geometric_mean"] > 0.7
    split = tmp_path / "split.csv"
    split.write_text("identity,path,split\n" + "".join(
        f"p{p},{photos}/cam1/p{p:02d}_{n}.jpg,{'test' if n == 4 or p > 11 else 'train'}\n"
        for p in range(PEOPLE) for n in range(EACH)), encoding="utf-8")
    found = project.evaluate_individuals(split=split, head="none")
    assert found.pictures == 70 and found.identifier["new"] == 10
    assert found.identifier["top1"] > 0.9 and found.ranking["queries"] == 12
    split.write_text("identity,path\np1,cam1/p01_0.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match="which part"):
        project.evaluate_individuals(split=split)


def test_what_is_missing_is_said(tmp_path, photos, project):
    with pytest.raises(InputError, match="no animals of species 'lion'"):
        project.match_individuals(species=["lion"])
    with pytest.raises(InputError, match="below cam9"):
        project.match_individuals(folder="cam9")
    with pytest.raises(InputError, match="no embeddings of 'x'"):
        project.match_individuals(embedding_model="x")
    with Project.init(tmp_path / "empty") as empty:
        with pytest.raises(ProjectError, match="no pictures"):
            empty.match_individuals()
        empty.add_images(photos)
        with pytest.raises(ProjectError, match="no embeddings"):
            empty.match_individuals()
        with pytest.raises(ProjectError, match="no animal has an individualID"):
            embed(empty)
            empty.train_individuals()


def test_the_commands(project, tmp_path, capsys):
    place = ["--project", str(project.path)]
    assert run(["individuals", "match", *place]) == 0
    out = capsys.readouterr().out
    assert "40 pictures" in out and "10 known individuals" in out and "--undo" in out
    assert run(["individuals", "match", "--json", "--forced", *place]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["cannot_tell"] == 0
    file = pairs(tmp_path, "cam1/p10_0.jpg,cam1/p10_1.jpg,different\n")
    assert run(["individuals", "catalogue", "--decisions", str(file), *place]) == 0
    assert "1 decisions added" in capsys.readouterr().out
    assert run(["individuals", "catalogue", "--undo", *place]) == 0
    assert "counts again" in capsys.readouterr().out
    assert run(["individuals", "evaluate", "--head", "none", "--repeats", "1", *place]) == 0
    assert "geometric mean" in capsys.readouterr().out
    assert run(["individuals", "train", "--head", "whitening", *place]) == 0
    assert "head whitening" in capsys.readouterr().out
    assert run(["individuals", "train", "--epochs", "3", *place]) == 2
    assert "are for --network" in capsys.readouterr().err
    assert run(["individuals", "match", "--run", "x", *place]) == 2


def test_shortlists_in_another_order(project, capsys):
    where = ["--project", str(project.path), "--json"]
    assert run(["individuals", "match", "--rerank", "on", "--expand", "auto", *where]) == 0
    result = json.loads(capsys.readouterr().out)
    record = json.loads((project.path / f"runs/{result['run']}.json").read_text("utf-8"))
    assert record["settings"]["rerank"] is True and record["settings"]["expand"] == "auto"
    assert "re-ranking" in record["order"]
    assert any("order of shortlists" in note for note in result["notes"])
    assert run(["individuals", "evaluate", "--repeats", "1", "--expand", "on", *where]) == 0
    assert json.loads(capsys.readouterr().out)["identifier"]["top1"] > 0.8


def test_a_network_needs_its_packages(project, capsys):
    try:
        import timm  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        place = ["--project", str(project.path)]
        assert run(["individuals", "train", "--network", "resnet18", *place]) == 1
        assert "ecotone[torch]" in capsys.readouterr().err
        return
    pytest.skip("torch is installed here")


def test_the_report_shows_matches(project):
    project.match_individuals(precision=None)
    page = project.report().read_text(encoding="utf-8")
    assert 'id="who"' in page and "New individuals" in page and "Ada0" in page
    assert page.count('class="shot asked"') >= 10 and "Known or new" in page
    project.catalogue_individuals()
    assert "were grouped into" in project.report().read_text(encoding="utf-8")
    project.undo_individuals()
    project.undo_individuals()
    assert 'id="who"' not in project.report().read_text(encoding="utf-8")


def test_scores_of_another_program_help(project, tmp_path):
    embed(project, noise=3.0)
    files = files_of(project)
    named = {d: f for d, f in files.items() if int(f[6:8]) < 10}
    rng = np.random.default_rng(0)
    rows = ["first,second,score"]
    order = sorted(named, key=named.get)
    for i, a in enumerate(order):
        for b in order[i + 1:]:
            same = named[a][:8] == named[b][:8]
            rows.append(f"{named[a]},{b},{rng.normal(20 if same else 5, 3):.3f}")
    file = tmp_path / "lightglue.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = {}
    for scores in (None, file):
        project.match_individuals(head="none", precision=None, scores=scores, shortlist=30)
        said = by_file(project)
        found[scores] = np.mean([s.candidates[0][0] == f"Ada{f[6:8]}" for f, s in said.items()
                                 if s.candidates and int(f[6:8]) < 10])
    assert found[file] > 0.85 and found[file] > found[None] + 0.2
    both = {s: project.catalogue_individuals(head="none", scores=s).counts for s in (None, file)}
    assert both[None] != both[file]
    file.write_text("first,second,score\ncam1/p00_4.jpg,cam1/p01_0.jpg,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="score is no number: row 2 \\(x\\)"):
        project.match_individuals(scores=file)
    file.write_text("first,second,score\ncam1/p00_4.jpg,cam1/p01_0.jpg,4\n", encoding="utf-8")
    assert any("no score of two labelled" in n
               for n in project.match_individuals(scores=file).notes)


@pytest.mark.filterwarnings("ignore")  # of Daft's and its processes
def test_matching_by_an_engine_gives_the_same_answers(project, monkeypatch):
    pytest.importorskip("daft")
    monkeypatch.setattr("ecotone.reid.search_parts.LEAST", 8)
    project.match_individuals()
    one = by_file(project)
    project.undo_individuals()
    project.match_individuals(engine="daft", workers=2)
    other = by_file(project)
    assert list(one) == list(other)
    for file, answer in one.items():
        assert (answer.individual, answer.decision) == (
            other[file].individual, other[file].decision)
        assert [c[0] for c in answer.candidates] == [c[0] for c in other[file].candidates]
        assert answer.probability == pytest.approx(
            other[file].probability, abs=1e-5, nan_ok=True)
