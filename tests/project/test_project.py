from __future__ import annotations

import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project


def test_init_makes_a_project_and_leaves_an_old_one_alone(tmp_path):
    folder = tmp_path / "my-reserve"
    with Project.init(folder) as project:
        assert project.path == folder.resolve()
        assert project.config.name == "my-reserve"
    (folder / "ecotone.toml").write_text("batch_size = 3\n", encoding="utf-8")
    assert Project.init(folder).config.batch_size == 3


def test_init_refuses_a_folder_of_other_things(tmp_path):
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ProjectError, match="holds other files"):
        Project.init(tmp_path)
    with pytest.raises(ProjectError, match="is a file"):
        Project.init(tmp_path / "notes.txt")


def test_a_folder_without_settings_is_no_project(tmp_path):
    with pytest.raises(ProjectError, match="not an ecotone project"):
        Project(tmp_path)
