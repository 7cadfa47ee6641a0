"""`ContextClassifier`: gains where there is context, none lost where there is none."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import ecotone
from ecotone.context import ContextClassifier
from ecotone.errors import InputError
from tests.context.worlds import NAMES, world


def test_place_time_and_neighbours_add_what_they_know():
    w = world(0, effects=True)
    labels = w.labels(200)
    clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
    proba = clf.predict_proba(w.proba, w.site, w.seconds)
    assert np.allclose(proba.sum(axis=1), 1) and (proba >= 0).all()
    gain = w.gain(proba, labels)
    assert gain > 5.0
    assert abs(clf.gain_ - gain) < 6.0  # what it promises out of fold
    assert clf.report_["seen"]["kind"].startswith("neighbours")


@pytest.mark.parametrize("count", [20, 60, 200, 600])
def test_a_world_without_context_is_left_alone(count):
    worst = []
    for seed in range(2):
        w = world(100 + seed, effects=False)
        labels = w.labels(count, seed)
        clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
        assert clf.gain_ >= -0.3
        worst.append(w.gain(clf.predict_proba(w.proba, w.site, w.seconds), labels))
    assert np.mean(worst) > -0.3


def test_without_places_and_times_the_image_is_returned_as_it_is():
    w = world(1, effects=True)
    clf = ContextClassifier(NAMES).fit(w.proba, w.labels(300))
    assert clf.report_["seen"]["kind"] == "image only" and clf.gain_ == 0.0
    assert np.allclose(clf.predict_proba(w.proba), w.proba, atol=1e-5)


def test_where_context_adds_nothing_posteriors_stay_bit_for_bit():
    w = world(103, effects=False)
    given = w.proba.astype(np.float32)
    given[0] = np.eye(len(NAMES))[0]  # sure: no away from 0 either
    clf = ContextClassifier(NAMES).fit(given, w.labels(20, 3))
    assert np.array_equal(clf.predict_proba(given), given)


def test_rows_and_classes_may_come_in_any_order():
    w = world(2, effects=True, n=600)
    labels = w.labels(200)
    clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
    first = clf.predict_proba(w.proba, w.site, w.seconds)
    rows = np.random.default_rng(0).permutation(len(w.y))
    columns = np.array([3, 0, 4, 1, 2])
    other = ContextClassifier(NAMES[columns]).fit(
        w.proba[rows][:, columns], labels[rows], w.site[rows], w.seconds[rows]
    )
    again = other.predict_proba(w.proba[rows][:, columns], w.site[rows], w.seconds[rows])
    assert np.allclose(again, first[rows][:, columns], atol=2e-3)
    assert np.array_equal(first, clf.predict_proba(w.proba, w.site, w.seconds))


def test_at_a_site_without_labels_the_factor_of_the_site_is_silent():
    w = world(3, effects=True)
    labels = w.labels(300)
    inside = w.site != "site 0"
    labels[~inside] = None
    clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
    new = clf.predict_proba(w.proba[~inside], ["nowhere"] * int((~inside).sum()))
    assert np.allclose(new, w.proba[~inside], atol=1e-5)  # neither time nor events are given
    with_time = clf.predict_proba(w.proba, w.site, w.seconds)[~inside]
    right = (with_time.argmax(axis=1) == w.y[~inside]).mean()
    assert right >= (w.proba.argmax(axis=1) == w.y)[~inside].mean()


def answers(rows: int = 900, seed: int = 0):
    """A foreign model that calls most vehicles "people", at three sites."""
    rng = np.random.default_rng(seed)
    names = np.array(["car", "people", "roe", "fox"], dtype=object)
    y = rng.choice(4, p=[0.4, 0.1, 0.3, 0.2], size=rows)
    said = np.where((y == 0) & (rng.random(rows) < 0.7), 1, y)
    site = np.array([f"s{i}" for i in rng.integers(3, size=rows)], dtype=object)
    return names[said], names[y], site, np.sort(rng.uniform(0, 3e7, rows))


def test_answers_of_a_model_are_read_by_a_map_that_labels_teach():
    said, truth, site, seconds = answers()
    labels = np.full(len(said), None, dtype=object)
    labels[::6] = truth[::6]
    clf = ContextClassifier().fit(said, labels, site, seconds)
    assert list(clf.classes_) == ["car", "fox", "people", "roe"]
    rest = np.array([v is None for v in labels])
    right = (clf.predict(said, site, seconds) == truth)[rest].mean()
    assert right > (said == truth)[rest].mean() + 0.02
    # At a site never seen, answers keep their names.
    assert list(clf.predict(["people", "fox", "roe"], ["new"] * 3)) == ["people", "fox", "roe"]


def test_an_answer_that_fit_never_saw_is_read_by_its_name():
    said, truth, site, seconds = answers()
    clf = ContextClassifier(["car", "fox", "people", "roe", "lynx"]).fit(said, truth, site, seconds)
    assert list(clf.predict(["Lynx", "fox", ""], ["s0", "new", "new"]))[:2] == ["lynx", "fox"]
    assert clf.predict(["lynx"], ["new"])[0] == "lynx"


def test_several_rows_of_one_file_are_one_picture_with_several_labels():
    said, truth, site, seconds = answers(300)
    file = [f"{i}.jpg" for i in range(300)]
    joined = [[t, "dog"] if i % 3 == 0 else t for i, t in enumerate(truth)]
    one = ContextClassifier().fit(said, joined, site, seconds, file=file)
    twice = np.arange(300).repeat([2 if i % 3 == 0 else 1 for i in range(300)])
    flat = [name for label in joined for name in (label if isinstance(label, list) else [label])]
    many = ContextClassifier().fit(
        said[twice], flat, site[twice], seconds[twice], file=[file[i] for i in twice]
    )
    assert list(one.classes_) == list(many.classes_) and "dog" in one.classes_
    expected = one.predict_proba(said, site, seconds, file=file)
    found = many.predict_proba(
        said[twice], site[twice], seconds[twice], file=[file[i] for i in twice]
    )
    assert np.allclose(found, expected[twice], atol=1e-6)
    assert many.oof_proba_.shape == (len(twice), len(many.classes_))


@pytest.mark.parametrize("call, message", [
    (lambda: ContextClassifier().fit(["a"], [None]), "no row has a label"),
    (lambda: ContextClassifier().fit(["a", "b"], ["a"]), "evidence: 2 rows, labels have 1"),
    (lambda: ContextClassifier(["a"]).fit([[1.0]], ["b"]), "none of the classes"),
    (lambda: ContextClassifier(["a", "b"]).fit([[np.nan, 1.0]], ["b"]), "no distribution"),
    (lambda: ContextClassifier().fit([[0.5, 0.5]], ["b"]), "classes"),
    (lambda: ContextClassifier().fit(["a"], ["a"], ["s"], ["yesterday"]), "is no|says 'yesterday'"),
    (lambda: ContextClassifier().fit(["a"], ["a"], ["s", "t"]), "site: 2 entries, expected 1"),
    (lambda: ContextClassifier().fit(["a"], ["a"], file=[]), "file: 0 entries"),
    (lambda: ContextClassifier().fit([""], ["a"]), "no picture has an answer"),
    (lambda: ContextClassifier().predict_proba(["a"]), "call fit"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_and_uniform_inputs(n):
    clf = ContextClassifier().fit(["fox"] * n, ["fox"] * n, ["s"] * n, ["2024-05-01 10:00:00"] * n)
    assert np.allclose(clf.predict_proba(["fox"] * n, ["s"] * n), 1.0)
    assert clf.gain_ == 0.0


def test_times_that_no_label_covers_are_a_blend_of_both_views():
    w = world(4, effects=True)
    labels = w.labels(500)
    late = w.seconds > np.quantile(w.seconds, 0.6)
    labels[late] = None
    clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
    proba = clf.predict_proba(w.proba, w.site, w.seconds)
    right = (proba.argmax(axis=1) == w.y)[late].mean()
    assert right > (w.proba.argmax(axis=1) == w.y)[late].mean() + 0.02
    assert np.allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("alike", [True, False])
def test_from_eight_sites_on_a_confusion_that_all_share_is_taken_over_to_a_new_one(alike):
    """Twelve sites; the model calls most cars "people", at all of them or at every other one."""
    rng = np.random.default_rng(5)
    names = np.array(["car", "people", "roe", "fox"], dtype=object)
    site = rng.integers(12, size=1200)
    y = rng.choice(4, p=[0.45, 0.1, 0.25, 0.2], size=1200)
    if not alike:
        y = np.where((y == 0) & (site % 2 == 1), 1, y)
    said = np.where((y == 0) & (rng.random(1200) < 0.7), 1, y)
    place = np.array([f"s{i}" for i in site], dtype=object)
    seconds = np.sort(rng.uniform(0, 3e7, 1200))
    for left in (0, 1):
        out = site == left
        labels = np.where(out, None, names[y])
        clf = ContextClassifier().fit(names[said], labels, place, seconds)
        right = (clf.predict(names[said], place, seconds) == names[y])[out].mean()
        model = (said == y)[out].mean()
        if alike:
            assert clf.report_["new_sites"]["map"] == "as at sites with labels"
            assert right > model + 0.15
        else:
            assert right >= model - 0.02


def bursts_of_two(seed: int = 0):
    """Bursts of two frames: mostly one species, some of a fox that follows a roe; and pictures of
    people with a dog."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, p=[0.3, 0.3, 0.15, 0.25], size=300)
    pairs = [[("fox",), ("fox",)], [("roe",), ("roe",)], [("roe",), ("fox",)],
             [("people", "dog"), ("people", "dog")]]
    truth = [frame for k in kind for frame in pairs[k]]
    said = np.array([names[rng.integers(len(names))] for names in truth], dtype=object)
    site = np.repeat(np.array([f"s{i}" for i in rng.integers(4, size=300)], dtype=object), 2)
    seconds = np.repeat(np.sort(rng.uniform(0, 2e7, 300)), 2) + np.tile([0.0, 10.0], 300)
    return said, truth, np.repeat(kind, 2), site, seconds


