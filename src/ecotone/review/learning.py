"""Learning as people work: a fusion in the background, how good it is, and what more labels bring.

The fusion is the command itself in a process of low priority: the page stays quick, the write lock
is the command's, and a stopped page leaves nothing half done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ecotone.errors import EcotoneError
from ecotone.project.records import LATEST
from ecotone.review.view import View

EVERY = 25  # new labels after which it learns again
MORE = 50  # labels whose gain is foretold
WAIT = 2.0  # seconds between two looks
AGAIN = 60.0  # seconds before a failed fusion is tried again
NICE = 15


class Learner:
    """Runs `ecotone fuse` when enough was labelled. every: new labels; 0 = only when asked."""

    def __init__(self, view: View, every: int = EVERY) -> None:
        self.view, self.every = view, every
        self.state, self.message, self.started = "idle", "", 0.0
        self.gain: dict[str, Any] | None = None
        self._foretold = -1
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._process: subprocess.Popen | None = None
        self._failed_at = 0.0
        self._thread = threading.Thread(target=self._loop, daemon=True, name="ecotone-learner")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, and a fusion that runs with it: it leaves the newest finished one in place."""
        self._stop.set()
        self._asked.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def ask(self) -> None:
        """Learn now, however few labels are new."""
        self._failed_at = 0.0
        self._asked.set()

    def _loop(self) -> None:
        while not self._stop.is_set():
            asked = self._asked.wait(WAIT)
            if self._stop.is_set():
                return
            self._asked.clear()
            due = self.every and new_labels(self.view) >= self.every
            rested = time.monotonic() - self._failed_at > AGAIN or not self._failed_at
            if asked or (due and rested):
                self._fuse()
            self.view.sync()
            self._foretell()

    def _fuse(self) -> None:
        self.state, self.message, self.started = "running", "", time.monotonic()
        command = [sys.executable, "-m", "ecotone", "fuse", "--project",
                   str(self.view.project.path), "--json"]
        try:
            self._process = low_priority(command)
            _, err = self._process.communicate()
        except OSError as error:
            self._failed(f"cannot be started ({error.strerror})")
            return
        if self._process.returncode == 0:
            self.state, self._failed_at = "idle", 0.0
        elif not self._stop.is_set():
            lines = err.strip().splitlines() or ["stopped"]
            self._failed(lines[-1].removeprefix("ecotone: "))

    def _foretell(self) -> None:
        if self._foretold != self.view.epoch:
            self.gain, self._foretold = foretell(self.view, history(self.view)), self.view.epoch

    def _failed(self, message: str) -> None:
        self.state, self.message, self._failed_at = "failed", message, time.monotonic()

    def status(self) -> dict[str, Any]:
        """What the page shows of the learning."""
        return {
            "state": self.state, "message": self.message, "every": self.every,
            "new": new_labels(self.view), "gain": self.gain,
            "seconds": round(time.monotonic() - self.started) if self.state == "running" else 0,
        }


def low_priority(command: list[str]) -> subprocess.Popen:
    """Start a command so that it leaves the processor to whoever else wants it."""
    flags = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    # The package that serves the page is the one that fuses, installed or not.
    source = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (source, os.environ.get("PYTHONPATH", "")) if p)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", creationflags=flags, env={**os.environ, "PYTHONPATH": path},
    )
    if hasattr(os, "setpriority"):
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
    return process


def new_labels(view: View) -> int:
    """Decisions on labels since the newest fusion began to read, counting those taken back."""
    with view.lock:
        latest = view.catalog.note(LATEST) or {}
        known = latest.get("state", {})
        counts = view.connection.execute(
            "SELECT (SELECT count(*) FROM label WHERE decision = 0 OR decision NOT IN "
            "(SELECT target FROM undone))"
        ).fetchone()
    return abs(int(counts[0]) - int(known.get("labels", 0)))


def history(view: View) -> list[dict[str, Any]]:
    """Finished fusions, oldest first: labels they learned from, accuracy on held-out labels."""
    with view.lock:
        runs = view.catalog.runs()
    out = []
    for run in runs:
        scores, counts = run.summary.get("scores") or {}, run.summary.get("counts") or {}
        if run.command == "fuse" and run.status == "done" and "accuracy" in scores:
            out.append({
                "run": run.id, "finished": run.finished, "labels": int(counts["labelled"]),
                "accuracy": float(scores["accuracy"]),
                "per_class": float(scores.get("per_class_accuracy", scores["accuracy"])),
            })
    return out


def foretell(view: View, past: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the next labels are expected to bring, by the learning curve of `ecotone evaluate` where
    it is long enough, else by the fusions so far; None while neither can tell."""
    for source, points in (("evaluate", _evaluated(view)), ("fuse", _fused(past))):
        gain = _gain(points)
        if gain is not None:
            return {"more": gain.more, "gain": gain.gain, "low": gain.low, "high": gain.high,
                    "from": source}
    return None


def _gain(points: list[tuple[float, float]]) -> Any:
    if not points:
        return None
    from ecotone.labelling.gain import expected_gain  # loads much: not before the first cards

    return expected_gain([n for n, _ in points], [a for _, a in points], MORE)


def _fused(past: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(p["labels"], p["accuracy"]) for p in past if p["labels"] > 0]


def _evaluated(view: View) -> list[tuple[float, float]]:
    from ecotone.evaluation.baselines import PREFERRED
    from ecotone.project.evaluating import read_evaluation

    try:
        found = read_evaluation(view.project) or {}
    except EcotoneError:
        return []
    return [(row["n_labels"], row["accuracy"]) for row in found.get("summary", ())
            if row.get("method") == PREFERRED and row.get("accuracy") is not None]
