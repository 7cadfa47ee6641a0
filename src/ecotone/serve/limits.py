"""What a server takes: how many, how large, how long."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ecotone.errors import InputError

MAX_BOXES = 50  # of one picture
NAMED = {"queue": "--queue", "batch_size": "--batch-size", "max_bytes": "--max-bytes",
         "max_pixels": "--max-pixels", "max_pictures": "--max-pictures", "threads": "--threads",
         "timeout": "--timeout", "grace": "--grace"}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """The limits of one server.

    queue: pictures (or boxes of them) that are read, waiting or at work at once. batch_size: of the
    model's batches. max_bytes: of one request's body. max_pixels: of one picture, by its header.
    max_pictures: of one request. threads: that decode, 0 = one a core. timeout: seconds for
    one request, its sending included. stall: seconds without a byte of a body. coalesce: seconds
    that a picture waits for others to share its batch, at most. grace: seconds to finish in when
    stopped. pause: seconds after a failure of the model until it is tried again.
    """

    queue: int = 64
    batch_size: int = 32
    max_bytes: int = 32 * 2**20
    max_pixels: int = 100_000_000
    max_pictures: int = 32
    threads: int = 0
    timeout: float = 60.0
    stall: float = 10.0
    coalesce: float = 0.02
    grace: float = 30.0
    pause: float = 5.0

    def __post_init__(self) -> None:
        for name, option in NAMED.items():
            least = 0 if name in ("threads", "grace") else 1
            if not getattr(self, name) >= least:
                raise InputError(f"{option} {getattr(self, name)}: expected at least {least}.")
        if self.max_pictures > self.queue:
            raise InputError(
                f"--max-pictures {self.max_pictures} does not fit into --queue {self.queue}: a "
                "full batch could never be taken."
            )

    @property
    def max_boxes(self) -> int:
        """Boxes of one picture, at most."""
        return min(MAX_BOXES, self.queue)

    @property
    def decoders(self) -> int:
        """Threads that decode."""
        return self.threads or os.cpu_count() or 1
