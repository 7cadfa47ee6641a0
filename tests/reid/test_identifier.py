"""Who is it: known, new, or cannot tell; people's word; encounters; odd input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.metrics import clusters, open_set, probability_ece
from ecotone.reid.pair_graph import shortlisted

D = 32


def herd(people: int = 40, each: int = 6, noise: float = 0.8, seed: int = 0, first: int = 0,
         centre: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    middle = rng.normal(size=(people, D)) if centre is None else centre
    x = middle[who] + noise * rng.normal(size=(len(who), D))
    return x.astype(np.float32), np.array([f"i{w + first:02d}" for w in who], dtype=object)


@pytest.fixture(scope="module")
def trained() -> tuple[ReIdentifier, np.ndarray, np.ndarray]:
    """An identifier of 40 individuals, and queries of these and of 20 new ones."""
    x, who = herd(60, 8, 0.8)
    number = np.repeat(np.arange(60), 8)
    gallery = (number < 40) & (np.tile(np.arange(8), 60) < 5)
    reid = ReIdentifier(head=None).fit(x[gallery], who[gallery])
    return reid, x[~gallery], who[~gallery]


def test_known_and_new_individuals(trained):
    reid, x, who = trained
    found = reid.predict(x)
    scores = open_set(who, found.answer, reid.classes_)
    assert scores["geometric_mean"] > 0.9
    assert abs(scores["geometric_mean"] - reid.curve_.geometric_mean.max()) < 0.07
    known = np.isin(who, reid.classes_)
    assert probability_ece(found.known, known) < 0.1
    right = found.candidates[:, 0] == who
    assert probability_ece(found.candidate_probability[:, 0], right) < 0.1
    named = found.decision == "known"
    assert (found.individualID[named] == who[named]).mean() > 0.88
    new = (found.decision == "new") & ~known
    assert clusters(who[new], found.individualID[new])["bcubed_f1"] > 0.85


def test_shapes_and_sums(trained):
    reid, x, _ = trained
    found = reid.predict(x)
    assert found.candidates.shape == found.candidate_probability.shape == (len(x), 5)
    assert (np.diff(found.candidate_probability, axis=1) <= 1e-12).all()
    assert (found.candidate_probability.sum(axis=1) <= found.known + 1e-9).all()
    assert set(found.decision) <= {"known", "new", "cannot tell"}
    assert (found.individualID[found.decision == "cannot tell"] == "").all()
    assert all(n.startswith("new-") for n in found.individualID[found.decision == "new"])


def test_the_order_of_rows_changes_nothing(trained):
    reid, x, _ = trained
    turn = np.random.default_rng(5).permutation(len(x))
    one, other = reid.predict(x), reid.predict(x[turn])
    np.testing.assert_array_equal(one.individualID[turn], other.individualID)
    np.testing.assert_allclose(one.probability[turn], other.probability, atol=1e-6)
    a, who = herd(12, 4)
    turn = np.random.default_rng(6).permutation(len(a))
    first = ReIdentifier().fit(a, who).predict(x)
    second = ReIdentifier().fit(a[turn], who[turn]).predict(x)
    np.testing.assert_allclose(first.known, second.known, atol=1e-6)
    np.testing.assert_array_equal(first.candidate_row[:, 0],
                                  turn[second.candidate_row[:, 0]])


def test_precision_none_never_says_cannot_tell(trained):
    _, x, _ = trained
    a, who = herd(20, 4, 1.6)
    assert "cannot tell" not in ReIdentifier(precision=None).fit(a, who).predict(x).decision
    assert "cannot tell" in ReIdentifier(precision=0.95).fit(a, who).predict(x).decision


def test_pictures_of_an_encounter_stay_together(trained):
    reid, x, who = trained
    met = np.array([f"{w}-{n // 2}" for n, w in enumerate(who)])
    found = reid.predict(x, encounter=met)
    for encounter in np.unique(met):
        rows = met == encounter
        assert len(set(found.individualID[rows])) == len(set(found.decision[rows])) == 1
    alone = open_set(who, reid.predict(x).answer, reid.classes_)["geometric_mean"]
    assert open_set(who, found.answer, reid.classes_)["geometric_mean"] >= alone


def test_near_copies_of_an_encounter_do_not_flatter():
    rng = np.random.default_rng(0)
    x, who = herd(30, 2, 1.2)
    burst = np.repeat(x, 3, axis=0) + 0.01 * rng.normal(size=(3 * len(x), D)).astype(np.float32)
    met = np.repeat(np.arange(len(x)), 3).astype(str)
    plain = ReIdentifier(head=None).fit(x, who)
    honest = ReIdentifier(head=None).fit(burst, np.repeat(who, 3), encounter=met)
    flattered = ReIdentifier(head=None).fit(burst, np.repeat(who, 3))
    more, _ = herd(30, 2, 1.2, seed=1)
    p = [r.predict(more).known.mean() for r in (plain, honest, flattered)]
    assert abs(p[0] - p[1]) < 0.15
    assert honest.curve_.geometric_mean.max() < flattered.curve_.geometric_mean.max() - 0.2


def test_flanks_are_never_compared():
    x, who = herd(20, 4, 0.4)
    side = np.tile(["left", "left", "right", "right"], 20)
    reid = ReIdentifier(head=None).fit(x, who, viewpoint=side)
    found = reid.predict(x[:1], viewpoint=["left"])
    assert side[found.candidate_row[0][found.candidate_row[0] >= 0]].tolist() == ["left"] * 5
    both = reid.predict(x[:1], viewpoint=[None])
    assert "no viewpoint" in both.notes[0]
    back = reid.predict(x[:1], viewpoint=["back"])
    assert back.decision[0] == "new" and back.candidates[0, 0] == ""


def test_a_species_without_calibration_uses_that_of_the_others():
    x, who = herd(30, 4, 0.7)
    lone, names = herd(2, 1, 0.7, seed=3, first=90)
    kind = ["fox"] * 120 + ["lynx"] * 2
    reid = ReIdentifier(head=None).fit(np.vstack([x, lone]), [*who, *names], species=kind)
    assert set(reid.calibration_.species) <= {"fox"}
    again = lone + 0.05 * np.random.default_rng(0).normal(size=lone.shape).astype(np.float32)
    found = reid.predict(again, species=["lynx", "lynx"])
    assert found.candidates[:, 0].tolist() == names.tolist() and (found.known > 0.5).all()
    strange = reid.predict(again, species=["wolf", "wolf"])
    assert (strange.decision == "new").all() and "no known individual of wolf" in strange.notes[0]


# People's word


def test_people_are_never_overridden(trained):
    reid, x, who = trained
    n = len(x)
    plain = reid.predict(x)
    row = int(np.flatnonzero(plain.decision == "known")[0])
    wrong = plain.candidate_row[row, 0]
    gallery = int(plain.candidate_row[row, 1])
    found = reid.predict(x, same=[(row, n + gallery)])
    assert found.individualID[row] == plain.candidates[row, 1] and found.decided[row]
    assert found.probability[row] == 1.0 and found.candidates[row, 0] == found.individualID[row]
    told = reid.predict(x, different=[(row, n + int(wrong))])
    assert plain.individualID[row] not in told.candidates[row]
    assert told.individualID[row] != plain.individualID[row]


def test_decisions_between_queries(trained):
    reid, x, who = trained
    plain = reid.predict(x)
    new = np.flatnonzero(plain.decision == "new")
    group = plain.individualID[new]
    a, b = next((i, j) for i in new for j in new
                if i < j and plain.individualID[i] == plain.individualID[j])
    c = next(i for i in new if plain.individualID[i] != plain.individualID[a])
    assert len(set(group)) > 2
    found = reid.predict(x, same=[(a, c)], different=[(a, b)])
    assert found.individualID[a] == found.individualID[c]
    assert found.individualID[a] != found.individualID[b]


def test_contradictions_are_named(trained):
    reid, x, _ = trained
    n = len(x)
    with pytest.raises(InputError, match="decisions contradict"):
        reid.predict(x, same=[(0, 1)], different=[(1, 0)])
    with pytest.raises(InputError, match="carry two individualIDs"):
        reid.predict(x, same=[(0, n), (0, n + 199)])


def test_an_encounter_of_two_individuals_is_divided(trained):
    reid, x, _ = trained
    found = reid.predict(x[:3], encounter=["e"] * 3, different=[(0, 1)])
    assert len(set(found.encounter)) == 3 and "several individuals" in found.notes[0]
    chained = reid.predict(x[:4], encounter=["e", "e", "f", "f"], same=[(1, 2)],
                           different=[(0, 3)])
    assert chained.encounter[1] == chained.encounter[2]
    assert chained.encounter[0] != chained.encounter[3]


# Odd input


def test_nobody_is_known():
    x, who = herd(6, 5, 0.3)
    for reid in (ReIdentifier().fit(x[:0], []), ReIdentifier().fit(x, [None] * len(x))):
        found = reid.predict(x)
        assert (found.decision == "new").all() and (found.candidates == "").all()
        assert clusters(who, found.individualID)["bcubed_f1"] > 0.9
    assert "no picture has an individual" in reid.notes_[0]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b"], ["a", "a", "b"], ["a"] * 5])
def test_tiny_galleries(names):
    x = np.random.default_rng(0).normal(size=(len(names), 4))
    reid = ReIdentifier().fit(x, names)
    found = reid.predict(np.vstack([x, -x]))
    assert reid.notes_ and found.candidates[0, 0] == "a"
    assert np.isfinite(found.probability).all()


def test_one_picture_an_individual():
    x, who = herd(20, 1)
    reid = ReIdentifier().fit(x, who)
    assert any("one picture" in note for note in reid.notes_)
    assert any("second picture" in note for note in reid.notes_)
    assert reid.predict(x).candidates[:, 0].tolist() == who.tolist()


def test_identical_pictures():
    x = np.ones((12, 4))
    reid = ReIdentifier().fit(x, np.repeat(["a", "b"], 6))
    assert any("identical pictures carry different individuals" in n for n in reid.notes_)
    assert len(reid.predict(x)) == 12


def test_more_scores_help_and_run_on_the_shortlist_alone():
    rng = np.random.default_rng(0)
    x, who = herd(40, 4, 1.6)
    more, names = x[1::4], who[1::4]
    rest = np.arange(len(x)) % 4 != 1
    x, who = x[rest], who[rest]
    asked = []

    def score(of: np.ndarray, seed: int):
        draw = np.random.default_rng(seed).normal(size=(len(of), len(who)))

        def points(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            asked.append(len(left))
            return 2.0 * (of[left] == who[right]) + draw[left, right]
        return points

    plain = ReIdentifier(head=None).fit(x, who)
    both = ReIdentifier(head=None, shortlist=10).fit(x, who, scores={"points": score(who, 1)})
    asked.clear()
    found = both.predict(more, scores={"points": score(names, 2)})
    assert asked == [len(more) * 10]
    before = (plain.predict(more).candidates[:, 0] == names).mean()
    assert (found.candidates[:, 0] == names).mean() > before + 0.05
    missing = both.predict(more)
    assert "'points' is missing" in missing.notes[0]
    with pytest.raises(InputError, match="not fitted with"):
        plain.predict(more, scores={"points": score(names, 2)})
    with pytest.raises(InputError, match="answered shape"):
        ReIdentifier().fit(x, who, scores={"bad": lambda a, b: rng.normal(size=3)})


def test_a_catalogue_takes_more_scores_on_its_shortlists():
    x, who = herd(60, 5, 1.7)
    labelled = np.arange(300) < 180
    asked = []

    def score(of: np.ndarray, seed: int):
        draw = np.random.default_rng(seed).normal(size=(len(of), len(of)))

        def points(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            asked.append(len(left))
            return 4.0 * (of[left] == of[right]) + draw[left, right] + draw[right, left]
        return points

    known = score(who[labelled], 1)
    reid = ReIdentifier(head=None, shortlist=8, precision=None).fit(
        x[labelled], who[labelled], scores={"points": known})
    new = score(who[~labelled], 2)
    plain = clusters(who[~labelled], reid.catalogue(x[~labelled]).cluster)["bcubed_f1"]
    asked.clear()
    both = reid.catalogue(x[~labelled], scores={"points": new})
    assert asked[-1] <= 120 * 8 and sum(asked) <= (200 + 120) * 8
    assert clusters(who[~labelled], both.cluster)["bcubed_f1"] > plain + 0.1
    turn = np.random.default_rng(3).permutation(120)
    moved = reid.catalogue(x[~labelled][turn], scores={
        "points": lambda a, b: new(turn[a], turn[b])})
    assert clusters(both.cluster[turn], moved.cluster)["bcubed_f1"] == pytest.approx(1.0)
    to_gallery = {"points": lambda a, b: 0.0 * a}  # none of them is known
    found = [reid.predict(x[~labelled], scores=to_gallery, scores_between=b)
             for b in (None, {"points": new})]
    grouped = [clusters(who[~labelled], [n or str(r) for r, n in enumerate(f.individualID)])
               ["bcubed_f1"] for f in found]
    assert grouped[1] > grouped[0] + 0.1
    none = ReIdentifier().fit(x[:0], [], scores={"points": known})
    assert any("points: without labelled pairs" in note
               for note in none.catalogue(x[~labelled], scores={"points": new}).notes)
    with pytest.raises(InputError, match="not fitted with"):
        reid.catalogue(x, scores={"other": new})


def test_shortlisted_pairs_the_slow_way():
    rng = np.random.default_rng(0)
    left, right = np.triu_indices(15, 1)
    value = rng.random(len(left))
    slow = np.zeros(len(left), dtype=bool)
    for row in range(15):
        at = np.flatnonzero((left == row) | (right == row))
        slow[at[np.argsort(-value[at])[:4]]] = True
    assert np.array_equal(shortlisted(15, left, right, value, 4), slow)
    none = np.zeros(0, dtype=np.int64)
    assert not len(shortlisted(3, none, none, np.zeros(0), 4))


def test_catalogue_with_and_without_labels():
    x, who = herd(10, 5, 0.5, seed=4)
    for reid in (ReIdentifier(head=None).fit(*herd(30, 5, 0.5)), ReIdentifier().fit(x[:0], [])):
        found = reid.catalogue(x)
        assert clusters(who, found.cluster)["bcubed_f1"] > 0.9
        tied = reid.catalogue(x, same=[(0, 5)], different=[(0, 1)])
        assert tied.cluster[0] == tied.cluster[5] != tied.cluster[1]
    assert "guessed" in found.notes[0]
    with pytest.raises(InputError, match="p0 and p1 are said"):
        reid.catalogue(x, same=[(0, 1)], different=[(0, 1)], ids=[f"p{i}" for i in range(50)])


def test_bad_input(trained):
    reid, x, _ = trained
    with pytest.raises(InputError, match="31 dimensions, the identifier was fitted with 32"):
        reid.predict(x[:, :31])
    with pytest.raises(InputError, match="viewpoint was not given to fit"):
        reid.predict(x, viewpoint=["left"] * len(x))
    with pytest.raises(InputError, match="not fitted"):
        ReIdentifier().predict(x)
    with pytest.raises(InputError, match="none of"):
        ReIdentifier(head="resnet")
    with pytest.raises(InputError, match="2 names for 3"):
        ReIdentifier().fit(x[:3], ["a", "b"])
    with pytest.raises(InputError, match="precision 1.5"):
        ReIdentifier(precision=1.5).fit(*herd(5, 3))
    with pytest.raises(InputError, match="shortlist no shorter"):
        ReIdentifier(shortlist=2)
    with pytest.raises(InputError, match="NaN"):
        reid.predict(np.full((1, D), np.nan))
    assert len(reid.predict(x[:0])) == 0


@pytest.mark.parametrize("method", ["average", "hdbscan"])
def test_a_catalogue_around_peoples_names(method):
    x, who = herd(10, 5, 0.5, seed=4)
    reid = ReIdentifier(head=None).fit(*herd(30, 5, 0.5))
    names = np.full(50, "", dtype=object)
    names[[0, 1]] = "Ada", "Bea"  # one individual by its looks, two by people
    names[[5, 10]] = "Cleo"  # two by their looks
    found = reid.catalogue(x, individuals=names, method=method)
    assert found.cluster[0] != found.cluster[1] and found.cluster[5] == found.cluster[10]
    held = {c: set(names[(found.cluster == c) & (names != "")]) for c in found.cluster}
    assert max(map(len, held.values())) == 1
    with pytest.raises(InputError, match="carry two individualIDs"):
        reid.catalogue(x, individuals=names, same=[(0, 1)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_anything_small_is_answered(seed):
    rng = np.random.default_rng(seed)
    n, q, d = int(rng.integers(0, 20)), int(rng.integers(0, 10)), int(rng.integers(1, 5))
    x, y = rng.normal(size=(n, d)), rng.normal(size=(q, d))
    if seed % 3 == 0:  # many identical pictures
        x, y = np.round(x) + 0.5, np.round(y) + 0.5

    def some(rows: int, values: tuple) -> list:
        return [values[i] for i in rng.integers(0, len(values), rows)]

    who = some(n, (None, "a", "b", "c", "d"))
    given_columns = {"species": ("fox", "lynx", ""), "viewpoint": ("left", "right", None),
                     "encounter": ("1", "2", "3", "")}
    chosen = [name for name in given_columns if rng.random() < 0.6]
    reid = ReIdentifier(head=("auto", None)[seed % 2], precision=(0.9, None)[seed // 2 % 2])
    reid.fit(x, who, **{k: some(n, given_columns[k]) for k in chosen})
    columns = {k: some(q, given_columns[k]) for k in chosen}
    found = reid.predict(y, **columns)
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert (found.candidate_probability.sum(axis=1) <= 1 + 1e-9).all()
    assert ((found.individualID == "") == (found.decision == "cannot tell")).all()
    for method in ("average", "hdbscan"):
        assert len(reid.catalogue(y, method=method, **columns)) == q
