from __future__ import annotations

import sys
from pathlib import Path

from ecotone.project import Project

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scale


def test_a_project_is_generated_and_a_command_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "LABELS", 30)
    folder = scale.generate(tmp_path, 200)
    with Project(folder) as project:
        counts = project.status().counts
        assert (counts["detections"], counts["labels"], counts["events"]) == (200, 30, 50)
    used = scale.run([sys.executable, "-c", "b = bytearray(60_000_000)"])
    assert 0.06 < used.resident < 1 and used.wall > 0
