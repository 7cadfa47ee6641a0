"""Generated worlds with known truth: every method at 1, 5, 20 and 50 % of labels.

    python benchmarks/worlds.py                        # three worlds, three seeds
    python benchmarks/worlds.py --kinds heavy --top 5 --no-taxonomy --places

Cells are overall / mean per-class accuracy in percent on a held-out quarter. The last column is
the labels alone with all labels of the training part. A seed is a world and a split of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from ecotone.evaluation.baselines import BASELINES, FUSED, FUSION, LOCAL_ONLY, PREFERRED, STUDENT
from ecotone.evaluation.curves import learning_curves
from ecotone.evaluation.fusion_method import fusion_method
from ecotone.evaluation.summary import align, group_lines, summarise, summarise_groups
from ecotone.simulate.worlds import KINDS, make_world
from ecotone.taxonomy.relations import relate
from ecotone.taxonomy.tree import Taxonomy

FRACTIONS = (0.01, 0.05, 0.2, 0.5)


def run_world(
    kind: str, seed: int, given: argparse.Namespace, methods: Sequence[str]
) -> list[dict]:
    """Records of one world and one split."""
    world = make_world(kind, given.rows, given.dim, seed, top_k=given.top or None)
    taxonomy = None if given.no_taxonomy else Taxonomy.from_rows(world.taxonomy)
    relations = relate(world.local_classes, world.global_classes, taxonomy)
    units = np.unique(world.groups, return_inverse=True)[1] if given.places else None
    return learning_curves(
        world.embeddings, world.scores, list(world.labels), classes=world.local_classes,
        units=units, groups=units, split="location" if given.places else "random",
        fractions=[float(f) for f in given.fractions.split(",")], seeds=[seed], methods=methods,
        fit_fusion=fusion_method(taxonomy), name_weights={"global": relations.weight},
        kinds=tuple(world.kinds),
    )


def reference_line(kind: str, seeds: int, given: argparse.Namespace) -> dict:
    """The labels alone with all labels of the training part."""
    full = argparse.Namespace(**{**vars(given), "fractions": "1.0"})
    records = [r for s in range(seeds) for r in run_world(kind, s, full, (LOCAL_ONLY,))]
    return summarise(records)[0]


def cell(row: dict) -> str:
    return f"{100 * row['accuracy']:.0f}/{100 * row['per_class_accuracy']:.0f}"


def main() -> None:
    """Measure each world and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fractions", default=",".join(map(str, FRACTIONS)))
    parser.add_argument("--methods", default=",".join([*BASELINES, *FUSION]))
    parser.add_argument("--top", type=int, default=0, help="keep only the k largest scores")
    parser.add_argument("--no-taxonomy", action="store_true")
    parser.add_argument("--places", action="store_true", help="hold out whole cameras")
    parser.add_argument("--groups", action="store_true", help="also by group of classes")
    given = parser.parse_args()
    methods = tuple(given.methods.split(","))
    for kind in given.kinds.split(","):
        records = []
        for seed in range(given.seeds):
            print(f"{kind}, seed {seed}", file=sys.stderr)
            records += run_world(kind, seed, given, methods)
        rows = summarise(records)
        counts = sorted({r["n_labels"] for r in rows})
        each = {(r["method"], r["n_labels"]): r for r in rows}
        table = [["", kind, *(f"{n} labels" for n in counts), "all labels"]]
        for method in methods:
            if (method, counts[0]) not in each:
                continue
            all_labels = cell(reference_line(kind, given.seeds, given)) if (
                method == LOCAL_ONLY) else ""
            cells = [cell(each[method, n]) for n in counts]
            table.append(["", method, *cells, all_labels])
        print("\n".join(align(table)) + "\n")
        if given.groups:
            shown = [m for m in (LOCAL_ONLY, STUDENT, FUSED, PREFERRED) if m in methods]
            print("\n".join(group_lines(summarise_groups(records), shown)) + "\n")


if __name__ == "__main__":
    main()
