"""What the tests of commands share."""

from __future__ import annotations

import pytest

from ecotone import cli


@pytest.fixture
def call(capsys):
    """Run a command that must end well; what it printed."""

    def run(*words: str) -> str:
        code = cli.run([str(w) for w in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run
