"""Settings and the learning rate: the recorded curve, squeezed where epochs are fewer."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.training.settings import RECIPES, TrainingSettings, learning_rate


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recorded_schedule(recipe: str) -> None:
    s = TrainingSettings.from_dict({}, recipe)
    rates = np.array([learning_rate(s, e) for e in range(30)])
    assert rates[0] == s.lr_start and rates[15] == pytest.approx(s.lr_max)
    assert np.allclose(np.diff(rates[:16]), (s.lr_max - s.lr_start) / 15)
    later = [(s.lr_max - s.lr_min) * 0.8 ** (e - 15) + s.lr_min for e in range(15, 30)]
    assert np.allclose(rates[15:], later)


@pytest.mark.parametrize("epochs", [1, 2, 5, 10, 60])
def test_other_numbers_of_epochs_follow_the_same_curve(epochs: int) -> None:
    whole, other = TrainingSettings(), TrainingSettings(epochs=epochs)
    for epoch in range(epochs):
        at = epoch * 30 / epochs
        if at == int(at):
            assert learning_rate(other, epoch) == pytest.approx(learning_rate(whole, int(at)))
    assert max(learning_rate(other, e) for e in range(epochs)) <= other.lr_max


def test_the_first_stage_learns_at_full_rate() -> None:
    s = TrainingSettings(epochs=4, head_epochs=3)
    rates = [learning_rate(s, e) for e in range(s.all_epochs)]
    assert rates[:3] == [s.lr_max] * 3 and rates[3] == s.lr_start


@pytest.mark.parametrize("wrong, says", [
    ({"epochs": 0}, "epochs"), ({"batch_size": 1}, "batch"), ({"precision": "int8"}, "precision"),
    ({"margin_low": 0.5, "margin_high": 0.2}, "margin"), ({"validation": 1.0}, "validation"),
    ({"lr_start": 1.0}, "lr_start"), ({"patience": -1}, "patience"),
])
def test_impossible_settings_are_told(wrong: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        TrainingSettings(**wrong)


def test_settings_from_plain_values() -> None:
    s = TrainingSettings(epochs=7, flip_viewpoints=("front",))
    assert TrainingSettings.from_dict(s.as_dict()) == s
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        TrainingSettings.from_dict({"epoch": 3})
    with pytest.raises(InputError, match="v4, msv2"):
        TrainingSettings.from_dict({}, "v9")


def test_without_torch_the_extra_is_named(monkeypatch) -> None:
    import sys

    from ecotone import training
    from ecotone.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[torch\]"):
        training.train_reid  # noqa: B018
    with pytest.raises(AttributeError):
        training.train_nothing  # noqa: B018
