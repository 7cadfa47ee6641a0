"""A clock that goes back: what was stored last counts, whatever the clock says."""

from __future__ import annotations

import itertools

import pytest

from ecotone.project import Project
from ecotone.project.deciding import Said, label, undo
from ecotone.store import runs
from ecotone.store.tables import NewLabel


@pytest.fixture
def backwards(monkeypatch):
    """Every look at the clock is a day earlier than the one before."""
    days = itertools.count(28, -1)

    def now():
        return f"2024-05-{max(1, next(days)):02d}T06:00:00+00:00"

    for module in ("ecotone.store.runs", "ecotone.project.deciding"):
        monkeypatch.setattr(f"{module}.now", now)


def test_the_newest_label_counts(tmp_path, pictures, backwards):
    with Project.init(tmp_path / "p") as project:
        project.add_images(pictures)
        catalog = project.catalog
        first = catalog.detections().id[0]
        medium = first.rpartition(":")[0]
        for name in ("red deer", "grey fox", "wild boar"):
            catalog.add_labels([NewLabel(medium, name)])
            assert catalog.current_labels()[first] == name
        label(catalog, "decision-1", "Ann", [Said(first, "lynx")], force=True)
        assert catalog.current_labels()[first] == "lynx"
        assert list(catalog.labels().created) == sorted(catalog.labels().created, reverse=True)
        undo(catalog, "decision-2", "Ann")
        assert catalog.current_labels()[first] == "wild boar"


def test_the_newest_run_counts(tmp_path, pictures, labels_csv, backwards):
    with Project.init(tmp_path / "p") as project:
        project.add_images(pictures)
        project.add_labels(labels_csv)
        first = project.fuse()
        second = project.fuse()
        assert first.run > second.run  # by name, that is by the clock
        assert (project.models / "latest").resolve().name == second.run
        from ecotone.project.records import read_record
        from ecotone.store.vectors import posterior_runs

        assert read_record(project)["run"] == second.run
        assert posterior_runs(project.catalog)[-1] == second.run
        assert project.status().fused == second.run and project.status().unfinished == []
        project.report()
        assert project.status().next.startswith("ecotone export")
        assert project.check().whole


def test_the_same_second_twice_gives_two_names(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "now", lambda: "2024-05-01T06:00:00+00:00")
    with Project.init(tmp_path / "p") as project:
        names = [project.catalog.start_run("fuse", {}, 0) for _ in range(3)]
        project.catalog.connection.execute("DELETE FROM run WHERE id = ?", names[:1])
        names.append(project.catalog.start_run("fuse", {}, 0))
        assert names[3] == names[0] and len(set(names[:3])) == 3
