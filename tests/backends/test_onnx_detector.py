"""ONNX detectors: declared, told by their metadata, guessed, refused; and what they find."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ecotone.backends.detector import detector_fingerprint, open_detector
from ecotone.backends.detector_classes import category_of_class
from ecotone.errors import BackendError, InputError, MediaError
from tests.detectors import (
    CONFIDENCE,
    KIND,
    NAMES,
    TRUE,
    H,
    W,
    make_detector,
    middles,
    per_class,
    yolov8,
)

ULTRALYTICS = {"author": "Ultralytics", "task": "detect", "stride": "32", "imgsz": "[256, 320]",
               "names": "{0: 'animal', 1: 'person', 2: 'vehicle'}"}
UNIT = {"preset": "unit", "classes": NAMES}


@pytest.fixture
def picture(tmp_path):
    """640 x 512: the shape of the input, twice as large."""
    Image.new("RGB", (2 * W, 2 * H), (90, 120, 60)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def found_on(path, model, **options):
    detector = open_detector(model, threads=1, **options)
    return detector.detect([detector.prepare(path)])[0]


def as_made(boxes):
    wanted = np.hstack([TRUE[:, :2], TRUE[:, 2:] - TRUE[:, :2]]) / [W, H, W, H]
    np.testing.assert_allclose(boxes.bbox, wanted, atol=1e-5)
    np.testing.assert_allclose(boxes.confidence, CONFIDENCE, atol=1e-6)
    assert boxes.category.tolist() == [["animal", "human"][k] for k in KIND]


def test_by_the_metadata_of_ultralytics(tmp_path, picture):
    model = make_detector(tmp_path / "net.onnx", {"output0": yolov8()}, metadata=ULTRALYTICS)
    detector = open_detector(model)
    assert (detector.name, detector.threshold, detector.head.kind) == ("net", 0.2, "yolov8")
    as_made(found_on(picture, model))


def logits(p):
    return np.log(np.clip(p, 1e-7, 1) / np.clip(1 - p, 1e-7, 1))


@pytest.mark.parametrize("case", ["yolov5", "end2end", "rtdetr", "detr", "softmax", "torchvision",
                                  "flat", "yxyx"])
def test_every_head(tmp_path, picture, case):
    relative = middles() / [W, H, W, H]
    corners = np.column_stack([TRUE, CONFIDENCE, KIND])
    declared, outputs, more = dict(UNIT), {}, {}
    if case == "yolov5":
        rows = np.zeros((2000, 8))
        rows[:3] = np.hstack([middles(), np.full((3, 1), 0.95), per_class(CONFIDENCE / 0.95)])
        outputs = {"output": rows}
    elif case == "end2end":
        outputs = {"output0": np.vstack([corners, np.zeros((297, 6))])}
    elif case == "rtdetr":
        outputs, declared["head"] = {"output0": np.hstack([relative, per_class()])}, "rtdetr"
    elif case == "detr":
        outputs = {"logits": logits(per_class()), "pred_boxes": relative}
    elif case == "softmax":
        p = np.hstack([per_class(), 1 - CONFIDENCE[:, None]])
        outputs = {"logits": np.log(np.clip(p, 1e-12, 1)), "pred_boxes": relative}
    elif case == "yxyx":
        turned = TRUE[:, [1, 0, 3, 2]] / [H, W, H, W]
        outputs = {"classes": KIND + 1.0, "places": turned, "sure": CONFIDENCE}
        declared.update(head="torchvision", boxes="yxyx", coordinates="relative",
                        outputs=["places", "classes", "sure"],
                        classes={"1": "animal", "2": "person"})
    else:
        outputs = {"boxes": TRUE, "labels": KIND + 1, "scores": CONFIDENCE}
        declared["classes"] = {"1": "animal", "2": "person", "3": "car"}
        more["flat"] = case == "flat"
    model = make_detector(tmp_path / "net.onnx", outputs, declared, **more)
    as_made(found_on(picture, model))
    detector = open_detector(model)
    several = detector.detect([detector.prepare(picture)] * 3)
    assert len(several) == 3
    as_made(several[2])


@pytest.mark.parametrize("shape", [(1, 3, H, W), (4, 3, H, W), ("n", H, W, 3),
                                   ("n", 3, "height", "width"), ("n", "c", "h", "w")])
def test_fixed_batches_layouts_and_open_sizes(tmp_path, picture, shape):
    declared = {**UNIT, "size": [H, W]}
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, declared, shape=shape)
    detector = open_detector(model)
    for boxes in detector.detect([detector.prepare(picture)] * 5):
        as_made(boxes)


@pytest.mark.parametrize("kind", ["FLOAT16", "UINT8"])
def test_other_types_of_input(tmp_path, picture, kind):
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT, kind=kind)
    as_made(found_on(picture, model))


def test_an_open_input_takes_the_smallest_rectangle(tmp_path):
    Image.new("RGB", (640, 300)).save(tmp_path / "wide.png")
    declared = {**UNIT, "size": 320, "stride": 32}
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, declared,
                          shape=("n", 3, "h", "w"))
    detector = open_detector(model)
    laid, place = detector.prepare(tmp_path / "wide.png").input
    assert laid.size == (320, 160) and place.inner_height == 150 and place.top == 5
    Image.new("RGB", (300, 640)).save(tmp_path / "high.png")
    both = [detector.prepare(tmp_path / n) for n in ("wide.png", "high.png", "wide.png")]
    boxes = detector.detect(both)
    np.testing.assert_allclose(boxes[0].bbox, boxes[2].bbox)
    assert boxes[1].bbox.shape != boxes[0].bbox.shape or (boxes[1].bbox != boxes[0].bbox).any()


def test_boxes_of_a_turned_picture_are_those_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2 * H, 2 * W)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (2 * W, 2 * H)).save(tmp_path / "upright.jpg")
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT)
    detector = open_detector(model)
    turned = detector.prepare(tmp_path / "turned.jpg")
    assert (turned.width, turned.height) == (2 * W, 2 * H)
    as_made(detector.detect([turned])[0])


def test_the_bars_are_grey_and_the_numbers_as_declared(tmp_path):
    Image.new("RGB", (100, 20), (255, 0, 0)).save(tmp_path / "red.png")
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT)
    laid, place = open_detector(model).prepare(tmp_path / "red.png").input
    pixels = np.asarray(laid)
    assert (pixels[0, 0] == 114).all() and (pixels[H // 2, W // 2] == [255, 0, 0]).all()
    assert place.top == 96
    corner = open_detector(model, {"pad_place": "corner", "pad_value": 0})
    pixels = np.asarray(corner.prepare(tmp_path / "red.png").input[0])
    assert (pixels[0, 0] == [255, 0, 0]).all() and (pixels[-1, -1] == 0).all()


def test_sizes_that_a_model_asks_for_are_given(tmp_path, picture):
    outputs = {"labels": KIND, "boxes": TRUE, "scores": CONFIDENCE}
    model = make_detector(tmp_path / "net.onnx", outputs, UNIT,
                          other_inputs=("orig_target_sizes",))
    as_made(found_on(picture, model))
    with pytest.raises(BackendError, match="2 inputs"):
        open_detector(make_detector(tmp_path / "two.onnx", outputs, UNIT, other_inputs=("mask",)))


def test_nan_is_a_failure_of_that_picture(tmp_path, picture):
    bad = yolov8()
    bad[4, 7] = np.nan
    model = make_detector(tmp_path / "net.onnx", {"o": bad}, UNIT)
    assert "1 of 2,000 scores" in found_on(picture, model)
    wide = yolov8()
    wide[2, 0] = np.inf
    assert "boxes" in found_on(picture, make_detector(tmp_path / "w.onnx", {"o": wide}, UNIT))


def test_nothing_found_and_thousands(tmp_path, picture):
    none = make_detector(tmp_path / "none.onnx", {"o": np.zeros((7, 2000))}, UNIT)
    assert len(found_on(picture, none)) == 0
    rng = np.random.default_rng(0)
    many = np.zeros((9000, 7))
    many[:, :2] = rng.uniform(10, 240, (9000, 2))
    many[:, 2:4], many[:, 4] = 2, rng.uniform(0.1, 1, 9000)
    boxes = found_on(picture, make_detector(tmp_path / "many.onnx", {"o": many.T}, UNIT))
    assert len(boxes) == 300 and boxes.dropped == 900


def test_a_declaration_may_be_toml_and_a_file_of_the_caller(tmp_path, picture):
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()})
    text = 'head = "yolov8"\npreset = "unit"\nclasses = ["animal", "person", "vehicle"]\n'
    (tmp_path / "detector.toml").write_text(f"[detector]\n{text}detector = 'mine'\n", "utf-8")
    assert open_detector(model).name == "mine"
    as_made(found_on(picture, model))
    (tmp_path / "other.toml").write_text(text + "confidence = 0.4\n", "utf-8")
    assert len(found_on(picture, model, declaration=tmp_path / "other.toml")) == 2


@pytest.mark.parametrize(("declared", "word"), [
    ({"classes": NAMES}, "nothing says how a picture becomes"),
    ({"preset": "unit"}, "declare the classes"),
    ({"preset": "unit", "head": "yolov8"}, "names of its classes are not known"),
    ({**UNIT, "hed": "yolov8"}, "did you mean 'head'"),
    ({**UNIT, "head": "yolo"}, "head is 'yolo'"),
    ({**UNIT, "nms_iou": 3}, "nms_iou is 3"),
    ({**UNIT, "size": "large"}, "size is 'large'"),
    ({**UNIT, "resize": "crop"}, "resize is 'crop'"),
    ({**UNIT, "categories": {"deer": "mammal"}}, "category of 'deer'"),
    ({**UNIT, "outputs": ["boxes"]}, "no output 'boxes'"),
    ({**UNIT, "classes": ["animal", "person"]}, "no head is known"),
    ({**UNIT, "classes": ["animal", "person"], "head": "yolov8"}, "6 columns"),
])
def test_what_is_missing_or_wrong_is_told_in_one_line(tmp_path, picture, declared, word):
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, declared)
    with pytest.raises((BackendError, InputError), match=word) as told:
        found_on(picture, model)
    assert "\n" not in str(told.value)


def test_inputs_that_are_no_picture_are_refused(tmp_path):
    for shape in (("n", 3, H), (3, H, W), ("n", 1, H, W)):
        model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT, shape=shape)
        with pytest.raises(BackendError, match="three channels"):
            open_detector(model)
    model = make_detector(tmp_path / "open.onnx", {"o": yolov8()}, UNIT, shape=("n", 3, "h", "w"))
    with pytest.raises(BackendError, match="open size"):
        open_detector(model)
    (tmp_path / "text.onnx").write_text("no model", "utf-8")
    with pytest.raises(BackendError, match="cannot load"):
        open_detector(tmp_path / "text.onnx")
    with pytest.raises(BackendError, match="no such model file"):
        open_detector(tmp_path / "missing.onnx")


def test_unknown_names_say_what_is_near():
    with pytest.raises(InputError, match="did you mean 'megadetector'"):
        open_detector("megadetecter")


def test_the_fingerprint_follows_the_file_and_the_settings_but_not_the_place(tmp_path):
    first = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT)
    (tmp_path / "b").mkdir()
    moved = make_detector(tmp_path / "b" / "net.onnx", {"o": yolov8()}, UNIT)
    print_of = [detector_fingerprint(open_detector(p)) for p in (first, moved)]
    assert print_of[0] == print_of[1]
    less = open_detector(first, {"nms_iou": 0.7})
    assert detector_fingerprint(less) != print_of[0]
    assert detector_fingerprint(open_detector(first, {"typical_threshold": 0.5})) == print_of[0]


def test_a_broken_picture_is_a_media_error(tmp_path):
    model = make_detector(tmp_path / "net.onnx", {"o": yolov8()}, UNIT)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(MediaError, match="empty"):
        open_detector(model).prepare(tmp_path / "a.jpg")


def test_categories_of_classes():
    told = {n: category_of_class(n) for n in ("deer", "Person", "truck", "chair", "blank", "boat")}
    assert told == {"deer": "animal", "Person": "human", "truck": "vehicle", "chair": "",
                    "blank": "", "boat": "vehicle"}
    assert category_of_class("bin", {"bin": ""}) == ""
