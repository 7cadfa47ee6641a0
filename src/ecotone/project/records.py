"""Run records: one json file a run, with all that the report shows and a rerun needs."""

from __future__ import annotations

import errno
import json
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ecotone
from ecotone.errors import ProjectError
from ecotone.store.checksums import text_sum

if TYPE_CHECKING:
    from ecotone.project.gathering import Gathered

CHECKSUM = "checksum"  # of a record, in the record
REPORTED = "reported"  # the note that names the fusion which the report shows
LATEST = "latest_fuse"  # the note in the catalogue that names the newest finished fusion


@contextmanager
def recorded_run(
    catalog: Any, command: str, settings: dict[str, Any], seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A run in the catalogue around a block: its id, and a summary to be filled.

    It ends as "done", "failed" or "interrupted"; one that is killed stays "running".
    """
    run, summary = catalog.start_run(command, settings, seed), {}
    try:
        yield run, summary
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        catalog.finish_run(run, status, {"error": str(error)})
        raise
    catalog.finish_run(run, "done", summary)


def make_record(
    run: str, gathered: Gathered, classifier: Any, settings: dict[str, Any], seed: int,
    label_weight: np.ndarray | None = None,
) -> dict[str, Any]:
    """The run record: what the report shows and what makes the run repeatable.

    label_weight: (L,) of the labelled rows; `scores` are weighted by it, `scores_unweighted` not.
    """
    labelled = np.array([label is not None for label in gathered.labels])
    selection = classifier.selection_
    local = classifier.preferred_ == "local"
    oof = np.asarray(selection.held_local if local else selection.held_proba, dtype=np.float64)
    folded = np.isfinite(oof).all(axis=1)
    held, oof = selection.labelled[folded], oof[folded]
    mapping = {name: _mapping(m) for name, m in classifier.mappings_.items()}
    fitted = np.isin(np.flatnonzero(labelled), selection.labelled)
    weight = None if label_weight is None else label_weight[fitted][folded]
    return {
        "run": run, "command": "fuse", "seed": seed, "settings": settings,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions(),
        "counts": {
            "detections": len(gathered), "labelled": int(labelled.sum()),
            "fitted_labels": len(selection.labelled),
            "groups": len(set(gathered.groups)), "dimension": gathered.embeddings.shape[1],
            "global_classes": {n: len(s.classes) for n, s in gathered.scores.items()},
        },
        "classes": [str(c) for c in classifier.classes_],
        "label_counts": dict(Counter(gathered.labels[labelled].tolist())),
        "embedding_model": gathered.embedding_model,
        "score_models": list(gathered.scores),
        "preferred": str(classifier.preferred_),
        "selection": {
            "table": [_plain(row) for row in selection.table], "chosen": str(selection.chosen),
        },
        "mapping": mapping,
        "out_of_fold": {
            "ids": gathered.detections.id[held].tolist(),
            "labels": gathered.labels[held].tolist(),
            "proba": np.round(oof, 5).tolist(),
            "weight": None if weight is None else np.round(weight, 5).tolist(),
        },
        "scores": held_scores(gathered.labels[held], oof, classifier.classes_, weight),
        "scores_unweighted": {} if weight is None else held_scores(
            gathered.labels[held], oof, classifier.classes_
        ),
        "unresolved": list(dict.fromkeys(note for m in mapping.values() for note in m["notes"])),
    }


def _mapping(mapping: Any) -> dict[str, Any]:
    local = [str(c) for c in mapping.local_classes]
    return {
        "kind": dict(zip(local, (str(k) for k in mapping.kind), strict=True)),
        "notes": [str(n) for n in mapping.notes],
        "explain": {
            c: [[str(g), round(float(w), 5)] for g, w in mapping.explain(c, top=8)] for c in local
        },
    }


def held_scores(
    labels: np.ndarray, proba: np.ndarray, classes: Sequence[str],
    weight: np.ndarray | None = None,
) -> dict[str, float]:
    """Figures of held-out posteriors (L, K) of labelled rows, {} without any."""
    if not len(labels):
        return {}
    from ecotone.evaluation import metrics

    column = {str(c): k for k, c in enumerate(classes)}
    return metrics.measure(np.array([column[label] for label in labels]), proba, weight)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}


def versions() -> dict[str, str]:
    """Versions of ecotone, Python and the libraries that figures depend on."""
    from importlib import metadata

    names = ("numpy", "scipy", "scikit-learn", "pillow", "onnxruntime")
    found = {"ecotone": ecotone.__version__, "python": platform.python_version()}
    return {**found, **{name: metadata.version(name) for name in names}}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write json so that a reader sees the old file or the whole new one; with its checksum.

    Raises ProjectError when the disk refuses; then nothing has changed.
    """
    temporary = path.with_name(path.name + ".tmp")
    value = {k: v for k, v in value.items() if k != CHECKSUM}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as handle:
            json.dump({**value, CHECKSUM: _sum(value)}, handle, indent=1, ensure_ascii=False)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        mend = "free some space" if full else "make its folder one to write in, or take another,"
        raise ProjectError(
            f"{path}: cannot be written ({error.strerror or error}); {mend} and run again."
        ) from error


def _sum(value: dict[str, Any]) -> str:
    return text_sum(json.dumps(value, ensure_ascii=False))


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote.

    Raises ProjectError when the file is missing, no json, or not as it was written.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ProjectError(f"{path}: not valid json ({error})") from error
    if not isinstance(value, dict):
        raise ProjectError(f"{path}: not valid json (no object)")
    stated = value.pop(CHECKSUM, None)
    if stated is not None and stated != _sum(value):
        raise ProjectError(f"{path}: damaged (its bytes were changed)")
    return value


def read_record(project: Any, run: str = "latest") -> dict[str, Any]:
    """The record of a fusion run.

    Raises ProjectError when there is none, or its file is missing or broken.
    """
    if run == "latest":
        run = (project.catalog.note(LATEST) or {}).get("run", "")
        if not run:
            raise ProjectError("nothing fused yet; run: ecotone fuse")
    path = project.path / "runs" / f"{run}.json"
    if not path.is_file():
        raise ProjectError(f"{path}: no such run record; run: ecotone fuse")
    try:
        return read_json(path)
    except ProjectError as error:
        raise ProjectError(f"{error}; run: ecotone fuse") from error
