"""A small project with everything in it: pictures, labels, decisions, vectors, a fusion."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ecotone.project import Project
from ecotone.project.deciding import Said, draw_box, label
from tests.conftest import COATS, _draw


@pytest.fixture(scope="session")
def whole_project(tmp_path_factory) -> Path:
    """The project, made once; tests take a copy."""
    home = tmp_path_factory.mktemp("faults")
    rows = ["filePath,vernacularName"]
    scores = ["filePath," + ",".join(COATS)]
    rng = np.random.default_rng(5)
    for c in range(3):
        for s, (name, colour) in enumerate(COATS.items()):
            for i in range(4):
                file = f"cam{c}/{name.replace(' ', '_')}_{i}.jpg"
                _draw(home / "pictures" / file, colour, (48, 36), 100 * c + 10 * s + i,
                      f"2024:05:{1 + s + 3 * i:02d} {6 + c:02d}:30:00")
                value = rng.dirichlet(np.ones(3)) * 0.4
                value[s] += 0.6
                scores.append(f"{file}," + ",".join(f"{v:.4f}" for v in value))
                if i < 2:
                    rows.append(f"{file},{name}")
    (home / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (home / "scores.csv").write_text("\n".join(scores) + "\n", "utf-8")
    with Project.init(home / "p") as project:
        project.add_images(home / "pictures")
        project.add_labels(home / "labels.csv", author="Ann")
        project.add_scores(home / "scores.csv", name="net")
        project.embed("handcrafted")
        project.fuse()
        ids = project.catalog.detections().id
        for n in range(3):
            label(project.catalog, f"decision-{n}", "Bob", [Said(ids[20 + n], "grey fox")],
                  force=True)
        draw_box(project.catalog, "decision-box", "Bob", ids[30], [0.1, 0.1, 0.4, 0.5])
        project.report()
    return home


@pytest.fixture
def copy(whole_project, tmp_path) -> Path:
    """A copy of the project's folder; its pictures are where they were."""
    shutil.copytree(whole_project / "p", tmp_path / "p", symlinks=True)
    return tmp_path / "p"


def words_of(folder: Path) -> dict[str, list[tuple]]:
    """What people said, as the catalogue has it."""
    with Project(folder) as project:
        connection = project.catalog.connection
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
                for table in ("label", "decision")}
