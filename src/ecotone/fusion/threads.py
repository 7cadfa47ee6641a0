"""Many small matrix products: one BLAS thread each, several products side by side.

Several BLAS threads in one small product wait for each other, and on a busy machine cost many
times what they bring.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


def one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """A function that runs with one BLAS thread; the setting before is put back after it."""

    @functools.wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


def side_by_side(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """`function` of every item, in order, on as many threads as there are processors."""
    with ThreadPoolExecutor(max(1, min(len(items), os.cpu_count() or 1))) as pool:
        return list(pool.map(function, items))
