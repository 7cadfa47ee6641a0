"""What was mended in a data set and what could not be: one line a kind, counted."""

from __future__ import annotations

LONGEST = 60  # characters of a cell that a message shows


class Log:
    """Repairs and problems by kind, each with its number of rows and its first example.

    >>> log = Log()
    >>> log.repair("observations", "sex spelled otherwise", "observations.csv", 7, "F", "female")
    >>> log.repairs
    ('observations: 1 row: sex spelled otherwise (observations.csv, row 7: "F" to "female")',)
    """

    def __init__(self) -> None:
        self._repairs: dict[tuple[str, str], list] = {}
        self._problems: dict[tuple[str, str], list] = {}

    def repair(self, table: str, kind: str, file: str, line: int, was: str, now: str) -> None:
        """Counts one row of `table` that was mended: `kind` says how."""
        entry = self._repairs.setdefault((table, kind), [0, file, line, was, now])
        entry[0] += 1

    def problem(self, table: str, kind: str, file: str, line: int, was: str = "") -> None:
        """Counts one row of `table` that could not be mended: `kind` says what to do."""
        entry = self._problems.setdefault((table, kind), [0, file, line, was, None])
        entry[0] += 1

    def note(self, line: str, problem: bool = False) -> None:
        """A repair, or a problem, of a whole table or package."""
        (self._problems if problem else self._repairs).setdefault((line, ""), [0])

    @property
    def repairs(self) -> tuple[str, ...]:
        return tuple(_line(key, entry) for key, entry in self._repairs.items())

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(_line(key, entry) for key, entry in self._problems.items())


class Quiet(Log):
    """Hears nothing: for passes over rows that have been counted before."""

    def repair(self, *_: object) -> None:
        return

    def problem(self, *_: object) -> None:
        return


def _line(key: tuple[str, str], entry: list) -> str:
    table, kind = key
    if not kind:
        return table
    count, file, line, was, now = entry
    rows = "1 row" if count == 1 else f"{count:,} rows"
    example = f": {_shown(was)}" if was or now is not None else ""
    if now is not None:
        example += f" to {_shown(now)}"
    return f"{table}: {rows}: {kind} ({file}, row {line}{example})"


def _shown(cell: str) -> str:
    text = cell if len(cell) <= LONGEST else cell[: LONGEST - 3] + "..."
    return '"' + text.encode("unicode_escape").decode("ascii") + '"' if not text.isprintable() \
        else f'"{text}"'
