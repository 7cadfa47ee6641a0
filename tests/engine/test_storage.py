"""Pictures and shards in object storages: the same as on a disk, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecotone.bundle.predict import predict_folder
from ecotone.engine.loose import run_loose
from ecotone.engine.output import Output
from ecotone.engine.runners import Engine
from ecotone.errors import InputError
from ecotone.media import location
from ecotone.project import Project
from ecotone.store import vectors


def put(storage, bucket: str, pictures: Path) -> None:
    """The pictures in a bucket, by a pyarrow file system."""
    for path in sorted(pictures.rglob("*.jpg")):
        name = f"{bucket}/{path.relative_to(pictures).as_posix()}"
        with storage.open_output_stream(name) as stream:
            stream.write(path.read_bytes())


def check(tmp_path: Path, pictures: Path, model: Path, photos: str, out: str) -> None:
    """Classified from and to a storage, attached, read: as from the disk to the disk."""
    classes = tmp_path / "classes.txt"
    report = run_loose(photos, str(model), out, classes=classes, shard_rows=10)
    assert (report.done, report.shards, report.failed) == (24, 3, [])
    assert run_loose(photos, str(model), out, classes=classes, shard_rows=10).skipped == 24
    with Project.init(tmp_path / "here") as here, Project.init(tmp_path / "there") as there:
        here.add_images(pictures)
        here.classify(str(model), classes)
        there.add_images(photos)
        assert there.attach(out).rows == 24
        with_urls = Project.init(tmp_path / "local")
        with_urls.add_images(pictures)  # the same pictures on the disk
        assert with_urls.attach(out).rows == 24
        ids = here.catalog.detections().id
        assert list(ids) == list(there.catalog.detections().id)
        for project in (there, with_urls):
            one, other = (vectors.read_scores(p.catalog, p.vectors, "model", ids).values
                          for p in (here, project))
            np.testing.assert_allclose(one.toarray(), other.toarray(), atol=1e-5)
        with_urls.close()


def test_memory(tmp_path, pictures, onnx_model) -> None:
    pytest.importorskip("fsspec")
    storage, _ = location.filesystem("memory://photos")
    put(storage, "photos1", pictures)
    check(tmp_path, pictures, onnx_model, "memory://photos1", "memory://results1/scores")


@pytest.mark.filterwarnings("ignore")  # of the server of the test
def test_s3(tmp_path, pictures, onnx_model, monkeypatch) -> None:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    location._storage.cache_clear()
    try:
        import boto3

        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}",
                              region_name="us-east-1")
        for bucket in ("photos", "results"):
            client.create_bucket(Bucket=bucket)
        for path in sorted(pictures.rglob("*.jpg")):
            client.put_object(Bucket="photos", Key=f"2024/{path.relative_to(pictures)}",
                              Body=path.read_bytes())
        check(tmp_path, pictures, onnx_model, "s3://photos/2024", "s3://results/scores")
    finally:
        server.stop()
        location._storage.cache_clear()


def test_files_are_whole_or_not_there(tmp_path, monkeypatch) -> None:
    output = Output(tmp_path / "out")
    output.write("a/b.txt", b"one")
    assert output.read("a/b.txt") == b"one" and output.names("a") == ["b.txt"]
    assert output.names("none") == []
    import os

    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(InputError, match=r"b\.txt: cannot be written \(No space left"):
        output.write("a/b.txt", b"two")
    assert output.read("a/b.txt") == b"one" and output.names("a") == ["b.txt"]


@pytest.mark.filterwarnings("ignore")  # of Daft's and its processes
def test_predict_by_an_engine_from_a_list(tmp_path, pictures, labels_csv, onnx_model) -> None:
    """Same rows in the same order, broken pictures as well."""
    pytest.importorskip("daft")
    (pictures / "cam1" / "broken.jpg").write_bytes(b"no picture")
    with Project.init(tmp_path / "project") as project:
        project.add_images(pictures)
        project.add_labels(labels_csv)
        project.classify(str(onnx_model), tmp_path / "classes.txt")
        project.fuse()
        folder = project.models / "latest"
        one = list(predict_folder(pictures, folder))
        other = list(predict_folder(pictures, folder, engine=Engine("daft", workers=2)))
    assert len(one) == len(other) == 25 and any(row["error"] for row in one)
    for a, b in zip(one, other, strict=True):
        for name, value in a.items():
            if isinstance(value, float):
                np.testing.assert_allclose(value, b[name], atol=1e-5)
            elif name != "alternatives":
                assert value == b[name], name
