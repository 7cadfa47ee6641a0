"""One contract for all runners: order, errors, one opening a worker, loss of a worker, silence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ecotone.engine.runners import Engine, open_runner
from ecotone.engine.shards import committed
from ecotone.errors import BackendError, InputError, MissingExtraError
from ecotone.store.linked import read_table
from tests.engine.runs import Square, prepared

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_choice_is_checked() -> None:
    with pytest.raises(InputError, match="expected one of threads, daft, ray"):
        Engine("spark")
    with pytest.raises(InputError, match="for the engine ray"):
        Engine("daft", address="auto")


def test_in_this_process() -> None:
    with open_runner(None) as runner:
        assert [v[0] for v in runner.map(Square(), range(5))] == [0, 1, 4, 9, 16]
        with pytest.raises(InputError, match="another number"):
            list(runner.map(Square(), [12, 13]))


@pytest.mark.filterwarnings("ignore")  # of Daft's and its processes
def test_daft_in_processes_of_this_machine() -> None:
    daft = pytest.importorskip("daft")
    with open_runner(Engine("daft", workers=2)) as runner:
        from daft import scarf_telemetry

        assert scarf_telemetry.opted_out() if hasattr(scarf_telemetry, "opted_out") else (
            os.environ["DO_NOT_TRACK"] == "1")
        found, killed = [], 0
        for value in runner.map(Square(0.05), iter(range(12))):
            found.append(value)
            if len(found) == 3:  # the loss of a worker is mended
                killed = value[1]
                os.kill(killed, signal.SIGKILL)
        assert [v[0] for v in found] == [n**2 for n in range(12)]
        assert os.getpid() not in {v[1] for v in found}
        assert max(v[2] for v in found) > 2  # unpickled once a worker, not once an item
        with pytest.raises(InputError, match="another number"):
            list(runner.map(Square(), [12, 13]))
        with pytest.raises(BackendError, match="ZeroDivisionError: fourteen"):
            list(runner.map(Square(), [14]))
    assert daft is not None


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daft", None)
    with (pytest.raises(MissingExtraError, match=r"ecotone\[scale\]"),
          open_runner(Engine("daft"))):
        pass


def script(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "tests.engine.runs", *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def test_ray_loses_a_worker_in_the_middle(tmp_path, pictures, onnx_model) -> None:
    """Three workers of a local Ray, one killed amid a shard: the result of one process."""
    pytest.importorskip("ray")
    (pictures / "cam1" / "broken.jpg").write_bytes(b"no picture")
    classes = tmp_path / "classes.txt"
    out = subprocess.run(script(pictures, tmp_path / "ray", onnx_model, classes), cwd=tmp_path,
                         env=environment(), capture_output=True, text=True, timeout=240)
    assert out.returncode == 0, out.stderr
    told = json.loads(out.stdout.splitlines()[-1])
    assert told["killed"] and len(told["workers"]) >= 2
    assert told["silent"] and not told["alive"]
    assert told["told"] == told["planned"] and len(told["planned"]) == 13
    shards, work = prepared(pictures, tmp_path / "one", str(onnx_model), str(classes), 2, Engine())
    with open_runner(None) as runner:
        from ecotone.engine.shards import run_shards

        names = [done.name for _, done in run_shards(shards, work, runner)]
    assert names == told["planned"]
    from ecotone.engine.output import Output

    ray, one = committed(Output(tmp_path / "ray")), committed(Output(tmp_path / "one"))
    assert list(ray) == list(one) == names
    for name in names:
        assert (ray[name].rows, ray[name].failed) == (one[name].rows, one[name].failed)
        tables = [read_table(str(tmp_path / place / "shards" / f"{name}.parquet"))
                  for place in ("ray", "one")]
        assert tables[0].schema == tables[1].schema
        for column in tables[0].column_names:
            a, b = (t.column(column).combine_chunks() for t in tables)
            if column in ("embedding", "probabilities"):  # rounded alike but for the last digit
                np.testing.assert_allclose(np.asarray(a.flatten(), dtype=np.float64),
                                           np.asarray(b.flatten(), dtype=np.float64), rtol=2e-3)
            else:
                assert a.equals(b), column
    assert sum(len(d.failed) for d in ray.values()) == 1
    leftover = [p for p in (tmp_path / "ray").rglob("*") if p.name.endswith(".tmp")]
    assert not leftover


@pytest.mark.parametrize("engine", ["threads", "daft"])
def test_a_killed_driver_goes_on_where_it_stopped(tmp_path, pictures, onnx_model, engine) -> None:
    pytest.importorskip("daft")
    if engine == "threads":
        pictures_many(pictures)
    command = [sys.executable, "-m", "ecotone", "classify", "--images", str(pictures), "--model",
               str(onnx_model), "--classes", str(tmp_path / "classes.txt"), "-o",
               str(tmp_path / "out"), "--shard-rows", "1", "--engine", engine, "--json"]
    if engine == "daft":
        command += ["--workers", "2"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    commits = tmp_path / "out" / "commits"
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if commits.is_dir() and len(list(commits.glob("*.json"))) >= 3:
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {p.name: p.stat().st_mtime_ns for p in commits.glob("*.json")}
    assert before
    out = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    report = json.loads(out.stdout)
    total = len(list(pictures.rglob("*.jpg")))
    assert (report["done"], report["skipped"]) == (total - len(before), len(before))
    after = {p.name: p.stat().st_mtime_ns for p in commits.glob("*.json")}
    assert len(after) == total and before.items() <= after.items()


def pictures_many(folder: Path) -> None:
    """More pictures, so that a run lasts long enough to be stopped."""
    for n, path in enumerate(sorted(folder.rglob("*.jpg"))):
        for k in range(3):
            (folder / f"more{k}").mkdir(exist_ok=True)
            (folder / f"more{k}" / f"{n}.jpg").write_bytes(path.read_bytes())
