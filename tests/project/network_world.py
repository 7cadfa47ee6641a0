"""A project of small pictures whose colour tells the species, and trainers that need no torch.

`knowing` stands for a network that learns what is on the pictures: a linear model of their colours.
`heart` stands for one that learns its labels by heart and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from ecotone.project import Project
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

SPECIES = ("red deer", "grey fox", "wild boar")
N, PER_LABEL = 108, 3
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]], dtype=float)
SIDE = 8


def make_project(folder: Path, telling: bool = True, seed: int = 0) -> Project:
    """12 cameras, 108 pictures, 36 labels; embeddings and scores that hardly tell anything.

    telling: whether the colour of a picture tells its species.
    """
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(N) % 3)
    colour = COLOURS[truth] if telling else rng.uniform(60, 200, (N, 3))
    project = Project.init(folder / "reserve")
    project.config = replace(project.config, use_context=False)  # a third of a round's time
    media = []
    for i in range(N):
        path = folder / "photos" / f"cam{i // 9}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(colour[i] + rng.normal(0, 25, 3) + rng.normal(0, 10, (SIDE, SIDE, 3)),
                         0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        media.append(NewMedium(
            id=f"m{i:03d}", root=str(folder / "photos"), file_path=f"cam{i // 9}/{i}.png",
            deployment_id=f"cam{i // 9}", timestamp=f"2024-05-01T06:{i % 60:02d}:00",
            content_hash=f"hash{i}", width=SIDE, height=SIDE))
    project.catalog.add_media(media)
    ids = [f"m{i:03d}:0" for i in range(N)]
    embeddings = rng.normal(size=(N, 6)) + 0.5 * np.eye(3, 6)[truth]
    scores = rng.dirichlet(np.ones(3), N) * 0.9 + 0.1 * np.eye(3)[truth]
    with EmbeddingWriter(project.catalog, project.vectors, "enc", 6) as writer:
        writer.append(ids, embeddings.astype(np.float32))
    with ScoreWriter(project.catalog, project.vectors, "world", SPECIES, True) as writer:
        writer.append(ids, scores.astype(np.float32))
    labelled = range(0, N, PER_LABEL)
    project.catalog.add_labels(
        [NewLabel(f"m{i:03d}", SPECIES[truth[i]]) for i in labelled], author="test")
    return project


def knowing(data: Any, folder: Path, settings: Any, **_: Any) -> Any:
    """A linear softmax model of the mean colours."""
    from sklearn.linear_model import LogisticRegression

    colours = _colours(data)
    k = len(data.classes)
    x = np.repeat(colours, k, axis=0)
    y = np.tile(np.arange(k), len(colours))
    model = LogisticRegression(C=10, max_iter=200).fit(x, y, data.target.ravel() + 1e-6)
    weights, bias = model.coef_.T, model.intercept_
    if k == 2:  # one row says both
        weights, bias = np.hstack([-weights, weights]) / 2, np.r_[-bias, bias] / 2
    return _made(data, folder, settings, weights, bias, np.eye(k))


def heart(data: Any, folder: Path, settings: Any, **_: Any) -> Any:
    """The label of the nearest labelled picture, as sure as can be."""
    known = _colours(data)[data.labelled]
    scale = 20000.0
    return _made(data, folder, settings, 2 * scale * known.T, -scale * (known**2).sum(axis=1),
                 data.target[data.labelled])


def _colours(data: Any) -> np.ndarray:
    return np.array([np.asarray(Image.open(p)).mean(axis=(0, 1)) / 255 for p in data.paths])


def _made(data: Any, folder: Path, settings: Any, weights: np.ndarray, bias: np.ndarray,
          last: np.ndarray) -> Any:
    """softmax(colour @ weights + bias) @ last as an ONNX file with an embedding, and its card."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"weights": weights, "bias": bias, "last": last}
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
         helper.make_node("Flatten", ["pooled"], ["embedding"]),
         helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
         helper.make_node("Softmax", ["logits"], ["inner"], axis=1),
         helper.make_node("MatMul", ["inner", "last"], ["scores"])],
        "colours",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3]),
         helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", last.shape[1]])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in (("classes", json.dumps(list(data.classes))),
                       ("preprocessing", json.dumps({"preset": "unit"}))):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, folder / "model.onnx")
    curve = [{"epoch": e, "loss": 2.0 / e, "log_loss": 1.5 / e, "accuracy": 0.5} for e in (1, 2)]
    card = {"name": folder.name, "task": "soft labels", "classes": list(data.classes),
            "best": {"accuracy": 0.5, "log_loss": 0.75}, "curve": curve, "notes": [],
            "validation": {"kind": "held-out labels"}, "settings": settings.as_dict(),
            "start": {"source": "none", "licence": "none"}}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    (folder / "CARD.md").write_text("# Network\n", encoding="utf-8")
    return SimpleNamespace(folder=folder, onnx=folder / "model.onnx", card=card, failed=(),
                           classes=data.classes, history=curve)
