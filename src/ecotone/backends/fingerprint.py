"""What decides a model's outputs, as hashes: results made in different ways must not mix."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ecotone.backends.base import backend_info


def fingerprints(backend: Any) -> dict[str, str]:
    """Hashes of all that decides a model's "scores" and its "embeddings": file and settings."""
    info = backend_info(backend)
    file = info.pop("file", "")
    model = hashlib.sha256()
    if file:
        info.pop("spec", None)  # a model that was only moved is the same model
        with Path(file).open("rb") as handle:
            while block := handle.read(1 << 20):
                model.update(block)
    own = {"scores": {k: info.pop(k, None) for k in ("output", "outputKnownBy", "texts")}}
    own["scores"]["classes"] = list(getattr(backend, "classes", None) or ())
    own["embeddings"] = {k: info.pop(k, None) for k in ("embedding", "dimension")}
    model.update(json.dumps(info, sort_keys=True).encode())
    found = {}
    for kind, settings in own.items():
        digest = model.copy()
        digest.update(json.dumps(settings, sort_keys=True).encode())
        found[kind] = digest.hexdigest()
    return found
