"""Counts of species by detection, event and site. Arrays in, arrays out.

N detections, K species, J sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

PEOPLE, MODEL, UNSURE = 0, 1, 2  # who says which species a detection is; unsure is not counted


@dataclass(frozen=True, eq=False)
class Tally:
    """people, model, unsure: (K,) int detections by who names them. events: (K,) int distinct
    events with a detection that counts. by_site: (K, J) int the events at each site."""

    people: np.ndarray
    model: np.ndarray
    unsure: np.ndarray
    events: np.ndarray
    by_site: np.ndarray

    @property
    def detections(self) -> np.ndarray:
        """(K,) int detections that count."""
        return self.people + self.model

    @property
    def sites(self) -> np.ndarray:
        """(K,) int sites at which each species was seen."""
        return (self.by_site > 0).sum(axis=1)


def tally(
    species: np.ndarray, who: np.ndarray, event: np.ndarray, site: np.ndarray, k: int, j: int
) -> Tally:
    """Count. species: (N,) int 0..k-1, -1 for what is no species. who: (N,) PEOPLE, MODEL or
    UNSURE. event: (N,) int. site: (N,) int 0..j-1, -1 for none.

    Raises InputError when lengths differ.
    """
    if len({len(species), len(who), len(event), len(site)}) != 1:
        raise InputError(
            f"tally: species, who, event and site have {len(species)}, {len(who)}, {len(event)} "
            f"and {len(site)} rows; expected arrays of one length."
        )
    named = species >= 0
    people, model, unsure = (
        np.bincount(species[named & (who == w)], minlength=k) for w in (PEOPLE, MODEL, UNSURE))
    kept = first_of_event(species, who, event)
    events = np.bincount(species[kept], minlength=k)
    placed = kept[site[kept] >= 0]
    cells = np.bincount(species[placed] * max(j, 1) + site[placed], minlength=k * max(j, 1))
    return Tally(people, model, unsure, events, cells.reshape(k, max(j, 1))[:, :j])


def first_of_event(species: np.ndarray, who: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Rows of the first detection that counts of each species in each event."""
    rows = np.flatnonzero((species >= 0) & (who != UNSURE))
    if not len(rows):
        return rows
    key = event[rows].astype(np.int64) * (int(species.max()) + 1) + species[rows]
    return rows[np.sort(np.unique(key, return_index=True)[1])]


def accumulation(seen: np.ndarray) -> np.ndarray:
    """Species expected at 1..J sites drawn at random, (J,) float. seen: (K, J) bool.

    Source: Colwell, Mao and Chang 2004, Ecology 85, equation 5 (sample-based rarefaction).
    """
    from scipy.special import gammaln

    sites = seen.sum(axis=1)
    sites, j = sites[sites > 0].astype(float), seen.shape[1]
    drawn = np.arange(1, j + 1, dtype=float)
    missing = j - sites[:, None] - drawn  # what C(j - s, h) needs to be at least 0
    safe = np.maximum(missing, 0)
    log = (gammaln(j - sites[:, None] + 1) - gammaln(safe + 1)
           - gammaln(j + 1) + gammaln(j - drawn + 1))
    return (1.0 - np.where(missing >= 0, np.exp(log), 0.0)).sum(axis=0)


def chao2(seen: np.ndarray) -> float:
    """A lower bound of how many species there are, seen or not, from (K, J) bool.

    Source: Chao 1987, Biometrics 43, bias-corrected form.
    """
    sites, j = seen.sum(axis=1), seen.shape[1]
    once, twice = float((sites == 1).sum()), float((sites == 2).sum())
    return float((sites > 0).sum()) + (j - 1) / max(j, 1) * once * (once - 1) / (2 * (twice + 1))