def test_two_species_of_one_burst_and_of_one_picture_stay():
    said, truth, kind, site, seconds = bursts_of_two()
    labels = [list(t) if i < 240 else None for i, t in enumerate(truth)]
    clf = ContextClassifier().fit(said, labels, site, seconds)
    assert clf.report_["seen"]["gate"]["level"] > 0 or clf.report_["seen"]["pool"]
    proba = clf.predict_proba(said, site, seconds)
    found = clf.classes_[proba.argmax(axis=1)]
    later = np.arange(len(said)) >= 240
    first = np.array([t[0] for t in truth], dtype=object)
    assert (found == first)[later & (kind == 2)].mean() > 0.9
    top = clf.classes_[np.argsort(-proba, axis=1)[:, :2]]
    both = [set(pair) == {"people", "dog"} for pair in top[later & (kind == 3)]]
    assert np.mean(both) > 0.9


def test_photographs_without_place_and_time_stay_as_they_are(shared_data):
    with (shared_data / "monkeys" / "labels.csv").open(encoding="utf-8", newline="") as handle:
        names = [row["scientificName"] for row in csv.DictReader(handle)]
    classes = sorted(set(names))
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(len(classes), 0.4), size=len(names))
    labels = [name if i % 5 == 0 else None for i, name in enumerate(names)]
    clf = ContextClassifier(classes).fit(proba, labels)
    assert clf.gain_ == 0.0 and clf.report_["seen"]["kind"] == "image only"
    assert np.allclose(clf.predict_proba(proba), proba, atol=2e-5)


