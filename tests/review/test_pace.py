"""People first: what waits for them, and for how long at most."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ecotone.review.machines import _surest
from ecotone.review.pace import Pace
from ecotone.review.server import listen


def waited(pace: Pace, most: float) -> float:
    started = time.monotonic()
    pace.rest(most)
    return time.monotonic() - started


def test_nobody_there_is_nothing_to_wait_for():
    assert waited(Pace(), 60) < 30


def test_work_waits_while_people_are_served_but_not_for_ever():
    pace = Pace()
    pace.enter()
    assert waited(pace, 0.2) >= 0.2
    threading.Timer(0.3, pace.leave).start()
    assert 0.3 <= waited(pace, 60) < 30
    pace.expect(0.2)
    assert 0.15 <= waited(pace, 60) < 30


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.1, 0.5, 0.9])] * 4), max_size=9))
def test_the_surest_entry_of_each_row(values):
    dense = np.array(values, dtype=np.float32).reshape(-1, 4)
    best, score = _surest(sparse.csr_matrix(dense))
    assert best.tolist() == [int(row.argmax()) for row in dense]
    assert score.tolist() == [row.max() for row in dense]


def test_answers_do_not_wait_for_acknowledgements():
    """asyncio turns TCP_NODELAY on only where the listening socket names its protocol."""
    with listen("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP
