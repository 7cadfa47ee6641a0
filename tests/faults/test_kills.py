"""SIGKILL at 130 moments in every long command: nothing stored is lost, and the same command, run
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
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ecotone import cli
from ecotone.project import Project
from tests.faults.killing import CHILD, STAGES, Stage, contents, damage, make_inputs, words_of
from tests.review.test_killed import check, decide, serve

pytestmark = [
    pytest.mark.kills, pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows"),
]
SEED = int(os.environ.get("ECOTONE_KILLS_SEED", "0"))
REPAIRS, REVIEWS = 6, 6


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
        self.reached += 1
        if not STAGES[n].possible:
            return
        count = self.home / "count"
        started = time.monotonic()
        done = start(STAGES[n].typed(self.home, folder, out), 0, count).wait()
        self.seconds[n] = time.monotonic() - started
        assert done == 0, STAGES[n]
        self.steps[n] = int(count.read_text())

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
    shutil.copy(onnx_model.with_name("classes.txt"), way.home / "classes.txt")
    for name in ("model", "placed", "loose"):
        for end in (".onnx", ".json"):
            shutil.copy(onnx_model.with_suffix(end), way.home / f"{name}{end}")


@pytest.mark.parametrize("n", range(len(STAGES)), ids=[s.name.replace(" ", "-") for s in STAGES])
def test_killed_at_any_moment(way: Way, model: None, n: int, tmp_path: Path,
                              capfd: pytest.CaptureFixture) -> None:
    stage = STAGES[n]
    if not stage.possible:
        pytest.skip(f"{stage.needs} is not installed")
    way.before(n + 1)
    expected = contents(way.home / f"stage{n + 1}", way.home / f"out{n + 1}")
    words = words_of(way.home / f"stage{n}")
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
        _look(stage, folder, words)
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
    return int(_kill_after(start(words, 0, count), rng.uniform(0.3, 1.0) * way.seconds[n]))


def _kill_after(process: subprocess.Popen, seconds: float) -> bool:
    """Kill a process after some time; whether it was still running."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    return process.wait() < 0


def _look(stage: Stage, folder: Path, before: set[tuple]) -> None:
    """After a kill the project is whole, and no word of people is gone."""
    report = Project(folder).check()
    assert report.whole, f"{stage.name}: {report.lines()}"
    assert before <= words_of(folder)


def test_repair_killed_at_any_moment(way: Way, model: None, tmp_path: Path,
                                     capfd: pytest.CaptureFixture) -> None:
    """A page of pictures and a file of scores are damaged; `repair` is killed and run again."""
    n = 12  # with everything that the project itself holds
    way.before(n)
    words = words_of(way.home / f"stage{n}")

    def damaged() -> tuple[Path, list[str]]:
        folder, _ = way.copy(n, tmp_path / "p", tmp_path / "out")
        damage(folder)
        return folder, ["repair", "--project", str(folder)]

    folder, typed = damaged()
    assert not Project(folder).check().whole
    count = way.home / "count"
    started = time.monotonic()
    assert start(typed, 0, count).wait() == 0
    seconds, steps = time.monotonic() - started, int(count.read_text())
    expected = contents(folder, tmp_path / "out")
    assert words_of(folder) == words
    rng = random.Random(f"{SEED} repair")
    killed = 0
    for kill in range(3 * REPAIRS):
        if killed == REPAIRS:
            break
        folder, typed = damaged()
        if kill % 2:
            hit = start(typed, rng.randint(1, steps), count).wait() < 0
        else:
            hit = _kill_after(start(typed, 0, count), rng.uniform(0.3, 1.0) * seconds)
        killed += hit
        capfd.readouterr()
        assert cli.run(typed) == 0, f"repair, kill {kill}: {capfd.readouterr().err}"
        assert words_of(folder) == words, f"repair, kill {kill}"
        assert contents(folder, tmp_path / "out") == expected, f"repair, kill {kill}"
        assert Project(folder).check().whole
    with capfd.disabled():
        assert killed == REPAIRS
        print(f"\nrepair: killed {killed} times before its end, {steps // 2} steps, "
              f"{seconds:.1f} s")


def test_what_the_review_answered_survives(way: Way, model: None, tmp_path: Path,
                                           capfd: pytest.CaptureFixture) -> None:
    """The review's server, killed while two pages decide; even with the catalogue lost then."""
    way.before(2)
    rng = random.Random(f"{SEED} review")
    told = 0
    for kill in range(REVIEWS):
        folder, _ = way.copy(2, tmp_path / "p", tmp_path / "out")
        with Project(folder) as project:
            ids = project.catalog.detections().id.tolist()
        process, port = serve(folder)
        answered: dict[str, tuple[str, str]] = {}
        pages = [threading.Thread(target=decide, args=(port, ids, page, answered,
                                                       threading.Event(), 10**6))
                 for page in range(2)]
        for page in pages:
            page.start()
        _kill_after(process, rng.uniform(0.5, 2.0))
        for page in pages:
            page.join()
        process.stdout.close()
        assert answered, f"review, kill {kill}"
        told += len(answered)
        check(folder, answered)
        assert Project(folder).check().whole
        for path in folder.glob("catalog.sqlite*"):
            path.unlink()
        assert not Project(folder).repair().left
        check(folder, answered)
    with capfd.disabled():
        print(f"\nreview: killed {REVIEWS} times at work, {told} decisions answered")
