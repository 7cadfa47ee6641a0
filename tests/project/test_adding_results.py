"""Files of detectors that are large, odd or hostile: all of one is stored, or nothing of it."""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest import json_stream
from ecotone.ingest.matching import MediaIndex
from ecotone.project import Project, adding_results
from ecotone.store.catalog import Catalog
from ecotone.store.tables import Box, NewMedium
from tests.project.adding_files import found, md, numbers, write


@pytest.fixture
def filled(tmp_path):
    """A project of 40 pictures that need not exist."""
    with Project.init(tmp_path / "reserve") as project:
        project.catalog.add_media([
            NewMedium(f"m{n:02d}", str(tmp_path / "pics"), f"cam{n % 2}/{n}.jpg") for n in range(40)
        ])
        yield project


def images(count=40):
    boxes = [found(0.1, 0.9), found(0.5, 0.4)]
    return [{"file": f"cam{n % 2}/{n}.jpg", "detections": boxes[: n % 3]} for n in range(count)]


def rows(project):
    detections = project.catalog.detections()
    return detections.id.tolist(), detections.bbox.tolist(), detections.confidence.tolist()


@pytest.mark.parametrize("damage", [
    lambda text: text[:-40], lambda text: text[: len(text) // 2],
    lambda text: text.replace('"bbox"', '"bbox', 1), lambda text: text + "x",
    lambda text: text.replace('"cam0/38.jpg"', "cam0/38.jpg"),
    lambda text: text[:-1] + ', "images": []}',
])
@pytest.mark.parametrize("window", [1 << 20, 64])
def test_a_file_that_breaks_somewhere_leaves_no_row(filled, tmp_path, damage, window):
    before = rows(filled)
    file = write(tmp_path, damage(json.dumps(md(*images()))), "md.json")
    with patch.multiple(json_stream, BLOCK=window, TAIL=window), pytest.raises(
        FormatError, match=r"md\.json"
    ) as caught:
        filled.add_detections(file)
    assert rows(filled) == before and "\n" not in str(caught.value)


def test_chunks_make_no_difference(filled, tmp_path):
    file = write(tmp_path, md(*images()), "md.json")
    with patch.object(adding_results, "CHUNK", 7), patch.object(adding_results, "ROWS", 3):
        report = filled.add_detections(file)
    assert report.problems == [] and report.added == len(rows(filled)[0]) == 53
    first = rows(filled)
    assert numbers(filled.add_detections(file)) == (0, 0, 53) and rows(filled) == first


def test_only_the_pictures_of_a_second_file_change(filled, tmp_path):
    filled.add_detections(write(tmp_path, md(*images()), "md.json"))
    again = write(tmp_path, md({"file": "cam1/1.jpg", "detections": [found(0.3, 0.8)]},
                               {"file": "cam0/2.jpg", "detections": [found(0.1, 0.9),
                                                                     found(0.5, 0.4)]}), "b.json")
    assert numbers(filled.add_detections(again)) == (0, 1, 2)
    assert [i for i in rows(filled)[0] if i.startswith("m01")] == ["m01:2"]


def test_of_a_picture_that_stands_there_twice_the_last_entry_counts(filled, tmp_path):
    twice = [*images(3), {"file": "cam1/1.jpg", "detections": [found(0.2, 0.7)]}]
    report = filled.add_detections(write(tmp_path, md(*twice), "md.json"))
    assert "1 entries are of a picture that has a later one" in report.problems[0]
    assert report.added == 4


@pytest.mark.parametrize("file", [
    "../../../etc/passwd", "/etc/passwd", "C:\\Windows\\x.jpg", "cam0/../../0.jpg", "\ud800.jpg",
    "x" * 5000, "cam0\x00/0.jpg", "file:///etc/passwd",
])
def test_paths_that_lead_elsewhere_are_no_pictures_of_the_project(filled, tmp_path, file):
    before = rows(filled)
    report = filled.add_detections(write(
        tmp_path, md({"file": file, "detections": [found()]}, *images(1)), "md.json"))
    assert report.added == 1 and rows(filled)[0] == before[0]
    assert "name no picture of the project" in report.problems[0]
    report.problems[0].encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["md.json", "reserve"]


PATHS = st.lists(st.sampled_from(["a", "b", "IMG_1.JPG", "img_1.jpg", "2.jpg", "é.jpg"]),
                 min_size=1, max_size=3).map("/".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=6, unique=True), st.lists(PATHS, max_size=6),
       st.sampled_from(["/pictures", "/pictures/a", "/other"]), st.booleans())
def test_known_paths_mean_what_the_search_would_find(known, files, folder, windows):
    files = [f.replace("/", "\\") if windows else f for f in (*files, *known[:2])]
    with Catalog.open(":memory:", create=True) as catalog:
        catalog.add_media([NewMedium(f"m{n}", "/pictures", f) for n, f in enumerate(known)])
        media = catalog.media()
    table = adding_results.Path(folder) / "md.json"
    quick = adding_results._known_files(media, files, table)
    if quick is not None:
        searched = MediaIndex(media.path, media.file_path).find(files, table.parent).rows
        # Where the search finds several, the very path is the one that is meant.
        assert quick == [row if row >= 0 else quick[i] for i, row in enumerate(searched)]


BOXES = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10)), max_size=3,
                 unique_by=lambda t: t[0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(BOXES, min_size=3, max_size=3), min_size=1, max_size=4))
def test_many_media_at_once_are_as_one_after_the_other(history):
    def wanted(boxes):
        return [Box((x / 10, 0.2, 0.3, 0.4), "animal", c / 10) for x, c in boxes] or [
            Box((0.0, 0.0, 1.0, 1.0), "blank", 1.0)]

    with (Catalog.open(":memory:", create=True) as one,
          Catalog.open(":memory:", create=True) as all_):
        for catalog in (one, all_):
            catalog.add_media([NewMedium(f"m{n}", "/", f"{n}.jpg") for n in range(3)])
        for step in history:
            parts = {f"m{n}": wanted(boxes) for n, boxes in enumerate(step)}
            counts = all_.replace_boxes(parts, "md")
            single = [one.replace_boxes({m: b}, "md") for m, b in parts.items()]
            assert counts == {k: sum(s[k] for s in single) for k in counts}
            a, b = one.detections(), all_.detections()
            assert a.id.tolist() == b.id.tolist()
            np.testing.assert_array_equal(a.bbox, b.bbox)
            np.testing.assert_array_equal(a.confidence, b.confidence)


def test_media_that_are_not_there_are_left_out(filled):
    assert filled.catalog.replace_boxes({"none": [Box((0, 0, 0.5, 0.5), "animal", 1.0)]}, "md") == {
        "new": 0, "changed": 0, "same": 0}
