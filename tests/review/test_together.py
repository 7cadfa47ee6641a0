"""Decisions that wait together are written together, and each stands or falls alone."""

from __future__ import annotations

import threading

import pytest

from ecotone.errors import InputError
from ecotone.project.deciding import Said, label
from ecotone.review.together import Together
from ecotone.review.view import View


@pytest.fixture
def view(reserve):
    opened = View(reserve)
    opened.wait_for_machines()
    yield opened
    opened.close()


def test_those_who_wait_share_one_transaction_and_a_bad_one_harms_nobody(view):
    together, ids, said, failed = Together(view), view.table.id, [], []
    names = ["fox", "deer", "", "boar", "hare"]  # the third is no name

    def say(n):
        try:
            made = together.store(lambda: label(
                view.catalog, f"together-{n}", f"person {n}", [Said(ids[n], names[n])]))
            said.append(made.n)
        except InputError as error:
            failed.append((n, str(error)))

    writes: list[str] = []
    threads = [threading.Thread(target=say, args=(n,)) for n in range(5)]
    view.connection.set_trace_callback(
        lambda text: writes.append(text) if text == "BEGIN IMMEDIATE" else None)
    with view.lock:  # somebody reads: all five have to wait
        for thread in threads:
            thread.start()
        while len(together._waiting) < 5:
            pass
    for thread in threads:
        thread.join()
    view.connection.set_trace_callback(None)
    assert len(writes) == 1 and len(set(said)) == 4
    assert [n for n, _ in failed] == [2]
    stored = view.catalog.current_labels()
    assert stored == {ids[n]: names[n] for n in (0, 1, 3, 4)}


def test_when_the_disk_fails_nobody_is_told_that_it_is_stored(view, monkeypatch):
    together = Together(view)

    def full():
        raise OSError("no space left")

    monkeypatch.setattr(view.catalog, "transaction", full)
    with pytest.raises(OSError, match="no space"):
        together.store(lambda: 1)
    monkeypatch.undo()
    assert together.store(lambda: 1) == 1
