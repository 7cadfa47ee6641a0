"""How a model or a detector is found: by its file's ending, a known name, or an entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ecotone.errors import BackendError, InputError


@dataclass(frozen=True)
class Registry:
    """What opens models of one kind. group: the entry points of other packages. suffixes: of files,
    and built_in: of names, "module:function". kind, files: in words, for what is said of others."""

    group: str
    suffixes: Mapping[str, str]
    built_in: Mapping[str, str]
    kind: str
    files: str

    def find(self, spec: str) -> tuple[Callable[..., Any], str]:
        """What opens `spec`, and its argument: the file, or what stands behind a name and ":".

        Raises BackendError when the file is missing, InputError naming the nearest name.
        """
        suffix = Path(spec).suffix.lower()
        if suffix in self.suffixes:
            if not Path(spec).is_file():
                raise BackendError(f"{spec}: no such model file; check the path.")
            return _load(self.suffixes[suffix]), spec
        name, _, argument = spec.partition(":")
        if name in self.built_in:
            return _load(self.built_in[name]), argument
        plugins = {entry.name: entry for entry in entry_points(group=self.group)}
        if name in plugins:
            return plugins[name].load(), argument
        known = sorted({*self.built_in, *plugins})
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(known)}."
        if Path(spec).exists():
            hint = f"{self.files}."
        raise InputError(f"{spec!r} is neither {self.kind}; {hint}")


def _load(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
