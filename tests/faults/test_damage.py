"""Damage of every kind: told by `check` in a line, mended by `repair`, no word of people lost."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from ecotone import cli
from ecotone.project import Project
from ecotone.store.checking import check_catalogue
from ecotone.store.page_sums import find_changes, sums_of
from tests.faults.conftest import words_of

PAGE = 4096


def run(capsys, *words):
    """Exit status and output of a command; never a traceback."""
    code = cli.run(list(map(str, words)))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err and "unexpected" not in err, err
    assert err.count("\n") <= 1 or code == 0, err
    return code, out + err


def check_and_repair(capsys, folder):
    code, out = run(capsys, "check", "--project", folder)
    assert code == 1, out
    mended = run(capsys, "repair", "--project", folder)
    assert mended[0] == 0, mended[1]
    again = run(capsys, "check", "--project", folder)
    assert again[0] == 0, again[1]
    return out, mended[1]


def test_a_whole_project_is_whole_and_stays_as_it_is(copy, capsys):
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in copy.rglob("*") if p.is_file()}
    for words in (["check"], ["check", "--quick"]):
        code, out = run(capsys, *words, "--project", copy)
        assert code == 0 and "no damage found" in out, out
    code, out = run(capsys, "check", "--json", "--project", copy)
    assert json.loads(out) == {"whole": True, "problems": [], "notes": []}
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in copy.rglob("*") if p.is_file()}
    assert {p: v for p, v in after.items() if not p.name.endswith(("-wal", "-shm"))} == before
    assert "nothing was damaged" in run(capsys, "repair", "--project", copy)[1]


def test_a_damaged_shard_is_told_taken_out_and_made_again(copy, capsys):
    (path,) = (copy / "vectors" / "embeddings").rglob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    code, out = run(capsys, "fuse", "--project", copy)
    assert code == 1 and str(path) in out and "ecotone check" in out
    told, mended = check_and_repair(capsys, copy)
    assert str(path) in told and "its bytes were changed" in told
    assert "ecotone embed" in mended
    assert run(capsys, "status", "--project", copy)[0] == 0
    assert run(capsys, "embed", "--project", copy)[0] == 0
    assert run(capsys, "fuse", "--project", copy)[0] == 0


@pytest.mark.parametrize("kind", ["scores", "posteriors"])
@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
def test_shards_that_are_gone_or_cut(copy, capsys, kind, how):
    path = sorted((copy / "vectors" / kind).rglob("*.npz"))[-1]
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if how == "empty" else 100])
    assert run(capsys, "check", "--quick", "--project", copy)[0] == 1
    told, _ = check_and_repair(capsys, copy)
    assert str(path) in told
    code, out = run(capsys, "status", "--project", copy)
    assert code == 0 and "next: ecotone fuse" in out


@pytest.mark.parametrize("where", ["runs/*.json", "models/20*/head.onnx"])
def test_records_and_models(copy, capsys, where):
    (path,) = copy.glob(where)
    content = path.read_bytes()
    place = content.rindex(b"0.") + 2 if path.suffix == ".json" else len(content) // 2
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1:])
    told, mended = check_and_repair(capsys, copy)
    assert path.name in told and "ecotone fuse" in mended
    code, out = run(capsys, "status", "--project", copy)
    assert code == 0 and "next: ecotone fuse" in out


def test_a_label_with_a_flipped_bit_is_found_and_restored(copy, capsys):
    before = words_of(copy)
    path = copy / "catalog.sqlite"
    content = path.read_bytes()
    for place in (m.start() for m in re.finditer(b"wild boar", content)):
        path.write_bytes(content[:place] + b"Wild" + content[place + 4:])
        if words_of(copy)["label"] != before["label"]:
            break
    with Project(copy) as project:  # SQLite itself sees nothing
        assert project.catalog.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    told, mended = check_and_repair(capsys, copy)
    assert "not as stored" in told and "restored from labels.jsonl" in mended
    assert words_of(copy) == before


@pytest.mark.parametrize("table, column, value", [
    ("run", "summary", '{"a": '), ("note", "value", "nothing"),
    ("medium", "file_path", b"\xff\xfe.jpg"), ("vector_set", "classes", '["a'),
    ("tally", "n", 7)])
def test_cells_that_sqlite_takes_for_good(copy, capsys, table, column, value):
    before = words_of(copy)
    with Project(copy) as project:
        if isinstance(value, bytes):
            project.catalog.connection.execute(
                f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE n = 3", (value,))
        else:
            project.catalog.connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
    run(capsys, "status", "--project", copy)
    told, _ = check_and_repair(capsys, copy)
    assert "catalog.sqlite: damaged" in told
    assert words_of(copy) == before
    assert run(capsys, "status", "--project", copy)[0] == 0


@pytest.mark.parametrize("how", ["missing", "empty", "text", "head", "cut"])
def test_a_lost_catalogue(copy, capsys, how):
    before = words_of(copy)
    path = copy / "catalog.sqlite"
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "text": b"not a database at all " * 300,
                          "head": bytes(PAGE) + content[PAGE:],
                          "cut": content[: len(content) // 2]}[how])
    if how != "cut":  # cut tables may still answer
        for command in ("status", "fuse"):
            code, out = run(capsys, command, "--project", copy)
            assert code == 1 and "ecotone" in out, out
    _, mended = check_and_repair(capsys, copy)
    assert words_of(copy) == before, mended
    with Project(copy) as project:
        assert len(project.catalog.media()) == 36
        connection = project.catalog.connection
        assert connection.execute(
            "SELECT kind, name, present FROM vector_set WHERE kind <> 'posteriors' ORDER BY kind"
        ).fetchall() == [("embeddings", "handcrafted", 35), ("scores", "net", 35)]
        if how == "head":
            assert project.catalog.counts()["detections"] == 36
    assert run(capsys, "status", "--project", copy)[0] == 0


@pytest.mark.parametrize("seed", range(6))
def test_random_damage_of_the_catalogue(copy, capsys, seed):
    rng = np.random.default_rng(seed)
    before = words_of(copy)
    path = copy / "catalog.sqlite"
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(len(content)))
        size = int(rng.choice([1, 40, PAGE, 3 * PAGE]))
        content[start : start + size] = rng.bytes(len(content[start : start + size]))
    path.write_bytes(content)
    run(capsys, "status", "--project", copy)
    run(capsys, "check", "--project", copy)
    assert run(capsys, "repair", "--project", copy)[0] == 0
    assert run(capsys, "check", "--project", copy)[0] == 0
    assert words_of(copy) == before


def test_every_changed_bit_of_a_closed_catalogue_is_found(copy, capsys):
    path = copy / "catalog.sqlite"
    content = path.read_bytes()
    rng = np.random.default_rng(11)
    for place in rng.choice(len(content), 60, replace=False):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.write_bytes(changed)
        found = check_catalogue(path)
        assert [p for p in found if not p.harmless], f"byte {place}"


def test_a_changed_bit_in_a_row_that_only_the_catalogue_has(copy, capsys, whole_project):
    """The time of a picture: SQLite finds nothing wrong with it."""
    path = copy / "catalog.sqlite"
    content = path.read_bytes()
    place = content.index(b"2024-05-01T06:30:00")
    path.write_bytes(content[:place] + b"2034" + content[place + 4:])
    code, out = run(capsys, "check", "--project", copy)
    assert code == 1 and "not as they were when it was closed" in out and "medium" in out
    labels = whole_project / "labels.csv"
    code, out = run(capsys, "add", "labels", labels, "--project", copy)
    assert code == 1 and "nothing is written to it" in out and "ecotone repair" in out
    code, out = run(capsys, "repair", "--project", copy)
    assert code == 0 and "may be wrong" in out
    assert run(capsys, "check", "--project", copy)[0] == 0
    assert run(capsys, "add", "labels", labels, "--project", copy)[0] == 0


def test_a_killed_command_leaves_no_checksums_that_are_older_than_the_catalogue(copy):
    sums = sums_of(copy / "catalog.sqlite")
    assert sums.stat().st_size
    project = Project(copy)
    project.catalog.set_note("x", 1)
    assert sums.stat().st_size == 0
    assert not find_changes(copy / "catalog.sqlite")
    with Project(copy) as beside:  # while the other has it open nothing is said
        beside.catalog.set_note("y", 1)
    assert sums.stat().st_size == 0
    project.close()
    assert sums.stat().st_size and not find_changes(copy / "catalog.sqlite")


def test_the_journal_damaged_or_gone(copy, capsys):
    before = words_of(copy)
    path = copy / "labels.jsonl"
    content = path.read_bytes()
    place = content.index(b"grey fox")
    path.write_bytes(content[:place] + b"gray" + content[place + 4:])
    told, mended = check_and_repair(capsys, copy)
    assert "the catalogue has them" in told and "written anew" in mended
    assert words_of(copy) == before
    path.unlink()
    assert run(capsys, "check", "--project", copy)[0] == 0


def test_an_older_copy_of_the_catalogue_gets_what_was_said_since(copy, capsys, whole_project):
    old = copy / "catalog.sqlite"
    kept = old.read_bytes()
    (copy.parent / "more.csv").write_text("filePath,label\ncam1/red_deer_3.jpg,red deer\n")
    assert run(capsys, "add", "labels", copy.parent / "more.csv", "--project", copy)[0] == 0
    before = words_of(copy)
    for end in ("-wal", "-shm"):
        (copy / f"catalog.sqlite{end}").unlink(missing_ok=True)
    old.write_bytes(kept)
    assert run(capsys, "status", "--project", copy)[0] == 0
    code, out = run(capsys, "add", "labels", whole_project / "labels.csv", "--project", copy)
    assert code == 1 and "ecotone repair" in out
    told, _ = check_and_repair(capsys, copy)
    assert "gone, kept in labels.jsonl" in told
    assert words_of(copy) == before


def test_pictures_that_are_gone_or_changed(copy, capsys, whole_project, tmp_path):
    shutil.copytree(whole_project / "pictures", tmp_path / "pictures")
    run(capsys, "add", "images", tmp_path / "pictures", "--project", copy)
    first, second = sorted((tmp_path / "pictures").rglob("*.jpg"))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes() + b"more")
    code, out = run(capsys, "check", "--project", copy)
    assert code == 1
    assert f"{first}: missing" in out and f"{second}: changed" in out and "add images" in out
    assert len(out.splitlines()) == 3


def test_left_overs_are_told_and_removed(copy, capsys):
    (copy / "vectors" / "scores" / "000099.npz.tmp").write_bytes(b"half")
    (copy / "runs" / "x.json.tmp").write_bytes(b"half")
    (copy / "models" / ".ecotone-unfinished-abc").mkdir()
    with Project(copy) as project:
        project.catalog.start_run("fuse", {}, 0)
    code, out = run(capsys, "check", "--project", copy)
    assert code == 0 and out.count("left over") == 3 and "did not come to its end" in out
    code, out = run(capsys, "repair", "--project", copy)
    assert code == 0 and "3 files" in out and "interrupted" in out
    assert "left over" not in run(capsys, "check", "--project", copy)[1]
