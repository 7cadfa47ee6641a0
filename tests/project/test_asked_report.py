"""The report shows what needs no eye, and the questions with their pictures."""

from __future__ import annotations

import re

import numpy as np

from ecotone.project import Project
from ecotone.project.asked_report import collect_acceptance, collect_questions
from ecotone.project.records import read_record
from ecotone.store.tables import NewLabel
from tests.project.test_accepting import make


def parts(project):
    catalog = project.catalog
    return catalog.media(), catalog.detections()


def test_questions_that_are_open(small_project, truth):
    assert collect_questions(small_project, *parts(small_project)) is None
    asked = small_project.suggest(n=15, gain=False).questions
    data = collect_questions(small_project, *parts(small_project))
    assert data.asked == data.open == 15 and len(data.pictures) == 12 and data.gain == ""
    assert [p.rank for p in data.pictures] == list(range(1, 13))
    assert data.pictures[0].file == asked[0].file_path
    assert data.pictures[0].problem  # there is no such file here, which is said
    small_project.catalog.add_labels([NewLabel(q.media_id, "red deer") for q in asked[:5]])
    data = collect_questions(small_project, *parts(small_project))
    assert data.answered == 5 and data.pictures[0].rank == 6
    small_project.catalog.add_labels([NewLabel(q.media_id, "red deer") for q in asked])
    assert collect_questions(small_project, *parts(small_project)) is None


def test_the_page_has_both_parts(tmp_path):
    project, _, _ = make(tmp_path / "p")
    with project:
        data = collect_acceptance(project, read_record(project))
        assert not data.kept and data.precision == 0.95 and data.detections == 200
        project.accept(0.9, write=True)
        data = collect_acceptance(project, read_record(project))
        assert data.kept and data.precision == 0.9
        page = project.report().read_text("utf-8")
    section = re.search(r'<section id="accept">.*?</section>', page, re.DOTALL).group()
    assert f"{data.accepted} of 200 detections without a label need no eye" in section
    assert section.count("<svg") == 2 and "lynx" in section and "--write" not in section
    assert 'id="ask"' not in page


def test_a_fusion_without_held_out_labels_has_no_such_part(tmp_path):
    assert collect_acceptance(None, {"out_of_fold": {"ids": []}}) is None
    with Project.init(tmp_path / "empty") as project:
        assert 'id="accept"' not in project.report().read_text("utf-8")


def test_chosen_labels_are_weighed_at_the_top_of_the_page(small_project, truth):
    from ecotone.project.reporting import collect

    asked = small_project.suggest(n=20, gain=False).questions
    small_project.catalog.add_labels(
        [NewLabel(q.media_id, truth[int(q.media_id[1:])]) for q in asked])
    small_project.fuse()
    data = collect(small_project)
    assert data.held_out.chosen == 20 and data.held_out.effective < len(data.held_out)
    page = small_project.report().read_text("utf-8")
    assert "of which 20 were chosen and are harder" in page
    assert np.isclose(data.held_out.weight.mean(), 1)
