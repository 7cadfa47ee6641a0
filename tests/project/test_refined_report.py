"""The report of a refinement on real pictures; the audit rows are made up."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project
from ecotone.project.records import write_json
from ecotone.project.refined_report import collect_refinement, spread
from ecotone.project.reporting import build_report
from ecotone.report.refinement_flow import ABOVE, SAME, SPECIES
from ecotone.store.refinements import FIELDS, RefinementTable
from ecotone.store.tables import Box, NewLabel, NewMedium

NAN = float("nan")


def store(project, rows, method="climb"):
    """Audit rows, a record and a finished run."""
    run = project.catalog.start_run("refine", {}, 0)
    cells = [np.array(v, dtype=np.float64 if isinstance(v[0], float) else object)
             for v in zip(*rows, strict=True)]
    project.catalog.add_refinement(run, RefinementTable(**dict(zip(FIELDS, cells, strict=True))))
    counts = {"detections": len(rows), "changed": 8, "labelled": 0, "species_before": 0,
              "species_after": 6}
    write_json(project.runs / f"{run}.json", {
        "run": run, "method": method, "created": "2026-11-21T07:30:00+00:00", "counts": counts,
        "settings": {"refine_alpha": 0.05}, "figures": {}, "notes": ["a note"]})
    project.catalog.finish_run(run, "done", {"method": method, "counts": counts})
    return run


@pytest.fixture
def project(tmp_path, pictures):
    """24 pictures of three species in boxes; a person beside the animal in the first."""
    with Project.init(tmp_path / "reserve") as opened:
        files = sorted(pictures.rglob("*.jpg"))
        opened.catalog.add_media([
            NewMedium(f"m{i:02d}", str(pictures), f.relative_to(pictures).as_posix(), f.parent.name,
                      timestamp="2024-05-01T06:30:00", content_hash=f"h{i}", width=96, height=72)
            for i, f in enumerate(files)
        ])
        opened.catalog.set_events({"m01": "burst", "m02": "burst"})
        animal = Box((0.25, 0.25, 0.5, 0.5), "animal", 0.9)
        person = Box((0.0, 0.0, 0.3, 1.0), "human", 0.9)
        opened.catalog.replace_boxes(
            {f"m{i:02d}": [animal, person] if i == 0 else [animal] for i in range(24)}, "md")
        opened.catalog.set_note("taxonomy", [
            {"scientificName": "Cervus elaphus", "vernacularName": "red deer",
             "family": "Cervidae"},
            {"scientificName": "Sus scrofa", "vernacularName": "wild boar", "family": "Suidae"}])
        yield opened


def audit(project):
    """Six named as species, two as a family, the rest left; one by people."""
    rows = []
    for n, d in enumerate(project.catalog.detections().id):
        name, rank, stage, p = ("animal", "", "unchanged", NAN)
        if n < 6:
            name, rank, stage, p = (("Cervus elaphus", "species", "climb", 0.9 - n / 100), (
                "Sus scrofa", "species", "climb", 0.7))[n % 2]
        elif n < 8:
            name, rank, stage, p = "Cervidae", "family", "climb", 0.99
        rows.append((d, stage, "animal", name, rank, p, "Cervus elaphus", 0.1 + n / 100,
                     "Sus scrofa", 0.5, 0.3))
    return rows


def test_everything_is_collected(project):
    store(project, audit(project))
    project.catalog.add_labels([NewLabel("m23", "wild boar")])
    found = project.catalog.media(), project.catalog.detections()
    data = collect_refinement(project, *found)
    flows = {(f.before, f.after, f.tone): f.detections for f in data.flows}
    assert flows == {("animal", "Cervus elaphus", SPECIES): 3, ("animal", "wild boar", SPECIES): 3,
                     ("animal", "Cervidae", ABOVE): 2, ("animal", "animal", SAME): 16}
    assert [(s.stage, s.detections, s.species) for s in data.stages] == [
        ("climb", 8, 6), ("unchanged", 16, 0), ("people", 1, 1)]
    by_key = {g.key: g for g in data.galleries}
    assert set(by_key) == {"surest", "left"}  # all eight that changed are among the surest
    surest = by_key["surest"].pictures
    assert {p.prediction for p in surest} == {"Cervus elaphus", "wild boar", "Cervidae"}
    assert surest[0].prediction == "Cervidae" and surest[0].alternatives[0][1] < 1
    assert all(p.global_label == "animal" and p.crop and p.sure for p in surest)
    files = [p.file for p in surest]
    assert len(files) == len(set(files)) and data.alpha == 0.05
    # One animal of a burst, and people beside an animal are made unrecognisable.
    media = dict(zip(found[0].file_path, found[0].id, strict=True))
    assert sum(media[f] in ("m01", "m02") for f in files) <= 1
    assert all(p.hidden == (media[p.file] == "m00") for p in surest)
    assert not any(p.changed or p.sure for p in by_key["left"].pictures)


def test_the_page_has_the_section_with_its_pictures_until_it_is_undone(project):
    run = store(project, audit(project))
    page = build_report(project).read_text(encoding="utf-8")
    assert 'id="species"' in page and page.count("data:image/jpeg") > 8 and run in page
    assert "8 of 25 detections have a finer label now" in page
    project.undo_refine()
    page = build_report(project).read_text(encoding="utf-8")
    assert 'id="species"' not in page and "nothing has been named yet" in page


def test_a_missing_record_is_told_with_the_way_out(project):
    run = store(project, audit(project))
    (project.runs / f"{run}.json").write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError, match="not valid json.*ecotone refine"):
        build_report(project)
    (project.runs / f"{run}.json").unlink()
    with pytest.raises(ProjectError, match="no such run record; run: ecotone refine"):
        build_report(project)


def test_distances_of_the_five_stages_are_no_probabilities(project):
    rows = [(*row[:1], "metric head", *row[2:5], NAN, *row[6:]) if row[1] == "climb" else row
            for row in audit(project)]
    store(project, rows, "five-stage")
    data = collect_refinement(project, project.catalog.media(), project.catalog.detections())
    surest = {g.key: g for g in data.galleries}["surest"].pictures
    assert all(not p.sure and p.alternatives[0][1] is None for p in surest)
    assert surest[0].file == project.catalog.media().file_path[0]  # the nearest
    assert build_report(project).is_file()


def test_classes_take_turns_and_bursts_stand_once():
    label = np.array(["a", "a", "a", "b", "b", "c"], dtype=object)
    units = np.array(["u", "u", "v", "w", "x", "v"], dtype=object)
    assert spread(np.arange(6), label, units, 4) == [0, 3, 2, 4]
    assert spread(np.array([5, 4, 3, 2, 1, 0]), label, units, 2) == [5, 4]
    assert spread(np.empty(0, dtype=int), label, units, 3) == []
