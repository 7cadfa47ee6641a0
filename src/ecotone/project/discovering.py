"""`ecotone discover`: what no label names, as far as pictures tell it without a person.

N detections with an embedding, K local classes. Nothing is named here: proposals are numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from ecotone.confidence.checks import check_share
from ecotone.discovery import NoveltyDetector
from ecotone.errors import InputError
from ecotone.project.discovered import NONE_OF_THESE, Proposal, proposals_of
from ecotone.project.fusing import ensure_embeddings
from ecotone.project.gathering import Gathered, gather, with_scores_read
from ecotone.project.known_views import KnownViews, known_views
from ecotone.project.proposing import Found, find_classes
from ecotone.project.records import recorded_run, versions, write_json
from ecotone.project.repeating import Repeated, RepeatGroup, find_repeated
from ecotone.project.suggesting import global_scores, places_of
from ecotone.store.discoveries import DiscoveryTable
from ecotone.types import Posteriors

Progress = Callable[[int, "int | None", str], None]
CHUNK = 65536


@dataclass(frozen=True)
class DiscoverResult:
    """What a discovery found.

    novel: detections without a label that are flagged; share, low, high: the estimated share of
    them that is of no known class, with a 95 % interval, None where nothing is known to compare
    with. clusters: how many; rejected: detections in none. n_classes: estimate, low, high, known
    and new together. repeats: groups of boxes that come back.
    """

    run: str
    detections: int
    labelled: int
    false_alarm: float
    novel: int
    share: tuple[float, float, float] | None
    clusters: int
    rejected: int
    n_classes: tuple[int, int, int]
    proposals: list[Proposal]
    repeats: list[RepeatGroup]
    posteriors: bool
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Novelty:
    """novelty (N,), novel (N,) bool; proba (N, K + 1) with "none of these", or None."""

    novelty: np.ndarray
    novel: np.ndarray
    proba: np.ndarray | None
    share: tuple[float, float, float]
    notes: list[str]


def discover(
    project: Any, false_alarm: float = 0.05, n_clusters: int | None = None,
    over_cluster: float = 1.0, embedding_model: str | None = None, seed: int | None = None,
    progress: Progress | None = None,
) -> DiscoverResult:
    """Look for what no label names, and keep what was found.

    false_alarm: share of known detections that may be flagged as new. n_clusters: the number of
    classes where it is known. over_cluster: parts that each cluster is split into, for sex, age or
    coat. Without labels there is nothing to be new against: every cluster is then a proposal.
    Raises ProjectError when there are no pictures, InputError for numbers out of range.
    """
    _check(false_alarm, n_clusters, over_cluster)
    say = progress or (lambda done, total, text: None)
    notes = ensure_embeddings(project, embedding_model, progress)
    gathered = with_scores_read(
        gather(project, None, embedding_model, cold=True, stored=True))
    seed = project.config.random_state if seed is None else seed
    catalog = project.catalog
    catalog.drop_unfinished_discoveries()
    settings = {"false_alarm": false_alarm, "n_clusters": n_clusters, "over_cluster": over_cluster,
                "random_state": seed, "embedding_model": gathered.embedding_model}
    started = time.perf_counter()
    with recorded_run(catalog, "discover", settings, seed) as (run, summary):
        views = known_views(project, gathered)
        _, burst = places_of(project, gathered)
        new = _novelty(gathered, views, burst, false_alarm, seed, say)
        say(0, None, f"clustering {len(gathered):,} detections")
        found = find_classes(
            gathered, views, global_scores(gathered), None if new is None else new.novel,
            n_clusters=n_clusters, over_cluster=over_cluster, seed=seed,
        )
        repeated = find_repeated(project)
        say(0, None, "storing what was found")
        _store(project, run, gathered, new, found, repeated)
        record = _record(run, settings, gathered, new, found, repeated, started)
        record["fuse_run"] = views.run
        record["notes"] = [*notes, *gathered.notes, *views.notes, *(new.notes if new else ())]
        write_json(project.runs / f"{run}.json", record)
        summary.update({k: record[k] for k in ("novel", "clusters", "proposals")})
    return DiscoverResult(
        run, len(gathered), int((views.target >= 0).sum()), false_alarm, record["novel"],
        None if new is None else new.share, record["clusters"], record["rejected"],
        found.n_classes, proposals_of(project, run), repeated.groups, record["posteriors"],
        record["notes"],
    )


def _check(false_alarm: float, n_clusters: int | None, over_cluster: float) -> None:
    check_share(false_alarm, "--false-alarm", 0.05)
    if n_clusters is not None and n_clusters < 1:
        raise InputError(f"--clusters {n_clusters}: expected at least 1.")
    if not 1.0 <= over_cluster <= 20.0:
        raise InputError(f"--over-cluster {over_cluster:g}: expected 1 to 20 parts.")


def _novelty(
    gathered: Gathered, views: KnownViews, burst: np.ndarray, false_alarm: float, seed: int,
    say: Progress,
) -> _Novelty | None:
    """How new each detection is, None where no label says what is known."""
    labelled = views.target >= 0
    if not labelled.any():
        return None
    say(0, None, f"comparing {len(gathered):,} detections with {int(labelled.sum()):,} labels")
    detector = NoveltyDetector(false_alarm=false_alarm, random_state=seed)
    detector.fit(gathered.embeddings, views.target, views.proba, groups=burst)
    n = len(gathered)
    novel, novelty = np.zeros(n, dtype=bool), np.zeros(n)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        novel[part], novelty[part] = detector.judge(
            gathered.embeddings[part], None if views.proba is None else views.proba[part])
        say(min(start + CHUNK, n), n, "comparing with what is known")
    novel &= ~labelled
    novelty[labelled] = 0.0
    proba = None
    if views.proba is not None:
        from ecotone.discovery import with_none_of_these

        proba = np.empty((len(gathered), views.proba.shape[1] + 1), dtype=np.float32)
        for start in range(0, len(proba), CHUNK):
            part = slice(start, start + CHUNK)
            proba[part] = with_none_of_these(views.proba[part], novelty[part], novel[part])
    share = detector.share_
    return _Novelty(novelty, novel, proba, (share.value, share.low, share.high),
                    list(detector.notes_))


def _store(
    project: Any, run: str, gathered: Gathered, new: _Novelty | None, found: Found,
    repeated: Repeated,
) -> None:
    from ecotone.store.vectors import write_posteriors

    ids, n = gathered.detections.id, len(gathered)
    repeat = np.array([repeated.group_of.get(i, 0) for i in ids], dtype=np.int64)
    novelty = np.full(n, np.nan) if new is None else new.novelty
    novel = np.zeros(n, dtype=bool) if new is None else new.novel
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        project.catalog.add_discovery(run, DiscoveryTable(
            ids[part], novelty[part], novel[part], found.cluster[part], found.proposal[part],
            found.membership[part], repeat[part],
        ))
    if new is not None and new.proba is not None:
        classes = (*gathered.local_classes, NONE_OF_THESE)
        write_posteriors(project.catalog, project.vectors, run, Posteriors(ids, new.proba, classes))


def _record(
    run: str, settings: dict[str, Any], gathered: Gathered, new: _Novelty | None,
    found: Found, repeated: Repeated, started: float,
) -> dict[str, Any]:
    return {
        "run": run, "command": "discover", "settings": settings, "versions": versions(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "classes": list(gathered.local_classes), "detections": len(gathered),
        "novel": int(new.novel.sum()) if new else 0, "share": list(new.share) if new else None,
        "clusters": int(found.cluster.max(initial=-1)) + 1,
        "rejected": int((found.cluster < 0).sum()),
        "proposals": int(found.proposal.max(initial=0)),
        "n_classes": list(found.n_classes), "about": found.about,
        "clustering": found.settings, "repeats": [vars(group) for group in repeated.groups],
        "posteriors": new is not None and new.proba is not None,
        "seconds": round(time.perf_counter() - started, 2),
    }
