"""`ecotone discover` on made-up vectors: two of five species have no label."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ecotone import cli
from ecotone.errors import InputError, ProjectError
from ecotone.project import Project
from ecotone.project.discovered import NONE_OF_THESE, discovery_record, proposals_of
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter, read_posteriors

SPECIES = ("red deer", "grey fox", "wild boar", "okapi", "quagga")
GLOBAL = ("Cervus elaphus (Red Deer)", "gray fox, Urocyon cinereoargenteus", "hog, swine")
N, DIM, KNOWN = 300, 24, 3


def make(path, labelled=60):
    """300 media of five species at six cameras; the first `labelled` of the known three have a
    label. Returns the project and the truth."""
    rng = np.random.default_rng(11)
    column = rng.integers(0, 5, N)
    centres = 3.0 * rng.normal(0, 1, (5, DIM)) / np.sqrt(DIM) * 2
    x = (centres[column] + rng.normal(0, 0.35, (N, DIM))).astype(np.float32)
    project = Project.init(path)
    catalog = project.catalog
    catalog.add_media([
        NewMedium(f"m{i:03d}", str(path), f"cam{i % 6}/{i:03d}.jpg", deployment_id=f"cam{i % 6}",
                  content_hash=f"h{i}", width=10, height=10) for i in range(N)])
    ids = [f"m{i:03d}:0" for i in range(N)]
    with EmbeddingWriter(catalog, project.vectors, "enc", DIM) as writer:
        writer.append(ids, x)
    p = rng.dirichlet(np.ones(3), N) * 0.3
    p[np.arange(N), np.minimum(column, 2)] += 0.7
    with ScoreWriter(catalog, project.vectors, "world", GLOBAL, True) as writer:
        writer.append(ids, p.astype(np.float32))
    known = [i for i in range(N) if column[i] < KNOWN][:labelled]
    if known:
        catalog.add_labels([NewLabel(f"m{i:03d}", SPECIES[column[i]]) for i in known], "test")
    return project, np.array(SPECIES, dtype=object)[column]


def truth_of(ids, truth):
    return [truth[int(i[1:4])] for i in ids]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The reserve after fuse and discover."""
    project, truth = make(tmp_path_factory.mktemp("discover") / "p")
    fused = project.fuse()
    yield project, truth, project.discover(), fused
    project.close()


def test_new_species_are_flagged_and_known_ones_are_not(found):
    project, truth, result, _ = found
    table = project.catalog.discovery(result.run)
    assert len(table) == N and result.novel == table.novel.sum()
    new = np.isin(truth_of(table.detection_id, truth), SPECIES[KNOWN:])
    assert table.novel[new].mean() > 0.9 and table.novel[~new].mean() < 0.12
    assert (table.novelty[table.novel] > 0.5).mean() > 0.9
    labelled = np.isin(table.detection_id, list(project.catalog.current_labels()))
    assert labelled.sum() == 60 and not table.novel[labelled].any()
    assert (table.novelty[labelled] == 0).all()
    value, low, high = result.share
    share = new.sum() / (N - 60)
    assert low - 0.1 < share < high + 0.1 and value == pytest.approx(share, abs=0.12)


def test_proposals_are_the_new_species_and_have_no_names(found):
    project, truth, result, _ = found
    assert result.n_classes[0] == 5 and result.n_classes[1] <= 5 <= result.n_classes[2]
    assert {p.number for p in result.proposals} == {1, 2}
    table = project.catalog.discovery(result.run)
    seen = set()
    for p in result.proposals:
        members = truth_of(table.detection_id[table.proposal == p.number], truth)
        name = max(set(members), key=members.count)
        seen.add(name)
        assert members.count(name) / len(members) > 0.95 and p.name == ""
        assert p.detections == len(members) and p.sites == 6 and p.bursts == len(p.typical)
    assert seen == set(SPECIES[KNOWN:])
    assert (table.membership[table.proposal == 0] == 0).all()


