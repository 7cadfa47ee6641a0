"""The project's learning curve, for what more labels bring: the measured one, else a short one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from ecotone.evaluation.baselines import PREFERRED
from ecotone.labelling import Gain, expected_gain
from ecotone.project.gathering import Gathered

Progress = Callable[[int, "int | None", str], None]
LEAST_LABELS = 24  # with fewer a held-out quarter tells nothing
FRESH = 0.6  # an evaluation made with so many of the labels of now still tells
PARTS = (0.25, 0.5, 1.0)  # of the labels that are not held out
DRAWS = 2
MOST_ROWS = 2000  # unlabelled ones that take part in a fit


def gain_of(
    project: Any, gathered: Gathered, more: int, progress: Progress | None = None
) -> tuple[Gain | None, str]:
    """What `more` labels bring, and in words where it is from, or why it is not known.

    The curve is that of `ecotone evaluate` where it is not too old, else a short one is measured:
    a quarter of the labels held out, three counts, two draws.
    """
    from ecotone.project.evaluating import read_evaluation

    labelled = sum(label is not None for label in gathered.labels)
    stored = read_evaluation(project)
    if stored is not None and stored.get("labelled", 0) >= FRESH * labelled:
        found = _gain(stored.get("records", ()), more)
        if found is not None:
            return found, "by the learning curves of ecotone evaluate"
    if labelled < LEAST_LABELS:
        return None, f"the expected gain can be told from {LEAST_LABELS} labels on"
    records = _short_curve(project, gathered, progress)
    found = _gain(records, more)
    if found is None:
        return None, "the labels are too few, or lie too close together, to tell the expected gain"
    return found, f"by a short learning curve over {labelled:,} labels"


def _gain(records: Any, more: int) -> Gain | None:
    """The expected gain from records of `learning_curves`, None where they are too few."""
    by_count: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for record in records:
        if record.get("method") == PREFERRED and record.get("accuracy") is not None:
            by_count[int(record["n_labels"])].append(
                (float(record["accuracy"]), int(record.get("test_rows", 0) or 0))
            )
    if not by_count:
        return None
    counts = sorted(by_count)
    width = max(len(v) for v in by_count.values())
    values = np.full((len(counts), width), np.nan)
    rows = np.empty(len(counts))
    for i, count in enumerate(counts):
        accuracies, sizes = zip(*by_count[count], strict=True)
        values[i, : len(accuracies)] = accuracies
        rows[i] = max(float(np.mean(sizes)), 1.0)
    return expected_gain(counts, values, more, test_rows=rows)


def _short_curve(
    project: Any, gathered: Gathered, progress: Progress | None
) -> list[dict[str, Any]]:
    from ecotone.errors import InputError
    from ecotone.evaluation.curves import hold_out, make_study
    from ecotone.evaluation.fusion_method import fusion_method
    from ecotone.project.evaluating import split_units_of

    units, split = split_units_of(project, gathered)
    say = None if progress is None else (
        lambda done, total, _: progress(done, total, "measuring what labels bring")
    )
    study = make_study(
        gathered.embeddings, gathered.scores, list(gathered.labels),
        classes=gathered.local_classes, units=units, split=split, methods=(PREFERRED,),
        fit_fusion=fusion_method(gathered.taxonomy), max_unlabelled=MOST_ROWS,
        groups=units if len(set(units)) < len(units) else None, progress=say,
    )
    try:
        return list(hold_out(study, (), PARTS, range(DRAWS)))
    except InputError:  # all labels lie in one place or burst: nothing can be held out
        return []
