"""False alarms that come back: the same box at the same camera, time after time.

N boxes, G groups. A stone, a branch or a sunny spot is found again in nearly the same box, on many
occasions, while the boxes of animals scatter. Boxes of one camera are grouped by their overlap
(intersection over union, IoU); a group counts occasions (an hour apart) rather than pictures, as
an animal that rests has one box for as long. It is suspicious when chance would not bring so many,
and chance is what the boxes nearby say, those of a ring that overlap the group's box less: by the
volumes V of the two regions in the space of boxes, and a factor for places where animals crowd,

    lambda = 4 (occasions in the ring + 1) V(group) / V(ring)
    surprise = -log10 P(Poisson(lambda) >= occasions)

so that a feeder, where every animal stands in about the same place, is not one of them.
Sources: the aim is that of MegaDetector's repeat detection elimination; grouping and surprise are
our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import poisson

from ecotone.context.when import DAY, seconds_of
from ecotone.errors import InputError

APART = 3600.0  # seconds between two occasions
RING = 0.65  # overlap from which on a box is in the ring
CROWDED = 4.0  # animals are that much denser, in the middle of a place they like, than around it
LEAST_EXCESS = 2.0  # times over chance: among very many boxes a trifle is beyond it
COARSE = 40  # cells a side, of boxes that are about the same
SAMPLE = 4000  # boxes of one camera on which crowds are counted; exact counts where few are close
DENSE = 50
SHIFTS = 3  # moves of a group's box to the median of its members
LARGE = 0.9  # boxes that fill more of the picture are of no place
MOST_SURPRISE = 300.0


@dataclass(frozen=True, eq=False)
class Repeats:
    """Suspicious boxes, the most suspicious group first.

    row: (n,) numbers of boxes. group: (n,) their group. overlap: (n,) with the group's box.
    Per group (G): place, box (x y width height), pictures, occasions, days, surprise, why (a
    sentence).
    """

    row: np.ndarray
    group: np.ndarray
    overlap: np.ndarray
    place: np.ndarray
    box: np.ndarray
    pictures: np.ndarray
    occasions: np.ndarray
    days: np.ndarray
    surprise: np.ndarray
    why: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def find_repeats(
    bbox: np.ndarray, place: Sequence[object], time: Sequence[object] | None = None,
    picture: Sequence[object] | None = None, *, confirmed: np.ndarray | None = None,
    overlap: float = 0.8, occasions: int = 5, surprise: float = 4.0,
) -> Repeats:
    """The boxes that come back too often in the same place to be animals; nothing is deleted.

    bbox: (N, 4) x y width height in 0..1. place: N cameras (deployments), "" is none. time: N, as
    in `ContextClassifier`; without it every picture is an occasion. picture: N, default every box
    its own. confirmed: (N,) bool, boxes in which a person saw an animal: they are never listed, nor
    the groups in which they are one in five or more.
    overlap: IoU with a group's box; occasions: the fewest; surprise: the least.

    Raises InputError when lengths differ or a box holds NaN.
    """
    boxes = np.asarray(bbox, dtype=np.float64).reshape(-1, 4)
    n = len(boxes)
    seconds = np.full(n, np.nan) if time is None else seconds_of(time)
    pictures = np.arange(n) if picture is None else np.unique(
        np.asarray([str(p) for p in picture]), return_inverse=True)[1]
    seen = np.zeros(n, dtype=bool) if confirmed is None else np.asarray(confirmed, dtype=bool)
    for name, values in (("place", place), ("time", seconds), ("picture", pictures),
                         ("confirmed", seen)):
        if len(values) != n:
            raise InputError(f"{name}: {len(values)} entries, expected {n}.")
    if not np.isfinite(boxes).all():
        row = int(np.flatnonzero(~np.isfinite(boxes).all(axis=1))[0])
        raise InputError(f"bbox: row {row} holds NaN or infinity; leave such boxes out.")
    if not RING < overlap < 1.0:
        raise InputError(f"overlap: {overlap}, expected a number between {RING} and 1.")
    names = np.array(["" if p is None else str(p) for p in place], dtype=object)
    usable = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, 2] * boxes[:, 3] < LARGE) & (names != "")
    found: list[_Group] = []
    order = np.lexsort((np.arange(n), names.astype(str))) if n else np.arange(0)
    order = order[usable[order]]
    for rows in np.split(order, np.flatnonzero(names[order][1:] != names[order][:-1]) + 1):
        if len(rows) >= occasions:
            found += _of_place(rows, boxes, seconds, pictures, overlap, occasions)
    found = [g for g in found if g.surprise >= surprise and seen[g.rows].mean() < 0.2]
    found.sort(key=lambda g: (-g.surprise, -len(g.rows), str(names[g.rows[0]]), tuple(g.box)))
    return _listed(found, names, seen)


@dataclass(frozen=True, eq=False)
class _Group:
    rows: np.ndarray
    overlap: np.ndarray
    box: np.ndarray
    pictures: int
    occasions: int
    days: int
    surprise: float


def _of_place(
    rows: np.ndarray, boxes: np.ndarray, seconds: np.ndarray, pictures: np.ndarray, overlap: float,
    fewest: int,
) -> list[_Group]:
    """Groups of one camera: around the box with most others near it, then the next of those left.

    Boxes are looked up in a tree over their corners; only corners within reach can overlap enough.
    """
    mine = boxes[rows]
    corners = np.concatenate([mine[:, :2], mine[:, :2] + mine[:, 2:]], axis=1)
    tree = cKDTree(corners)
    free = np.ones(len(rows), dtype=bool)
    groups = []
    for leader in _leaders(corners, seconds[rows], overlap, fewest):
        if not free[leader]:
            continue
        box, near, iou = _settle(mine, corners, tree, leader, overlap)
        member = (iou >= overlap) & free[near]
        inside, around = near[member], near[(iou >= RING) & (iou < overlap)]
        free[[leader, *inside]] = False
        times = count_occasions(seconds[rows[inside]], pictures[rows[inside]])
        if times < fewest:
            continue
        others = count_occasions(seconds[rows[around]], pictures[rows[around]])
        groups.append(_group(rows[inside], iou[member], box, times, others, overlap, seconds,
                             pictures))
    return groups


def _leaders(
    corners: np.ndarray, seconds: np.ndarray, overlap: float, fewest: int
) -> np.ndarray:
    """Boxes where a group may be begun, those with most others close by first.

    Most boxes have too few others close by, or too many around; they are passed over by counts in
    two cubes, in which what was seen in one hour at about one place counts once.
    """
    hour = np.where(np.isnan(seconds), np.arange(len(seconds)), np.floor(seconds / APART))
    keys = np.concatenate([hour[:, None], np.floor(corners * COARSE)], axis=1)
    thin = corners[np.unique(keys, axis=0, return_index=True)[1]]
    step = -(-len(thin) // SAMPLE)
    few = cKDTree(thin[::step])
    size = (corners[:, 2:] - corners[:, :2]).max(axis=1)
    near, far = (_width(at) * size for at in (overlap, RING))
    close = step * _count(few, corners, near)
    exact = np.flatnonzero(close < DENSE * step) if step > 1 else np.arange(0)
    close[exact] = _count(cKDTree(thin), corners[exact], near[exact])
    may = np.flatnonzero(close >= max(fewest // 2, 2))
    around = step * _count(few, corners[may], far[may])
    ratio = (_width(overlap) / _width(RING)) ** 4
    chance = CROWDED * (np.maximum(around - close[may], 0) + 1) * ratio / (1.0 - ratio)
    may = may[poisson.sf(close[may] - 1, chance) < 1e-3]
    return may[np.lexsort((*corners[may].T, -close[may]))]


def _count(tree: cKDTree, corners: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(n,) boxes in the cube around each of n corners."""
    if not len(corners):
        return np.zeros(0, dtype=int)
    return tree.query_ball_point(corners, reach, p=np.inf, return_length=True)


