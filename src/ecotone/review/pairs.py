"""Pairs of pictures that may show one individual, for a person to look at side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecotone.project.pair_words import PairWords, pair_words
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


def said(view: View) -> dict[tuple[str, str], PairWords]:
    """What people say of pairs, by the two ids in order. Hold the view's lock."""
    newest = view.connection.execute("SELECT coalesce(max(n), 0) FROM pair_decision").fetchone()
    mark = decisions.last_decision(view.connection), newest[0]
    if view.orders.get("words", (None,))[0] != mark:
        view.orders["words"] = mark, pair_words(view.connection)
    return view.orders["words"][1]


def is_open(words: PairWords | None) -> bool:
    """Whether a pair is to be looked at: nobody has decided it, or people disagree."""
    return words is None or bool(words.others)


def left(view: View) -> int:
    """Pairs that are to be looked at."""
    known = said(view)
    return sum(is_open(known.get(_key(q.a, q.b))) for q in pairs(view))


def listing(view: View, skip: int, n: int, decided: bool = False) -> dict[str, Any]:
    """Pairs as the page reads them: open ones, those that people disagree on last, or those that
    are decided. `mark` is for `changed`. Hold the view's lock."""
    known = said(view)
    wanted = [q for q in pairs(view) if is_open(known.get(_key(q.a, q.b))) != decided]
    wanted.sort(key=lambda q: _key(q.a, q.b) in known)
    return {"total": len(wanted), "mark": decisions.last_decision(view.connection),
            "pairs": [_told(view, q, known) for q in wanted[skip : skip + n]]}


def changed(view: View, mark: int) -> dict[str, Any]:
    """The pairs that people spoke of after a decision, with what is said of them now. Hold the
    view's lock."""
    fresh = decisions.decisions_after(view.connection, mark)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for d in fresh:
        about = decisions.read_decision(view.connection, d.target) if d.target else d
        if about is not None and about.kind == "match":
            a, b = about.content["first"], about.content["second"]
            found[a, b] = word(view, a, b)
    return {"mark": fresh[-1].n if fresh else mark, "pairs": list(found.values())}


def word(view: View, a: str, b: str) -> dict[str, Any]:
    """What is said of one pair, as the page reads it. Hold the view's lock."""
    first, second = _key(a, b)
    return {"first": first, "second": second, "said": _words(said(view).get((first, second)))}


def _key(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _told(view: View, pair: Pair, known: dict[tuple[str, str], PairWords]) -> dict[str, Any]:
    return {
        "a": cards.card(view, view.table.row_of[pair.a]),
        "b": cards.card(view, view.table.row_of[pair.b]),
        "individual": pair.individual, "p": round(pair.probability, 4),
        "said": _words(known.get(_key(pair.a, pair.b))),
    }


def _words(words: PairWords | None) -> dict[str, Any] | None:
    if words is None:
        return None
    return {**vars(words.counts), "others": [vars(w) for w in words.others]}
