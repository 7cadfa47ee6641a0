"""From pairs to individuals: what a query's shortlist says about each known individual.

Q queries, k gallery pictures each, E entries (query, individual). An individual is as likely as its
most similar picture. Entries are flat arrays, by query, the likeliest first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Evidence:
    """query, individual (code), row (the gallery picture): (E,) int. log_ratio: (E,) float, of the
    same individual against another. start: (Q + 1,) bounds of each query's entries. individuals:
    (Q,) int, how many its gallery has."""

    query: np.ndarray
    individual: np.ndarray
    row: np.ndarray
    log_ratio: np.ndarray
    start: np.ndarray
    individuals: np.ndarray

    def __len__(self) -> int:
        return len(self.start) - 1

    def keep(self, entries: np.ndarray, individuals: np.ndarray | None = None) -> Evidence:
        """Only some entries, (E,) bool."""
        counts = np.bincount(self.query[entries], minlength=len(self))
        return replace(
            self, query=self.query[entries], individual=self.individual[entries],
            row=self.row[entries], log_ratio=self.log_ratio[entries],
            start=np.concatenate([[0], np.cumsum(counts)]),
            individuals=self.individuals if individuals is None else individuals)

    def summed(self, temper: float) -> np.ndarray:
        """(Q,) log of the mean over the individuals of exp(temper * log ratio), -inf for none:
        how much better the gallery explains a query than a stranger does."""
        out = np.full(len(self), -np.inf)
        some = np.flatnonzero(np.diff(self.start) > 0)
        if len(some):
            values = temper * self.log_ratio
            top = values[self.start[some]]
            scaled = np.exp(values - np.repeat(top, np.diff(self.start)[some]))
            total = np.add.reduceat(scaled, self.start[some])
            out[some] = top + np.log(total) - np.log(self.individuals[some])
        return out

    def share(self, temper: float) -> np.ndarray:
        """(E,) P(this individual | one of the gallery)."""
        values = temper * self.log_ratio
        counts = np.diff(self.start)
        top = np.repeat(values[self.start[:-1][counts > 0]], counts[counts > 0])
        scaled = np.exp(values - top)
        total = np.bincount(self.query, scaled, len(self))
        return scaled / np.maximum(total[self.query], 1e-300)


def individual_evidence(
    index: np.ndarray, log_ratio: np.ndarray, codes: np.ndarray, individuals: np.ndarray
) -> Evidence:
    """Evidence from shortlists: index (Q, k) gallery rows, -1 = none; log_ratio (Q, k), NaN = none;
    codes (M,) individual of each gallery row; individuals (Q,)."""
    queries, k = index.shape
    query = np.repeat(np.arange(queries), k)
    row, value = index.ravel(), log_ratio.ravel()
    real = (row >= 0) & ~np.isnan(value)
    query, row, value = query[real], row[real], value[real]
    person = codes[row]
    order = np.lexsort((row, -value, person, query))
    query, row, value, person = query[order], row[order], value[order], person[order]
    first = np.ones(len(query), dtype=bool)
    first[1:] = (query[1:] != query[:-1]) | (person[1:] != person[:-1])
    query, row, value, person = query[first], row[first], value[first], person[first]
    order = np.lexsort((person, -value, query))
    counts = np.bincount(query, minlength=queries)
    return Evidence(query[order], person[order], row[order], value[order],
                    np.concatenate([[0], np.cumsum(counts)]), np.asarray(individuals))


@dataclass(frozen=True, eq=False)
class Pooled:
    """What is said of each unit (an encounter, or a picture alone), V units, E entries.

    individual, row: (E,) int; probability: (E,) float, the likeliest first. start: (V + 1,). new:
    (V,) P(none of them).
    """

    individual: np.ndarray
    row: np.ndarray
    probability: np.ndarray
    start: np.ndarray
    new: np.ndarray

    def __len__(self) -> int:
        return len(self.new)

    @property
    def best(self) -> np.ndarray:
        """(V,) highest probability of an individual, 0 without any."""
        out = np.zeros(len(self))
        some = np.diff(self.start) > 0
        out[some] = self.probability[self.start[:-1][some]]
        return out

    @property
    def first(self) -> np.ndarray:
        """(V,) code of the likeliest individual, -1 without any."""
        out = np.full(len(self), -1, dtype=np.int64)
        some = np.diff(self.start) > 0
        out[some] = self.individual[self.start[:-1][some]]
        return out


def pool(evidence: Evidence, known: np.ndarray, share: np.ndarray, unit: np.ndarray) -> Pooled:
    """The mean over the pictures of each unit. known: (Q,) P(known). share: (E,) of `share`. unit:
    (Q,) int, 0..V-1. row: the gallery picture of the entry that says most."""
    units = int(unit.max(initial=-1)) + 1
    size = np.bincount(unit, minlength=units)
    value = share * known[evidence.query]
    where, who = unit[evidence.query], evidence.individual
    order = np.lexsort((evidence.row, -value, who, where))
    where, who, value = where[order], who[order], value[order]
    row = evidence.row[order]
    first = np.ones(len(where), dtype=bool)
    first[1:] = (where[1:] != where[:-1]) | (who[1:] != who[:-1])
    total = np.bincount(np.cumsum(first) - 1, value, int(first.sum())) if len(value) else value
    where, who, row = where[first], who[first], row[first]
    p = total / np.maximum(size[where], 1)
    order = np.lexsort((who, -p, where))
    start = np.concatenate([[0], np.cumsum(np.bincount(where, minlength=units))])
    new = 1.0 - np.bincount(unit, known, units) / np.maximum(size, 1)
    return Pooled(who[order], row[order], p[order], start, np.clip(new, 0.0, 1.0))
