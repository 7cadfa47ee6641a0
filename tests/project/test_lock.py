from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project
from ecotone.project.lock import writer_lock

HOLD = """
import sys, time
from pathlib import Path
from ecotone.project.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "classify"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_command_is_told_who_works(tmp_path, holder):
    message = rf"`ecotone classify` \(process {holder.pid}\) is still working"
    with pytest.raises(ProjectError, match=message), writer_lock(tmp_path, "fuse"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_killed_command_leaves_no_lock(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with writer_lock(tmp_path, "fuse"):
        pass


def test_one_project_object_may_nest_its_lock(tmp_path):
    with Project.init(tmp_path / "p") as project, project.writing("run"), project.writing("fuse"):
        other = Project(project.path).writing("add images")
        with pytest.raises(ProjectError, match="`ecotone run`"):
            other.__enter__()
