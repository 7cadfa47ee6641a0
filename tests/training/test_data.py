"""Pictures of individuals: on disk or in memory, cut out, broken ones collected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.ingest.individuals import IndividualRow
from ecotone.training.data import Crops, IndividualPictures
from tests.training.worlds import noise


def test_pictures_that_cannot_be_read_are_collected(tmp_path: Path, make_picture) -> None:
    make_picture(tmp_path / "good.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    names = ("good.jpg", "empty.jpg", "missing.jpg")
    data = IndividualPictures.from_rows(IndividualRow(tmp_path / n, "a") for n in names)
    crops = Crops(data, 24, workers=2)
    failed = crops.check()
    assert sorted(failed) == [1, 2]
    assert "empty" in failed[1] and "missing" in failed[2]
    assert crops.load(0).shape == (24, 24, 3)


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_the_box_is_cut_out_turned_and_squashed(tmp_path: Path, memory: int) -> None:
    from PIL import Image

    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:40, 60:80] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    rows = [IndividualRow(tmp_path / "a.png", "a", bbox=(0.6, 0.2, 0.2, 0.2)),
            IndividualRow(tmp_path / "a.png", "a", bbox=(0.0, 0.6, 0.2, 0.2)),
            IndividualRow(tmp_path / "a.png", "a", bbox=(0.6, 0.2, 0.2, 0.2), theta=np.pi / 4)]
    crops = Crops(IndividualPictures.from_rows(rows), 20, memory=memory)
    assert not crops.check()
    inside, outside, turned = (crops.load(i).mean() for i in range(3))
    assert inside > 200 and outside == 0 and 100 < turned < inside


def test_a_picture_is_the_same_from_memory_and_from_disk(tmp_path: Path, make_picture) -> None:
    path = make_picture(tmp_path / "a.jpg")
    data = IndividualPictures.from_rows([IndividualRow(path, "a", bbox=(0.1, 0.2, 0.5, 0.5))])
    kept, fresh = Crops(data, 32), Crops(data, 32, memory=0)
    kept.check()
    assert np.array_equal(kept.load(0), fresh.load(0))


def test_arrays_are_checked() -> None:
    with pytest.raises(InputError, match="uint8"):
        IndividualPictures.from_arrays(np.zeros((2, 8, 8, 3)), ["a", "b"])
    with pytest.raises(InputError, match="viewpoint: 1 values, 2 pictures"):
        IndividualPictures.from_arrays(noise(2), ["a", "b"], ["left"])


def test_joining_and_fingerprints() -> None:
    one = IndividualPictures.from_arrays(noise(3), ["a", "a", "b"])
    both = one.joined(one.take(np.array([2])))
    assert both.individual.tolist() == ["a", "a", "b", "b"] and len(both.pictures) == 4
    assert one.fingerprint() == one.take(np.arange(3)).fingerprint() != both.fingerprint()
    disk = IndividualPictures.from_rows([IndividualRow(Path("a.jpg"), "a")])
    with pytest.raises(InputError, match="cannot be joined"):
        one.joined(disk)
