"""Processes that torchrun starts share one project: the first one holds its lock."""

from __future__ import annotations

import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project, individual_heads, network_training
from ecotone.project.lock import writer_lock


def test_only_the_first_process_takes_the_lock(tmp_path, monkeypatch) -> None:
    project = Project.init(tmp_path / "reserve")
    called: list[str] = []
    monkeypatch.setattr(individual_heads, "train_network",
                        lambda project, network, **options: called.append(network))
    with writer_lock(project.path, "individuals train"):
        monkeypatch.setenv("RANK", "1")
        project.train_individuals("efficientnetv2_rw_m")
        assert called == ["efficientnetv2_rw_m"]
        monkeypatch.setenv("RANK", "0")
        with pytest.raises(ProjectError):
            project.train_individuals("efficientnetv2_rw_m")


def test_it_is_so_for_networks_of_species(tmp_path, monkeypatch) -> None:
    project = Project.init(tmp_path / "reserve")
    called: list[int] = []
    monkeypatch.setattr(network_training, "train", lambda project, **options: called.append(1))
    with writer_lock(project.path, "train"):
        monkeypatch.setenv("RANK", "1")
        project.train()
        assert called
        monkeypatch.setenv("RANK", "0")
        with pytest.raises(ProjectError):
            project.train()
