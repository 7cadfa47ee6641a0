"""What a network learns from in a project: pictures on disk, behind URLs, and frames of videos."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.ingest.training_table import read_labelled_files
from ecotone.project import Project
from ecotone.project.network_training import animal_boxes
from ecotone.project.soft_labels import gather_soft_labels, soft_labels_of_files
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.training.data import Crops
from tests.media.test_location import server
from tests.videos import make_video, number_in

__all__ = ["server"]  # a fixture of other tests
Image = pytest.importorskip("PIL.Image")


def test_frames_of_videos_and_pictures_behind_urls_are_learned(tmp_path, make_picture, server):
    pytest.importorskip("av")
    make_video(tmp_path / "photos" / "cam1" / "a.mp4", 30)
    web = make_picture(tmp_path / "cam2" / "b.jpg")
    with Project.init(tmp_path / "p") as project:
        project.add_images(tmp_path / "photos")
        project.catalog.add_media([NewMedium("web", server, "cam2/b.jpg", "cam2")])
        ids = project.catalog.detections().id.tolist()
        media = set(project.catalog.media().id)
        clip = ids[0].split(":")[0]
        project.catalog.add_labels(
            [NewLabel(clip, "fox", detection_id=i) for i in ids[:3]] + [NewLabel("web", "deer")],
            author="test")
        soft = gather_soft_labels(project, labels_only=True)
        assert len(media) == 2 and soft.ids.tolist() == ids and not soft.notes
        assert set(soft.classes) == {"fox", "deer"} and soft.labelled.all()
        data = soft.pictures()
        crops = Crops(data, 96)
        assert crops.check() == {}
        for row, frame in enumerate((0, 10, 20)):
            assert number_in(Image.fromarray(crops.load(row))) == frame
        here = soft_labels_of_files(read_labelled_files(_table(tmp_path, web.as_uri()))).pictures()
        assert np.array_equal(Crops(here, 96).load(0), crops.load(3))
        assert data.fingerprint() == gather_soft_labels(project, True).pictures().fingerprint()


def _table(folder, *files: str):
    path = folder / "data.csv"
    path.write_text("filename,category,location\n" + "".join(f"{f},deer,one\n" for f in files),
                    encoding="utf-8")
    return path


def test_a_table_may_name_urls_and_what_is_not_there_is_told_when_it_is_read(tmp_path, make_picture,
                                                                             server):
    make_picture(tmp_path / "b.jpg")
    files = read_labelled_files(_table(tmp_path, f"{server}/b.jpg", f"{server}/gone.jpg"))
    assert not files.problems
    data = soft_labels_of_files(files).pictures()
    failed = Crops(data, 32).check()
    assert list(failed) == [1] and "gone.jpg: cannot be read (there is no such file" in failed[1]


def test_with_a_detectors_file_animals_are_learned(tmp_path, make_picture):
    """Five boxes at most, frames of videos with theirs, blanks as a whole."""
    pytest.importorskip("av")
    import json

    for name in ("a.jpg", "blank.jpg", "none.jpg"):
        make_picture(tmp_path / name)
    make_video(tmp_path / "v.mp4", 12)
    box = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
    many = [{**box, "conf": 0.9 - n / 100} for n in range(7)] + [{**box, "category": "2"}]
    found = {"images": [
        {"file": "a.jpg", "detections": many}, {"file": "blank.jpg", "detections": []},
        {"file": "none.jpg", "detections": []},
        {"file": "v.mp4", "detections": [{**box, "frame_number": n} for n in (0, 7)]}],
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "info": {"format_version": "1.4"}}
    (tmp_path / "md.json").write_text(json.dumps(found), encoding="utf-8")
    table = tmp_path / "data.csv"
    table.write_text("filename,category,location\na.jpg,deer,x\nblank.jpg,blank,x\nnone.jpg,fox,y\n"
                     "v.mp4,fox,y\n", encoding="utf-8")
    files = read_labelled_files(table)
    boxed, told = animal_boxes(files, tmp_path / "md.json", None)
    assert {file: len(picture.boxes) for file, picture in boxed.items()} == {
        "a.jpg": 5, "blank.jpg": 1, "none.jpg": 0, "v.mp4": 2}
    assert any("1 pictures are left out" in line for line in told)
    soft = soft_labels_of_files(files, boxed)
    assert np.allclose(soft.boxes[[0, 5]], [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]])
    frame = np.asarray(Crops(soft.pictures(), 64).load(7))
    other = np.asarray(Crops(soft.pictures(), 64).load(6))
    assert not np.array_equal(frame, other) and soft.paths[7].number == 7
