"""A trained network is a global model again: classify, predict, AddaxAI, status, report."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ecotone import cli, training
from ecotone.bundle.network import open_model
from ecotone.errors import BackendError, InputError, MissingExtraError, ProjectError
from ecotone.project.networks import find_network
from ecotone.project.soft_labels import gather_soft_labels
from ecotone.store.tables import NewLabel
from tests.project.network_world import COLOURS, SIDE, SPECIES, knowing, make_project

pytest.importorskip("onnx")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setitem(vars(training), "train_classifier", knowing)
    with make_project(tmp_path) as made:
        made.fuse(use_context=False)
        made.train(backbone="colours", name="net")
        yield made


@pytest.fixture
def new_pictures(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for k, colour in enumerate(COLOURS):
        pixels = np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return folder


def run(*words: object) -> int:
    return cli.run([str(w) for w in words])


def test_classify_by_name_folder_or_file_is_one_model(project, monkeypatch):
    network = project.models / "networks" / "net"
    assert project.classify("net").done == 108
    for model in (network, network / "model.onnx"):
        again = project.classify(str(model))
        assert (again.model, again.done, again.skipped) == ("net", 0, 108)
    assert find_network(project, "handcrafted") == ("handcrafted", "handcrafted")
    monkeypatch.setattr("ecotone.project.networks.MODEL", "gone.onnx")
    with pytest.raises(ProjectError, match="not finished"):
        find_network(project, "net")


def test_predict_with_a_network_is_as_with_a_local_model(project, new_pictures, tmp_path, capsys):
    tables = {}
    network = project.models / "networks" / "net"
    alone = tmp_path / "alone" / "my.onnx"
    alone.parent.mkdir()
    shutil.copy(network / "model.onnx", alone)
    for name, model in (("net", network), ("file", network / "model.onnx"), ("alone", alone)):
        out = tmp_path / f"{name}.csv"
        assert run("predict", new_pictures, "--model", model, "-o", out) == 0, \
            capsys.readouterr().err
        with out.open(encoding="utf-8") as handle:
            tables[name] = list(csv.DictReader(handle))
    assert [r["localClass"] for r in tables["net"]] == [
        SPECIES[k] for k in range(3)] and tables["file"] == tables["net"]
    assert [r["localClass"] for r in tables["alone"]] == [r["localClass"] for r in tables["net"]]
    assert set(tables["net"][0]) >= {"filePath", "localClass", "scientificName", "error",
                                     "classificationProbability", "alternatives", "bboxX"}


def test_what_is_no_network_is_told(project, tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(BackendError):
        open_model(broken)
    with pytest.raises(BackendError, match="not the folder of a local model"):
        open_model(tmp_path / "photos")
    (project.models / "networks" / "net" / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(BackendError, match="damaged"):
        open_model(project.models / "networks" / "net")


def models(report):
    return [p for p in report.problems if p.part == "models"]


def test_a_changed_file_of_a_network_is_named_and_refused(project, new_pictures, tmp_path, capsys):
    network = project.models / "networks" / "net"
    sealed = json.loads((network / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert set(sealed) >= {"model.onnx", "card.json", "taxonomy.csv", "training.json"}
    assert not models(project.check())
    for name in ("taxonomy.csv", "model.onnx"):
        whole = (network / name).read_bytes()
        (network / name).write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
        assert [p.where for p in models(project.check())] == [str(network / name)]
        for act in (open_model, project.classify):
            with pytest.raises(BackendError, match=f"{name}: damaged .its bytes") as error:
                act(str(network))
            assert "\n" not in str(error.value)
        assert run("predict", new_pictures, "--model", network, "-o", tmp_path / "p.csv") == 1
        said = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
        assert len(said) == 1 and name in said[0]
        (network / name).write_bytes(whole)
    (network / "taxonomy.csv").unlink()
    assert "missing" in models(project.check())[0].what
    project.repair()
    assert (network / "model.onnx").is_file() and models(project.check())  # it is not taken away
    project.train(backbone="colours", name="net")
    assert not models(project.check())
    (network / "manifest.json").unlink()  # as those of before
    (network / "CARD.md").write_text("edited", encoding="utf-8")
    assert not models(project.check()) and project.classify("net").done == 108


def test_addaxai_runs_a_network(project, new_pictures, tmp_path):
    folder = tmp_path / "MY-NET"
    written = project.export(folder, format="addaxai", network="net")
    assert written.path == folder
    spec = importlib.util.spec_from_file_location("addaxai_net", folder / "inference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.ModelInference(folder, folder / "model.onnx")
    model.load_model()
    for k in range(3):
        picture = Image.open(new_pictures / f"{k}.png")
        found = model.get_classification(model.get_crop(picture, (0, 0, 1, 1)))
        assert max(found, key=lambda pair: pair[1])[0] == SPECIES[k]
        assert sum(p for _, p in found) == pytest.approx(1, abs=1e-4)
    settings = json.loads((folder / "local_model.json").read_text(encoding="utf-8"))
    assert settings["output"] == "scores" and settings["position"] == 1
    with pytest.raises(InputError, match="--network is for addaxai"):
        project.export(tmp_path / "x.csv", format="csv", network="net")


def test_status_and_report_tell_of_it(project):
    told = "\n".join(project.status().lines())
    assert "network      net: 3 classes, 50.0% right of held-out labels" in told
    page = project.report().read_text(encoding="utf-8")
    assert '<section id="networks">' in page and "How net learned" in page


def test_the_folder_says_what_it_was_trained_on_and_is_kept_for_that(project, monkeypatch):
    network = project.models / "networks" / "net"
    about = json.loads((network / "training.json").read_text(encoding="utf-8"))
    assert about["fusion"] and about["run"] and (network / "taxonomy.csv").is_file()
    runs = [r for r in project.catalog.runs() if r.command == "train"]
    assert runs[-1].status == "done" and runs[-1].settings["backbone"] == "colours"
    project.train(backbone="colours", name="net")  # the same again goes on
    with pytest.raises(InputError, match="on other data or with other settings"):
        project.train(backbone="colours", name="net", epochs=7)
    with pytest.raises(InputError, match="letters, digits"):
        project.train(backbone="colours", name="../net")
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        project.train(backbone="colours", epoch=7)


def test_labels_of_now_are_clamped_and_new_classes_need_a_fusion(project):
    before = gather_soft_labels(project)
    row = int(np.flatnonzero(~before.labelled)[0])
    medium = str(before.ids[row]).split(":")[0]
    project.catalog.add_labels([NewLabel(medium, "red deer")], author="test")
    after = gather_soft_labels(project)
    assert after.labelled[row] and after.target[row, after.classes.index("red deer")] == 1
    named = after.renamed({"red deer": "deer", "wild boar": "remove"})
    assert named.classes == ("deer", "grey fox") and np.allclose(named.target.sum(axis=1), 1)
    assert any("of removed classes alone" in note for note in named.notes)
    project.catalog.add_labels([NewLabel(medium, "badger")], author="test")
    with pytest.raises(ProjectError, match="badger.*run: ecotone fuse"):
        gather_soft_labels(project)


def test_without_torch_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is installed")
    with make_project(tmp_path) as project, pytest.raises(MissingExtraError):
        project.train()
    assert run("train", "--project", tmp_path / "reserve") == 1
    assert capsys.readouterr().err.strip().endswith('pip install "ecotone[torch]"')


def test_a_table_trains_a_network_without_a_project(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(vars(training), "train_classifier", knowing)
    with make_project(tmp_path) as project:
        media = project.catalog.media()
    rows = ["filename,category,location"]
    rows += [f"{file},{SPECIES[n % 3].replace(' ', '_')},{file.split('/')[0]}"
             for n, file in enumerate(media.file_path)]
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "map.csv").write_text("input,output,count\nwild_boar,remove,9\nred_deer,,3\n",
                                      encoding="utf-8")
    out = tmp_path / "net"
    words = ["train", tmp_path / "data.csv", tmp_path / "map.csv", "--pictures",
             tmp_path / "photos", "--network", "colours"]
    assert run(*words) == 2 and "-o FOLDER" in capsys.readouterr().err
    assert run(*words, "-o", out) == 0
    assert "2 classes from 72 labels and 0 pseudo-labels" in capsys.readouterr().out
    assert run(*words, "-o", out) == 0  # goes on
    assert run(*words, "-o", out, "--epochs", 3) == 2
    assert "on other data" in capsys.readouterr().err
    assert run(*words, "-o", tmp_path) == 2 and "other files" in capsys.readouterr().err
    assert run(*words, "--rounds", 1, "-o", out) == 2
    assert run("train", tmp_path / "map.csv", "-o", out) == 2
    assert "0 tables of pictures and 1 of names" in capsys.readouterr().err
    assert run("predict", tmp_path / "photos", "--model", out, "-o", tmp_path / "p.csv") == 0
