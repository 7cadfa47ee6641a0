"""What is wrong with a project, one line each: where, what, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

DAMAGED, MISSING, CHANGED, LOST = "damaged", "missing", "changed", "lost"
LEFT_OVER, UNFINISHED, BUSY, OLDER = "left over", "unfinished", "busy", "older"
HARMLESS = (LEFT_OVER, UNFINISHED, BUSY, OLDER)
REPAIR = "ecotone repair"


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be.

    kind: DAMAGED, MISSING, CHANGED or LOST, or one of HARMLESS. part: "catalogue", "journal",
    "vectors", "records", "models", "media", "sources" or "project". where: the file. mend: the
    command, or what to do.
    """

    kind: str
    part: str
    where: str
    what: str
    mend: str = REPAIR

    @property
    def harmless(self) -> bool:
        """Whether nothing is wrong with what the project holds."""
        return self.kind in HARMLESS

    def line(self) -> str:
        """The problem for people."""
        return f"{self.where}: {self.kind}: {self.what}; {self.mend}"
