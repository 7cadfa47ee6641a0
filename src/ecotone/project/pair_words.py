"""What people say of a pair of detections: the word that counts, and those that differ from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ecotone.store import decisions as rows
from ecotone.store.individuals import OPEN

SOURCE = "review"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Word:
    """One person's newest word on a pair. number: of the decision at a page, 0 for an import."""

    number: int
    decision: str
    author: str
    created: str


@dataclass(frozen=True)
class PairWords:
    """The word that counts, the newest, and the words of others who say something else."""

    counts: Word
    others: tuple[Word, ...] = ()


def pair_words(connection: Any, only: Pair | None = None) -> dict[Pair, PairWords]:
    """The pairs that people spoke of, by their ids in order; `only` one of them.

    What was taken back does not speak. An import that opens a pair again takes back what was said
    of it before.
    """
    by_pair: dict[Pair, dict[str, Word]] = {}
    for pair, word in sorted(_said(connection, only), key=lambda w: (w[1].created, w[1].number)):
        people = by_pair.setdefault(pair, {})
        people.pop(word.author, None)
        if word.decision == OPEN:
            people.clear()
        else:
            people[word.author] = word
    out = {}
    for pair, people in by_pair.items():
        if people:
            counts = list(people.values())[-1]
            others = (w for w in people.values() if w.decision != counts.decision)
            out[pair] = PairWords(counts, tuple(others))
    return out


def _said(connection: Any, only: Pair | None) -> Iterable[tuple[Pair, Word]]:
    for d in rows.standing(connection, "match"):
        pair = d.content["first"], d.content["second"]
        if only in (None, pair):
            yield pair, Word(d.n, d.content["said"], d.author, d.created)
    where, values = ("", ()) if only is None else (" AND first = ? AND second = ?", only)
    for first, second, word, author, source, created in connection.execute(
        f"""SELECT first, second, decision, author, source, created FROM pair_decision
            WHERE source != ?{where} ORDER BY n""", (SOURCE, *values)
    ):
        yield (first, second), Word(0, word, author or PurePath(source).name, created)
