"""Accuracy by groups of classes: head, middle, tail; exact, merged, split, unknown; no label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ecotone.evaluation.metrics import class_accuracy

NO_LABEL = "no label"
UNKNOWN = {"relative": "unknown"}  # known only through relatives: no global class is its own


def tercile_groups(counts: np.ndarray) -> np.ndarray:
    """"head", "middle" or "tail" for each class, (K,) str, by terciles of its count.

    counts: (K,) training counts. Classes of one count are in one group: they share their mean
    rank, so that classes that all have one count are all "middle".
    """
    counts = np.asarray(counts, dtype=np.float64)
    above = (counts[None, :] > counts[:, None]).sum(axis=1)
    same = (counts[None, :] == counts[:, None]).sum(axis=1)
    place = (above + same / 2.0) / max(len(counts), 1)  # 0 the most frequent, 1 the rarest
    names = np.full(len(counts), "middle", dtype=object)
    names[place < 1 / 3] = "head"
    names[place > 2 / 3] = "tail"
    return names


def class_groups(
    counts: np.ndarray, labelled: np.ndarray, kinds: Sequence[str] | None
) -> dict[str, np.ndarray]:
    """Boolean masks (K,) of the groups of classes that results are told by.

    counts: (K,) rows of each class in the whole training part, labelled or not yet, which say
    what is common. labelled: (K,) labels given to the method; classes with 0 form "no label".
    kinds: how each class relates to the global model ("exact", "merged", "split", ...); what the
    model knows only by relatives counts as "unknown".
    """
    groups: dict[str, np.ndarray] = {}
    terciles = tercile_groups(counts)
    for name in ("head", "middle", "tail"):
        groups[name] = terciles == name
    groups[NO_LABEL] = np.asarray(labelled) == 0
    told = [UNKNOWN.get(kind, kind) for kind in kinds or ()]
    for kind in sorted(set(told)):
        groups[kind] = np.asarray([k == kind for k in told])
    return groups


def group_accuracy(
    truth: np.ndarray, predicted: np.ndarray, groups: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Results by group: classes present, rows, accuracy, per-class accuracy.

    truth, predicted: (M,) int columns. groups: boolean masks (K,). Groups without a test row are
    left out.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    result: dict[str, dict[str, float]] = {}
    for name, mask in groups.items():
        inside = mask[truth]
        if not inside.any():
            continue
        each = class_accuracy(truth[inside], predicted[inside], len(mask))
        result[name] = {
            "classes": int(np.isfinite(each).sum()),
            "rows": int(inside.sum()),
            "accuracy": float(np.mean(truth[inside] == predicted[inside])),
            "per_class_accuracy": float(np.nanmean(each)),
        }
    return result
