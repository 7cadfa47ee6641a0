"""What the commands share: their common options, finding the project, printing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecotone.config import FILE_NAME
from ecotone.errors import InputError

if TYPE_CHECKING:
    from ecotone.project import Project

DEMO_FOLDER = "ecotone-demo"

project_option = click.option(
    "--project", "project", type=click.Path(path_type=Path), envvar="ECOTONE_PROJECT",
    help="The project folder; default: ECOTONE_PROJECT, else the one here, above or just below.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print figures as json.")

DEVICE = ("What runs the model: cpu, cuda, cuda:1, tensorrt, directml, coreml, openvino, rocm, "
          "migraphx; default: a graphics card where the installed packages can use one.")

engine_options = (
    click.option("--engine", type=click.Choice(["threads", "daft", "ray"]), default=None,
                 help="Where it runs: this process, processes of this machine, a Ray cluster; "
                      "default: from ecotone.toml, else threads."),
    click.option("--address", default=None,
                 help="Of the Ray cluster: auto, ray://head:10001; default: a local Ray."),
    click.option("--workers", type=click.IntRange(0, 100_000), default=None,
                 help="Processes of daft or ray; default: one a core."),
    click.option("--gpus", type=click.FloatRange(0), default=None,
                 help="GPUs of each worker, may be a fraction."),
)


def with_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose an engine."""
    for option in reversed(engine_options):
        command = option(command)
    return command


def engine_of(options: dict[str, Any]) -> Any:
    """The engine among a command's options (taken out of them); threads where none was given."""
    from ecotone.engine.runners import Engine

    name, address = options.pop("engine", None), options.pop("address", None) or ""
    return Engine(name or ("ray" if address else "threads"), options.pop("workers", None) or 0,
                  address, options.pop("gpus", None) or 0.0)


def in_file(**more: Any) -> click.Path:
    """An option type: a file that exists."""
    return click.Path(exists=True, dir_okay=False, path_type=Path, **more)


def in_folder() -> click.Path:
    """An option type: a folder that exists."""
    return click.Path(exists=True, file_okay=False, path_type=Path)


class _Place(click.Path):
    """A folder, a list of pictures, or a URL, which is not looked for here."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        from ecotone.ingest.remote import is_list
        from ecotone.media.location import is_url, location

        if is_url(value):
            return location(value)
        found = super().convert(location(value), param, ctx)
        if Path(found).is_file() and not is_list(found):
            self.fail(f"Directory {found!r} is a file; give a folder, a URL, or a list of pictures "
                      "(txt, csv, parquet).", param, ctx)
        return found


def in_place() -> click.Path:
    """An option type: a folder or a list of pictures that exists, or a URL; as a str."""
    return _Place(exists=True)


def check_model(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse a model file that is not there; names of models pass."""
    path = Path(value or "")
    if path.suffix.lower() in (".onnx", ".tflite") and not path.is_file():
        raise click.BadParameter(f"{value}: no such model file")
    return value


def example(*lines: str) -> str:
    """The epilog of a command: lines of example that click does not reflow."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def open_project(given: Path | None) -> Project:
    """The project that a command means.

    Looked for in this order: the --project given (or ECOTONE_PROJECT), this folder, the folders
    above it, the only project folder just below. Raises InputError when it cannot be told.
    """
    from ecotone.project import Project

    if given is not None:
        if not (given / FILE_NAME).is_file():
            raise InputError(f"{given}: no project here; make one with: ecotone init {given}")
        return Project(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return Project(folder)
    below = sorted(path.parent for path in here.glob(f"*/{FILE_NAME}"))
    # The demo's project is never meant unless it is the only one.
    chosen = [folder for folder in below if folder.name != DEMO_FOLDER] or below
    if len(chosen) == 1:
        return Project(chosen[0])
    if chosen:
        names = ", ".join(folder.name for folder in chosen)
        raise InputError(f"several projects here ({names}); say which: --project {chosen[0].name}")
    raise InputError("no project here; make one with: ecotone init my-reserve")


def read_names(path: Path) -> list[str]:
    """The names in a text file, one a line; empty lines are left out.

    Raises InputError when there is none.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise InputError(f"{path}: is empty; give one name a line.")
    return names


def show(value: Any, as_json: bool, lines: Callable[[], Iterable[str]]) -> None:
    """Print `value` as json, or the lines for people."""
    if as_json:
        click.echo(json.dumps(plain(value), indent=1, ensure_ascii=False))
        return
    for line in lines():
        click.echo(line)


def plain(value: Any) -> Any:
    """A value of dataclasses, paths, arrays and containers as what json can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    return value


def need_some(result: Any) -> None:
    """End with status 1 when all that was tried failed: nothing was done, now or before."""
    if result.failed and not result.done + result.skipped:
        raise click.exceptions.Exit(1)


def first_lines(problems: Iterable[str], most: int = 10) -> list[str]:
    """The first problems, indented, and how many more there are."""
    problems = list(problems)
    shown = [f"  {problem}" for problem in problems[:most]]
    if len(problems) > most:
        shown.append(f"  ... and {len(problems) - most} more (all of them with --json)")
    return shown
