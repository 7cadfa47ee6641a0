"""Rows into clusters: HDBSCAN, DBSCAN, Ward, Gaussian mixture; numbers by size, -1 for rejected.

N rows, d dimensions, C clusters.
"""

from __future__ import annotations

import numpy as np

from ecotone.errors import InputError

CLUSTERINGS = ("discriminant", "hdbscan", "dbscan", "ward", "gmm")
NEIGHBOURS = 5  # of DBSCAN's radius, and of its core rows
MOST_CLUSTERS = 60  # that are tried when their number is not known
SIZES = ((15, 5), (100, 30), (150, 50))  # least size of a cluster, neighbours of a dense row
EVEN = SIZES[0]
MEASURED_ON = 2000  # rows that a number of clusters is estimated on
GRAPH_NEIGHBOURS = 10
REGULARISE = 1e-4


def cluster_rows(rows: np.ndarray, method: str, n_clusters: int | None = None,
                 random_state: int = 0, *, size: tuple[int, int] = EVEN) -> np.ndarray:
    """Cluster numbers (N,) of the rows (N, d), the largest cluster first, -1 where rejected.

    method: "hdbscan" (size: least size of a cluster, neighbours of a dense row), "dbscan" (its
    radius the mean distance to the 5 nearest), "ward", "gmm" (five starts; full covariances, or
    diagonal ones where a cluster has fewer rows than dimensions, in which a full one is singular).
    n_clusters: for Ward and the mixture; None: see `estimate_number`. DBSCAN and HDBSCAN
    take no number.

    Source: Campello et al. 2013 (HDBSCAN); Ester et al. 1996 (DBSCAN); Ward 1963; the radius and
    the sizes are those of arXiv:2602.03894; see there.
    """
    n = len(rows)
    if n < 3 or not np.ptp(rows, axis=0).any():
        return np.zeros(n, dtype=np.int64)
    if method == "hdbscan":
        return by_size(hdbscan(rows, size))
    if method == "dbscan":
        return by_size(_dbscan(rows))
    if method not in ("ward", "gmm"):
        raise InputError(f"clustering: {method!r}, expected auto, {', '.join(CLUSTERINGS)}.")
    if n_clusters is None:
        n_clusters = estimate_number(rows)
    n_clusters = min(n_clusters, n)
    found = ward(rows, n_clusters) if method == "ward" else _gmm(rows, n_clusters, random_state)
    return by_size(found)


def by_size(labels: np.ndarray) -> np.ndarray:
    """The same clusters numbered by size, the largest 0; ties by their first row."""
    found, first, place, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True)
    real = np.flatnonzero(found >= 0)
    order = real[np.lexsort((first[real], -size[real]))]
    number = np.full(len(found), -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[place]


def hdbscan(rows: np.ndarray, size: tuple[int, int], selection: str = "eom") -> np.ndarray:
    """HDBSCAN's clusters; every row rejected where there are fewer than two."""
    from sklearn.cluster import HDBSCAN

    least, near = size
    if len(rows) < 2 * least:
        least, near = max(2, len(rows) // 4), max(1, len(rows) // 8)
    model = HDBSCAN(min_cluster_size=least, min_samples=near, copy=True,
                    cluster_selection_method=selection)
    return np.asarray(model.fit_predict(rows), dtype=np.int64)


def ward(rows: np.ndarray, n_clusters: int) -> np.ndarray:
    """Ward's clusters."""
    from sklearn.cluster import AgglomerativeClustering

    if n_clusters <= 1:
        return np.zeros(len(rows), dtype=np.int64)
    return AgglomerativeClustering(n_clusters).fit_predict(rows)


def estimate_number(rows: np.ndarray) -> int:
    """The number of clusters among rows (N, d): by the eigengap, and on the maps of t-SNE and UMAP,
    d = 2, whose graphs fall into islands, by the silhouette."""
    return estimate_by_eigengap(rows) if rows.shape[1] > 2 else estimate_by_silhouette(rows)


def estimate_by_eigengap(rows: np.ndarray) -> int:
    """The number of clusters after which the eigenvalues of the normalised Laplacian rise most, for
    the graph of the ten nearest neighbours of at most 2,000 rows.

    Source: von Luxburg 2007, A tutorial on spectral clustering, section 8.3.
    """
    from scipy.linalg import eigh
    from scipy.sparse.csgraph import laplacian
    from sklearn.neighbors import kneighbors_graph

    some = _evenly(rows)
    if len(some) < 4:
        return 1
    graph = kneighbors_graph(some, min(GRAPH_NEIGHBOURS, len(some) - 1))
    matrix = laplacian(0.5 * (graph + graph.T), normed=True).toarray()
    most = min(MOST_CLUSTERS, len(some) - 2)
    values = eigh(matrix, eigvals_only=True, subset_by_index=[0, most])
    return int(np.diff(values).argmax()) + 1


def estimate_by_silhouette(rows: np.ndarray) -> int:
    """The number of Ward clusters with the best mean silhouette, on at most 2,000 rows; too low
    where classes are many and differ in size.

    Source: Rousseeuw 1987.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.metrics import silhouette_score

    some = _evenly(rows)
    tree, best, value = linkage(some, "ward"), 1, -1.0
    distances = _distances(some)
    for k in _numbers(min(MOST_CLUSTERS, len(some) - 1)):
        labels = fcluster(tree, k, "maxclust")
        if len(np.unique(labels)) < 2:
            continue
        found = silhouette_score(distances, labels, metric="precomputed")
        if found > value + 1e-9:
            best, value = k, found
    return best


def _evenly(rows: np.ndarray) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_ON)).astype(int)]


def _numbers(most: int) -> list[int]:
    """Numbers of clusters to try, from 2: all at first, then in steps of a twelfth."""
    out = [2]
    while out[-1] < most:
        out.append(min(out[-1] + max(1, out[-1] // 12), most))
    return [k for k in out if k <= most]


def _distances(rows: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform

    return squareform(pdist(np.asarray(rows, dtype=np.float64)))


def _dbscan(rows: np.ndarray) -> np.ndarray:
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    near = min(NEIGHBOURS, len(rows) - 1)
    distance, _ = NearestNeighbors(n_neighbors=near).fit(rows).kneighbors()
    radius = max(float(distance.mean()), 1e-12)
    return DBSCAN(eps=radius, min_samples=near).fit_predict(rows)


def _gmm(rows: np.ndarray, n_clusters: int, random_state: int) -> np.ndarray:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    scale = float(rows.std()) or 1.0
    full = len(rows) > n_clusters * (rows.shape[1] + 1)
    model = GaussianMixture(n_clusters, covariance_type="full" if full else "diag", n_init=5,
                            reg_covar=REGULARISE, random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit_predict(np.asarray(rows, dtype=np.float64) / scale)
