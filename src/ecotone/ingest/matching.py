"""Find the picture that a table means, however its path was written.

Tried in this order: the exact absolute path; relative to the table's folder; relative to a root;
the longest common end of the path, when only one picture has it. Then all of it again without
regard to case.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ecotone.ingest.text import some

_DRIVE = re.compile(r"[A-Za-z]:/|/")


@dataclass(frozen=True)
class Matches:
    """Row of the medium for each text (-1 = none), and the texts that could not be placed."""

    rows: list[int]
    missing: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)

    def problems(self, where: str, rows: str = "rows") -> list[str]:
        """What to tell the user: how many `rows` of the file `where`, and the first names."""
        out = []
        if self.missing:
            advice = "" if any(r >= 0 for r in self.rows) else (
                "; add their folder first (ecotone add images), or mend the paths"
            )
            shown = some(list(dict.fromkeys(self.missing)))
            out.append(
                f"{where}: {len(self.missing):,} of {len(self.rows):,} {rows} name no picture of "
                f"the project: {shown}{advice}"
            )
        if self.ambiguous:
            shown = some(list(dict.fromkeys(self.ambiguous)))
            out.append(
                f"{where}: {len(self.ambiguous):,} of {len(self.rows):,} {rows} fit several "
                f"pictures: {shown}; write more of their folders"
            )
        return out


def normal(text: str) -> str:
    """A path with forward slashes, without quotes, "./", doubled slashes and "file://"."""
    path = unicodedata.normalize("NFC", text.strip().strip("\"'").replace("\\", "/"))
    if path.casefold().startswith("file://"):
        path = re.sub(r"^/(?=[A-Za-z]:/)", "", unquote(path[7:]))
    return posixpath.normpath(path) if path else ""


def is_absolute(path: str) -> bool:
    """Whether a normal path is absolute, on any system."""
    return bool(_DRIVE.match(path))


class MediaIndex:
    """Media by their paths: path (M,) absolute, file_path (M,) relative to their roots."""

    def __init__(self, path: Sequence[str], file_path: Sequence[str]) -> None:
        self._absolute = [normal(p) for p in path]
        self._relative = [normal(p) for p in file_path]
        self._exact = _Lookup(self._absolute, self._relative)
        self._folded: _Lookup | None = None

    def find(self, texts: Sequence[str], folder: Path | None = None) -> Matches:
        """The medium of each text; `folder` is where the table lies."""
        paths = [normal(t) for t in texts]
        base = normal(str(folder.resolve())) if folder else ""
        # A bare file name may stand for a picture in another folder only where no other row of the
        # table has the same name: cam2/IMG_1.JPG must not become the picture of cam1.
        spread: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            spread[posixpath.basename(path).casefold()].add(path.casefold())
        found: dict[str, int] = {}
        rows, missing, ambiguous = [], [], []
        for text, path in zip(texts, paths, strict=True):
            if path not in found:
                loose = len(spread[posixpath.basename(path).casefold()]) == 1
                found[path] = self._one(path, base, loose) if path else NONE
            row = found[path]
            rows.append(max(row, -1))
            if row == NONE:
                missing.append(text)
            elif row == SEVERAL:
                ambiguous.append(text)
        return Matches(rows, missing, ambiguous)

    def _one(self, path: str, base: str, loose: bool) -> int:
        row = self._exact.find(path, base, loose)
        if row != NONE:
            return row
        if self._folded is None:
            self._folded = _Lookup(
                [p.casefold() for p in self._absolute], [p.casefold() for p in self._relative]
            )
        return self._folded.find(path.casefold(), base.casefold(), loose)


NONE, SEVERAL = -1, -2
WHOLE = 10_000  # more folders than any path has


class _Lookup:
    def __init__(self, absolute: Sequence[str], relative: Sequence[str]) -> None:
        self.relative = [p.split("/") for p in relative]
        self.absolute = [p.split("/") for p in absolute]
        self.by_absolute = _several(absolute)
        self.by_relative = _several(relative)
        self.by_name = _several([parts[-1] for parts in self.absolute])
        # Camera files have few names: with its folder a name is nearly unique.
        self.by_folder = _several(["/".join(parts[-2:]) for parts in self.absolute])

    def find(self, path: str, base: str, loose: bool) -> int:
        """The row of a normal path, NONE or SEVERAL. loose: a file name alone is enough."""
        for lookup, key in (
            (self.by_absolute, path),
            (self.by_absolute, posixpath.normpath(f"{base}/{path}") if base else ""),
            (self.by_relative, path),
        ):
            rows = lookup.get(key, ()) if key else ()
            if len(rows) == 1:
                return rows[0]
        return self._by_end(path.split("/"), loose)

    def _by_end(self, parts: list[str], loose: bool) -> int:
        best: list[int] = []
        longest = 0
        rows = self.by_folder.get("/".join(parts[-2:])) if len(parts) > 1 else None
        for row in rows or self.by_name.get(parts[-1], ()):
            common = _common_end(parts, self.absolute[row])
            # Whole: all folders that the text names fit, or all that the project knows.
            if common >= len(parts) or common >= max(2, len(self.relative[row])):
                common += WHOLE
            if common > longest:
                best, longest = [row], common
            elif common == longest:
                best.append(row)
        if not best:
            return NONE
        if len(best) > 1:
            return SEVERAL
        return best[0] if loose or longest > WHOLE else NONE


def _several(keys: Sequence[str]) -> dict[str, list[int]]:
    out: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        out[key].append(row)
    return dict(out)


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for left, right in zip(reversed(a), reversed(b), strict=False):
        if left != right:
            break
        count += 1
    return count
