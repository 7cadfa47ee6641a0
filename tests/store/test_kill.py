"""SIGKILL at random moments: what was reported as stored is there, and the next writer goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ecotone.store import shards
from ecotone.store.catalog import Catalog
from ecotone.store.vectors import read_embeddings, read_posteriors, read_scores

# Every line that this program prints is a report: what stands in it must never be lost.
WRITER = """
import sys
import numpy as np
from ecotone.store.catalog import Catalog
from ecotone.store.tables import Box, NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter, write_posteriors
from ecotone.types import Posteriors

folder = sys.argv[1]
catalog = Catalog.open(folder + "/catalog.sqlite", create=True)
def report(*words):
    print(*words, flush=True)
report("open", 0)
embeddings = EmbeddingWriter(catalog, folder + "/vectors", "enc", 4)
scores = ScoreWriter(catalog, folder + "/vectors", "net", ["a", "b"])
start = catalog.counts()["media"]
for n in range(start, start + 100000):
    catalog.add_media([NewMedium(f"m{n}", "/p", f"{n}.jpg", failure="bad" if n % 5 == 0 else "")])
    report("medium", n)
    catalog.replace_boxes({f"m{n}": [Box((0.1, 0.1, 0.5, 0.5), "animal", 0.5)]}, "md")
    report("box", n)
    catalog.add_labels([NewLabel(f"m{n}", f"class {n}"), NewLabel(f"m{n}", "other")])
    report("label", n)
    embeddings.append([f"m{n}:1"], np.full((1, 4), n % 100))
    embeddings.flush()
    report("embedding", n)
    scores.append([f"m{n}:1"], [[0.5, (n % 100) / 200]])
    scores.flush()
    report("score", n)
    values = np.full((n % 7 + 1, 1), n, dtype=np.float32)
    ids = [f"m{i}:1" for i in range(len(values))]
    write_posteriors(catalog, folder + "/vectors", f"r{n % 3}", Posteriors(ids, values, ("k",)))
    report("posteriors", n)
    catalog.set_note("last", n)
    report("note", n)
"""


def run_and_kill(folder: Path, seconds: float) -> dict[str, list[int]]:
    """What the writer reported until it was killed."""
    with (folder / "out.txt").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=out, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not (folder / "out.txt").read_text() and process.poll() is None:
            assert time.monotonic() < deadline, "the writer did not start"
            time.sleep(0.005)
        time.sleep(seconds)
        died = process.poll()
        process.kill()
        _, errors = process.communicate()
        assert died is None, errors.decode()
    reported: dict[str, list[int]] = {}
    for line in (folder / "out.txt").read_text().split("\n")[:-1]:
        word, number = line.split()
        reported.setdefault(word, []).append(int(number))
    return reported


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_was_reported_is_lost(tmp_path, seed):
    rng = random.Random(seed)
    every: dict[str, list[int]] = {}
    for _ in range(3):  # killed again and again on the same folder
        for word, numbers in run_and_kill(tmp_path, rng.uniform(0.0, 0.3)).items():
            every.setdefault(word, []).extend(numbers)
        check(tmp_path, every)


def check(folder: Path, reported: dict[str, list[int]]) -> None:
    vectors = folder / "vectors"
    with Catalog.open(folder / "catalog.sqlite") as catalog:
        assert catalog.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        media = set(catalog.media().id)
        assert {f"m{n}" for n in reported.get("medium", [])} <= media
        failed = {f.media_id for f in catalog.failures()}
        assert {m for m in media if int(m[1:]) % 5 == 0} == failed  # both or none
        detections = set(catalog.detections().id)
        assert {f"m{n}:1" for n in reported.get("box", [])} <= detections
        assert media == {d.split(":")[0] for d in detections}
        table = catalog.labels()
        pairs = set(zip(table.media_id, table.label, strict=True))
        assert {(f"m{n}", f"class {n}") for n in reported.get("label", [])} <= pairs
        assert sum(label == "other" for _, label in pairs) * 2 == len(pairs)  # no half import
        if done := reported.get("embedding"):
            ids = [f"m{n}:1" for n in done]
            values, present = read_embeddings(catalog, vectors, "enc", ids)
            assert present.all()
            np.testing.assert_array_equal(values[:, 0], [n % 100 for n in done])
        if done := reported.get("score"):
            ids = [f"m{n}:1" for n in done]
            scores = read_scores(catalog, vectors, "net", ids).values.toarray()
            np.testing.assert_allclose(scores[:, 1], [(n % 100) / 200 for n in done], rtol=1e-6)
        for n in sorted(reported.get("posteriors", []))[-1:]:
            # The newest reported one of its name, or one that came after it.
            found = read_posteriors(catalog, vectors, f"r{n % 3}")
            assert found.values[0, 0] >= n and len(found) == int(found.values[0, 0]) % 7 + 1
        if done := reported.get("note"):
            assert catalog.note("last") >= max(done)
        # What is registered is whole: nothing counts that cannot be read.
        for kind in ("embeddings", "scores", "posteriors"):
            for known in shards.sets(catalog, kind):
                for file in known.files:
                    shards.load_ids(vectors, known, file)


def test_a_project_goes_on_after_adding_pictures_was_killed(tmp_path, make_picture):
    from ecotone.project import Project

    folder = tmp_path / "pictures"
    for n in range(700):
        path = folder / f"cam{n % 3}" / f"{n}.jpg"
        if n < 20:
            make_picture(path, size=(16, 16), seed=n, taken=f"2024:05:01 06:{n:02d}:00")
        else:
            path.write_bytes(f"no picture {n}".encode())
    code = (
        "import sys; from ecotone.project import Project\n"
        "p = Project.init(sys.argv[1])\n"
        "p.add_images(sys.argv[2], progress=lambda d, t, s: print(d, flush=True))\n"
    )
    script = [sys.executable, "-c", code, str(tmp_path / "p"), str(folder)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = 0
        while reported == 0:
            reported = int(process.stdout.readline())
        process.kill()
    with Project(tmp_path / "p") as project:
        before = set(project.catalog.media().id)
        assert len(before) >= reported
        project.add_images(folder)
        media = project.catalog.media()
        assert len(media) == 700 and before <= set(media.id)
        assert sum(bool(e) for e in media.event_id) == 20
        assert sum("not a picture" in f for f in media.failure) == 680
        again = project.add_images(folder)
        assert (again.added, again.updated, again.skipped) == (0, 0, 700)
    with Project.init(tmp_path / "q") as whole:  # the same as without the kill
        whole.add_images(folder)
        other = whole.catalog.media()
        assert dict(zip(other.file_path, other.id, strict=True)) == dict(
            zip(media.file_path, media.id, strict=True))
        assert sorted(other.event_id) == sorted(media.event_id)
