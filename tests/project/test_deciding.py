"""Decisions in the catalogue: what counts, what exports tell, what a detector cannot undo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.project import Project, deciding
from ecotone.project.deciding import ConflictError, Said
from ecotone.project.gathering import local_classes
from ecotone.project.study import study_of
from ecotone.store.catalog import Catalog
from ecotone.store.discoveries import DiscoveryTable
from ecotone.store.tables import Box, NewMedium

BOXES = [Box((0.1, 0.1, 0.3, 0.3), "animal", 0.9), Box((0.5, 0.5, 0.3, 0.3), "animal", 0.8)]


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path / "c.sqlite", create=True) as opened:
        opened.add_media([NewMedium(f"m{i}", "/nowhere", f"{i}.jpg") for i in range(4)])
        opened.replace_boxes({"m0": BOXES}, "detector")
        yield opened


def say(catalog, identity, name, author="Ana", key="", **more):
    seen = catalog.connection.execute("SELECT coalesce(max(n), 0) FROM label").fetchone()[0]
    key = key or f"key {identity} {name} {author} {seen} {more}"
    return deciding.label(catalog, key, author, [Said(identity, name, seen=seen)], **more)


def test_a_label_of_a_picture_without_boxes_is_the_pictures(catalog):
    say(catalog, "m1:0", "fox")
    say(catalog, "m0:1", "hare")
    labels = catalog.labels()
    assert labels.detection_id.tolist() == ["", "m0:1"]
    assert catalog.current_labels() == {"m1:0": "fox", "m0:1": "hare"}


def test_a_detector_that_runs_again_does_not_bring_a_fixed_box_back(catalog):
    _, made = deciding.draw_box(catalog, "key of a box", "Ana", "m0:1", [0.15, 0.1, 0.3, 0.35])
    assert catalog.detections().id.tolist()[:2] == ["m0:2", made]
    catalog.replace_boxes({"m0": BOXES}, "another detector")
    assert set(catalog.detections().id) >= {"m0:2", made} and "m0:1" not in catalog.detections().id
    deciding.undo(catalog, "key of an undo", "Ana")
    assert {"m0:1", "m0:2"} <= set(catalog.detections().id) and made not in catalog.detections().id
    catalog.replace_boxes({"m0": BOXES[1:]}, "a third detector")
    deciding.redo(catalog, "key of a redo", "Ana")
    assert {"m0:2", made} <= set(catalog.detections().id)


def test_a_box_that_is_fixed_twice_is_one_box(catalog):
    _, first = deciding.draw_box(catalog, "key of box 1", "Ana", "m0:1", [0.1, 0.1, 0.2, 0.2])
    _, second = deciding.draw_box(catalog, "key of box 2", "Ben", first, [0.1, 0.1, 0.4, 0.4])
    assert catalog.detections().id.tolist()[:2] == ["m0:2", second]
    with pytest.raises(InputError):
        deciding.draw_box(catalog, "key of box 3", "Ana", "m0:1", [0.1, 0.1, 0.4, 0.4])


def test_a_conflict_leaves_everything_as_it_was(catalog):
    say(catalog, "m1:0", "fox", "Ben")
    before = catalog.counts()
    with pytest.raises(ConflictError) as caught:
        deciding.label(catalog, "key of both", "Ana", [Said("m1:0", "hare"), Said("m2:0", "hare")])
    assert [c.detection for c in caught.value.conflicts] == ["m1:0"]
    assert catalog.counts() == before


def test_unknown_is_an_answer_and_no_class(catalog, tmp_path):
    say(catalog, "m1:0", "unknown")
    say(catalog, "m2:0", "fox")
    with Project.init(tmp_path / "p") as project:
        found = local_classes(project, catalog.detections(), catalog.current_labels(), None)
    assert found == ("fox",)


STEPS = st.lists(st.tuples(
    st.sampled_from(["Ana", "Ben"]),
    st.one_of(st.sampled_from(["undo", "redo"]),
              st.tuples(st.integers(0, 3), st.sampled_from(["fox", "hare", "deer"]))),
), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_undo_and_redo_are_each_persons_own_stacks(tmp_path_factory, steps):
    """Against stacks in memory: what counts is the newest label that is not taken back."""
    folder = tmp_path_factory.mktemp("c")
    ids = ["m0:0", "m1:0", "m2:0", "m3:0"]
    said, done, undone = [], {"Ana": [], "Ben": []}, {"Ana": [], "Ben": []}
    with Catalog.open(folder / "c.sqlite", create=True) as catalog:
        catalog.add_media([NewMedium(f"m{i}", "/nowhere", f"{i}.jpg") for i in range(4)])
        for n, (who, what) in enumerate(steps):
            key = f"step number {n}"
            if what == "undo":
                assert (deciding.undo(catalog, key, who) is None) == (not done[who])
                if done[who]:
                    undone[who].append(done[who].pop())
            elif what == "redo":
                assert (deciding.redo(catalog, key, who) is None) == (not undone[who])
                if undone[who]:
                    done[who].append(undone[who].pop())
            else:
                at, name = what
                deciding.label(catalog, key, who, [Said(ids[at], name)], force=True)
                said.append((n, ids[at], name))
                done[who].append(n)
                undone[who] = []
            counting = {*done["Ana"], *done["Ben"]}
            expected = {i: name for n, i, name in said if n in counting}
            assert catalog.current_labels() == expected


@pytest.fixture
def boxed(tmp_path, pictures, labels_csv, detections_json):
    with Project.init(tmp_path / "p") as project:
        project.add_images(pictures)
        project.add_labels(labels_csv, author="Cleo")
        project.add_detections(detections_json)
        yield project


def exported(project):
    return [row for row in study_of(project).observations
            if row.get("classificationMethod") == "human"]


def test_exports_tell_what_was_said_last_and_once(boxed):
    labels = boxed.catalog.current_labels()
    first, second, *_ = sorted(labels)
    before = exported(boxed)
    deciding.label(boxed.catalog, "key of a change", "Ana", [Said(first, "aardvark")], force=True)
    _, made = deciding.draw_box(boxed.catalog, "key of a box", "Ana", second, [0.1, 0.1, 0.5, 0.5])
    after = exported(boxed)
    assert len(after) == len(before)
    (mine,) = [r for r in after if r["classifiedBy"] == "Ana"]
    assert "aardvark" in mine.values()
    (drawn,) = [r for r in after if r.get("bboxWidth") == "0.5"]
    assert drawn["mediaID"] == second.rpartition(":")[0] and drawn["classifiedBy"] == "Cleo"
    assert boxed.catalog.current_labels()[made] == labels[second]


def test_naming_a_whole_proposal_keeps_its_name_and_undo_takes_it_back(catalog):
    ids = ["m1:0", "m2:0", "m3:0"]
    run = catalog.start_run("discover")
    n = np.ones(3)
    catalog.add_discovery(run, DiscoveryTable(
        np.array(ids, dtype=object), n, n > 0, np.zeros(3, int), np.array([1, 1, 2]), n,
        np.zeros(3, int)))
    catalog.finish_run(run)
    said = [Said(i, "okapi") for i in ids[:2]]
    made = deciding.label(catalog, "naming-1", "Ana", said, proposal=(run, 1))
    (name,) = catalog.proposal_names()
    assert (name.proposal, name.label, name.author, name.labels) == (1, "okapi", "Ana", 2)
    assert deciding.label(catalog, "naming-1", "Ana", said, proposal=(run, 1)).n == made.n
    assert len(catalog.proposal_names()) == 1
    deciding.undo(catalog, "naming-2", "Ana")
    assert catalog.proposal_names() == [] and catalog.current_labels() == {}
    deciding.redo(catalog, "naming-3", "Ana")
    assert catalog.proposal_names() == [name]
    say(catalog, "m3:0", "unknown", key="naming-4", proposal=(run, 2))
    say(catalog, "m3:0", "lynx", key="naming-5", proposal=(run, 1))  # it is of another proposal
    assert catalog.proposal_names() == [name]