def test_none_of_these_is_stored_and_exported(found, tmp_path):
    project, truth, result, _ = found
    assert result.posteriors
    stored = read_posteriors(project.catalog, project.vectors, result.run)
    assert stored.classes == ("grey fox", "red deer", "wild boar", NONE_OF_THESE)
    np.testing.assert_allclose(stored.values.sum(axis=1), 1, atol=1e-5)
    path = tmp_path / "out.csv"
    project.export(path, format="csv", source="novel")
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    none = [r for r in rows if r["localClass"] == NONE_OF_THESE]
    assert len(none) == result.novel and {r["scientificName"] for r in none} == {""}
    project.export(path, format="csv")
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert sum(r["novel"] == "true" for r in rows) == result.novel
    assert {r["proposal"] for r in rows} == {"", "1", "2"}
    assert NONE_OF_THESE not in {r["localClass"] for r in rows}


def test_camtrap_dp_calls_it_unknown(found):
    project, _, result, _ = found
    study = project.study(source="novel")
    rows = [r for r in study.observations if r["classificationMethod"] == "machine"]
    unknown = [r for r in rows if r["observationType"] == "unknown"]
    assert len(unknown) == result.novel
    assert {r["scientificName"] for r in unknown} == {""}
    assert all(r["observationType"] in ("animal", "unknown") for r in rows)


def test_the_same_seed_finds_the_same(found):
    project, _, result, _ = found
    again = project.discover()
    one, two = (project.catalog.discovery(run) for run in (result.run, again.run))
    np.testing.assert_array_equal(one.novelty, two.novelty)
    np.testing.assert_array_equal(one.proposal, two.proposal)


def test_a_person_names_a_proposal_and_fuse_learns_it(tmp_path, capsys):
    project, truth = make(tmp_path / "p")
    with project:
        project.fuse()
        result = project.discover()
        table = project.catalog.discovery(result.run)
        own = table.detection_id[table.proposal == 1]
        name = max(set(truth_of(own, truth)), key=truth_of(own, truth).count)
        words = ["discover", "--name", "1", name, "--author", "Kim", "--members", "15", "--project",
                 str(project.path)]
        assert cli.run(words) == 0
        assert f"proposal 1 is {name}, a new class: 15 labels added" in capsys.readouterr().out
        labels = project.catalog.labels()
        given = labels.source == "discover"
        assert given.sum() == 15 and set(labels.author[given]) == {"Kim"}
        assert set(labels.detection_id[given]) == {""}  # of whole pictures, which outlast boxes
        assert proposals_of(project, result.run)[0].name == name
        assert len(project.catalog.proposal_names()) == 1
        assert cli.run(["fuse", "--json", "--project", str(project.path)]) == 0
        fused = json.loads(capsys.readouterr().out)
        known = fused["known_classes"]
        assert known["new_classes"] == [name] and known["labels"] == 60
        assert known["low"] <= known["change"] <= known["high"] and known["change"] > -0.05
        assert fused["chosen_labels"] == 15
        found = read_posteriors(project.catalog, project.vectors, fused["run"])
        best = np.array(found.classes)[found.values.argmax(axis=1)]
        here = truth == name
        assert (best[here] == name).mean() > 0.9 and (best[~here] == name).mean() < 0.1
        page = project.report().read_text("utf-8")
        assert "points for the classes of before" in page and f"Proposal 1: <bdi>{name}" in page
        # More of the same name are labels of the class that is known now.
        again = project.name_proposal(1, name.upper(), members="all")
        assert again.label == name and not again.new and again.skipped == 15


def test_names_that_do_not_fit(found, tmp_path):
    project = found[0]
    with pytest.raises(InputError, match="no proposal 9 in .*there are: 1 to 2"):
        project.name_proposal(9, "okapi")
    with pytest.raises(InputError, match="give the name of the class"):
        project.name_proposal(1, "  ")
    with pytest.raises(InputError, match="--members 0"):
        project.name_proposal(1, "okapi", members=0)
    with Project.init(tmp_path / "empty") as empty, pytest.raises(ProjectError, match="discover"):
        empty.name_proposal(1, "okapi")


