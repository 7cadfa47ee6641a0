"""Pictures with soft labels: what is accepted, what is told, what identifies them."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.training.pictures import LabelledPictures
from tests.training.worlds import colours, noise

EYE = np.eye(3, dtype=np.float32)


def test_rows_are_made_to_sum_to_one_and_zeros_stay() -> None:
    target = np.array([[0.5, 0.3, 0.199], [0, 0, 0], [0, 1, 0]])
    data = LabelledPictures.from_arrays(noise(3), "abc", target, [0, 0, 1])
    assert data.target[0].sum() == pytest.approx(1, abs=1e-6) and not data.target[1].any()
    assert data.soft.tolist() == [True, False, False] and data.classes == ("a", "b", "c")


@pytest.mark.parametrize(("change", "told"), [
    ({"target": EYE[:2]}, r"target: shape \(2, 3\), expected \(3, 3\)"),
    ({"target": EYE * 0.5}, "row 0.*sums to 0.5"),
    ({"target": np.where(EYE > 0, np.nan, 0.0)}, "row 0"),
    ({"target": np.array([[1.5, -0.5, 0], [0, 1, 0], [0, 0, 1]])}, "row 0"),
    ({"target": np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]])}, "row 1: is labelled"),
    ({"labelled": [True]}, "labelled: expected 3"),
    ({"held_out": [0, 2, 1]}, "held_out"),
    ({"location": ["a"]}, "location: 1 values"),
    ({"classes": ["a", "a", "b"]}, "no name twice"),
])
def test_what_is_wrong_is_told(change: dict, told: str) -> None:
    given = {"pictures": noise(3), "classes": "abc", "target": EYE, "labelled": [1, 1, 1], **change}
    with pytest.raises(InputError, match=told):
        LabelledPictures.from_arrays(**given)


def test_pictures_are_bytes_and_paths_have_boxes(tmp_path) -> None:
    with pytest.raises(InputError, match="uint8"):
        LabelledPictures.from_arrays(noise(3).astype(float), "abc", EYE)
    data = LabelledPictures.from_paths([tmp_path / "a.jpg"] * 3, "abc", EYE, [1, 0, 1])
    assert data.boxes.shape == (3, 4) and data.paths[0].name == "a.jpg"
    with pytest.raises(InputError, match="boxes: 2"):
        LabelledPictures.from_paths(["a"] * 3, "abc", EYE, boxes=np.zeros((2, 4)))


def test_taking_rows_keeps_classes_and_the_fingerprint_tells_data_apart() -> None:
    data, _ = colours(20)
    some = data.take(np.arange(20) % 2 == 0)
    assert len(some) == 10 and some.classes == data.classes
    assert np.array_equal(some.target, data.target[::2])
    assert data.take(np.arange(20)).fingerprint() == data.fingerprint()
    prints = {data.fingerprint(), some.fingerprint(), colours(20, seed=1)[0].fingerprint(),
              LabelledPictures.from_arrays(data.pictures, "xyz", data.target, data.labelled,
                                           data.location).fingerprint()}
    assert len(prints) == 4
