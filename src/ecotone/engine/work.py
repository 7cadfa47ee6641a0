"""A model as the work on shards, and the manifest of what it makes. D embedding dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone.backends.fingerprint import fingerprints
from ecotone.engine.runners import Engine, cores
from ecotone.engine.shards import FORMAT, ShardWork

GRAPHS = (".onnx", ".tflite")  # models that take the option `threads`


@dataclass(frozen=True)
class Spec:
    """A model as `backends.open_backend` takes it, and opened."""

    model: str
    classes: str | None
    options: Mapping[str, Any]
    backend: Any


def manifest_of(name: str, spec: Spec, scores: bool, embeddings: bool) -> dict[str, Any]:
    """What the manifest of an output says of the results in it."""
    from ecotone.backends.base import backend_info

    found = fingerprints(spec.backend)
    wanted = {"scores": scores, "embeddings": embeddings}
    return {
        "format": FORMAT, "model": name, "backend": backend_info(spec.backend),
        "fingerprints": {kind: found[kind] for kind, want in wanted.items() if want},
        "classes": [str(c) for c in spec.backend.classes] if scores else [],
        "dimension": int(getattr(spec.backend, "dimension", 0) or 0) if embeddings else 0,
        "complete": bool(getattr(spec.backend, "complete", True)),
    }


def work_of(
    spec: Spec, manifest: Mapping[str, Any], output: str, engine: Engine, batch_size: int | None,
    threads: int,
) -> ShardWork:
    """The work on a shard. Processes that share a machine take one core each, unless the model's
    option `threads` says otherwise."""
    kinds, options = manifest["fingerprints"], dict(spec.options)
    if not engine.here:
        threads = threads or max(1, cores() // max(1, engine.workers or cores()))
        if str(spec.model).lower().endswith(GRAPHS):
            options.setdefault("threads", threads)
    return ShardWork(
        output, str(Path(spec.model).resolve()) if Path(spec.model).is_file() else spec.model,
        spec.classes and str(Path(spec.classes).resolve()), options, "scores" in kinds,
        "embeddings" in kinds, dict(kinds), batch_size, threads,
        backend=spec.backend if engine.here else None,
    )


def salt_of(manifest: Mapping[str, Any]) -> str:
    """What the names of shards depend on beside their jobs."""
    return json.dumps(manifest["fingerprints"], sort_keys=True)


__all__ = ["Spec", "manifest_of", "salt_of", "work_of"]
