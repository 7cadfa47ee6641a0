"""`ecotone discover --benchmark`: every way of clustering, on the project's own labels.

N detections with an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.gathering import gather

Progress = Callable[[int, "int | None", str], None]
LEAST_LABELS = 10
MOST_ROWS = 5000
COLUMNS = ("v_measure", "homogeneity", "completeness", "ami", "ari")


@dataclass(frozen=True)
class ClusterBenchmark:
    """Figures of each reduction with each clustering. rows: see `discovery.grid.GridResult.row`.
    detections: clustered; labelled: judged."""

    detections: int
    labelled: int
    classes: int
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The table for people, the best first."""
        head = (f"{'reduction':10s} {'clustering':13s} {'classes':8s} {'clusters':>8s} "
                f"{'V':>6s} {'homog.':>6s} {'compl.':>6s} {'AMI':>6s} {'ARI':>6s} "
                f"{'rejected':>8s} {'V all':>6s} {'AMI all':>7s} {'ARI all':>7s}")
        order = sorted(self.rows, key=lambda r: -(r.get("v_measure_all") or -1.0))
        return [
            f"{self.labelled:,} labels of {self.classes} classes among {self.detections:,} "
            "detections; \"all\" counts each rejected one as a cluster of its own", head,
            *(_line(row) for row in order), *self.notes,
        ]


def cluster_benchmark(
    project: Any, embedding_model: str | None = None, reductions: Sequence[str] | None = None,
    seed: int | None = None, progress: Progress | None = None,
) -> ClusterBenchmark:
    """Every reduction with every clustering on the detections, judged by those with a label.

    At most `MOST_ROWS` detections take part, all labelled ones and a random sample of the others.
    Raises ProjectError with fewer than ten labels or two classes.
    """
    from ecotone.discovery.grid import cluster_grid

    gathered = gather(project, None, embedding_model, cold=True)
    seed = project.config.random_state if seed is None else seed
    labelled = np.array([label is not None for label in gathered.labels], dtype=bool)
    classes = len({label for label in gathered.labels if label is not None})
    if labelled.sum() < LEAST_LABELS or classes < 2:
        raise ProjectError(
            f"{int(labelled.sum()):,} labels of {classes} classes: clusters are judged by at least "
            f"{LEAST_LABELS} labels of 2; add labels: ecotone add labels labels.csv"
        )
    rows, notes = _sample(labelled, seed)
    found = cluster_grid(
        gathered.embeddings[rows], list(gathered.labels[rows]), reductions=reductions,
        random_state=seed, progress=progress,
    )
    return ClusterBenchmark(len(rows), int(labelled[rows].sum()), classes,
                            [result.row() for result in found], notes)


def _sample(labelled: np.ndarray, seed: int) -> tuple[np.ndarray, list[str]]:
    if len(labelled) <= MOST_ROWS:
        return np.arange(len(labelled)), []
    rng = np.random.default_rng(seed)
    own, rest = np.flatnonzero(labelled), np.flatnonzero(~labelled)
    own = rng.permutation(own)[:MOST_ROWS]
    rest = rng.permutation(rest)[: MOST_ROWS - len(own)]
    return np.sort(np.concatenate([own, rest])), [
        f"{MOST_ROWS:,} of {len(labelled):,} detections took part, drawn at random"]


def _line(row: dict[str, Any]) -> str:
    start = f"{row['reduction']:10s} {row['clustering']:13s} {row['classes']:8s} "
    if "rejected" not in row:
        return f"{start}{row.get('note', '')}"
    cells = [row[name] for name in COLUMNS]
    return (f"{start}{row['clusters']:8d} " + " ".join(
        f"{'-':>6s}" if v is None else f"{v:6.3f}" for v in cells)
        + f" {row['rejected']:8.1%} {row['v_measure_all']:6.3f} {row['ami_all']:7.3f} "
        f"{row['ari_all']:7.3f}")
