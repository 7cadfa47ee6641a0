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

from ecotone.project.records import LATEST
from ecotone.review.view import View

EVERY = 25  # new labels after which it learns again
MORE = 50  # questions that are chosen, and labels whose gain is foretold
WAIT = 2.0  # seconds between two looks
AGAIN = 60.0  # seconds before a failed fusion is tried again
NICE = 15


class Learner:
    """Runs `ecotone fuse`, then `ecotone suggest`, when enough was labelled. every: new labels;
    0 = only when asked."""

    def __init__(self, view: View, every: int = EVERY) -> None:
        self.view, self.every = view, every
        self.state, self.message, self.started = "idle", "", 0.0
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._process: subprocess.Popen | None = None
        self._failed_at = 0.0
        self._thread = threading.Thread(target=self._loop, daemon=True, name="ecotone-learner")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, and a command that runs with it: it leaves what was finished in place."""
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
            rested = time.monotonic() - self._failed_at > AGAIN or not self._failed_at
            if asked or (self.every and rested and new_labels(self.view) >= self.every):
                if self._run("fuse"):
                    self._run("suggest", "-n", str(MORE))
            elif self.every and rested and wants_questions(self.view):
                self._run("suggest", "-n", str(MORE))
            self.view.sync()

    def _run(self, name: str, *options: str) -> bool:
        """Run a command of ecotone to its end; whether it did its work."""
        self.state, self.message, self.started = "running", name, time.monotonic()
        command = [sys.executable, "-m", "ecotone", name, *options, "--project",
                   str(self.view.project.path), "--json"]
        try:
            self._process = low_priority(command)
            _, err = self._process.communicate()
        except OSError as error:
            return self._failed(f"cannot be started ({error.strerror})")
        if self._process.returncode == 0:
            self.state, self.message, self._failed_at = "idle", "", 0.0
            return True
        lines = err.strip().splitlines() or ["stopped"]
        return self._failed(lines[-1].removeprefix("ecotone: "))

    def _failed(self, message: str) -> bool:
        self.state, self.message, self._failed_at = "failed", message, time.monotonic()
        return False

    def status(self) -> dict[str, Any]:
        """What the page shows of the learning."""
        running = self.state == "running"
        return {
            "state": self.state, "message": self.message, "every": self.every,
            "new": new_labels(self.view),
            "seconds": round(time.monotonic() - self.started) if running else 0,
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


def wants_questions(view: View) -> bool:
    """Whether no question of `ecotone suggest` is open, and its pictures are ready for it."""
    from ecotone.store.vectors import embedding_models

    with view.lock:
        questions = view.catalog.newest_suggestions()
        tried = any(r.command == "suggest" and r.status == "done" for r in view.catalog.runs())
        return not len(questions) and not tried and bool(embedding_models(view.catalog))


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


def foretold(view: View) -> dict[str, Any]:
    """What more labels are expected to bring, by the newest `ecotone suggest`: `gain` with its
    interval, and `why` in words where it is from, or why nobody can tell."""
    with view.lock:
        runs = view.catalog.runs()
    asked = [r for r in runs if r.command == "suggest" and r.status == "done"]
    found = asked[-1].summary if asked else {}
    return {**(found.get("gain") or {"gain": None}), "why": found.get("gain_from", "")}
