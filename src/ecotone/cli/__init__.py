"""The command line: one short module a group of commands, loaded when its command is called."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import click

from ecotone import __version__
from ecotone.errors import EcotoneError, InputError, TaxonomyError

# command -> (module, one line for `ecotone --help`), in the order of the work
COMMANDS = {
    "demo": ("starting", "the whole job on a generated reserve, nothing to download"),
    "init": ("starting", "make a project folder"),
    "add": ("adding", "add images, labels, boxes, scores, a taxonomy, whole studies"),
    "fix-time": ("times", "correct wrong camera clocks and say time zones"),
    "events": ("times", "group pictures into events by a gap"),
    "detect": ("detecting", "find animals, people and vehicles: boxes by a detector"),
    "classify": ("models", "run a global model on the pictures"),
    "embed": ("models", "run an encoder on the pictures"),
    "attach": ("models", "use scores and embeddings in shards where they lie"),
    "fuse": ("fusing", "map, co-train, select: posteriors and a local model"),
    "train": ("training", "a network on the fused posteriors, in rounds; or on a csv of pictures"),
    "suggest": ("suggesting", "what to label next, or where a wanted species is"),
    "accept": ("accepting", "which detections need no eye, and how sure the rest is"),
    "discover": ("discovering", "what no label names: new classes, odd ones, repeated false boxes"),
    "refine": ("refining", "from animal to species: finer labels where the evidence carries them"),
    "review": ("reviewing", "look and decide in the browser; learns as you work"),
    "individuals": ("individuals", "who is it: known individuals, new ones, or cannot tell"),
    "evaluate": ("fusing", "learning curves on the project's own labels"),
    "report": ("results", "write the html report"),
    "export": ("results", "write tables, Camtrap DP, MegaDetector json and more"),
    "predict": ("predicting", "use a local model on new pictures, without a project"),
    "serve": ("serving", "a local model over HTTP, for other programs"),
    "run": ("starting", "all of it in one line"),
    "check": ("mending", "look whether the project is whole: damage, and how to mend it"),
    "repair": ("mending", "mend what check finds, and say what could not be saved"),
    "status": ("starting", "what the project holds and what to do next"),
}

FULL = (errno.ENOSPC, errno.EDQUOT)
EPILOG = """\b
Example:
  ecotone demo
  ecotone run PHOTOS --labels labels.csv --model model.onnx -o my-reserve
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that --help stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"ecotone.cli.{COMMANDS[name][0]}")
        return getattr(module, name.replace("-", "_"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="ecotone")
def cli() -> None:
    """Fuse a global wildlife model with a few local labels.

    Give pictures, a global model's scores and a few labels; get calibrated local probabilities for
    every picture, a local model to keep, and a report of what it gained.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 failure, 2 user's mistake, 130 interrupted."""
    if not os.environ.get("ECOTONE_DEBUG"):
        # Libraries warn their programmers; a user can do nothing about it.
        warnings.simplefilter("ignore")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        with cli.make_context("ecotone", words) as context:
            cli.invoke(context)
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "ecotone"
        return _fail(f"{error.format_message().rstrip('.')}; see: {where} --help", 2)
    except (KeyboardInterrupt, click.Abort):
        # Caught inside exec (as in dataclasses), the interrupt leaves a mark by which Python would
        # end itself by signal instead of our exit code; running any source takes the mark away.
        exec("")
        return _fail("stopped; run again to continue", 130)
    except (InputError, TaxonomyError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _fail(text, 2)
    except EcotoneError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("ECOTONE_DEBUG"):
            raise
        return _fail(f"{_describe(error)} (ECOTONE_DEBUG=1 shows where)", 1)


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        mend = "; free some space and run again" if error.errno in FULL else ""
        return (f"{error.filename}: {error.strerror}" if error.filename else error.strerror) + mend
    if type(error).__module__ == "sqlite3":
        return _describe_catalogue(str(error))
    if isinstance(error, MemoryError):
        return "out of memory; give smaller batches (--batch-size) or fewer pictures at once"
    if type(error).__name__ == "JSONDecodeError":
        return f"a json text of the project is damaged ({error}); see: ecotone check"
    return f"unexpected {type(error).__name__}: {error}"


def _describe_catalogue(text: str) -> str:
    """What an error of SQLite means; its module is not imported for it."""
    if "full" in text:
        return f"catalog.sqlite: no space left ({text}); free some space and run again"
    if "locked" in text or "busy" in text:
        return f"catalog.sqlite: another command is writing ({text}); wait for it and run again"
    if "readonly" in text or "read-only" in text:
        return f"catalog.sqlite: nothing can be written here ({text})"
    return f"catalog.sqlite: damaged ({text}); see: ecotone check, then: ecotone repair"


def _fail(message: str, code: int) -> int:
    click.echo("ecotone: " + " ".join(message.split()), err=True)
    return code
