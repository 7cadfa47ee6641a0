"""What all tests share: where the real data lies, and small generated pictures."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
FIELD_SIZE = csv.field_size_limit()
settings.register_profile(  # a busy computer is slow, not wrong
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def settings_of_libraries():
    """What the checkers of other projects switch when they are imported is switched back: truncated
    pictures load silently after megadetector-utils, csv fields may be of any length after
    frictionless."""
    from PIL import ImageFile

    yield
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    csv.field_size_limit(FIELD_SIZE)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; the test is skipped where it is missing."""
    given = os.environ.get("ECOTONE_SHARED_DATA")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing (set ECOTONE_SHARED_DATA)")
    return folder


def _draw(path: Path, colour: tuple[int, int, int], size: tuple[int, int], seed: int,
          taken: str) -> Path:
    from PIL import Image

    rng = np.random.default_rng(seed)
    width, height = size
    pixels = np.full((height, width, 3), colour, dtype=np.float64)
    pixels += rng.normal(0, 12, pixels.shape)
    y, x = height // 4, width // 4
    pixels[y : 3 * y, x : 3 * x] = 255 - pixels[y : 3 * y, x : 3 * x]
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif[271], exif[272] = "ExampleCam", "X1"
        exif.get_ifd(0x8769)[36867] = taken
    picture.save(path, quality=90, exif=exif)
    return path


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., Path]:
    """A function (path, colour, size, seed, taken) that writes one small JPEG and returns its path.

    taken: EXIF DateTimeOriginal as "2024:05:01 06:30:00", or "" for a picture without EXIF.
    """

    def make(path: Path, colour: tuple[int, int, int] = (90, 120, 60),
             size: tuple[int, int] = (96, 72), seed: int = 0, taken: str = "") -> Path:
        return _draw(Path(path), colour, size, seed, taken)

    return make


COATS = {"red deer": (150, 70, 40), "grey fox": (120, 120, 130), "wild boar": (40, 35, 30)}


@pytest.fixture
def pictures(tmp_path: Path, make_picture: Callable[..., Path]) -> Path:
    """A folder of 24 small pictures: 2 cameras x 3 species (by colour) x 4, with EXIF times.

    Files are `cam1/red_deer_0.jpg` ...; `tmp_path/labels.csv` labels the first of each species.
    """
    folder = tmp_path / "pictures"
    rows = ["filePath,vernacularName"]
    for c, camera in enumerate(("cam1", "cam2")):
        for s, (name, colour) in enumerate(COATS.items()):
            for i in range(4):
                file = f"{camera}/{name.replace(' ', '_')}_{i}.jpg"
                taken = f"2024:05:{1 + s + 3 * i:02d} {6 + c:02d}:30:00"
                make_picture(folder / file, colour, seed=100 * c + 10 * s + i, taken=taken)
                if i == 0:
                    rows.append(f"{file},{name}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def labels_csv(tmp_path: Path, pictures: Path) -> Path:
    """The labels that belong to `pictures`: one picture a species and camera, by vernacularName."""
    return tmp_path / "labels.csv"


@pytest.fixture
def scores_csv(tmp_path: Path, pictures: Path) -> Path:
    """Scores of a made-up global model for all of `pictures`, one column a class."""
    classes = ["Cervus elaphus (Red Deer)", "gray fox, Urocyon cinereoargenteus", "hog, swine"]
    rng = np.random.default_rng(7)
    lines = ["filePath," + ",".join(f'"{c}"' for c in classes)]
    for file in sorted(pictures.rglob("*.jpg")):
        name = file.name.rsplit("_", 1)[0].replace("_", " ")
        scores = rng.dirichlet(np.ones(3)) * 0.4
        scores[list(COATS).index(name)] += 0.6
        values = ",".join(f"{v:.4f}" for v in scores)
        lines.append(f"{file.relative_to(pictures).as_posix()},{values}")
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def detections_json(pictures: Path) -> Path:
    """`md.json` beside `pictures`, MegaDetector 1.4: animals, two blanks, one person."""
    images = []
    for i, path in enumerate(sorted(pictures.rglob("*.jpg"))):
        found = [{"category": "1", "conf": 0.9, "bbox": [0.2, 0.2, 0.6, 0.6]}]
        if i in (3, 9):
            found = [{"category": "1", "conf": 0.03, "bbox": [0.1, 0.1, 0.1, 0.1]}]
        if i == 5:
            found.append({"category": "2", "conf": 0.8, "bbox": [0.0, 0.0, 0.2, 0.9]})
        images.append({"file": path.relative_to(pictures).as_posix(), "detections": found})
    content = {
        "images": images, "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "info": {"format_version": "1.4", "detector": "md_v5a.0.0.pt"},
    }
    path = pictures.parent / "md.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def taxonomy_csv(tmp_path: Path) -> Path:
    """`taxonomy.csv` of the three species of `pictures`."""
    path = tmp_path / "taxonomy.csv"
    path.write_text(
        "scientificName,vernacularName,family\nCervus elaphus,red deer,Cervidae\n"
        "Urocyon cinereoargenteus,gray fox,Canidae\nSus scrofa,wild boar,Suidae\n",
        encoding="utf-8",
    )
    return path


GLOBAL_NAMES = ("Cervus elaphus (Red Deer)", "gray fox, Urocyon cinereoargenteus", "hog, swine")


@pytest.fixture
def onnx_model(tmp_path: Path) -> Path:
    """A global classifier `model.onnx` of `pictures`, with `model.json` and `classes.txt` beside.

    Input (n, 3, 32, 32) float32 in 0..1, a pooled layer of 16 numbers, three classes.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)
    filters = np.concatenate([np.eye(3), rng.normal(0, 0.7, (13, 3))])[:, :, None, None]
    # A picture of `pictures` is its colour on three quarters of the area, the inverse on the rest.
    centre = 0.25 + 0.5 * np.array(list(COATS.values())) / 255  # (3 classes, 3 channels)
    weights = np.zeros((16, 3))
    weights[:3] = 2 * centre.T * 60
    bias = -(centre**2).sum(axis=1) * 60
    arrays = {"filters": filters, "weights": weights, "bias": bias}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["picture", "filters"], ["conv"]),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
        ],
        "coats",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    (tmp_path / "model.json").write_text('{"preprocessing": {"preset": "unit"}}', encoding="utf-8")
    (tmp_path / "classes.txt").write_text("\n".join(GLOBAL_NAMES) + "\n", encoding="utf-8")
    return tmp_path / "model.onnx"