def test_without_labels_every_cluster_is_a_proposal(tmp_path):
    project, truth = make(tmp_path / "p", labelled=0)
    with project:
        result = project.discover()
        assert result.share is None and result.novel == 0 and not result.posteriors
        assert 5 <= len(result.proposals) <= 7 and result.n_classes[1] <= 5
        assert "no label yet" in " ".join(result.notes)
        with pytest.raises(ProjectError, match="no probabilities"):
            project.export(tmp_path / "out.csv", format="csv", source="novel")
        for p in result.proposals:  # sorting from nothing
            name = max(set(truth_of(p.typical, truth)), key=truth_of(p.typical, truth).count)
            project.name_proposal(p.number, name)
        right = [truth[int(i[1:4])] == v for i, v in project.catalog.current_labels().items()]
        assert len(right) >= 100 and np.mean(right) > 0.95
        assert "every one of the" in project.report().read_text("utf-8")


def test_without_a_fusion_it_goes_by_embeddings(tmp_path):
    project, truth = make(tmp_path / "p")
    with project:
        result = project.discover()
        assert result.novel > 60 and not result.posteriors
        assert "first run: ecotone fuse" in " ".join(result.notes)


def test_boxes_that_come_back_are_found(tmp_path):
    from ecotone.store.tables import Box

    project, _ = make(tmp_path / "p")
    with project:
        boxes = {f"m{i:03d}": [Box((0.4, 0.5, 0.1, 0.2), "animal", 0.9)]
                 for i in range(60, N) if i % 6 == 2}
        project.catalog.replace_boxes(boxes, "md")
        ids = [f"{m}:1" for m in boxes]
        rng = np.random.default_rng(0)
        with EmbeddingWriter(project.catalog, project.vectors, "enc", DIM) as writer:
            writer.append([i for i in project.catalog.detections().id if i in set(ids)],
                          rng.normal(size=(len(ids), DIM)).astype(np.float32))
        result = project.discover()
        assert len(result.repeats) == 1 and result.repeats[0].place == "cam2"
        assert result.repeats[0].pictures == len(boxes)
        table = project.catalog.discovery(result.run)
        # In some a person saw an animal: these are never listed.
        free = [m for m in boxes if f"{m}:1" not in project.catalog.current_labels()]
        assert 0 < len(free) < len(boxes) and (table.repeat == 1).sum() == len(free)
        assert "Boxes that come back" in project.report().read_text("utf-8")


def test_the_benchmark_runs_the_grid(found, capsys):
    project = found[0]
    words = ["discover", "--benchmark", "--reduction", "pca", "--project", str(project.path)]
    assert cli.run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {r["reduction"] for r in told["rows"]} == {"pca"}
    assert {"hdbscan", "dbscan", "ward", "gmm"} <= {r["clustering"] for r in told["rows"]}
    best = max(r.get("v_measure_all") or 0 for r in told["rows"])
    assert best > 0.9 and told["labelled"] == 60 and told["classes"] == 3


@pytest.mark.parametrize("words, told", [
    (["--false-alarm", "0"], "--false-alarm: 0.0, expected a number between 0 and 1"),
    (["--clusters", "0"], "--clusters 0: expected at least 1"),
    (["--over-cluster", "0.5"], "--over-cluster 0.5: expected 1 to 20 parts"),
    (["--author", "Kim"], "--author, --members and --run are for --name"),
    (["--name", "1", "okapi", "--members", "x"], "expected a number from 1, usual or all"),
    (["--name", "1", "okapi", "--benchmark"], "give one"),
])
def test_mistakes_are_one_line(found, words, told, capsys):
    assert cli.run(["discover", *words, "--project", str(found[0].path)]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


def test_a_benchmark_needs_labels(tmp_path):
    project, _ = make(tmp_path / "p", labelled=5)
    with project, pytest.raises(ProjectError, match="at least 10 labels of 2"):
        project.cluster_benchmark()


def test_the_record_is_whole(found):
    project, _, result, fused = found
    record = discovery_record(project, result.run)
    assert record["fuse_run"] == fused.run and record["settings"]["false_alarm"] == 0.05
    assert set(record["about"]) == {"1", "2"} and record["n_classes"] == list(result.n_classes)
