"""Rows of Camtrap DP made to fit the standard, each in itself; nothing that a cell said is lost.

What a column does not allow goes to the tags (deployments, observations) or comments (media) as
`column:value`. A row that fits is not touched, and mending a second time changes nothing.
"""

from __future__ import annotations

from datetime import tzinfo

from ecotone.ingest.camtrapdp_cells import (
    BLANK_WORDS,
    BOX,
    MEDIATYPE,
    NOTES,
    REQUIRED,
    RULES,
    TABLES,
    TIMES,
    fits_path,
    mediatype_of,
    mend_box,
    mend_path,
)
from ecotone.ingest.camtrapdp_log import Log
from ecotone.ingest.camtrapdp_times import fits_time, mend_time
from ecotone.ingest.tables import key
from ecotone.study import Row

PARTED = " | "
KEPT = "not allowed there, kept in "
DERIVED = ("observationType", "observationLevel")  # the rest of the row tells these


class Mender:
    """Mends the rows of one of the three tables in place and tells a log.

    zone: of times that come without one.
    """

    def __init__(self, table: str, zone: tzinfo | None = None) -> None:
        self.table, self.columns, self._zone = table, TABLES[table], zone
        self._rules = tuple((c, r.fits, r) for c, r in RULES[table].items())
        self._times = tuple(TIMES[table].items())
        self._whole = {"media": self._medium, "observations": self._observation}.get(table)

    def mend(self, row: Row, log: Log, file: str, line: int) -> None:
        """Mends one row; `file` and `line` say where it stands."""
        for column, fits, _ in self._rules:
            if row[column] and not fits(row[column]):
                self._cell(row, column, log, file, line)
        for column, late in self._times:
            if row[column] and not fits_time(row[column]):
                self._time(row, column, late, log, file, line)
        if self._whole is not None:
            self._whole(row, log, file, line)

    def _cell(self, row: Row, column: str, log: Log, file: str, line: int) -> None:
        was = row[column]
        mended = self._rules_of(column).mend(was) if was.strip() else ("", "only blanks")
        if mended is not None:
            row[column] = mended[0]
            log.repair(self.table, f"{column}: {mended[1]}", file, line, was, mended[0])
        elif column in REQUIRED[self.table] and column not in DERIVED:
            says = self._rules_of(column).says
            log.problem(self.table, f"{column} is not {says}", file, line, was)
        else:
            self._keep(row, column, was)
            row[column] = ""
            where = NOTES[self.table]
            log.repair(self.table, f"{column}: {KEPT}{where}", file, line, was, "")

    def _rules_of(self, column: str):
        return RULES[self.table][column]

    def _time(self, row: Row, column: str, late: bool, log: Log, file: str, line: int) -> None:
        was = row[column]
        if not was.strip():
            row[column] = ""
            log.repair(self.table, f"{column}: only blanks", file, line, was, "")
            return
        row[column], done = mend_time(was, self._zone, late)
        if done == "spelling":
            log.repair(self.table, f"{column}: time written otherwise", file, line, was,
                       row[column])
        elif done == "zone":
            log.repair(self.table, f"{column}: time given the stated zone", file, line, was,
                       row[column])
        elif done == "naive":
            log.problem(self.table, f"{column} has no time zone; say which one the clocks had, "
                        "such as Europe/Brussels or +02:00", file, line, was)
        else:
            log.problem(self.table, f"{column} is no time such as 2020-05-30T04:57:37+02:00",
                        file, line, was)

    def _keep(self, row: Row, column: str, value: str) -> None:
        note = f"{column}:{' '.join(value.split()).replace('|', '/')}"
        where = NOTES[self.table]
        row[where] = add_tag(row[where], note)

    def _medium(self, row: Row, log: Log, file: str, line: int) -> None:
        path = row["filePath"]
        if path and not fits_path(path) or "\\" in path:
            row["filePath"] = mend_path(path)
            if row["filePath"] != path:
                log.repair("media", "filePath written with other slashes or a dot before it", file,
                           line, path, row["filePath"])
        kind = row["fileMediatype"]
        if not MEDIATYPE.fullmatch(kind):
            found = mediatype_of(row["fileName"], row["filePath"], f".{kind}")
            if found:
                row["fileMediatype"] = found
                log.repair("media", "fileMediatype by the ending of the file", file, line, kind,
                           found)
            else:
                log.problem("media", "fileMediatype is not one such as image/jpeg, and the file's "
                            "ending does not tell it", file, line, kind)

    def _observation(self, row: Row, log: Log, file: str, line: int) -> None:
        if not row["observationType"]:
            said = has_tag(row["observationTags"], "observationType")
            row["observationType"] = "animal" if row["scientificName"] else (
                "unknown" if said else "unclassified"
            )
            log.repair("observations", "observationType was not given", file, line, "",
                       row["observationType"])
        if row["observationType"] == "blank" and row["scientificName"]:
            self._blank(row, log, file, line)
        self._level(row, log, file, line)
        x, y, width, height = box = tuple(row[c] for c in BOX)
        if x or y or width or height:
            self._box(row, box, log, file, line)

    def _level(self, row: Row, log: Log, file: str, line: int) -> None:
        level, medium = row["observationLevel"], row["mediaID"]
        if not level:
            row["observationLevel"] = level = "media" if medium else "event"
            log.repair("observations", "observationLevel was not given", file, line, "", level)
        if level == "event" and medium:
            row["mediaID"] = ""
            self._keep(row, "mediaID", medium)
            log.repair("observations", "observation of an event that names a medium: mediaID kept "
                       "in observationTags", file, line, medium, "")
        elif level == "media" and not medium and row["eventID"] and not has_tag(
            row["observationTags"], "mediaID"
        ):
            row["observationLevel"] = "event"
            log.repair("observations", "observation of a medium that names an event alone",
                       file, line, "media", "event")

    def _blank(self, row: Row, log: Log, file: str, line: int) -> None:
        name = row["scientificName"]
        row["scientificName"] = ""
        if key(name) not in BLANK_WORDS:
            self._keep(row, "scientificName", name)
        log.repair("observations", "blank with a scientificName, which is kept in observationTags",
                   file, line, name, "")

    def _box(
        self, row: Row, box: tuple[str, str, str, str], log: Log, file: str, line: int
    ) -> None:
        now, done = mend_box(box)
        if now is None:
            self._keep(row, "bbox", " ".join(c or "-" for c in box))
            done = f"{done}: kept in observationTags"
        if done:
            row.update(zip(BOX, now or ("", "", "", ""), strict=True))
            log.repair("observations", done, file, line, " ".join(box), " ".join(now or ()))


def add_tag(tags: str, tag: str) -> str:
    """Tags with one more, parted as the standard says; a tag that is there is not added again.

    >>> add_tag("travelDirection:left", "label:fox")
    'travelDirection:left | label:fox'
    """
    if tag in (t.strip() for t in tags.split("|")):
        return tags
    return f"{tags}{PARTED}{tag}" if tags.strip() else tag


def has_tag(tags: str, name: str) -> str:
    """The value of the tag `name:value`, "" when there is none."""
    for tag in tags.split("|") if f"{name}:" in tags else ():
        if tag.strip().startswith(f"{name}:"):
            return tag.strip()[len(name) + 1 :].strip()
    return ""


__all__ = ["Mender", "add_tag", "has_tag"]