def _settle(
    mine: np.ndarray, corners: np.ndarray, tree: cKDTree, leader: int, overlap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The box of a group, begun at one of its members; boxes near it, and their overlap with it."""
    box = corners[leader]
    for shift in range(SHIFTS + 1):
        size = (box[2:] - box[:2]).max()
        near = np.sort(tree.query_ball_point(box, (1.0 - RING) / RING * size, p=np.inf))
        near = near.astype(int)
        flat = np.concatenate([box[:2], box[2:] - box[:2]])
        iou = box_overlap(flat, mine[near])
        if shift == SHIFTS or not (iou >= overlap).any():
            break
        box = np.median(corners[near[iou >= overlap]], axis=0)
    return flat, near, iou


def _group(
    rows: np.ndarray, iou: np.ndarray, box: np.ndarray, times: int, others: int, overlap: float,
    seconds: np.ndarray, pictures: np.ndarray,
) -> _Group:
    inner, outer = _width(overlap) ** 4, _width(RING) ** 4
    chance = CROWDED * (others + 1) * inner / (outer - inner)
    beyond = -poisson.logsf(times - 1, chance) / np.log(10.0)
    known = seconds[rows]
    return _Group(
        rows, iou, box, len(np.unique(pictures[rows])), times,
        len(np.unique(np.floor(known[~np.isnan(known)] / DAY))),
        float(min(beyond, MOST_SURPRISE)) if times >= LEAST_EXCESS * chance else 0.0,
    )


def _width(overlap: float) -> float:
    """How far one edge may move (of the box's side) at this overlap."""
    return (1.0 - overlap) / (1.0 + overlap)


def box_overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU (n,) of one box x y width height (4,) with others (n, 4)."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    common = np.clip(high - low, 0.0, None).prod(axis=1)
    return common / (box[2:].prod() + others[:, 2:].prod(axis=1) - common)


def count_occasions(seconds: np.ndarray, pictures: np.ndarray) -> int:
    """Times at least `APART` from the one before; where no time is known, pictures."""
    known = np.sort(seconds[~np.isnan(seconds)])
    if not len(known):
        return len(np.unique(pictures))
    return 1 + int((np.diff(known) > APART).sum())


def _listed(groups: list[_Group], names: np.ndarray, seen: np.ndarray) -> Repeats:
    rows = [g.rows[~seen[g.rows]] for g in groups]
    overlap = [g.overlap[~seen[g.rows]] for g in groups]
    of = [np.full(len(r), i) for i, r in enumerate(rows)]

    def joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
        return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)

    why = [
        f"the same box {g.occasions} times" + (f" on {g.days} days" if g.days else "")
        + f" at {names[g.rows[0]]}, in {g.pictures} pictures" for g in groups
    ]
    return Repeats(
        joined(rows, int), joined(of, int), joined(overlap, float),
        np.array([names[g.rows[0]] for g in groups], dtype=object),
        np.array([g.box for g in groups]).reshape(-1, 4),
        np.array([g.pictures for g in groups], dtype=int),
        np.array([g.occasions for g in groups], dtype=int),
        np.array([g.days for g in groups], dtype=int),
        np.array([g.surprise for g in groups], dtype=float), np.array(why, dtype=object),
    )
