"""Settings of a training on soft labels, and its learning rate."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ecotone.errors import InputError
from ecotone.training.soft_settings import SoftLabelSettings


def test_plain_values_come_back() -> None:
    settings = SoftLabelSettings.from_dict({"lr": 0.01, "trainable": "lora", "epochs": 3})
    again = SoftLabelSettings.from_dict(json.loads(json.dumps(settings.as_dict())))
    assert again == settings and again.lora_rank == 8
    assert SoftLabelSettings(epochs=3.0).as_dict()["epochs"] == 3
    assert SoftLabelSettings(backbone_lr=0.5, logit_adjustment=1).backbone_lr == 0.5


@pytest.mark.parametrize(("values", "told"), [
    ({"epoch": 3}, "did you mean 'epochs'"),
    ({"trainable": "tail"}, "expected one of head, last, lora, all"),
    ({"precision": "int8"}, "precision"),
    ({"batch_size": 1}, "batch_size"),
    ({"epochs": 0}, "epochs is 0"),
    ({"lr": -1.0}, "lr is -1"),
    ({"lr": float("nan")}, "lr is nan"),
    ({"mixup": "much"}, "mixup is 'much'"),
    ({"backbone_lr": "some"}, "backbone_lr"),
    ({"epochs": 2.5}, "epochs is 2.5, expected a whole number"),
    ({"flip": "no"}, "flip is 'no', expected true or false"),
    ({"backbone": 3}, "backbone is 3, expected a text"),
    ({"precision": 16}, "precision"),
    ({"validation": 1.0}, "validation is 1.0"),
    ({"teacher": 1.5}, "teacher is 1.5"),
    ({"explode": 1.0}, "explode"),
    ({"strict_locations": "often"}, "strict_locations is 'often', expected true, false or auto"),
    ({"min_steps": 9, "max_steps": 8}, "min_steps"),
])
def test_what_is_wrong_is_told(values: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        SoftLabelSettings.from_dict(values)


def test_the_rate_rises_and_falls() -> None:
    settings = SoftLabelSettings(epochs=20, lr=1.0, lr_end=0.1, warmup=0.25)
    rates = [settings.rate(i / 10) for i in range(201)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0) and top == 50
    assert rates[:51] == sorted(rates[:51]) and rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.1) and min(rates) > 0
    flat = dataclasses.replace(settings, warmup=0.0, lr_end=1.0)
    assert {flat.rate(e) for e in range(20)} == {1.0}
    assert dataclasses.replace(settings, warmup=1.0).rate(20) > 0
