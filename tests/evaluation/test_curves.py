"""Studies: the same splits for every method, paired records, honest cross-validation."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.evaluation.baselines import BY_NAMES, LOCAL_ONLY, PREFERRED
from ecotone.evaluation.curves import (
    cross_validate,
    label_budgets,
    learning_curves,
    make_study,
)
from ecotone.evaluation.metrics import SCALARS
from ecotone.evaluation.problem import Problem
from ecotone.evaluation.summary import (
    flat_records,
    group_lines,
    summarise,
    summarise_groups,
    table_lines,
)
from tests.evaluation.problems import LOCAL, world


def names(columns: np.ndarray) -> list[str]:
    return [LOCAL[k] for k in columns]


@pytest.fixture(scope="module")
def records():
    x, scores, truth, weights = world(200)
    return learning_curves(
        x, scores, names(truth), classes=LOCAL, counts=(8, 40), seeds=3,
        methods=(LOCAL_ONLY, BY_NAMES), name_weights={"global": weights},
        kinds=("merged", "exact", "exact", "unknown"),
    )


def test_a_record_a_method_count_and_seed(records):
    assert len(records) == 2 * 3 * 3
    assert {r["n_labels"] for r in records} == {8, 40, 150}
    assert {r["seed"] for r in records} == {0, 1, 2}
    for r in records:
        assert set(SCALARS) <= set(r) and r["split"] == "random" and r["test_rows"] == 50
        assert r["fraction"] == pytest.approx(r["n_labels"] / 150)
        groups = {"head", "middle", "tail", "no label", "merged", "exact", "unknown"}
        assert set(r["groups"]) <= groups
        assert sum(r["groups"].get(k, {}).get("rows", 0)
                   for k in ("merged", "exact", "unknown")) == 50


def test_labels_help_the_labels_only_and_not_the_names(records):
    table = {(r["method"], r["n_labels"]): r for r in summarise(records)}
    assert table[LOCAL_ONLY, 150]["accuracy"] > table[LOCAL_ONLY, 8]["accuracy"] + 0.03
    assert table[BY_NAMES, 150]["accuracy"] == table[BY_NAMES, 8]["accuracy"]


def test_differences_are_paired(records):
    row = next(r for r in summarise(records) if r["method"] == BY_NAMES and r["n_labels"] == 40)
    gains = []
    for seed in range(3):
        pick = {r["method"]: r["accuracy"] for r in records
                if r["seed"] == seed and r["n_labels"] == 40}
        gains.append(pick[BY_NAMES] - pick[LOCAL_ONLY])
    assert row["accuracy_gain"] == pytest.approx(np.mean(gains))
    assert row["accuracy_gain_sd"] == pytest.approx(np.std(gains, ddof=1))
    assert row["accuracy_gain_worst"] == min(gains) and row["runs"] == 3


def test_tables_are_aligned_and_complete(records):
    lines = table_lines(summarise(records))
    assert len(lines) == 7 and "local only" in lines[1] and "±" in lines[1]
    groups = group_lines(summarise_groups(records), [LOCAL_ONLY, BY_NAMES])
    assert any("unknown" in line for line in groups)
    columns = flat_records(records)
    assert {len(v) for v in columns.values()} == {len(records)}
    assert "per_class_accuracy_no_label" in columns


def seen_by(**options):
    """What every fit of a study could see: (training embeddings, labels, test embeddings)."""
    seen = []

    def spy(problem: Problem) -> dict[str, np.ndarray]:
        seen.append(problem)
        return {PREFERRED: np.tile(problem.prior, (len(problem.test_features), 1))}

    x, scores, truth, _ = world(200)
    labels = [n if i < 120 else None for i, n in enumerate(names(truth))]
    learning_curves(x, scores, labels, classes=LOCAL, counts=(20,), seeds=2,
                    methods=(PREFERRED,), fit_fusion=spy, **options)
    return x, seen


def test_test_rows_and_their_relatives_are_never_trained_on():
    units = np.arange(200) // 4
    x, seen = seen_by(units=units, split="event")
    row_of = {row.tobytes(): i for i, row in enumerate(x)}
    assert len(seen) == 4
    for problem in seen:
        train = {row_of[r.tobytes()] for r in problem.embeddings}
        test = {row_of[r.tobytes()] for r in problem.test_embeddings}
        assert not {units[i] for i in train} & {units[i] for i in test}
        assert max(test) < 120 and len(test) in range(26, 31)
        assert len(train) == 200 - len({i for i in range(200) if units[i] in
                                        {units[t] for t in test}})
        assert len(problem.labelled) in (20, 120 - len(test))
    labelled = [row_of[r.tobytes()] for r in seen[0].embeddings[seen[0].labelled]]
    assert labelled != sorted(labelled)[:20] or max(labelled) > 25, "drawn, not the first ones"


def test_unlabelled_rows_are_bounded_and_labelled_ones_kept():
    _, seen = seen_by(max_unlabelled=15)
    assert [len(p.embeddings) for p in seen] == [105] * 4


def test_budgets_are_what_there_is():
    assert label_budgets(75, (10, 20, 100)) == [10, 20, 75]
    assert label_budgets(200, (0.1, 50)) == [20, 50, 200]
    assert label_budgets(200, (), (0.005, 0.5, 1.0)) == [1, 100, 200]
    with pytest.raises(InputError, match="fractions"):
        label_budgets(10, (), (2.0,))


def test_cross_validation_predicts_every_label_once_from_the_others():
    seen = []

    def spy(problem: Problem) -> dict[str, np.ndarray]:
        seen.append(problem)
        return {PREFERRED: np.tile(problem.prior, (len(problem.test_features), 1))}

    x, scores, truth, _ = world(100)
    labels = [n if i < 20 else None for i, n in enumerate(names(truth))]
    study = make_study(x, scores, labels, classes=LOCAL, methods=(LOCAL_ONLY, PREFERRED),
                       fit_fusion=spy)
    records = list(cross_validate(study, [0, 1]))
    assert {r["n_labels"] for r in records} == {10, 16} and len(records) == 2 * 2 * 2
    assert all(r["test_rows"] == 20 and r["split"] == "cross-validation" for r in records)
    assert len(seen) == 2 * (2 + 5)
    tested = [r.tobytes() for p in seen[:2] for r in p.test_embeddings]
    assert len(tested) == len(set(tested)) == 20
    for problem in seen:
        train = {r.tobytes() for r in problem.embeddings}
        assert not train & {r.tobytes() for r in problem.test_embeddings}
        assert len(problem.labelled) + len(problem.test_features) == 20


def test_wrong_studies_are_named():
    x, scores, truth, _ = world(20)
    with pytest.raises(InputError, match="unknown method 'magic'"):
        make_study(x, scores, names(truth), methods=("magic",))
    with pytest.raises(InputError, match="labels: 19 rows"):
        make_study(x, scores, names(truth)[:19])
    with pytest.raises(InputError, match="'yeti'"):
        make_study(x, scores, ["yeti", *names(truth)[1:]], classes=LOCAL)
    with pytest.raises(InputError, match="needs `fit_fusion`"):
        learning_curves(x, scores, names(truth), methods=(PREFERRED,), seeds=1)
    with pytest.raises(InputError, match="of type list"):
        make_study(x, [1, 2], names(truth))


def test_progress_ends_at_its_total():
    steps = []
    x, scores, truth, _ = world(40)
    learning_curves(x, None, names(truth), counts=(5,), seeds=2, methods=(LOCAL_ONLY,),
                    progress=lambda done, total, text: steps.append((done, total)))
    assert steps[0] == (0, 4) and steps[-1] == (4, 4)
