"""Whole trainings on soft labels of a tiny network: resumed, exported, robust to bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from ecotone.backends import open_backend  # noqa: E402
from ecotone.errors import InputError  # noqa: E402
from ecotone.training.checkpoints import load_checkpoint  # noqa: E402
from ecotone.training.classifier import predict, train_classifier  # noqa: E402
from ecotone.training.pictures import LabelledPictures  # noqa: E402
from tests.training.worlds import TINY, colours, noise, soft  # noqa: E402


class Stop(Exception):
    """Stands for a kill."""


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished training, its data, truth, settings and folder."""
    folder = tmp_path_factory.mktemp("trained")
    data, truth = colours(labels=48)
    settings = soft(validation=0.35)
    return train_classifier(data, folder, settings, device="cpu"), data, truth, settings, folder


def test_it_learns_what_no_label_says_alone(trained) -> None:
    made, data, truth, *_ = trained
    proba, embeddings = predict(made, data)
    assert (proba.argmax(axis=1) == truth).mean() > 0.9
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert embeddings.shape == (len(data), made.network.dimension)


def test_the_model_opens_with_its_own_classes_and_agrees(trained) -> None:
    made, data, *_ = trained
    backend = open_backend(made.onnx)
    assert backend.classes == data.classes and backend.dimension == made.network.dimension
    from PIL import Image

    batch = np.stack([backend.preprocessing.apply(Image.fromarray(p)) for p in data.pictures[:9]])
    proba, embeddings = predict(made, data, np.arange(9))
    assert np.abs(backend.classify(batch) - proba).max() < 1e-3
    assert np.abs(backend.encode(batch) - embeddings).max() < 1e-3
    assert made.difference < 1e-3


def test_the_card_and_the_curves_tell_what_was_done(trained) -> None:
    made, data, _, settings, folder = trained
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["settings"] == settings.as_dict() and card["classes"] == list(data.classes)
    assert card["validation"] == {"kind": "held-out labels", "by": "location",
                                  "pictures": len(made.split.held), "strict": False,
                                  "left_out": 0}
    assert any("at locations of held-out labels train" in note for note in card["notes"])
    assert len(card["curve"]) == 3 and card["exported"] in ("network", "teacher")
    page = (folder / "CARD.md").read_text(encoding="utf-8")
    assert TINY in page and "Licence: no starting weights" in page and "| red deer |" in page
    assert (folder / "curves.csv").read_text(encoding="utf-8").count("\n") == 4
    assert (folder / "curves.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize("after", [1, 7, 12])
def test_a_killed_training_ends_with_the_very_same_weights(trained, tmp_path, after) -> None:
    made, data, _, settings, folder = trained
    settings = dataclasses.replace(settings, save_minutes=0.0)
    steps: list[int] = []

    def kill(done: int, total: int | None, text: str) -> None:
        if text.startswith("epoch"):
            steps.append(done)
            if len(steps) == after:
                raise Stop

    with pytest.raises(Stop):
        train_classifier(data, tmp_path, settings, device="cpu", progress=kill)
    again = train_classifier(data, tmp_path, settings, device="cpu")
    for name in ("last.pt", "best.pt"):
        assert equal(load_checkpoint(folder / name)["learner"],
                     load_checkpoint(tmp_path / name)["learner"])
    assert again.history == made.history


def test_another_training_in_the_folder_is_refused(trained) -> None:
    _, data, _, settings, folder = trained
    with pytest.raises(InputError, match="epochs was 3 and is now 4"):
        train_classifier(data, folder, dataclasses.replace(settings, epochs=4), device="cpu")


def test_a_new_round_starts_from_the_last_one(trained, tmp_path) -> None:
    """The folder of a training gives backbone and, by class names, the head."""
    made, data, _, settings, folder = trained
    order = [2, 0, 1]
    turned = LabelledPictures.from_arrays(
        data.pictures, [data.classes[i] for i in order], data.target[:, order], data.labelled,
        data.location)
    again = train_classifier(turned, tmp_path, dataclasses.replace(settings, epochs=1, lr=1e-9),
                             start=str(folder), device="cpu")
    before, after = predict(made, data)[0], predict(again, turned)[0]
    assert (before[:, order].argmax(1) == after.argmax(1)).mean() > 0.97
    assert any("3 classes of that name" in note for note in again.card["notes"])


@pytest.mark.parametrize(("n", "k", "labels"), [(1, 2, 1), (3, 2, 1), (5, 1, 2), (12, 4, 0),
                                                (9, 3, 9)])
def test_tiny_inputs_train(tmp_path, n: int, k: int, labels: int) -> None:
    data, _ = colours(n, k, labels)
    made = train_classifier(data, tmp_path, soft(epochs=1), device="cpu")
    proba, _ = predict(made, data)
    assert proba.shape == (n, k) and np.isfinite(proba).all()
    assert open_backend(made.onnx).classes == data.classes


def test_nothing_to_learn_from_is_told(tmp_path) -> None:
    data = LabelledPictures.from_arrays(noise(4), "ab", np.zeros((4, 2)))
    with pytest.raises(InputError, match="of 4 pictures none has a label"):
        train_classifier(data, tmp_path, soft(), device="cpu")


def test_broken_pictures_are_told_and_training_goes_on(tmp_path) -> None:
    from PIL import Image

    data, _ = colours(24, 3, 8)
    files = [tmp_path / f"{i}.png" for i in range(24)]
    for file, pixels in zip(files, data.pictures, strict=True):
        Image.fromarray(pixels).save(file)
    files[3].write_bytes(b"no picture")
    files[4].unlink()
    there = LabelledPictures.from_paths(files, data.classes, data.target, data.labelled)
    made = train_classifier(there, tmp_path / "out", soft(epochs=1, memory=0), device="cpu")
    assert len(made.failed) == 2 and any("3.png" in line for line in made.failed)
    proba, _ = predict(made, there)
    assert np.isnan(proba[[3, 4]]).all() and np.isfinite(np.delete(proba, [3, 4], 0)).all()
    assert "4.png" in (tmp_path / "out" / "CARD.md").read_text(encoding="utf-8")


SCRIPT = """
import sys
from pathlib import Path
from tests.training.worlds import colours, soft
from ecotone.training.classifier import train_classifier
data, _ = colours()
made = train_classifier(data, Path(sys.argv[1]), soft(batch_size=8, precision="bfloat16"),
                        device="cpu")
print(float(made.network.head.weight.double().sum()))
"""


def test_two_processes_train_one_network(tmp_path) -> None:
    """As torchrun starts them. Both end with the same weights, and only the first one writes."""
    root = Path(__file__).resolve().parents[2]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    paths = os.pathsep.join([str(root), str(root / "src")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         str(script), str(tmp_path / "out")],
        env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["processes"] == 2 and card["precision"] == "bfloat16" and len(card["curve"]) == 3
    assert max(row["teacher_weight"] for row in card["curve"]) > 0
