"""schemathesis against the running application: its checks find nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("schemathesis")
TOKEN = "a-token-of-a-test"


def check(address: str, tmp_path: Path, examples: int, *more: str,
          seconds: float = 300) -> None:
    """Run the command of schemathesis with its defaults: all checks, valid and invalid data."""
    words = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json",
             "-n", str(examples), "--seed", "7", "--no-color", *more]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=seconds,
                          env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout


def test_schemathesis_finds_nothing(live_server, tmp_path):
    check(live_server(), tmp_path, 50)


@pytest.mark.thorough
def test_schemathesis_finds_nothing_in_many_examples(live_server, tmp_path):
    check(live_server(), tmp_path, 1000, seconds=1800)


def test_schemathesis_finds_nothing_where_a_token_is_needed(live_server, tmp_path):
    address = live_server("--token", TOKEN)
    check(address, tmp_path, 20, "-H", f"Authorization: Bearer {TOKEN}")


def test_the_check_can_fail(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(AssertionError):
        check(nobody, tmp_path, 1)
