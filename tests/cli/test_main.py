"""Errors, exit codes, speed and the help of every command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from ecotone import cli
from ecotone.errors import BackendError, InputError, MissingExtraError, ProjectError, TaxonomyError


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the command line, as the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = list(commands(cli.cli))


def failing(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("status", callback=callback)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(words, capsys):
    assert cli.run([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example:" in text
    example = text[text.index("Example:"):]
    assert "ecotone " + " ".join(words) in example
    assert "  " + text.splitlines()[0].replace("Usage: ", "").split(" [")[0] in example


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_short_list_and_the_help_agree_on_the_commands(words):
    assert words[0] in cli.COMMANDS


@pytest.mark.parametrize(("error", "code"), [
    (InputError("labels.csv, row 3: no such column"), 2),
    (TaxonomyError("a cycle"), 2),
    (BackendError("model.onnx: broken"), 1),
    (MissingExtraError("timm", "timm"), 1),
    (ProjectError("locked"), 1),
    (KeyboardInterrupt(), 130),
    (OSError(28, "No space left on device", "out.csv"), 1),
    (MemoryError(), 1),
    (ZeroDivisionError("x"), 1),
])
def test_an_error_is_one_line_and_a_code(error, code, capsys, monkeypatch):
    monkeypatch.delenv("ECOTONE_DEBUG", raising=False)
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing(error))
    assert cli.run(["status"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ecotone: ") and err.count("\n") == 1
    assert "Traceback" not in err


def test_an_interrupted_command_says_how_to_go_on(capsys, monkeypatch):
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing(KeyboardInterrupt()))
    cli.run(["status"])
    assert "run again to continue" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ["frobnicate"], ["fuse", "--colour"], ["add", "images"], ["add", "labels", "missing.csv"],
    ["predict", "."], ["export", "xlsx", "-o", "x"], ["evaluate", "--counts", "few"],
    ["status"], ["status", "--project", "nowhere"], ["embed", "--batch-size", "0"],
])
def test_a_users_mistake_is_code_two_and_one_line(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    assert cli.run(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("ecotone: ") and err.count("\n") == 1


def test_debug_shows_where_an_unexpected_error_is(monkeypatch):
    monkeypatch.setenv("ECOTONE_DEBUG", "1")
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.run(["status"])


@pytest.mark.skipif(sys.platform == "win32", reason="tells no processor time of children")
@pytest.mark.parametrize("words", [(), *{m: (name,) for name, (m, _) in
                                         reversed(cli.COMMANDS.items())}.values()], ids=" ".join)
def test_help_is_fast(words):
    """Of a command of every module. In seconds of the processor: what else the machine does plays
    no part."""
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "ecotone", *words, "--help"], check=True,
                       stdout=subprocess.DEVNULL)
        seconds = sum(os.times()[2:4]) - sum(before[2:4])
        if seconds < 0.3:
            return
    raise AssertionError(f"{seconds:.2f} s of the processor, the fastest of five")


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    code = "from ecotone.cli import run; import sys; sys.exit(run(['--help']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_an_interrupt_inside_exec_ends_with_130_too(tmp_path):
    """Python marks such an interrupt, and `python -m` would then end by signal."""
    (tmp_path / "interrupted.py").write_text(
        "import click\nfrom ecotone import cli\n"
        "def callback():\n    exec('raise KeyboardInterrupt')\n"
        "cli.LazyGroup.get_command = lambda *_: click.Command('status', callback=callback)\n"
        "cli.main(['status'])\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 130 and done.stderr.count(b"\n") == 1
