"""Lists of pictures and prefixes of storages: every form, relative to the list, by their roots."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecotone.errors import FormatError, InputError
from ecotone.ingest.remote import find_roots, read_list, roots_of
from ecotone.project import Project


def test_lists_in_every_form(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# pictures\ncam1/a.jpg\n\ns3://b/c.jpg\n", "utf-8")
    (tmp_path / "b.csv").write_text("label;URL\nx;cam1/a.jpg\ny;s3://b/c.jpg\n", "utf-8")
    expected = [str(tmp_path / "cam1" / "a.jpg"), "s3://b/c.jpg"]
    assert read_list(tmp_path / "a.txt") == expected
    assert read_list(tmp_path / "b.csv") == expected
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"filepath": ["cam1/a.jpg", "s3://b/c.jpg"]}),
                        tmp_path / "c.parquet")
    assert read_list(tmp_path / "c.parquet") == expected
    (tmp_path / "d.csv").write_text("label\nx\n", "utf-8")
    with pytest.raises(FormatError, match="no column filePath or url; there are: label"):
        read_list(tmp_path / "d.csv")
    (tmp_path / "e.txt").write_text("\n", "utf-8")
    with pytest.raises(InputError, match="no picture in this list"):
        read_list(tmp_path / "e.txt")
    (tmp_path / "f.parquet").write_bytes(b"no")
    with pytest.raises(FormatError, match="not a parquet file"):
        read_list(tmp_path / "f.parquet")


def test_roots_hold_all_of_their_storage() -> None:
    roots = roots_of(["s3://b/x/1/a.jpg", "s3://b/x/2/a.jpg", "s3://c/a.jpg", "/p/q/a.jpg",
                      "s3://b/x/1/a.jpg", "https://h/a.jpg", "https://h/b/c.jpg"])
    assert {r.root: r.files for r in roots} == {
        "s3://b/x": ["1/a.jpg", "2/a.jpg"], "s3://c": ["a.jpg"], "/p/q": ["a.jpg"],
        "https://h": ["a.jpg", "b/c.jpg"]}


def test_web_addresses_are_not_listed() -> None:
    with pytest.raises(InputError, match="does not list its files"):
        find_roots("https://example.org/photos")


def test_pictures_of_a_storage_in_a_project(tmp_path, pictures) -> None:
    """Same ids, times, cameras and deployments as from the folder itself."""
    storage = pytest.importorskip("fsspec").filesystem("memory")
    for file in pictures.rglob("*.jpg"):
        storage.pipe(f"/reserve/pictures/{file.relative_to(pictures).as_posix()}",
                     file.read_bytes())
    storage.pipe("/reserve/pictures/.hidden/a.jpg", b"x")
    with Project.init(tmp_path / "here") as here, Project.init(tmp_path / "there") as there:
        here.add_images(pictures)
        report = there.add_images("memory://reserve/pictures")
        assert (report.added, report.problems) == (24, [])
        assert there.add_images("memory://reserve/pictures").skipped == 24
        ours, theirs = here.catalog.media(), there.catalog.media()
        for name in ("id", "file_path", "timestamp", "deployment_id", "content_hash", "width"):
            assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name
        assert theirs.path[0] == f"memory://reserve/pictures/{theirs.file_path[0]}"
        here.embed("handcrafted")
        assert there.embed("handcrafted").failed == []
        (tmp_path / "more.txt").write_text(
            "memory://reserve/pictures/cam1/red_deer_0.jpg\nmemory://reserve/none/x.jpg\n", "utf-8")
        report = there.add_images(tmp_path / "more.txt")
        assert (report.added, report.skipped) == (1, 1)
        assert "there is no such file" in report.problems[0]
