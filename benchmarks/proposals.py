"""New classes among unlabelled rows: species hidden from the labels, found again or not.

    python benchmarks/proposals.py                     # photographs and worlds
    python benchmarks/proposals.py --set gaussian --seeds 10

Some classes lose all labels, the others keep a few, drawn at random; rows of the hidden classes
stay among the unlabelled. To find are the classes without a label, also those that chance gave
none. A proposal is right when more than 70 % of its rows are of one of them; recall is the share
of their rows that lie in a right one. The number of classes is that of `NumberOfClasses`: known
ones, and those to find with at least ten rows. Every right proposal
is then named as a person would, and the accuracy of the known classes measured on held-out labels
before and after (by the fusion, without global scores).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from clusters import load
from ecotone.discovery import known_class_effect, propose_classes
from ecotone.evaluation.summary import align
from monkeys import DATA

SETTINGS = {"monkeys": (3, 35), "gaussian": (6, 200), "heavy": (6, 200), "poor": (6, 200)}
RIGHT = 0.7
LEAST = 10  # rows: a class with fewer makes no proposal
HEAD = ["set", "to find", "of 10 rows", "proposed", "right", "found", "of 10 rows", "purity",
        "recall", "estimate", "interval", "truth", "in", "known before", "after",
        "per class before", "after", "new"]


def one(name: str, seed: int, x: np.ndarray, y: np.ndarray, effect: bool) -> dict[str, float]:
    """Figures of one draw of hidden classes and labels."""
    n_hidden, n_labels = SETTINGS[name]
    rng = np.random.default_rng(seed)
    classes = sorted(set(y))
    hidden = set(rng.permutation(classes)[:n_hidden])
    may = np.flatnonzero([v not in hidden for v in y])
    labels: list[str | None] = [None] * len(y)
    for row in rng.permutation(may)[:n_labels]:
        labels[row] = str(y[row])
    found = propose_classes(x, labels, least=LEAST, random_state=seed)
    told = {v for v in labels if v is not None}
    new = {str(v): int(n) for v, n in Counter(y).items() if v not in told}
    names, inside, right_rows = {}, 0, 0
    for proposal in found:
        species, count = Counter(y[proposal.rows]).most_common(1)[0]
        inside += count
        if species in new and count > RIGHT * proposal.size:
            names[proposal.number] = str(species)
            right_rows += count
    number, large = found.number_of_classes, {v for v, n in new.items() if n >= LEAST}
    truth = len(told) + len(large)
    out = {
        "new": len(new), "large": len(large), "proposed": len(found), "right": len(names),
        "found": len(set(names.values())), "found_large": len(set(names.values()) & large),
        "purity": inside / sum(p.size for p in found) if len(found) else np.nan,
        "recall": right_rows / max(sum(new.values()), 1),
        "estimate": number.estimate, "low": number.low, "high": number.high,
        "truth": truth, "in": number.low <= truth <= number.high,
    }
    if effect and names:
        after = known_class_effect(x, labels, found.named(names), random_state=seed)
        out |= {"before": after.overall_before, "after": after.overall_after,
                "class_before": after.per_class_before, "class_after": after.per_class_after,
                "new_accuracy": after.new_accuracy}
    return out


def line(name: str, rows: list[dict[str, float]]) -> list[str]:
    """Means over draws."""
    def mean(key: str) -> float:
        values = [r[key] for r in rows if key in r and np.isfinite(r[key])]
        return float(np.mean(values)) if values else float("nan")

    counts = [f"{mean(k):.1f}" for k in ("new", "large", "proposed", "right", "found",
                                         "found_large")]
    return [name, *counts, f"{mean('purity'):.2f}", f"{mean('recall'):.2f}",
            f"{mean('estimate'):.1f}", f"{mean('low'):.1f} to {mean('high'):.1f}",
            f"{mean('truth'):.1f}", f"{sum(r['in'] for r in rows)} of {len(rows)}",
            *[f"{100 * mean(k):.1f}" for k in ("before", "after", "class_before", "class_after",
                                               "new_accuracy")]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ECOTONE_SHARED_DATA",
                                                                         DATA)))
    parser.add_argument("--set", action="append", choices=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=2000, help="of a world")
    parser.add_argument("--no-effect", action="store_true", help="leave known accuracy out")
    given = parser.parse_args()
    table = [HEAD]
    for name in given.set or ("monkeys", "gaussian", "heavy"):
        rows = []
        for seed in range(given.first, given.first + given.seeds):
            print(f"\r{name} {seed}   ", end="", file=sys.stderr)
            x, names = load(name, given.data, given.rows, seed, None, "")
            rows.append(one(name, seed, x, np.array(names), not given.no_effect))
        table.append(line(name, rows))
    print("\n".join(align(table)))


if __name__ == "__main__":
    main()
