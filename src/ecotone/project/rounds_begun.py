"""What a command of rounds began from, so that one that was killed goes on from there.

A round changes what the next one would learn from: its network goes into the fusion. So the fusion
that a round learns from, and the network that this took, are written down before its first
training; the same command reads them again for as long as nothing else in the project has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ecotone.errors import ProjectError
from ecotone.project.networks import CURRENT, FOLDER, FOLDS, MODEL
from ecotone.project.records import LATEST, read_record
from ecotone.project.status import state_of

NOTE = "rounds"  # in the catalogue: the newest command of rounds
LEFT_OUT = ("folder", "model", "rounds")  # of a TrainResult: known from its name


def command_key(how: Any, name: str, rounds: int, folds: int, seed: int) -> str:
    """A hash of what a command of rounds was asked for. how: `HowToTrain`."""
    text = json.dumps([how.start, how.made().as_dict(), name, rounds, folds, seed],
                      sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def begin(project: Any, key: str, results: Sequence[Any] = (), made: Any = None,
          done: bool = False) -> dict[str, Any]:
    """Write down that the next round of a command starts from the project as it is now.

    results: of its rounds so far; made: the `TrainResult` of the last; done: there is no next one.
    """
    about = {} if made is None else {k: v for k, v in asdict(made).items() if k not in LEFT_OUT}
    found = {
        "key": key, "run": read_record(project)["run"], "inputs": _inputs(project),
        "current": project.catalog.note(CURRENT) or {}, "results": [asdict(r) for r in results],
        "made": about, "done": done,
    }
    project.catalog.set_note(NOTE, found)
    return found


def begun(project: Any, key: str) -> dict[str, Any] | None:
    """What `begin` wrote for the same command, None where it is of another one, or where labels,
    detections, scores or embeddings have changed since."""
    found = project.catalog.note(NOTE) or {}
    if found.get("key") != key or found["inputs"] != _inputs(project):
        return None
    if found["done"]:
        return found if _stands(project, found) else None
    from ecotone.store.vectors import read_posteriors

    try:
        read_record(project, found["run"])
        read_posteriors(project.catalog, project.vectors, f"{found['run']}-fused")
    except ProjectError:  # gone, or damaged: there is nothing to go on from
        return None
    return found


def _inputs(project: Any) -> dict[str, Any]:
    """What a fusion without networks depends on."""
    state = state_of(project)
    for kind in ("scores", "embeddings"):
        state[kind] = {name: n for name, n in state[kind].items() if not name.endswith(FOLDS)}
    return state


def _stands(project: Any, found: dict[str, Any]) -> bool:
    """Whether all that a finished command made is there, and is the newest."""
    current = project.catalog.note(CURRENT) or {}
    return ((project.catalog.note(LATEST) or {}).get("run") == found["run"]
            and current == found["current"]
            and (not current or (project.path / current["folds"]).is_file())
            and (project.models / FOLDER / found["made"]["name"] / MODEL).is_file())


def trained_before(project: Any, found: dict[str, Any]) -> Any:
    """The `TrainResult` of a finished command, without its rounds."""
    from ecotone.project.network_training import TrainResult

    about = found["made"]
    folder = project.models / FOLDER / about["name"]
    return TrainResult(folder=folder, model=folder / MODEL, **{
        **about, "classes": tuple(about["classes"]), "notes": [*about["notes"], (
            "these rounds are finished, and nothing has changed since: nothing was trained; for "
            "more of them give --name another name")]})


__all__ = ["begin", "begun", "command_key", "trained_before"]
