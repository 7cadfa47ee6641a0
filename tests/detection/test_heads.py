"""Every head gives the boxes that were written into it, whatever the layout of its outputs."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.detection import Head, decode, guess_head
from ecotone.errors import BackendError, InputError

TRUE = np.array([[10.0, 20, 50, 60], [100, 30, 180, 90], [5, 5, 9, 8]])  # pixels of 320 x 256
KIND = np.array([0, 2, 1])
SCORE = np.array([0.9, 0.6, 0.3])
W, H = 320, 256


def middles(boxes=TRUE):
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def per_class(scores=SCORE, classes=3):
    out = np.zeros((len(scores), classes))
    out[np.arange(len(scores)), KIND] = scores
    return out


def logits(p):
    return np.log(p / (1 - p))


def same(found):
    np.testing.assert_allclose(found.boxes, TRUE, atol=1e-6)
    np.testing.assert_allclose(found.scores, SCORE, atol=1e-6)
    assert found.classes.tolist() == KIND.tolist()


def test_yolov5_multiplies_objectness_and_class():
    rows = np.hstack([middles(), np.full((3, 1), 0.9), per_class(SCORE / 0.9)])
    same(decode(Head("yolov5", classes=3), [rows], W, H))
    alone = np.hstack([middles(), SCORE[:, None]])  # one class, objectness alone
    found = decode(Head("yolov5"), [alone], W, H)
    np.testing.assert_allclose(found.scores, SCORE)
    assert found.classes.tolist() == [0, 0, 0]


def test_yolov8_both_ways_round():
    rows = np.hstack([middles(), per_class()])
    same(decode(Head("yolov8", classes=3), [rows.T], W, H))
    same(decode(Head("yolov8", classes=3), [rows], W, H))
    relative = np.hstack([middles() / [W, H, W, H], per_class()])
    same(decode(Head("yolov8", classes=3, coordinates="relative"), [relative.T], W, H))


def test_end_to_end_and_listed():
    rows = np.column_stack([TRUE, SCORE, KIND])
    same(decode(Head("end2end"), [rows], W, H))
    same(decode(Head("torchvision"), [TRUE, KIND, SCORE], W, H))
    turned = TRUE[:, [1, 0, 3, 2]] / [H, W, H, W]
    head = Head("torchvision", boxes="yxyx", coordinates="relative")
    same(decode(head, [turned, KIND.astype(np.float32), SCORE], W, H))
    empty = decode(Head("torchvision"), [np.zeros((0, 4)), np.zeros(0), np.zeros(0)], W, H)
    assert len(empty.scores) == 0


def test_detr_with_independent_scores_and_with_no_object():
    boxes = middles() / [W, H, W, H]
    independent = logits(np.clip(per_class(), 1e-9, 1 - 1e-9))
    same(decode(Head("detr", classes=3), [boxes, independent], W, H))
    rest = (1 - SCORE)[:, None]
    softmax = np.log(np.clip(np.hstack([per_class(), rest]), 1e-12, 1))
    same(decode(Head("detr", activation="softmax", classes=3), [boxes, softmax], W, H))
    same(decode(Head("rtdetr", classes=3), [np.hstack([boxes, per_class()])], W, H))


def test_yolox_undoes_its_grid():
    rng = np.random.default_rng(0)
    strides, rows, wanted = (8, 16, 32), [], []
    for stride in strides:
        for y in range(H // stride):
            for x in range(W // stride):
                offset, size = rng.uniform(0, 1, 2), rng.uniform(4, 60, 2)
                rows.append([*offset, *np.log(size / stride), 0.5, 0.2, 0.8])
                cx, cy = (x + offset[0]) * stride, (y + offset[1]) * stride
                wanted.append([cx - size[0] / 2, cy - size[1] / 2,
                               cx + size[0] / 2, cy + size[1] / 2])
    found = decode(Head("yolox", classes=2), [np.array(rows)], W, H)
    np.testing.assert_allclose(found.boxes, wanted)
    np.testing.assert_allclose(found.scores, 0.4)
    with pytest.raises(BackendError, match="strides"):
        decode(Head("yolox", strides=(8,), classes=2), [np.array(rows)], W, H)


def test_scores_that_are_none_are_told():
    rows = np.hstack([middles(), 20 * per_class() - 5])
    with pytest.raises(BackendError, match="activation"):
        decode(Head("yolov8", classes=3), [rows], W, H)
    found = decode(Head("yolov8", classes=3, activation="sigmoid"), [rows], W, H)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(5 - 20 * SCORE)))
    bad = np.hstack([middles(), per_class()])
    bad[1, 5] = np.nan
    assert np.isnan(decode(Head("yolov8", classes=3), [bad], W, H).scores).tolist() == [
        False, True, False]


def test_wrong_shapes_are_told():
    with pytest.raises(BackendError, match="8 columns"):
        decode(Head("yolov5", classes=3), [np.zeros((10, 9))], W, H)
    with pytest.raises(BackendError, match="2 outputs"):
        decode(Head("detr"), [np.zeros((10, 4))], W, H)
    with pytest.raises(InputError, match="head is"):
        Head("yolo")
    with pytest.raises(InputError, match="boxes is"):
        Head("yolov8", boxes="corners")


F = "float32"


@pytest.mark.parametrize(("outputs", "classes", "ultralytics", "kind", "names"), [
    ([("o", (1, 25200, 8), F)], 3, True, "yolov5", ("o",)),
    ([("o", (1, 7, 8400), F)], 3, True, "yolov8", ("o",)),
    ([("o", (1, 8400, 7), F)], 3, False, "yolov8", ("o",)),
    ([("o", (1, 300, 7), F)], 3, True, "rtdetr", ("o",)),
    ([("o", (1, 300, 6), F)], 3, True, "end2end", ("o",)),
    ([("o", (1, 300, 6), F)], None, False, "end2end", ("o",)),
    ([("l", (1, 300, 3), F), ("b", (1, 300, 4), F)], 3, False, "detr", ("b", "l")),
    ([("b", (1, 100, 4), F), ("l", (1, 100, 92), F)], 91, False, "detr", ("b", "l")),
    ([("dets", (1, 300, 4), F), ("labels", (1, 300, 4), F)], 3, False, "detr", ("dets", "labels")),
    ([("b", (5, 4), F), ("l", (5,), "int64"), ("s", (5,), F)], 3, False, "torchvision",
     ("b", "l", "s")),
    ([("s", (1, 300), F), ("l", (1, 300), "int64"), ("b", (1, 300, 4), F)], 3, False,
     "torchvision", ("b", "l", "s")),
])
def test_a_head_is_guessed_where_one_fits(outputs, classes, ultralytics, kind, names):
    head, order = guess_head(outputs, classes, ultralytics)
    assert (head.kind, order) == (kind, names)


def test_detr_and_rf_detr_differ_by_the_names_of_outputs():
    softmax, _ = guess_head([("pred_boxes", (1, 9, 4), F), ("l", (1, 9, 4), F)], 3)
    assert softmax.activation == "softmax"
    sigmoid, _ = guess_head([("dets", (1, 9, 4), F), ("labels", (1, 9, 4), F)], 3)
    assert sigmoid.activation == "sigmoid" and sigmoid.background


@pytest.mark.parametrize(("outputs", "classes", "word"), [
    ([("o", (1, 300, 6), F)], 1, "may be"),
    ([("o", (1, 300, 6), F)], 2, "may be"),
    ([("o", (1, 300, 7), F)], 3, "may be"),
    ([("o", (1, 1000), F)], 3, "no head is known"),
    ([("o", (1, 25200, 8), F)], None, "declare the classes"),
    ([("a", (1, 9, 4), F), ("b", (1, 9, 4), F)], 3, "no head is known"),
    ([("a", (1, 80, 80, 24), F), ("b", (1, 40, 40, 24), F)], 3, "no head is known"),
])
def test_what_may_be_several_is_refused_and_says_what_to_declare(outputs, classes, word):
    with pytest.raises(InputError, match=word) as told:
        guess_head(outputs, classes)
    assert '"head"' in str(told.value)
