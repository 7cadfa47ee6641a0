"""What matching and heads are given, checked once. N rows, D embedding dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecotone.errors import InputError

CHUNK = 4096
TINY = 1e-12  # a shorter row has no direction


def check_matrix(values: object, what: str, dimensions: int | None = None) -> np.ndarray:
    """A float array (N, D) as it is (a memory map stays one); integers become float32.

    Only the shape is checked, so that nothing is read. Raises InputError.
    """
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.ndim == 1 and array.size == 0:
        array = np.empty((0, dimensions or 0), dtype=np.float32)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{what}: expected numbers of shape (N, D), one row a picture, found shape "
            f"{array.shape} of {array.dtype}."
        )
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    if dimensions is not None and len(array) and array.shape[1] != dimensions:
        raise InputError(
            f"{what}: {array.shape[1]} dimensions, expected {dimensions}; embed all pictures with "
            "one model."
        )
    return array


def unit_block(
    values: np.ndarray, what: str, numbers: int | np.ndarray = 0
) -> np.ndarray:
    """A float32 copy of rows (n, D), scaled to length 1.

    numbers: of the rows (n,), or of the first of them, for the message.

    Raises InputError for NaN, infinity and rows of zeros, which have no direction.
    """
    block = np.array(values, dtype=np.float32, order="C", copy=True)
    square = np.einsum("ij,ij->i", block, block)
    if not (np.isfinite(square) & (square > TINY**2)).all():
        # Very long and very short rows overflow single precision, and are fine in double.
        exact = np.einsum("ij,ij->i", values, values, dtype=np.float64)
        bad = ~(np.isfinite(exact) & (exact > TINY**2))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            found = "all zeros" if np.isfinite(exact[row]) else "NaN or infinity"
            number = numbers + row if isinstance(numbers, int) else numbers[row]
            raise InputError(
                f"{what}: row {number} is {found}; leave out pictures without an embedding."
            )
        return (values / np.sqrt(exact)[:, None]).astype(np.float32)
    block /= np.sqrt(square)[:, None]
    return block


def unit_matrix(values: object, what: str, dimensions: int | None = None) -> np.ndarray:
    """Unit rows (N, D) float32 of embeddings. Raises InputError as `unit_block` does."""
    array = check_matrix(values, what, dimensions)
    out = np.empty(array.shape, dtype=np.float32)
    for start in range(0, len(array), CHUNK):
        out[start : start + CHUNK] = unit_block(array[start : start + CHUNK], what, start)
    return out


def check_names(
    names: Sequence[object] | np.ndarray | None, n: int, what: str
) -> np.ndarray | None:
    """Names (n,) as str; a missing one (None, NaN or blank) is "". None stays None."""
    if names is None:
        return None
    if isinstance(names, str) or len(names) != n:
        raise InputError(f"{what}: {len(names)} values, expected {n}, one a picture.")
    return np.array(["" if _missing(v) else str(v).strip() for v in names], dtype=object)


def check_individuals(names: Sequence[object] | np.ndarray, n: int) -> np.ndarray:
    """Individuals (n,) as str. Raises InputError for a row without one."""
    found = check_names(names, n, "individuals")
    if found is None:
        raise InputError("individuals: None, expected one name a picture.")
    if (found == "").any():
        row = int(np.flatnonzero(found == "")[0])
        raise InputError(
            f"individuals: row {row} has none; leave out pictures of unknown individuals."
        )
    return found


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


__all__ = ["check_individuals", "check_matrix", "check_names", "unit_block", "unit_matrix"]
