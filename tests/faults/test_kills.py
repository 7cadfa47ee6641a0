"""SIGKILL at 120 moments in every long command: nothing stored is lost, and the same command, run
again, ends where an undisturbed one ends. Not in the usual suite: `pytest -m kills tests/faults`.

Half of the moments are drawn uniformly over the time that the command takes, half are its own steps
towards the disk (fsync, rename, commit ...), just before or just after one.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ecotone import cli
from ecotone.project import Project
from tests.faults.killing import CHILD, STAGES, Stage, contents, make_inputs, words_of

pytestmark = [
    pytest.mark.kills, pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows"),
]
SEED = int(os.environ.get("ECOTONE_KILLS_SEED", "0"))


class Way:
    """A project after each command, undisturbed: made as far as it is asked for."""

    def __init__(self, home: Path) -> None:
        self.home = home
        make_inputs(home)
        Project.init(home / "stage0").close()
        (home / "out0").mkdir()
        self.reached = 0
        self.seconds: dict[int, float] = {}
        self.steps: dict[int, int] = {}

    def before(self, n: int) -> Path:
        """The project before the n-th command."""
        while self.reached < n:
            self._go_on()
        return self.home / f"stage{n}"

    def _go_on(self) -> None:
        n = self.reached
        folder, out = self.copy(n, self.home / f"stage{n + 1}", self.home / f"out{n + 1}")
        count = self.home / "count"
        started = time.monotonic()
        done = start(STAGES[n].typed(self.home, folder, out), 0, count).wait()
        self.seconds[n] = time.monotonic() - started
        assert done == 0, STAGES[n]
        self.steps[n] = int(count.read_text())
        self.reached += 1

    def copy(self, n: int, folder: Path, out: Path) -> tuple[Path, Path]:
        """A copy of the project before the n-th command."""
        for target, source in ((folder, self.home / f"stage{n}"), (out, self.home / f"out{n}")):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, symlinks=True)
        return folder, out


def start(words: list[str], point: int, count: Path) -> subprocess.Popen:
    """A command that kills itself at its n-th step, 0 for never."""
    return subprocess.Popen([sys.executable, "-c", CHILD, str(point), str(count), *words],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return Way(tmp_path_factory.mktemp("way"))


@pytest.fixture
def model(way: Way, onnx_model: Path) -> None:
    for name in ("model.onnx", "model.json", "classes.txt"):
        shutil.copy(onnx_model.with_name(name), way.home / name)


@pytest.mark.parametrize("n", range(len(STAGES)), ids=[s.name.replace(" ", "-") for s in STAGES])
def test_killed_at_any_moment(way: Way, model: None, n: int, tmp_path: Path,
                              capfd: pytest.CaptureFixture) -> None:
    stage = STAGES[n]
    way.before(n + 1)
    expected = contents(way.home / f"stage{n + 1}", way.home / f"out{n + 1}")
    rng = random.Random(f"{SEED} {stage.name}")
    killed = 0
    for kill in range(3 * stage.kills):
        if killed == stage.kills:
            break
        folder, out = way.copy(n, tmp_path / "p", tmp_path / "out")
        hit = _kill(way, stage, n, folder, out, rng, by_time=kill % 2 == 0)
        killed += hit
        if not hit and kill % 2 == 0:  # the first run, which was timed, was slower
            way.seconds[n] *= 0.8
            continue
        _look(stage, folder, words_of(way.home / f"stage{n}"))
        code = cli.run(stage.typed(way.home, folder, out))
        said = capfd.readouterr()
        assert code == 0, f"{stage.name}, kill {kill}: {said.err}"
        assert contents(folder, out) == expected, f"{stage.name}, kill {kill}"
        assert not [p for p in Project(folder).check().notes if p.kind == "unfinished"]
    with capfd.disabled():
        assert killed == stage.kills
        print(f"\n{stage.name}: killed {killed} times before its end, "
              f"{way.steps[n] // 2} steps, {way.seconds[n]:.1f} s")


def _kill(way: Way, stage: Stage, n: int, folder: Path, out: Path, rng: random.Random,
          by_time: bool) -> int:
    """Start the command and kill it; whether it was still running."""
    words = stage.typed(way.home, folder, out)
    count = way.home / "count"
    if not by_time and way.steps[n]:
        return int(start(words, rng.randint(1, way.steps[n]), count).wait() < 0)
    process = start(words, 0, count)
    time.sleep(rng.uniform(0.3, 1.0) * way.seconds[n])
    process.kill()
    return int(process.wait() < 0)


def _look(stage: Stage, folder: Path, before: set[tuple]) -> None:
    """After a kill the project is whole, and no word of people is gone."""
    report = Project(folder).check()
    assert report.whole, f"{stage.name}: {report.lines()}"
    assert before <= words_of(folder)


def test_decisions_that_were_answered_survive(way: Way, model: None, tmp_path: Path) -> None:
    """Decisions as the page of the review stores them, killed at random moments."""
    code = """
import sys
from ecotone.project import Project
from ecotone.project.deciding import Said, label
with Project(sys.argv[1]) as project:
    ids = project.catalog.detections().id
    for n in range(10**6):
        label(project.catalog, f"decision-{sys.argv[2]}-{n}", "Ann", [Said(ids[n % 9], f"a{n}")])
        print(n, flush=True)
"""
    way.before(3)
    folder, _ = way.copy(3, tmp_path / "p", tmp_path / "out")
    rng: Callable[[float, float], float] = random.Random(SEED).uniform
    for kill in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(kill)],
                                   stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng(0.05, 0.6))
        process.kill()
        answered = 1 + len(process.stdout.read().splitlines())
        process.wait()
        process.stdout.close()
        with Project(folder) as project:
            keys = {row[0] for row in project.catalog.connection.execute(
                "SELECT key FROM decision")}
        assert {f"decision-{kill}-{n}" for n in range(answered - 1)} <= keys
        assert Project(folder).check().whole
        # Even when the catalogue is lost now.
        lost = tmp_path / "lost"
        shutil.copytree(folder, lost)
        for path in lost.glob("catalog.sqlite*"):
            path.unlink()
        assert not Project(lost).repair().left
        with Project(lost) as project:
            kept = {row[0] for row in project.catalog.connection.execute(
                "SELECT key FROM decision")}
        assert {f"decision-{kill}-{n}" for n in range(answered - 1)} <= kept
        shutil.rmtree(lost)
