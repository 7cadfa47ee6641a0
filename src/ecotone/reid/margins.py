"""The angular margin of each individual: the fewer pictures, the wider.

    t_c = n_c^(-1/4),    m_c = (t_c - min t) / (max t - min t) (high - low) + low

Source: Ha et al. 2020, arXiv:2010.05350 (dynamic margins, third place of Google Landmark
Recognition 2020); Otarashvili et al. 2024, arXiv:2412.05602, MiewID (the range).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecotone.errors import InputError

LOW, HIGH = 0.2, 0.32841  # radians: the production setting of MiewID


def dynamic_margins(
    counts: Sequence[int] | np.ndarray, low: float = LOW, high: float = HIGH
) -> np.ndarray:
    """Margins (C,) float64 in radians for C individuals with `counts` (C,) training pictures.

    The individual with most pictures has `low`, the one with fewest `high`. Where all counts are
    equal no individual is rare, and all have `low`. No counts give no margins.
    Raises InputError for counts that are not whole numbers from 1, and for low > high.
    """
    given = np.asarray(counts)
    if given.size == 0:
        given = given.astype(np.int64).reshape(-1)
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        raise InputError(
            f"counts: expected one number an individual, found shape {given.shape} of "
            f"{given.dtype}."
        )
    bad = ~((given >= 1) & (given == np.floor(given)) & np.isfinite(given))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"counts: individual {row} has {given[row]} pictures; give whole numbers from 1 and "
            "leave out individuals without a picture."
        )
    if not (np.isfinite(low) and np.isfinite(high) and 0.0 <= low <= high < np.pi / 2):
        raise InputError(f"margins from {low} to {high}: give 0 <= low <= high < pi / 2 (radians).")
    rarity = given.astype(np.float64) ** -0.25
    if not given.size or rarity.max() == rarity.min():
        return np.full(given.shape, float(low))
    return (rarity - rarity.min()) / (rarity.max() - rarity.min()) * (high - low) + low
