"""Shards in Parquet files are a project's scores and embeddings, where they lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecotone import cli
from ecotone.engine.loose import run_loose
from ecotone.engine.runners import Engine
from ecotone.errors import FormatError, InputError, ProjectError
from ecotone.project import Project
from ecotone.store import vectors

pytest.importorskip("pyarrow")


def results(project: Project, name: str = "model") -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Dense scores, embeddings and ids of all detections."""
    ids, folder = project.catalog.detections().id, project.vectors
    scores = vectors.read_scores(project.catalog, folder, name, ids)
    values, present = vectors.read_embeddings(project.catalog, folder, name, ids)
    assert present.sum() == (scores.values.getnnz(axis=1) > 0).sum()
    return scores.values.toarray(), values, list(ids)


def same(one: Project, other: Project) -> None:
    for a, b in zip(results(one), results(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5) if isinstance(a, np.ndarray) else (
            None if a == b else pytest.fail("other ids"))


@pytest.fixture
def plain(tmp_path, pictures, onnx_model) -> Project:
    """A project classified by the threads of this process, into itself."""
    (pictures / "cam1" / "broken.jpg").write_bytes(b"no picture")
    with Project.init(tmp_path / "plain") as project:
        project.add_images(pictures)
        report = project.classify(str(onnx_model), tmp_path / "classes.txt")
        assert (report.done, len(report.failed)) == (24, 1)
        yield project


@pytest.mark.filterwarnings("ignore")  # of Daft's and its processes
@pytest.mark.parametrize("engine", ["threads", "daft"])
def test_an_engine_gives_what_the_threads_give(tmp_path, pictures, onnx_model, plain, engine):
    if engine == "daft":
        pytest.importorskip("daft")
    options = {"engine": engine, "shard_rows": 7, "shards": tmp_path / "out"}
    options |= {"workers": 2} if engine == "daft" else {}
    if engine == "daft":
        options.pop("shards")
    with Project.init(tmp_path / engine) as project:
        project.add_images(pictures)
        report = project.classify(str(onnx_model), tmp_path / "classes.txt", **options)
        assert (report.done, report.skipped, report.classes, report.dimension) == (24, 0, 3, 16)
        assert report.failed == [f"{pictures / 'cam1' / 'broken.jpg'}: not a picture in a format "
                                 "that can be read (10 bytes)"]
        assert {f.step for f in project.catalog.failures()} == {"classify", "read"}
        same(project, plain)
        out = tmp_path / "out" if "shards" in options else next((project.path / "shards").iterdir())
        assert len(list((out / "shards").glob("*.parquet"))) == 4
        size = sum(p.stat().st_size for p in project.vectors.rglob("*.npz"))
        assert size < 4 * 2 * 2000  # ids alone
        assert vectors.score_models(project.catalog) == {"model": 24}
        for command in ("check", "repair"):  # neither complains of the shards nor removes them
            assert cli.run([command, "--project", str(project.path)]) == 0, command
        same(project, plain)
        # A picture that was mended is done by the next run, and nothing else.
        shutil.copy(pictures / "cam1" / "red_deer_0.jpg", pictures / "cam1" / "broken.jpg")
        again = project.classify(str(onnx_model), tmp_path / "classes.txt",
                                 output=out, shard_rows=7)
        assert (again.done, again.skipped, again.failed) == (1, 24, [])
        assert not [f for f in project.catalog.failures() if f.step == "classify"]


def test_shards_made_without_a_project(tmp_path, pictures, onnx_model, plain, capsys) -> None:
    out, classes = tmp_path / "out", str(tmp_path / "classes.txt")
    words = ["classify", "--images", str(pictures), "--model", str(onnx_model), "--classes",
             classes, "-o", str(out), "--shard-rows", "5", "--json"]
    assert cli.run(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["done"], first["skipped"], len(first["failed"])) == (24, 0, 1)
    assert cli.run(words) == 0
    again = json.loads(capsys.readouterr().out)  # what failed is tried again, the rest is not
    assert (again["done"], again["skipped"], again["shards"]) == (0, 24, 1)
    with Project.init(tmp_path / "new") as project:
        project.add_images(pictures)
        assert cli.run(["attach", str(out), "--project", str(project.path), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["rows"], told["problems"], len(told["failed"])) == (24, [], 1)
        same(project, plain)
        assert project.attach(out).rows == 0
        report = project.classify(str(onnx_model), classes)
        assert (report.done, report.skipped) == (0, 24)  # the same model: nothing to do
        assert cli.run(["status", "--project", str(project.path)]) == 0
        assert "model (24)" in capsys.readouterr().out


def test_pictures_known_by_path_under_another_root(tmp_path, pictures, onnx_model, plain) -> None:
    """A project of the folder above has other ids; rows are found by path and box."""
    out = tmp_path / "out"
    run_loose(pictures / "cam1", str(onnx_model), out, classes=tmp_path / "classes.txt")
    with Project.init(tmp_path / "new") as project:
        project.add_images(pictures)
        report = project.attach(out)
        assert (report.rows, report.problems) == (12, [])
        ids = list(project.catalog.detections().id)
        mine = [n for n, p in enumerate(project.catalog.media().file_path) if "cam1" in p]
        scores = vectors.read_scores(project.catalog, project.vectors, "model", ids).values
        expected = results(plain)[0]
        np.testing.assert_allclose(scores.toarray()[mine], expected[mine], atol=1e-5)
    with Project.init(tmp_path / "other") as project:
        project.add_images(pictures / "cam2")
        report = project.attach(out)
        assert report.rows == 0 and "12 rows name no picture or box" in report.problems[0]


def test_a_moved_folder_says_so_and_is_attached_again(tmp_path, pictures, onnx_model, plain):
    out, model, classes = tmp_path / "out", str(onnx_model), tmp_path / "classes.txt"
    run_loose(pictures, model, out, classes=classes, shard_rows=8)
    with Project.init(tmp_path / "new") as project:
        project.add_images(pictures)
        project.attach(out)
        out.rename(tmp_path / "moved")
        from ecotone.store import linked

        linked._columns.cache_clear()
        with pytest.raises(ProjectError, match=r"parquet: missing.*ecotone attach FOLDER"):
            results(project)
        assert project.attach(tmp_path / "moved").rows == 24
        same(project, plain)
        for path in (tmp_path / "moved" / "shards").iterdir():
            path.write_bytes(path.read_bytes()[:-9])
        linked._columns.cache_clear()
        with pytest.raises(ProjectError, match=r"parquet: .*\d bytes, expected"):
            results(project)
        shutil.rmtree(tmp_path / "moved")
        assert cli.run(["check", "--project", str(project.path)]) != 0
        report = project.classify(model, classes)  # what is gone is made anew
        assert (report.done, report.skipped) == (24, 0)
        same(project, plain)


def test_results_made_in_another_way_do_not_mix(tmp_path, pictures, onnx_model, plain) -> None:
    out, model = tmp_path / "out", str(onnx_model)
    run_loose(pictures, model, out, classes=tmp_path / "classes.txt")
    with pytest.raises(InputError, match="holds results of 'model' run in another way"):
        run_loose(pictures, model, out, classes=tmp_path / "classes.txt", preprocessing="bytes")
    with pytest.raises(InputError, match=r"no ecotone\.json there"):
        plain.attach(tmp_path)
    (out / "ecotone.json").write_text("[]", "utf-8")
    with pytest.raises(FormatError, match="not a manifest"):
        plain.attach(out)


def test_uncommitted_shards_do_not_count(tmp_path, pictures, onnx_model) -> None:
    out = tmp_path / "out"
    run_loose(pictures, str(onnx_model), out, classes=tmp_path / "classes.txt", shard_rows=6)
    commits = sorted((out / "commits").iterdir())
    whole = (out / "shards" / f"{commits[1].stem}.parquet").read_bytes()
    commits[1].unlink()  # as if killed between the two
    with Project.init(tmp_path / "new") as project:
        project.add_images(pictures)
        assert project.attach(out).rows == 18
        report = project.classify(str(onnx_model), tmp_path / "classes.txt", shards=out,
                                  shard_rows=6)
        assert (report.done, report.skipped) == (6, 18)
        again = (out / "shards" / f"{commits[1].stem}.parquet").read_bytes()
        assert again[:4] == whole[:4] == b"PAR1"  # the same name; here without content hashes
        assert sorted((out / "commits").iterdir()) == commits


def test_words_of_the_command(tmp_path, pictures, onnx_model, capsys) -> None:
    base = ["classify", "--images", str(pictures), "--model", str(onnx_model)]
    for words, said in (
        (base, "needs a folder or URL for the shards"),
        ([*base, "-o", "a", "-o", "b"], "at most one folder or URL"),
        ([*base, "-o", "a", "--address", "auto", "--engine", "daft"], "for the engine ray"),
        ([*base, "-o", "a", "--project", str(tmp_path)], "works without a project"),
        ([*base, "-o", "s4://a"], "s4:// locations cannot be read"),
    ):
        assert cli.run([*words, "--classes", str(tmp_path / "classes.txt")]) == 2
        assert said in capsys.readouterr().err
    assert Engine().here
    assert not Path("a").exists()
