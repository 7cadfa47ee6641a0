"""Cross-fitted scores: each detection by the network that has not seen its label, kept and read."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import ProjectError
from ecotone.project.cross_fit import CrossFit


@pytest.fixture
def cross() -> CrossFit:
    """30 detections, two folds and a whole network; embeddings that are turns of each other."""
    rng = np.random.default_rng(0)
    ids = np.array([f"m{i}:0" for i in range(30)], dtype=object)
    fold = np.where(np.arange(30) < 6, 0, np.where(np.arange(30) < 12, 1, -1))
    proba = rng.dirichlet(np.ones(3), (3, 30)).astype(np.float32)
    base = rng.normal(size=(30, 4))
    turns = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2)]
    embeddings = np.stack([base @ turns[0] + 1, base @ turns[1] - 2, base]).astype(np.float32)
    return CrossFit(ids, fold, ("a", "b", "c"), proba, embeddings)


def test_a_detection_is_spoken_of_by_the_network_of_its_fold(cross):
    labelled = np.arange(30) < 12
    found = cross.scores(2, labelled).values.toarray()
    assert np.allclose(found[:6], cross.proba[0, :6]) and np.allclose(found[6:12],
                                                                     cross.proba[1, 6:12])
    assert np.allclose(found[12:], cross.proba[2, 12:])
    held = np.arange(30) < 6  # fold 0 is measured: its network speaks of all but fold 1's labels
    one = cross.scores(0, labelled & ~held).values.toarray()
    assert np.allclose(one[:6], cross.proba[0, :6]) and np.allclose(one[12:], cross.proba[0, 12:])
    assert np.allclose(one[6:12], cross.proba[1, 6:12])


def test_embeddings_of_a_fold_are_turned_into_the_space_of_all(cross):
    found = cross.spaces(2, np.arange(30) < 12)
    assert np.array_equal(found[12:], cross.embeddings[2, 12:])
    near = np.linalg.norm(found[:12] - cross.embeddings[2, :12], axis=1)
    plain = np.linalg.norm(cross.embeddings[0, :6] - cross.embeddings[2, :6], axis=1)
    assert near.max() < 0.2 < plain.min()


def test_it_is_kept_and_aligned_and_what_is_new_says_nothing(cross, tmp_path):
    cross.save(tmp_path / "cross_fit.npz")
    again = CrossFit.load(tmp_path / "cross_fit.npz")
    assert again.classes == cross.classes and again.folds == 2
    assert np.allclose(again.proba, cross.proba, atol=1e-3)
    some = again.aligned(["m7:0", "new:0", "m20:0"])
    assert some.fold.tolist() == [1, -1, -1] and not some.proba[:, 1].any()
    assert np.allclose(some.proba[:, 0], again.proba[:, 7])
    scores = some.scores(2, np.array([True, False, False]))
    assert scores.values[1].nnz == 0 and len(scores) == 3
    assert not some.spaces(2, np.array([False, False, False]))[1].any()


def test_a_broken_file_is_told(cross, tmp_path):
    path = tmp_path / "cross_fit.npz"
    cross.save(path)
    whole = path.read_bytes()
    for content in (b"nothing", b"", whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(ProjectError, match="ecotone train --rounds 1"):
            CrossFit.load(path)
