"""The queues: which detections to look at, in which order.

Each is an order over all N rows, made once a fusion and kept; what is labelled meanwhile and what a
filter leaves out is taken from it when a page asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.review.machines import SURE
from ecotone.review.videos import groups_of, one_card_a_video
from ecotone.review.view import View

OPEN, LABELLED, ALL = "open", "labelled", "all"
SEEN = 0.01  # probability from which it is told
SIMILAR = 300  # pictures of "more like this"


@dataclass(frozen=True)
class Filter:
    """What a page wants to see of a queue. name: a class, as predicted or labelled. site, start,
    end (ISO 8601, in local time, end excluded): "" for all. show: OPEN, LABELLED or ALL; "" what
    the queue is for. of: detections that "similar" is about. group: a cluster."""

    name: str = ""
    site: str = ""
    start: str = ""
    end: str = ""
    show: str = ""
    of: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Found:
    """Rows (n,) of a queue in order, and the reason of each where one was given."""

    rows: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """One queue. order: its rows of a view. show: what is shown by default."""

    title: str
    what: str
    order: Callable[[View], Found]
    show: str = OPEN
    needs: Callable[[View], bool] = lambda view: True


def _best(view: View) -> np.ndarray:
    return view.answers.p[:, 0]


def _uncertain(view: View) -> Found:
    known = np.flatnonzero(view.answers.top[:, 0] >= 0)
    return Found(known[np.argsort(_best(view)[known], kind="stable")])


def _next(view: View) -> Found:
    """The open questions of `ecotone suggest`, in their order; after them, and without any, the
    least sure of each burst first, bursts taken in turn."""
    asked = view.catalog.newest_suggestions()
    rows = [
        (int(rank), view.table.row_of[name], f"{reason}: {expected}?" if expected else reason)
        for rank, name, reason, expected, answer in zip(
            asked.rank, asked.detection_id, asked.reason, asked.expected_class, asked.answer,
            strict=True)
        if not answer and name in view.table.row_of
    ]
    first = np.array([row for _, row, _ in sorted(rows)], dtype=np.int64)
    rest = _by_doubt(view)
    return Found(
        np.concatenate([first, rest[~np.isin(rest, first)]]),
        {row: text for _, row, text in rows},
    )


def _by_doubt(view: View) -> np.ndarray:
    unsure = np.where(view.answers.top[:, 0] >= 0, 1.0 - _best(view), 0.5)
    event = view.table.event[view.table.medium]
    unit = np.where(event >= 0, event, len(view.table.events) + view.table.medium)
    order = np.argsort(-unsure, kind="stable")
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = _turns(unit[order])
    return np.lexsort((-unsure, turn))


def _turns(unit: np.ndarray) -> np.ndarray:
    """How many rows of the same unit come before each."""
    by_unit = np.argsort(unit, kind="stable")
    ordered = unit[by_unit]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(unit) else []
    start = np.repeat(first, np.diff(np.r_[first, len(unit)]).astype(int)) if len(unit) else []
    turn = np.empty(len(unit), dtype=np.int64)
    turn[by_unit] = np.arange(len(unit)) - np.asarray(start, dtype=np.int64)
    return turn


def _changed(view: View) -> Found:
    m, top = view.machines, view.answers.top[:, 0]
    rows = np.flatnonzero((m.score >= SURE) & (top >= 0) & (m.mapped != top))
    weight = m.score[rows] * _best(view)[rows]
    return Found(rows[np.argsort(-weight, kind="stable")])


def _refined(view: View) -> Found:
    found = view.machines.refined
    rows = np.array(sorted(found), dtype=np.int64)
    reasons = {r: f"{was} → {label} ({stage})" for r, (was, label, stage) in found.items()}
    return Found(rows, reasons)


def _novel(view: View) -> Found:
    known = view.machines.novelty
    rows = sorted(known, key=lambda row: (-known[row], row))
    return Found(np.array(rows, dtype=np.int64),
                 {row: "like no known class" + (f", {p:.0%}" if p >= SEEN else "")
                  for row, p in known.items()})


def _clusters(view: View) -> Found:
    return _groups(view, "clusters", "group {}")


def _repeats(view: View) -> Found:
    return _groups(view, "repeats", "place {}")


def _groups(view: View, key: str, text: str) -> Found:
    groups = view.machines.groups.get(key, {})
    order = sorted(groups, key=int)
    rows = [row for group in order for row in groups[group]]
    reasons = {row: text.format(group) for group in order for row in groups[group]}
    return Found(np.array(rows, dtype=np.int64), reasons)


def _people(view: View) -> Found:
    return Found(np.array(sorted(view.voices.disputed), dtype=np.int64))


def _model(view: View) -> Found:
    """Labels that the models, without having seen them, foretold otherwise; the surest first."""
    found = []
    for identity, (name, p) in view.answers.held.items():
        standing = view.voices.of.get(identity)
        if standing is not None and standing.counts.label != name:
            found.append((-p, view.table.row_of[identity], name))
    found.sort()
    return Found(np.array([row for _, row, _ in found], dtype=np.int64),
                 {row: f"{name} {-p:.0%}" for p, row, name in found})


def _everything(view: View) -> Found:
    table = view.table
    return Found(np.lexsort((
        table.file_path[table.medium], table.timestamp[table.medium], table.site[table.medium])))


def _none(view: View) -> Found:
    return Found(np.empty(0, dtype=np.int64))


def _fused(view: View) -> bool:
    return bool(view.answers.run)


QUEUES: dict[str, Queue] = {
    "next": Queue("What to label next", "the pictures whose labels teach most", _next),
    "uncertain": Queue("Low confidence", "the model is least sure", _uncertain, needs=_fused),
    "changed": Queue("Changed by fusion", "the global model said something else", _changed,
                     needs=lambda view: _fused(view) and view.machines_read),
    "refined": Queue("Changed by refine", "brought down to a finer class", _refined,
                     needs=lambda view: bool(view.machines.refined)),
    "novel": Queue("Novel", "perhaps of a class that has no label yet", _novel,
                   needs=lambda view: bool(view.machines.novelty)),
    "clusters": Queue("Groups to name", "look alike and have no name: one decision for all",
                      _clusters, needs=lambda view: "clusters" in view.machines.groups),
    "repeats": Queue("Boxes that come back", "often the same stone or branch", _repeats,
                     needs=lambda view: "repeats" in view.machines.groups),
    "people": Queue("People disagree", "two people gave different names", _people, ALL,
                    needs=lambda view: bool(view.voices.disputed)),
    "model": Queue("Model disagrees", "labels that the model did not foretell", _model, ALL,
                   needs=lambda view: bool(view.answers.held)),
    "similar": Queue("More like this", "the pictures nearest to one", _none, ALL,
                     needs=lambda view: False),
    "all": Queue("All pictures", "by site and time", _everything, ALL),
}


def find(view: View, queue: str, wanted: Filter) -> Found:
    """The rows of a queue that a page wants, in order. Hold the view's lock.

    Raises InputError when there is no such queue, site or detection.
    """
    if queue not in QUEUES:
        raise InputError(f"queue {queue!r}: there is none; expected one of {', '.join(QUEUES)}.")
    show = wanted.show or QUEUES[queue].show
    if show not in (OPEN, LABELLED, ALL):
        raise InputError(f"show {show!r}: expected {OPEN}, {LABELLED} or {ALL}.")
    found = _similar(view, wanted.of) if queue == "similar" else order_of(view, queue)
    keep = mask(view, wanted, show)
    if wanted.group:
        members = view.machines.groups.get(queue, {}).get(wanted.group)
        if members is None:
            raise InputError(f"group {wanted.group!r}: there is none in this queue.")
        inside = np.zeros(len(keep), dtype=bool)
        inside[members] = True
        keep &= inside
    rows = found.rows[keep[found.rows]]
    shown = one_card_a_video(view, rows)
    return Found(shown, found.reasons if shown is rows else _carried(view, found, shown))


def _carried(view: View, found: Found, shown: np.ndarray) -> dict[int, str]:
    """Reasons, those of any frame of a video given to the frame that is shown."""
    group, _ = groups_of(view)
    of_group: dict[int, str] = {}
    for row, text in found.reasons.items():
        of_group.setdefault(int(group[row]), text)
    return {r: of_group[int(group[r])] for r in shown.tolist() if int(group[r]) in of_group}


def order_of(view: View, queue: str) -> Found:
    """The order of a queue, kept until something but labels changes."""
    if queue in ("people", "model"):
        return QUEUES[queue].order(view)
    if queue not in view.orders:
        view.orders[queue] = QUEUES[queue].order(view)
    return view.orders[queue]


def mask(view: View, wanted: Filter, show: str = ALL) -> np.ndarray:
    """Which rows (N,) a filter lets through."""
    table, keep = view.table, view.table.used.copy()
    if show != ALL:
        keep &= view.voices.labelled == (show == LABELLED)
    if wanted.site:
        if wanted.site not in table.sites:
            raise InputError(f"site {wanted.site!r}: there is none of this name.")
        keep &= table.site[table.medium] == table.sites.index(wanted.site)
    for bound, above in ((wanted.start, True), (wanted.end, False)):
        if bound:
            inside = table.timestamp >= bound if above else table.timestamp < bound
            keep &= (inside & (table.timestamp != ""))[table.medium]
    if wanted.name:
        keep &= _of_class(view, wanted.name)
    return keep


def _of_class(view: View, name: str) -> np.ndarray:
    """Rows (N,) labelled as a class, or without a label and predicted as it."""
    out = np.zeros(len(view.table), dtype=bool)
    if name in view.answers.classes:
        k = view.answers.classes.index(name)
        out |= (view.answers.top[:, 0] == k) & ~view.voices.labelled
    for identity, standing in view.voices.of.items():
        if standing.counts.label == name:
            out[view.table.row_of[identity]] = True
    return out


def _similar(view: View, of: Sequence[str]) -> Found:
    from ecotone.store.nearest import nearest

    known = [i for i in of if i in view.table.row_of]
    if not known:
        raise InputError("more like this: say of which picture.")
    model = embedding_name(view)
    # A box that was drawn since has no embedding yet; that of the one before is near enough.
    known += [before for i in known if (before := view.replaced(i))]
    ids, cosine = nearest(view.catalog, view.project.vectors, model, known, SIMILAR)
    rows = [view.table.row_of[i] for i in ids if i in view.table.row_of]
    near = {view.table.row_of[i]: f"{c:.0%} alike" for i, c in zip(ids, cosine, strict=True)
            if i in view.table.row_of}
    return Found(np.array(rows, dtype=np.int64), near)


def embedding_name(view: View) -> str:
    """The embeddings that pictures are compared by. Raises ProjectError when there are none."""
    from ecotone.project.gathering import choose_embeddings

    return choose_embeddings(view.project)


def _left_of(view: View, key: str) -> list[dict[str, Any]]:
    """The groups of a queue with what has no label yet in each, and the name that a person gave."""
    free = view.table.used & ~view.voices.labelled
    groups = view.machines.groups[key]
    names = {str(n.proposal): n.label for n in view.catalog.proposal_names()
             if key == "clusters" and n.run == view.machines.discovery}
    return [{"group": g, "left": int(free[groups[g]].sum()), "name": names.get(g, "")}
            for g in sorted(groups, key=int)]


def listing(view: View) -> list[dict[str, Any]]:
    """The queues that have something to show, with how much is left in each."""
    out = []
    for key, queue in QUEUES.items():
        if not queue.needs(view):
            continue
        left = len(find(view, key, Filter()).rows)
        told = {"queue": key, "title": queue.title, "what": queue.what, "left": left,
                "show": queue.show}
        if key in view.machines.groups:
            told["groups"] = _left_of(view, key)
        out.append(told)
    return out