def benchmark():
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "context.py"
    spec = importlib.util.spec_from_file_location("benchmark_context", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_real_sites_gain_and_no_site_left_out_loses(shared_data):
    bench = benchmark()
    data = bench.read(shared_data / "ain" / "classifications.csv")
    everything = np.ones(len(data.said), dtype=bool)
    assert len(data.said) == 6106
    known = bench.draw(data, 0.05, 0, everything)
    found = bench.run(data, known, ~known)
    assert found["context first"] - found["model first"] > 6.0
    assert found["context first"] - found["map first"] > 4.0
    assert found["context exact"] > found["model exact"] + 5.0
    out = data.site == "32.1"
    held = bench.run(data, bench.draw(data, 0.05, 0, ~out), out)
    assert held["context first"] >= held["model first"]


def test_it_is_public():
    assert ecotone.ContextClassifier is ContextClassifier


def test_large_float32_posteriors_are_not_widened(monkeypatch):
    from ecotone.context import image

    w = world(0, effects=True)
    given, labels = w.proba.astype(np.float32), w.labels(200)
    wide = ContextClassifier(NAMES).fit(given, labels, w.site, w.seconds)
    monkeypatch.setattr(image, "LARGE", 0)
    kept = image.as_evidence(given, NAMES)
    assert kept.dtype == np.float32 and image.take_evidence(kept, np.arange(len(kept))) is kept
    narrow = ContextClassifier(NAMES).fit(given, labels, w.site, w.seconds)
    assert narrow.gain_ == pytest.approx(wide.gain_, abs=0.5)
    np.testing.assert_allclose(
        *(c.predict_proba(given, w.site, w.seconds) for c in (wide, narrow)), atol=0.02)
