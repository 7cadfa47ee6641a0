"""Points of pictures: each pair once, kept, on any number of threads, bounded in memory."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ecotone.cli import run
from ecotone.errors import MissingExtraError
from ecotone.project import point_scores
from ecotone.project.point_scores import PointScores
from ecotone.store.pair_scores import KeptScores
from tests.project.test_identifying import files_of, photos, project  # noqa: F401

pytest.importorskip("cv2")


@pytest.fixture
def ids(project):  # noqa: F811
    return np.array(sorted(files_of(project), key=files_of(project).get), dtype=object)


def every_pair(ids, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(min(n, len(ids)), 1)


def test_both_ways_are_one_pair_and_progress_is_told(project, ids):  # noqa: F811
    told = []
    points = PointScores(project, lambda *said: told.append(said))
    score = points.between(ids, ids)(np.array([0, 0, 1]), np.array([0, 1, 0]))
    assert score.shape == (3,) and score[1] == score[2] and (score >= 0).all() and score[0] > 0
    text = "comparing points of pairs of pictures, part 1"
    assert told == [(0, 2, text), (2, 2, text)]


def test_a_stopped_run_goes_on(project, ids, monkeypatch):  # noqa: F811
    monkeypatch.setattr(point_scores, "STEP", 10)
    left, right = every_pair(ids)
    told = []

    def stop(done, total, text):
        told.append(done)
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PointScores(project, stop).between(ids, ids)(left, right)
    told.clear()
    again = PointScores(project, lambda done, total, text: told.append((done, total)))
    found = again.between(ids, ids)(left, right)
    assert told[0] == (30, 66) and told[-1] == (66, 66)
    (project.path / point_scores.CACHE).unlink()
    assert np.array_equal(PointScores(project).between(ids, ids)(left, right), found)


def test_threads_and_little_memory_change_nothing(project, ids, monkeypatch):  # noqa: F811
    left, right = every_pair(ids)
    found = []
    for threads, held in ((1, 768), (7, 768), (2, 3)):
        (project.path / point_scores.CACHE).unlink(missing_ok=True)
        monkeypatch.setattr(os, "cpu_count", lambda n=threads: n)
        monkeypatch.setattr(point_scores, "KEPT", held)
        monkeypatch.setattr(point_scores, "STEP", 8)
        points = PointScores(project)
        found.append(points.between(ids, ids)(left, right))
        assert len(points._held) <= held
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_a_picture_that_is_gone_has_no_score_and_none_is_kept(
    project, ids, monkeypatch  # noqa: F811
):
    from ecotone.errors import MediaError
    from ecotone.media import decode

    load, gone = decode.load_picture, []

    def broken(path, size=None):
        if gone and str(path).endswith("p00_1.jpg"):
            raise MediaError("gone")
        return load(path, size)

    monkeypatch.setattr(decode, "load_picture", broken)
    gone.append(True)
    ask = np.array([0, 0]), np.array([1, 2])
    found = PointScores(project).between(ids, ids)(*ask)
    assert np.isnan(found[0]) and found[1] >= 0
    gone.clear()
    assert PointScores(project).between(ids, ids)(*ask)[0] >= 0


def test_scores_of_other_settings_are_others(tmp_path):
    kept = KeptScores(tmp_path / "cache" / "x.sqlite", "one")
    kept.add([("b", "a")], [2.5])
    assert kept.find([("a", "b"), ("a", "c")]) == [2.5, None]
    assert KeptScores(tmp_path / "cache" / "x.sqlite", "two").find([("a", "b")]) == [None]


def test_match_and_catalogue_with_points(project):  # noqa: F811
    result = project.match_individuals(local=True, head="none")
    assert result.counts["queries"] == 40
    assert (project.path / point_scores.CACHE).is_file()
    where = ["--project", str(project.path)]
    assert run(["individuals", "catalogue", "--local", "--shortlist", "10", *where]) == 0


def test_without_opencv(project, monkeypatch):  # noqa: F811
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError, match="local"):
        project.match_individuals(local=True)
