"""From epoch to epoch: admission grows, the teacher is anchored, an explosion is taken back."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from ecotone.training import classifier  # noqa: E402
from ecotone.training.checkpoints import load_checkpoint  # noqa: E402
from ecotone.training.classifier_network import adjustment, smoothed_shares  # noqa: E402
from ecotone.training.distributed import World  # noqa: E402
from ecotone.training.loop import RESTORE  # noqa: E402
from ecotone.training.pictures import LabelledPictures  # noqa: E402
from ecotone.training.soft_control import SoftControl  # noqa: E402
from ecotone.training.soft_split import split_soft  # noqa: E402
from tests.training.worlds import colours, soft  # noqa: E402


class Teacher:
    """Stands for a learner; what its teacher says is in `logits`."""

    teacher = "there"

    def __init__(self, k: int) -> None:
        self.shift = torch.zeros(k)


def control(data: LabelledPictures, logits: np.ndarray, **values: object) -> SoftControl:
    settings = soft(**{"epochs": 10, "teacher": 0.5, "teacher_start": 0.0, **values})
    split = split_soft(data, settings, np.ones(len(data), bool))
    return SoftControl(data, split, settings, World(0, 1, "cpu"),
                       lambda network, rows, mirror: logits[rows])


def truth_logits(truth: np.ndarray, k: int) -> np.ndarray:
    return 4 * np.eye(k)[truth]


def test_admission_grows_and_people_are_never_overruled() -> None:
    data, truth = colours(200, 3, 30, sure=0.6)
    wrong = truth_logits((truth + 1) % 3, 3)
    found = control(data, wrong, curriculum_start=0.2)
    admitted, built = [], []
    for epoch in range(10):
        admitted.append(found.begin(Teacher(3), epoch)["admitted"])
        built.append(found._build())
    assert admitted == sorted(admitted) and admitted[0] < 0.3 and admitted[-1] == 1
    last = built[-1]
    assert np.array_equal(last.target[data.labelled], data.target[data.labelled])
    assert (last.weight[data.labelled] == 1).all()
    # A teacher that is sure and wrong everywhere moves targets, and a sure q keeps its class.
    soft_rows = last.soft
    assert not np.allclose(last.target[soft_rows], data.target[soft_rows])
    sure, _ = colours(200, 3, 30, sure=0.97)
    kept = control(sure, wrong, teacher=0.3)
    for epoch in range(10):
        kept.begin(Teacher(3), epoch)
    target = kept._build().target
    assert (target.argmax(1) == sure.target.argmax(1)).all()


def test_a_teacher_that_sees_one_class_everywhere_is_not_heard() -> None:
    data, _ = colours(200, 3, 30)
    found = control(data, np.tile([9.0, 0, 0], (200, 1)))
    figures = found.begin(Teacher(3), 9)
    assert figures["guarded"] == 1 and figures["teacher_weight"] == 0
    assert np.array_equal(found._build().target, data.target)


def test_pictures_without_a_pseudo_label_join_when_the_teacher_is_sure() -> None:
    data, truth = colours(200, 3, 30)
    target = data.target.copy()
    bare = np.flatnonzero(~data.labelled)[:40]
    target[bare] = 0
    data = LabelledPictures.from_arrays(data.pictures, data.classes, target, data.labelled,
                                        data.location)
    logits = truth_logits(truth, 3)
    logits[bare[:10]] = 0  # not sure
    found = control(data, logits)
    assert not np.isin(bare, found.first().soft).any()
    found.begin(Teacher(3), 9)
    now = found._build()
    assert np.isin(bare[10:], now.soft).all() and not np.isin(bare[:10], now.soft).any()
    assert (now.target[bare[10:]].argmax(1) == truth[bare[10:]]).all()
    assert now.weight[bare[10:]].max() < 1


def test_state_comes_back_in_the_middle_of_an_epoch() -> None:
    data, truth = colours(120, 3, 30)
    logits = truth_logits(truth, 3) + np.random.default_rng(0).normal(size=(120, 3))
    one, two = control(data, logits), control(data, logits)
    for epoch in range(6):
        one.begin(Teacher(3), epoch)
    two.load_state_dict(one.state_dict())
    a, b = one._build(), two._build()
    for field in dataclasses.fields(a):
        assert np.array_equal(getattr(a, field.name), getattr(b, field.name))


def test_an_explosion_is_taken_back_then_labels_alone_then_the_end() -> None:
    data, truth = colours(120, 3, 30)
    found = control(data, truth_logits(truth, 3))
    assert found.end(0, {"log_loss": 0.5}) == "" and found.end(1, {"log_loss": 0.6}) == ""
    before = found._build()
    assert found.end(2, {"log_loss": 5.0}) == RESTORE
    halved = found._build()
    assert np.allclose(halved.weight[halved.soft], before.weight[halved.soft] / 2)
    assert found.end(3, {"log_loss": math.nan}) == RESTORE
    assert not len(found._build().soft) and len(found._build().labelled)
    assert "exploded" in found.end(4, {"log_loss": 9.0})
    assert found.end(5, {}) == ""


def test_a_training_that_explodes_goes_back_and_ends_with_its_best_weights(
    tmp_path, monkeypatch
) -> None:
    losses = iter([0.5, 9.0, 0.4, 9.0, 9.0, 0.1])

    def validate(learner: object) -> dict[str, float]:
        loss = next(losses)
        return {"score": -loss, "accuracy": 0.5, "log_loss": loss, "teacher": 0.0}

    monkeypatch.setattr(classifier.Job, "validation", lambda job: validate)
    data, _ = colours(48, 3, 20)
    after: list[dict] = []

    def watch(done: int, total: int | None, text: str) -> None:
        if text.startswith("epoch 3") and not after:
            after.extend(load_checkpoint(tmp_path / f"{name}.pt")["learner"]
                         for name in ("best", "last"))

    made = classifier.train_classifier(data, tmp_path, soft(epochs=6), device="cpu",
                                       progress=watch)
    assert all(torch.equal(after[0][k], after[1][k]) for k in after[0])  # taken back
    assert "exploded" in made.card["stopped"] and len(made.history) == 5
    assert load_checkpoint(tmp_path / "best.pt")["epoch"] == 3


def test_long_tails_are_adjusted_for_and_told(tmp_path) -> None:
    shares = smoothed_shares(np.repeat(np.eye(3), [90, 5, 5], axis=0))
    assert shares.sum() == pytest.approx(1) and shares[0] == pytest.approx((90 + 1 / 3) / 101)
    shift, tau = adjustment(shares, "auto")
    assert tau == 1 and np.allclose(shift, np.log(shares))
    assert adjustment(np.full(3, 1 / 3), "auto")[1] == 0
    assert np.allclose(adjustment(shares, 0.5)[0], 0.5 * np.log(shares))
    data, truth = colours(120, 3, 30, sure=0.97)
    rare = np.flatnonzero((truth == 0) | (np.arange(120) % 12 == 0))
    made = classifier.train_classifier(data.take(rare), tmp_path, soft(epochs=1), device="cpu")
    assert made.card["logit_adjustment"] == 1
    assert any("long-tailed" in note for note in made.card["notes"])
