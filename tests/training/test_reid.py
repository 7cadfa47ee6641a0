"""Whole trainings of a tiny network: resumed exactly, exported faithfully, robust to bad input."""

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
from ecotone.errors import BackendError, InputError  # noqa: E402
from ecotone.ingest.individuals import read_individuals  # noqa: E402
from ecotone.training.checkpoints import load_checkpoint  # noqa: E402
from ecotone.training.data import Crops, IndividualPictures  # noqa: E402
from ecotone.training.reid import embed, finetune_reid, train_reid  # noqa: E402
from tests.training.worlds import TINY, coats, tiny  # noqa: E402


class Stop(Exception):
    """Stands for a kill."""


def weights(folder: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / name)["learner"]


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished training, its data, settings and folder."""
    folder = tmp_path_factory.mktemp("trained")
    data, settings = coats(), tiny()
    return train_reid(data, folder, settings), data, settings, folder


@pytest.mark.parametrize("after", [1, 4, 8])
def test_a_killed_training_ends_with_the_very_same_weights(trained, tmp_path, after) -> None:
    made, data, settings, folder = trained
    settings = dataclasses.replace(settings, save_minutes=0.0)
    steps: list[int] = []

    def kill(done: int, total: int | None, text: str) -> None:
        if text.startswith("epoch"):
            steps.append(done)
            if len(steps) == after:
                raise Stop

    with pytest.raises(Stop):
        train_reid(data, tmp_path, settings, progress=kill)
    again = train_reid(data, tmp_path, settings)
    assert equal(weights(folder), weights(tmp_path)) and equal(weights(folder, "best.pt"),
                                                               weights(tmp_path, "best.pt"))
    assert again.history == made.history


def test_a_finished_training_is_not_made_again(trained) -> None:
    made, data, settings, folder = trained
    said: list[str] = []
    again = train_reid(data, folder, settings, progress=lambda d, t, text: said.append(text))
    assert again.history == made.history and not any(s.startswith("epoch") for s in said)


def test_another_training_in_the_folder_is_refused(trained) -> None:
    _, data, settings, folder = trained
    with pytest.raises(InputError, match="epochs was 2 and is now 3"):
        train_reid(data, folder, dataclasses.replace(settings, epochs=3))
    with pytest.raises(InputError, match="data differs|data was"):
        train_reid(coats(seed=5), folder, settings)


def test_onnx_agrees_with_torch_and_opens_as_an_embedding_model(trained) -> None:
    made, data, _, folder = trained
    assert made.difference < 1e-3
    backend = open_backend(made.onnx)
    assert backend.dimension == made.network.dimension and not backend.classes
    from PIL import Image

    batch = np.stack([backend.preprocessing.apply(Image.fromarray(p)) for p in data.pictures[:9]])
    ours = embed(made.network, Crops(data, 32), np.arange(9))
    assert np.abs(backend.encode(batch) - ours).max() < 1e-3


def test_the_card_tells_settings_seed_data_curve_and_licence(trained) -> None:
    made, data, settings, folder = trained
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["settings"] == settings.as_dict() and card["seed"] == 42
    assert card["counts"]["pictures given"] == len(data)
    assert [row["epoch"] for row in card["curve"]] == [1, 2] and "top1" in card["curve"][0]
    assert {"torch", "timm", "ecotone"} <= set(card["versions"])
    page = (folder / "CARD.md").read_text(encoding="utf-8")
    assert "Licence: no starting weights" in page and TINY in page


def test_another_seed_gives_other_weights(trained, tmp_path) -> None:
    _, data, settings, folder = trained
    train_reid(data, tmp_path, dataclasses.replace(settings, seed=1, epochs=1))
    assert not equal(weights(folder), weights(tmp_path))


def test_it_learns(tmp_path) -> None:
    """On two dozen pictures the loss falls and individuals that trained are told apart."""
    data = coats(3, 3, 8)
    settings = tiny(epochs=10, validation=0.0, augment=0.0, by_viewpoint=False, lr_max=3e-3)
    made = train_reid(data, tmp_path, settings)
    assert made.history[-1]["loss"] < 0.6 * made.history[0]["loss"]
    assert any("No pictures are held out" in n for n in made.card["notes"])


def test_it_stops_early_and_keeps_the_best(tmp_path) -> None:
    settings = tiny(epochs=12, patience=1, lr_max=1e-7, lr_start=0.0, lr_min=0.0)
    made = train_reid(coats(), tmp_path, settings)
    assert len(made.history) < 12 and made.card["stopped"] == "no better for 1 epochs"
    best = max(range(len(made.history)),
               key=lambda i: (made.history[i]["top1"], made.history[i]["map"], -i))
    assert load_checkpoint(tmp_path / "best.pt")["epoch"] == best + 1


def test_fine_tuning_in_two_stages_with_and_without_the_old_data(trained, tmp_path) -> None:
    _, old, settings, folder = trained
    new = coats(0, 4, 6, seed=9)
    short = dataclasses.replace(settings, epochs=1, validation=0.0)
    alone = finetune_reid(new, tmp_path / "alone", str(folder), short)
    both = finetune_reid(new, tmp_path / "both", str(folder), short, old=old)
    assert len(alone.history) == 4  # three of the head and one of all
    assert set(alone.split.classes) < set(both.split.classes)
    assert "which started from" in alone.card["start"]["source"]
    head_only = dataclasses.replace(short, head_epochs=3)
    states: list[dict] = []

    def watch(done: int, total: int | None, text: str) -> None:
        if text.startswith("epoch 4") and not states:
            states.append(weights(tmp_path / "watched", "last.pt"))

    finetune_reid(new, tmp_path / "watched", str(folder), head_only, progress=watch)
    began, after = weights(folder, "best.pt"), states[0]
    stays = [k for k in began if k.startswith("network.backbone.")]
    assert stays and all(torch.equal(began[k], after[k]) for k in stays)
    assert not torch.equal(began["network.norm.weight"], after["network.norm.weight"])


def test_weights_of_another_network_are_told_by_both_names(trained, tmp_path) -> None:
    *_, folder = trained
    settings = tiny(backbone="test_resnet")
    with pytest.raises(BackendError, match=f"{TINY}, but test_resnet"):
        train_reid(coats(), tmp_path, settings, start=str(folder / "best.pt"))


def test_broken_pictures_are_told_and_training_goes_on(tmp_path) -> None:
    from PIL import Image

    data = coats(3, 2, 5)
    lines = ["filePath,individualID,viewpoint,scientificName"]
    for i, pixels in enumerate(data.pictures):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{data.individual[i]},{data.viewpoint[i]},{data.species[i]}")
    (tmp_path / "0.png").write_bytes(b"no picture")
    (tmp_path / "6.png").unlink()
    lines.append(f"lone.png,Somebody,left,{data.species[0]}")
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    rows = read_individuals(tmp_path / "rows.csv").rows
    made = train_reid(IndividualPictures.from_rows(rows), tmp_path / "out", tiny(epochs=1))
    assert len(made.failed) == 3 and any("0.png" in line for line in made.failed)
    assert made.card["counts"]["pictures that could not be read"] == 3
    assert "lone.png" in (tmp_path / "out" / "CARD.md").read_text(encoding="utf-8")


def test_one_individual_is_told(tmp_path) -> None:
    with pytest.raises(InputError, match="at least two"):
        train_reid(coats(1, 0, 6), tmp_path, tiny())


def test_half_precision_and_another_loss_train(tmp_path) -> None:
    pytest.importorskip("pytorch_metric_learning")
    settings = tiny(epochs=1, precision="bfloat16", loss="MultiSimilarityLoss")
    made = train_reid(coats(), tmp_path, settings)
    assert made.card["precision"] == "bfloat16" and made.difference < 1e-3
    with pytest.raises(InputError, match="graphics card"):
        train_reid(coats(), tmp_path / "b", tiny(precision="float16"))


SCRIPT = """
import sys
from pathlib import Path
from tests.training.worlds import coats, tiny
from ecotone.training.reid import train_reid
train_reid(coats(), Path(sys.argv[1]), tiny(batch_size=4), device="cpu")
"""


def test_two_processes_train_one_network(tmp_path) -> None:
    """As torchrun starts them. Both end with the first one's weights, and only it writes."""
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
    assert card["processes"] == 2 and len(card["curve"]) == 2
