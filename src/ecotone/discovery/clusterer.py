"""`Clusterer`: groups of detections that look alike, without a label.

N rows, D embedding dimensions, d reduced dimensions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin

from ecotone.discovery.clustering import CLUSTERINGS, EVEN, SIZES, by_size, cluster_rows
from ecotone.discovery.discriminant import CORE_ROWS, carry, find_cores, refine
from ecotone.discovery.extending import extend, split
from ecotone.discovery.rare import rare_clusters
from ecotone.discovery.reduction import REDUCTIONS, perplexity, reduce_rows, umap_neighbours
from ecotone.discovery.separation import merge_close, over_split, to_number
from ecotone.errors import InputError
from ecotone.fusion.features import Reordered, content_keys
from ecotone.fusion.inputs import check_embeddings
from ecotone.fusion.threads import one_blas_thread

# Rows that each is fitted on; what lies beyond joins by its nearest neighbours.
AT_MOST = {"tsne": 10000, "umap": 20000, "pca": 20000, "none": 20000}
AT_MOST_CLUSTERED = {"hdbscan": 20000, "dbscan": 20000, "ward": 10000, "gmm": 20000}
FACTOR_MOST = 20.0


@dataclass(frozen=True)
class ClusterSettings:
    """What `auto` came to. fitted_on: rows that were clustered, the rest joined them. perplexity,
    umap_neighbours, min_cluster_size, min_samples: None where they play no part."""

    reduction: str
    clustering: str
    n_clusters: int | None
    over_cluster: float
    fitted_on: int
    perplexity: float | None = None
    umap_neighbours: int | None = None
    min_cluster_size: int | None = None
    min_samples: int | None = None

    def as_dict(self) -> dict[str, object]:
        """The settings by name, those that play no part left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Clusterer(ClusterMixin, BaseEstimator):
    """Clusters of embeddings, for sorting detections that nobody has labelled.

    reduction: "auto", "pca", "tsne", "umap" (extra `umap`) or "none". clustering: "auto",
    "discriminant" (see `discovery.discriminant`), "hdbscan", "dbscan", "ward" or "gmm". "auto" is
    "pca" with "discriminant"; another reduction goes with "ward" where the number of clusters is
    known, else "hdbscan". n_clusters: the number of classes where it is known, else None; hdbscan
    and dbscan take none. With a number no row is rejected by discriminant, ward and gmm.
    over_cluster: how many parts every cluster is split into, 1..20, for sex, age or coat.
    uneven: classes differ much in size: HDBSCAN asks for clusters of 100 rows (True or 1) or 150
    (2), not 15.
    random_state: seed; the order of rows plays no part.

    Attributes after `fit`: labels_ (N,) int, the largest cluster 0, -1 where rejected;
    probabilities_ (N,), of the row's cluster, 0 where rejected; embedding_ (N, d) float32 what was
    clustered (rows beyond those fitted are NaN for tsne and umap); n_clusters_; parent_
    (n_clusters_,), which cluster each is a part of (itself without over-clustering); settings_.

    Example:
        >>> import numpy as np
        >>> from ecotone.discovery import Clusterer
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(90, 8)) + 9 * np.eye(8)[np.repeat([0, 1, 2], 30)]
        >>> Clusterer().fit(x).n_clusters_
        3
    """

    def __init__(self, reduction: str = "auto", clustering: str = "auto",
                 n_clusters: int | None = None, *, over_cluster: float = 1.0,
                 uneven: bool | int = False, random_state: int = 0) -> None:
        self.reduction = reduction
        self.clustering = clustering
        self.n_clusters = n_clusters
        self.over_cluster = over_cluster
        self.uneven = uneven
        self.random_state = random_state

    def fit(self, embeddings: np.ndarray, y: object = None) -> Clusterer:
        """Cluster the rows of embeddings (N, D), y is not used.

        Raises InputError when an argument or a value does not fit (NaN: with its row),
        MissingExtraError for UMAP without umap-learn.
        """
        return self.fit_sharing(embeddings, {})

    @one_blas_thread
    def fit_sharing(self, embeddings: np.ndarray, reduced: dict[tuple[str, int], np.ndarray]
                    ) -> Clusterer:
        """`fit`, with the reduced rows kept in `reduced` and taken from there, so that many
        clusterings of the same embeddings with the same random_state reduce them once."""
        embeddings = check_embeddings(embeddings)
        if embeddings.shape[1] == 0:
            raise InputError("embeddings: no dimensions; give at least one.")
        self._reduced = reduced
        self.settings_ = self._resolve(len(embeddings))
        keys = content_keys(embeddings, self.random_state)
        order = np.argsort(keys, kind="stable")  # an order that says nothing, whatever the caller's
        rows = Reordered(embeddings, order)
        found = self._cluster(rows, keys[order])
        self._keep(found, order)
        del self._reduced
        return self

    def fit_predict(self, embeddings: np.ndarray, y: object = None) -> np.ndarray:
        """`fit`, and the labels (N,)."""
        return self.fit(embeddings).labels_

    def _resolve(self, n: int) -> ClusterSettings:
        _check(self.reduction, ("auto", *REDUCTIONS), "reduction")
        _check(self.clustering, ("auto", *CLUSTERINGS), "clustering")
        known = self.n_clusters
        if known is not None and (known != int(known) or known < 1):
            raise InputError(f"n_clusters: {known}, expected a whole number from 1, or None.")
        if not 1.0 <= self.over_cluster <= FACTOR_MOST:
            raise InputError(f"over_cluster: {self.over_cluster}, expected 1 to {FACTOR_MOST:.0f}.")
        if self.uneven not in range(len(SIZES)):
            raise InputError(f"uneven: {self.uneven!r}, expected False, True or 2.")
        reduction = "pca" if self.reduction == "auto" else self.reduction
        clustering = self.clustering
        if clustering == "auto":
            simple = "hdbscan" if known is None else "ward"
            clustering = "discriminant" if reduction == "pca" else simple
        if clustering == "discriminant" and reduction in ("tsne", "umap"):
            raise InputError(f"clustering: discriminant does not go with {reduction}, which keeps "
                             "no covariance; choose reduction pca or none.")
        if known is not None and clustering in ("hdbscan", "dbscan"):
            raise InputError(f"n_clusters: {clustering} takes no number of clusters; choose ward, "
                             "gmm or discriminant, or leave the number out.")
        fitted = n if clustering == "discriminant" else min(
            n, AT_MOST[reduction], AT_MOST_CLUSTERED[clustering])
        size = SIZES[int(self.uneven)] if clustering == "hdbscan" else \
            EVEN if clustering == "discriminant" else (None, None)
        return ClusterSettings(
            reduction=reduction, clustering=clustering,
            n_clusters=None if known is None else int(known),
            over_cluster=float(self.over_cluster), fitted_on=fitted,
            perplexity=perplexity(fitted) if reduction == "tsne" else None,
            umap_neighbours=umap_neighbours(fitted) if reduction == "umap" else None,
            min_cluster_size=size[0], min_samples=size[1],
        )

    def _cluster(self, rows: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, ...]:
        """Labels, probabilities, reduced rows and parents of rows in the order of their keys."""
        given, n = self.settings_, len(rows)
        if n == 0:
            return (np.zeros(0, int), np.zeros(0), np.zeros((0, 1), np.float32), np.zeros(0, int))
        if given.clustering == "discriminant":
            reduced = self._reduce(rows)
            labels, chance = _discriminate(rows, reduced, given.n_clusters)
        else:
            reduced, labels, chance = self._plainly(rows)
        same = np.flatnonzero(keys[1:] == keys[:-1]) + 1  # copies of a picture stay together
        for i in same:
            labels[i], chance[i] = labels[i - 1], chance[i - 1]
        labels = by_size(labels)
        parent = np.arange(int(labels.max(initial=-1)) + 1)
        if given.over_cluster > 1.0 and labels.max(initial=-1) >= 0:
            space = reduced if np.isfinite(reduced).all() else reduce_rows(rows, "pca")
            labels, parent = split(space, labels, given.over_cluster)
        return labels, np.where(labels >= 0, chance, 0.0), reduced, parent

    def _plainly(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reduce, cluster, and let the rest join: reduced rows, labels, probabilities."""
        given, m = self.settings_, self.settings_.fitted_on
        whole = given.reduction in ("pca", "none")
        some = self._reduce(rows if whole else rows[:m])
        size = EVEN if given.min_cluster_size is None else (
            given.min_cluster_size, given.min_samples)
        labels = cluster_rows(some[:m], given.clustering, given.n_clusters, self.random_state,
                              size=size)
        near = some if whole or m == len(rows) else reduce_rows(rows, "pca")
        labels, chance = extend(near, labels, reject=given.clustering in ("hdbscan", "dbscan"))
        if len(some) < len(rows):
            rest = np.full((len(rows) - len(some), some.shape[1]), np.nan, dtype=np.float32)
            some = np.concatenate([some, rest])
        return some, labels, chance

    def _reduce(self, rows: np.ndarray) -> np.ndarray:
        key = (self.settings_.reduction, len(rows))
        if key not in self._reduced:
            self._reduced[key] = reduce_rows(rows, key[0], self.random_state)
        return self._reduced[key]

    def _keep(self, found: tuple[np.ndarray, ...], order: np.ndarray) -> None:
        labels, chance, reduced, parent = found
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        self.labels_, self.probabilities_ = labels[back], chance[back].astype(np.float64)
        self.embedding_ = np.asarray(reduced, dtype=np.float32)[back]
        self.parent_ = parent
        self.n_clusters_ = len(parent)


def _discriminate(rows: np.ndarray, reduced: np.ndarray, n_clusters: int | None
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Cores on the first rows, cut and merged, carried on to all rows; the rare among the rest."""
    if len(reduced) < 3 or not np.ptp(reduced, axis=0).any():
        return np.zeros(len(rows), dtype=np.int64), np.ones(len(rows))
    some = reduced[:CORE_ROWS]
    labels, model = find_cores(some)
    if n_clusters is not None:
        labels, model = carry(reduced, *to_number(some, labels, n_clusters))
        return model.assign(reduced)[0] if len(some) < len(rows) else labels, \
            model.assign(reduced)[1]
    labels, _ = to_number(some, labels, over_split(int(labels.max()) + 1))
    labels, model = refine(some, merge_close(some, labels).labels)
    labels, model = carry(reduced, labels, model)
    found = rare_clusters(rows, reduced, labels, model)
    return found, np.where(found > labels.max(), 1.0, model.assign(reduced)[1])


def _check(value: str, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise InputError(f"{name}: {value!r}, expected {', '.join(allowed)}.")
