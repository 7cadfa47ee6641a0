"""Models that look at pictures: classifiers (scores) and encoders (embeddings)."""

from ecotone.backends.base import (
    Classifier,
    Encoder,
    Outputs,
    backend_info,
    model_name,
    open_backend,
    run_backend,
)

__all__ = [
    "Classifier",
    "Encoder",
    "Outputs",
    "backend_info",
    "model_name",
    "open_backend",
    "run_backend",
]
