"""SIGKILL while a study is added: the next call ends where an undisturbed one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ecotone.project import Project
from tests.project.packages import contents, make_pictures, tables, write_package

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
# Says how far it is: before the copy, in place, after the pictures, before the end.
ADD = """
import sys
from ecotone.project import Project, adding_study, study_files
said = lambda name: (print(name, flush=True), __import__("time").sleep(0.15))
def stops(module, name, after):
    real = getattr(module, name)
    def wrapped(*a, **k):
        if not after: said(name)
        out = real(*a, **k)
        if after: said(name)
        return out
    setattr(module, name, wrapped)
stops(study_files, "_copy_all", True)
stops(study_files.Copy, "put_in_place", True)
stops(adding_study, "register_files", True)
stops(adding_study, "new_labels", True)
stops(adding_study, "renew_events", True)
with Project(sys.argv[1]) as project:
    project.add_study(sys.argv[2], kind="camtrapdp")
print("done", flush=True)
"""


@pytest.mark.parametrize("moment", [
    "_copy_all", "put_in_place", "register_files", "new_labels", "renew_events",
])
def test_a_kill_leaves_no_half_study(tmp_path, make_picture, moment):
    make_pictures(tmp_path / "study", make_picture, tables())
    package = write_package(tmp_path / "study", tables())
    for name in ("calm", "killed"):
        Project.init(tmp_path / name).close()
    command = [sys.executable, "-c", ADD, str(tmp_path / "killed"), str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == moment:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    assert process.returncode == -signal.SIGKILL
    with Project(tmp_path / "killed") as project:
        assert len(project.catalog.media()) == len(project.catalog.studies()) == 0
        project.add_study(package, kind="camtrapdp")
        found = contents(project)
    with Project(tmp_path / "calm") as project:
        project.add_study(package, kind="camtrapdp")
        assert contents(project) == found


def test_a_kill_at_any_time_is_made_good(tmp_path, make_picture):
    make_pictures(tmp_path / "study", make_picture, tables())
    package = write_package(tmp_path / "study", tables())
    Project.init(tmp_path / "p").close()
    code = ("import sys; from ecotone.project import Project\n"
            "with Project(sys.argv[1]) as p: p.add_study(sys.argv[2], kind='camtrapdp')\n")
    for seconds in (0.25, 0.4, 0.55):
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "p"), str(package)])
        time.sleep(seconds)
        process.kill()
        process.wait()
        with Project(tmp_path / "p") as project:
            studies = project.catalog.studies()
            assert len(project.catalog.media()) == 6 * len(studies)
    with Project(tmp_path / "p") as project:
        project.add_study(package, kind="camtrapdp")
        assert len(project.catalog.studies()) == 1 and len(project.catalog.labels()) == 5
        names = [p.name for p in (project.path / "sources").iterdir()]
        assert names == ["1-camtrapdp"]
