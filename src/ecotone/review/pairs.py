"""Pairs of pictures that may show one individual, for a person to look at side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecotone.project.deciding import UNSURE
from ecotone.review import cards
from ecotone.review.view import View
from ecotone.store import decisions
from ecotone.store import individuals as store

CANDIDATES = 3  # of each animal that are asked about


@dataclass(frozen=True)
class Pair:
    """a: a detection; b: the most similar picture of `individual`, with its probability."""

    a: str
    b: str
    individual: str
    probability: float


def pairs(view: View) -> list[Pair]:
    """The pairs of the newest run that counts, the least certain first, each once. Hold the view's
    lock."""
    runs = [r for r in store.read_runs(view.connection) if not r.undone]
    key = f"pairs {runs[-1].run}" if runs else "pairs"
    if key not in view.orders:
        view.orders[key] = _read(view, runs[-1].run) if runs else []
    return view.orders[key]


def _read(view: View, run: str) -> list[Pair]:
    table = store.read_rows(view.connection, run)
    found: dict[tuple[str, str], Pair] = {}
    for row, a in enumerate(table.detection_id.tolist()):
        for individual, p, b in table.best(row)[:CANDIDATES]:
            known = a in view.table.row_of and b in view.table.row_of
            if known and a != b:
                found.setdefault((min(a, b), max(a, b)), Pair(a, b, individual, p))
    return sorted(found.values(), key=lambda q: (abs(q.probability - 0.5), q.a, q.b))


def said(view: View) -> dict[tuple[str, str], store.PairDecision]:
    """What people decided of pairs, by the two ids in order."""
    out = {}
    for d in decisions.standing(view.connection, "match"):
        pair = d.content["first"], d.content["second"]
        out.pop(pair, None)
        if d.content["said"] == UNSURE:
            out[pair] = store.PairDecision(*pair, UNSURE, d.author, "review", d.created)
    return out | {(d.first, d.second): d for d in store.read_decisions(view.connection)}


def left(view: View) -> int:
    """Pairs that nobody has decided."""
    known = said(view)
    return sum(1 for q in pairs(view) if (min(q.a, q.b), max(q.a, q.b)) not in known)


def listing(view: View, skip: int, n: int, decided: bool = False) -> dict[str, Any]:
    """Pairs as the page reads them: open ones, or those that people decided. Hold the view's
    lock."""
    known = said(view)
    wanted = [q for q in pairs(view) if ((min(q.a, q.b), max(q.a, q.b)) in known) == decided]
    return {"total": len(wanted),
            "pairs": [_told(view, q, known) for q in wanted[skip : skip + n]]}


def _told(view: View, pair: Pair, known: dict[tuple[str, str], Any]) -> dict[str, Any]:
    word = known.get((min(pair.a, pair.b), max(pair.a, pair.b)))
    return {
        "a": cards.card(view, view.table.row_of[pair.a]),
        "b": cards.card(view, view.table.row_of[pair.b]),
        "individual": pair.individual, "p": round(pair.probability, 4),
        "said": None if word is None else {"decision": word.decision, "author": word.author,
                                           "created": word.created},
    }
