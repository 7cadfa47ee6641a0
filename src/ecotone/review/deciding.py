"""From what the page sends to what is stored, and what pages are told of each other's work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecotone.project import deciding as store
from ecotone.project.deciding import Said
from ecotone.review import cards, pairs
from ecotone.review.learning import Learner
from ecotone.review.requests import Decide, Item
from ecotone.review.videos import frames_of_animal
from ecotone.review.view import View
from ecotone.store import decisions as rows
from ecotone.store.decisions import Decision
from ecotone.types import GlobalScores

if TYPE_CHECKING:
    from ecotone.review.app import Desk

MOST_TOLD = 400  # changed cards that are sent at once


def decide(desk: Desk, asked: Decide) -> dict[str, Any]:
    """Store one decision and say what changed; when this returns, it is on the disk.

    Raises ConflictError when others said something else meanwhile, InputError on what cannot be.
    """
    author = asked.author.strip()
    if asked.kind in ("undo", "redo"):
        return _turn(desk, asked, author)
    if asked.kind == "box":
        return _box(desk, asked, author)
    if asked.kind == "match":
        return _match(desk, asked, author)
    return _label(desk, asked, author)


def _match(desk: Desk, asked: Decide, author: str) -> dict[str, Any]:
    view = desk.view
    made = desk.together.store(lambda: store.match(
        view.catalog, asked.key, author, asked.id, asked.other, asked.word, asked.seen,
        asked.force))
    with view.lock:
        return {**_answer(view, made, author, []), "pair": _pair(view, made)}


def _pair(view: View, made: Decision) -> dict[str, Any]:
    return pairs.word(view, made.content["first"], made.content["second"])


def _label(desk: Desk, asked: Decide, author: str) -> dict[str, Any]:
    view, said = desk.view, [_said(desk, item) for item in asked.items]
    with view.lock:
        said = _with_frames(view, said)
    proposal, discovery = None, view.machines.discovery
    if asked.group and asked.queue == "clusters" and discovery:
        proposal = discovery, int(asked.group)
    made = desk.together.store(lambda: store.label(
        view.catalog, asked.key, author, said, asked.force, {"queue": asked.queue}, proposal))
    with view.lock:
        ids = view.touched(rows.media_of(view.connection, [made.n]))
        return _answer(view, made, author, ids)


def _said(desk: Desk, item: Item) -> Said:
    label = item.label.strip()
    scientific, vernacular = item.scientific.strip(), item.vernacular.strip()
    if item.special:
        label = desk.name_index().special(item.special)
        scientific = vernacular = ""
    return Said(item.id, label, scientific, vernacular, item.seen)


def _with_frames(view: View, said: list[Said]) -> list[Said]:
    """What is said of a frame counts for all frames of its video that show the same animal."""
    out: dict[str, Said] = {}
    for one in said:
        row = view.table.row_of.get(one.detection)
        rows, whole = ([], False) if row is None else frames_of_animal(view, row)
        if whole:
            medium = one.detection.rpartition(":")[0]
            if not any(o.whole and d.rpartition(":")[0] == medium for d, o in out.items()):
                out[one.detection] = replace(one, whole=True)
            continue
        out[one.detection] = one
        for other in rows:
            name = str(view.table.id[other])
            if len(out) < store.MOST:
                out.setdefault(name, replace(one, detection=name))
    return list(out.values())


def _box(desk: Desk, asked: Decide, author: str) -> dict[str, Any]:
    view = desk.view
    made, identity = desk.together.store(lambda: store.draw_box(
        view.catalog, asked.key, author, asked.id, asked.bbox, asked.add))
    with view.lock:
        ids = view.boxes_changed(rows.media_of(view.connection, [made.n]))
        return {**_answer(view, made, author, [asked.id, *ids]), "made": identity}


def _turn(desk: Desk, asked: Decide, author: str) -> dict[str, Any]:
    view = desk.view
    turn = store.undo if asked.kind == "undo" else store.redo
    found = desk.together.store(lambda: turn(view.catalog, asked.key, author))
    with view.lock:
        if found is None:
            return {**_answer(view, None, author, []), "nothing": True}
        made, target = found
        media = rows.media_of(view.connection, [target.n])
        ids = view.boxes_changed(media) if target.kind == "box" else view.touched(media)
        pair = {"pair": _pair(view, target)} if target.kind == "match" else {}
        return {**_answer(view, made, author, ids), "target": told(target), **pair}


def _answer(
    view: View, made: Decision | None, author: str, ids: list[str]
) -> dict[str, Any]:
    return {
        "stored": made is not None, "decision": None if made is None else told(made),
        "version": view.version, "cards": _cards(view, ids), **stacks(view, author),
    }


def stacks(view: View, author: str) -> dict[str, int]:
    """What undo and redo would take for an author, 0 for nothing."""
    with view.lock:
        return {"undo": rows.to_undo(view.connection, author),
                "redo": rows.to_redo(view.connection, author)}


def told(decision: Decision) -> dict[str, Any]:
    """A decision as the page reads it."""
    labels = decision.content.get("labels", {})
    names = sorted(set(labels.values()))
    if decision.kind == "match":
        labels = {decision.content["first"]: "", decision.content["second"]: ""}
    return {"n": decision.n, "kind": decision.kind, "author": decision.author,
            "created": decision.created, "names": names[:3], "detections": list(labels)[:50],
            "count": len(labels) or 1}


def changes(
    view: View, learner: Learner, version: int, epoch: int, author: str = "", mark: int = -1
) -> dict[str, Any]:
    """What others did since a version: cards that changed; `all` when the page should ask anew.
    mark: of the pairs that the page shows, -1 where it shows none."""
    view.sync()
    with view.lock:
        ids = view.changed_since(version)
        known = ids is not None and epoch == view.epoch and len(ids) <= MOST_TOLD
        return {
            "version": view.version, "epoch": view.epoch, "all": not known,
            "cards": _cards(view, sorted(ids)) if known and ids else [],
            "learning": learner.status(), "machines": view.machines_read,
            **stacks(view, author),
            **({"matches": pairs.changed(view, mark)} if mark >= 0 else {}),
        }


def _cards(view: View, ids: list[str]) -> list[dict[str, Any]]:
    found = (view.table.row_of.get(i) for i in dict.fromkeys(ids[:MOST_TOLD]))
    return [cards.card(view, r) for r in found if r is not None]


def score_classes(view: View) -> dict[str, GlobalScores]:
    """Global models' class lists without any row: what a taxonomy can be made from."""
    from scipy import sparse

    from ecotone.store import shards

    return {
        s.name: GlobalScores(sparse.csr_matrix((0, len(s.classes))), s.classes)
        for s in shards.sets(view.catalog, "scores") if s.classes
    }
