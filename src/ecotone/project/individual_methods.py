"""The methods of a project that are about individuals, each one short delegation."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any


class Individuals:
    """Who is it? The part of `Project` that tells animals apart."""

    def writing(self, command: str) -> AbstractContextManager[None]:
        """Hold the project's write lock; `Project` does."""
        raise NotImplementedError

    def train_individuals(self, network: str | None = None, **options: Any) -> Any:
        """A head, or a whole network, for the project's individuals; see
        `ecotone.project.individual_heads`."""
        from ecotone.project.individual_heads import train_head, train_network

        if network and os.environ.get("RANK", "0") != "0":  # torchrun's first process has the lock
            return train_network(self, network, **options)
        with self.writing("individuals train"):
            if network:
                return train_network(self, network, **options)
            return train_head(self, **options)

    def embed_individuals(self, model: str | None = None, **options: Any) -> Any:
        """Embeddings by a model or a trained head; see `ecotone.project.individual_heads`."""
        from ecotone.project.individual_heads import embed_individuals

        with self.writing("individuals embed"):
            return embed_individuals(self, model, **options)

    def match_individuals(self, **options: Any) -> Any:
        """Known, new, or cannot tell; see `ecotone.project.identifying.match_individuals`."""
        from ecotone.project.identifying import match_individuals

        with self.writing("individuals match"):
            return match_individuals(self, **options)

    def catalogue_individuals(self, **options: Any) -> Any:
        """Individuals from nothing; see `ecotone.project.identifying.catalogue_individuals`."""
        from ecotone.project.identifying import catalogue_individuals

        with self.writing("individuals catalogue"):
            return catalogue_individuals(self, **options)

    def evaluate_individuals(self, **options: Any) -> Any:
        """How good matching is here; see `ecotone.project.individual_evaluation`."""
        from ecotone.project.individual_evaluation import evaluate_individuals

        return evaluate_individuals(self, **options)

    def individuals(self) -> Any:
        """Who each animal is, by detection id; see `ecotone.project.individual_runs`."""
        from ecotone.project.individual_runs import Identifications

        return Identifications(self)

    def add_decisions(self, file: str | Path, author: str = "") -> Any:
        """Add people's word on pairs, same or different, from a csv; see
        `ecotone.project.individual_decisions`."""
        from ecotone.project.individual_decisions import add_decisions

        with self.writing("individuals decisions"):
            return add_decisions(self, Path(file), author)

    def undo_individuals(self, run: str | None = None) -> Any:
        """Take a match or catalogue back; see `ecotone.project.individual_runs.undo`."""
        from ecotone.project.individual_runs import undo

        with self.writing("individuals undo"):
            return undo(self, run)


__all__ = ["Individuals"]
