"""Every reduction with every clustering on rows whose classes are known: which finds them best.

N rows, D embedding dimensions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.discovery.cluster_metrics import ClusterReport, class_numbers, evaluate_clusters
from ecotone.discovery.clusterer import Clusterer
from ecotone.discovery.clustering import CLUSTERINGS
from ecotone.discovery.reduction import REDUCTIONS
from ecotone.errors import InputError, MissingExtraError

TAKE_A_NUMBER = ("discriminant", "ward", "gmm")


@dataclass(frozen=True)
class GridResult:
    """One pair on all rows. known: whether it was told the number of classes. n_clusters: found.
    report: None where the pair could not be run; why is in `note`. seconds: of the fit; the first
    of a reduction bears its time."""

    reduction: str
    clustering: str
    known: bool
    n_clusters: int
    report: ClusterReport | None
    seconds: float
    note: str = ""

    def row(self) -> dict[str, object]:
        """The figures by name, flat, for tables: `v_measure` is without the rejected rows,
        `v_measure_all` counts each of them as a cluster of its own, and so on."""
        out: dict[str, object] = {
            "reduction": self.reduction, "clustering": self.clustering,
            "classes": "known" if self.known else "unknown", "clusters": self.n_clusters}
        if self.report is not None:
            for name in ("v_measure", "homogeneity", "completeness", "ami", "ari"):
                kept = self.report.kept
                out[name] = None if kept is None else getattr(kept, name)
                out[f"{name}_all"] = getattr(self.report.singletons, name)
            out["rejected"] = self.report.rejected
        return {**out, "seconds": self.seconds, "note": self.note}


def cluster_grid(
    embeddings: np.ndarray, labels: Sequence[object] | np.ndarray, *,
    reductions: Sequence[str] | None = None, clusterings: Sequence[str] | None = None,
    n_clusters: int | None = None, uneven: bool | int = False, random_state: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[GridResult]:
    """Clusters of embeddings (N, D) by every pair, against the classes `labels` (N,).

    labels: names or numbers; None, "" and negative numbers are unknown: such rows are clustered and
    not judged. reductions, clusterings: which ones, default all ("umap" only where it is
    installed). n_clusters: the known number, default the number of classes among the labels;
    discriminant, Ward and the mixture are run with it and without. uneven: as in `Clusterer`.
    progress(done, total, pair).
    Raises InputError when lengths differ or no class is known.
    """
    classes = class_numbers(labels)
    if len(classes) != len(embeddings):
        raise InputError(f"labels: {len(classes)} rows, embeddings have {len(embeddings)}.")
    if not (classes >= 0).any():
        raise InputError("cluster_grid: no row has a known class; give labels.")
    number = int(classes.max()) + 1 if n_clusters is None else n_clusters
    runs = [(r, c, known) for r in (reductions or REDUCTIONS) for c in (clusterings or CLUSTERINGS)
            for known in ((False, True) if c in TAKE_A_NUMBER else (False,))
            if not (c == "discriminant" and r in ("tsne", "umap"))]
    out: list[GridResult] = []
    reduced: dict[tuple[str, int], np.ndarray] = {}
    for done, (reduction, clustering, known) in enumerate(runs):
        if progress is not None:
            progress(done, len(runs), f"{reduction} {clustering}")
        model = Clusterer(reduction, clustering, number if known else None, uneven=uneven,
                          random_state=random_state)
        out.append(_run(model, embeddings, classes, known, reduced))
    return out


def _run(model: Clusterer, embeddings: np.ndarray, classes: np.ndarray, known: bool,
         reduced: dict[tuple[str, int], np.ndarray]) -> GridResult:
    started = time.perf_counter()
    try:
        model.fit_sharing(embeddings, reduced)
    except MissingExtraError as error:
        return GridResult(model.reduction, model.clustering, known, 0, None, 0.0, str(error))
    return GridResult(model.reduction, model.clustering, known, model.n_clusters_,
                      evaluate_clusters(classes, model.labels_), time.perf_counter() - started)
