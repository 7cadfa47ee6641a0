"""The exception tree. A message says what was found, where, what was expected, and how to mend it.

    EcotoneError
    ├── InputError            an argument or a file's content is wrong (shape, value, label)
    │   └── FormatError       a file is not in the format it should be (file, row, field)
    ├── TaxonomyError         a tree with a cycle, an orphan, or a name that cannot be placed
    ├── MediaError            one picture cannot be read; collected per file, never ends a run
    ├── BackendError          a model cannot be loaded or run
    │   └── MissingExtraError an optional package is not installed
    └── ProjectError          the project is missing, broken, locked, or lacks what a step needs
"""

from __future__ import annotations


class EcotoneError(Exception):
    """Base of every error that ecotone raises on purpose; the command line prints its message."""


class InputError(EcotoneError, ValueError):
    """An argument or a value in a user's file is wrong."""


class FormatError(InputError):
    """A file is not in the format it should be."""


class TaxonomyError(EcotoneError, ValueError):
    """A taxonomy that is not a tree, or a name that cannot be placed in it."""


class MediaError(EcotoneError):
    """One picture cannot be read."""


class BackendError(EcotoneError):
    """A model cannot be loaded or run."""


class MissingExtraError(BackendError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an optional package: pip install "ecotone[{extra}]"')


class ProjectError(EcotoneError):
    """The project folder is missing, broken, locked, or lacks what a step needs."""
