from __future__ import annotations

import io

import numpy as np
import pytest

from ecotone.errors import MediaError
from ecotone.report import pictures
from ecotone.report.pictures import blur, encode, make_pictures


def opened(data):
    from PIL import Image

    return Image.open(io.BytesIO(data))


def chessboard(width=400, height=300, square=4):
    from PIL import Image

    y, x = np.mgrid[:height, :width]
    grey = (((y // square + x // square) % 2) * 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def detail(picture, box):
    part = np.asarray(picture.convert("L").crop(box), dtype=float)
    return np.abs(np.diff(part, axis=1)).mean()


def test_a_crop_and_its_whole_picture_with_the_box(tmp_path):
    path = tmp_path / "a.png"
    chessboard().save(path)
    crop, whole, size = make_pictures(path, (0.25, 0.25, 0.25, 0.5))
    assert opened(crop).size == size and max(size) <= pictures.CROP_SIDE
    assert size[0] < size[1]  # 100 x 150 pixels and a margin
    frame = np.asarray(opened(whole).convert("RGB"), dtype=int)
    on_box = frame[150, 98:103].reshape(-1, 3)  # its left side, x = 0.25 * 400
    assert (on_box[:, 0] - on_box[:, 2] > 60).any(), "the box is drawn in yellow"


def test_a_detection_of_the_whole_picture_has_no_second_one(tmp_path):
    path = tmp_path / "a.png"
    chessboard().save(path)
    assert make_pictures(path, (0, 0, 1, 1))[1] is None


def test_people_are_beyond_recognition_and_the_rest_is_sharp():
    picture = chessboard()
    hidden = blur(picture, (0.5, 0.0, 0.5, 1.0))
    assert detail(hidden, (230, 20, 390, 280)) < 0.02 * detail(picture, (230, 20, 390, 280))
    assert detail(hidden, (0, 0, 150, 300)) == detail(picture, (0, 0, 150, 300))
    assert detail(picture, (230, 20, 390, 280)) > 20, "the picture given is not changed"


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0.9, 0.9, 0.5, 0.5), (0, 0, 1, 1), (1, 1, 0, 0)])
def test_any_box_of_a_person_can_be_hidden(box):
    assert blur(chessboard(40, 30), box).size == (40, 30)


def test_no_picture_is_larger_than_promised():
    from PIL import Image

    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (560, 560, 3), dtype=np.uint8))
    data = encode(noise, 9_000)
    assert len(data) <= 9_000 and opened(data).size[0] >= 16


def test_what_cannot_be_shown_is_an_error_with_a_reason(tmp_path):
    with pytest.raises(MediaError):
        make_pictures(tmp_path / "missing.jpg", (0, 0, 1, 1))
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(MediaError):
        make_pictures(tmp_path / "empty.jpg", (0, 0, 1, 1))


def test_real_damaged_pictures_are_shown_or_named(shared_data):
    shown = 0
    for path in sorted((shared_data / "robustness").iterdir()):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            try:
                make_pictures(path, (0.1, 0.1, 0.5, 0.5))
                shown += 1
            except MediaError as error:
                assert path.name in str(error)
    assert shown >= 3
