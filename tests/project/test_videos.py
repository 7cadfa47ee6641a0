"""Videos in a project: added, sampled, embedded and pooled; broken ones stop nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.project import Project
from tests.export.test_camtrapdp_valid import official, profile_errors, table_errors
from tests.videos import bars, cut, make_video

pytest.importorskip("av")
__all__ = ["official"]  # a fixture of other tests


@pytest.fixture
def clips(tmp_path: Path, make_picture) -> Path:
    """cam1: a.mp4 and b.AVI of 3 s at 10 frames a second, and a picture; cam2: broken ones."""
    folder = tmp_path / "clips"
    make_video(folder / "cam1" / "a.mp4", 30, created="2024-05-01T06:30:00Z")
    make_video(folder / "cam1" / "20240501_070000.AVI", 30)
    make_picture(folder / "cam1" / "c.jpg", taken="2024:05:01 06:31:00")
    (folder / "cam2").mkdir()
    (folder / "cam2" / "noise.mov").write_bytes(b"no video at all" * 99)
    (folder / "cam2" / "empty.mp4").touch()
    cut(folder / "cam1" / "20240501_070000.AVI", folder / "cam2" / "cut.avi", 0.8)
    return folder


def rows_of(project: Project, name: str) -> list[tuple[int, list[float]]]:
    media, detections = project.catalog.media(), project.catalog.detections()
    (medium,) = [m for m, f in zip(media.id, media.file_path, strict=True) if f.endswith(name)]
    rows = np.flatnonzero(detections.media_id == medium)
    return [(int(detections.frame_number[r]), detections.bbox[r].tolist()) for r in rows]


def test_videos_are_added_with_their_frames_and_broken_ones_recorded(tmp_path, clips) -> None:
    with Project.init(tmp_path / "p") as project:
        report = project.add_images(clips)
        assert report.added == 6
        media = project.catalog.media()
        by_name = {Path(f).name: n for n, f in enumerate(media.file_path)}
        a = by_name["a.mp4"]
        assert (media.frame_rate[a], media.frames[a]) == (10.0, 30)
        assert media.frames_processed[a] == (0, 10, 20)
        assert (media.width[a], media.height[a]) == (128, 96)
        assert media.timestamp[a] == "2024-05-01T06:30:00"
        assert media.timestamp[by_name["20240501_070000.AVI"]] == "2024-05-01T07:00:00"
        assert media.is_video.tolist() == [f != "c.jpg" for f in by_name]
        assert rows_of(project, "a.mp4") == [(n, [0, 0, 1, 1]) for n in (0, 10, 20)]
        assert rows_of(project, "c.jpg") == [(-1, [0, 0, 1, 1])]
        failures = {Path(f.path).name: f.reason for f in project.catalog.failures()}
        assert set(failures) == {"noise.mov", "empty.mp4", "cut.avi"}
        assert "not a video" in failures["noise.mov"] and "cut off" in failures["cut.avi"]
        assert rows_of(project, "cut.avi")[0] == (0, [0, 0, 1, 1])  # what can be read is used
        assert sum("videos" in p for p in report.problems) == 2
        # The picture a minute after the end of the video is of its event, the other video not.
        events = media.event_id
        assert events[a] == events[by_name["c.jpg"]] != events[by_name["20240501_070000.AVI"]]

        again = project.add_images(clips)
        assert (again.added, again.updated, again.skipped) == (0, 0, 6)
        assert rows_of(project, "a.mp4") == [(n, [0, 0, 1, 1]) for n in (0, 10, 20)]


def test_another_sampling_renews_the_frames_and_keeps_the_numbers_of_those_that_stay(
    tmp_path, clips
) -> None:
    with Project.init(tmp_path / "p") as project:
        project.add_images(clips / "cam1")
        before = dict(zip(project.catalog.detections().frame_number.tolist(),
                          project.catalog.detections().id, strict=False))
        report = project.add_images(clips / "cam1", frames="rate:2")
        assert (report.added, report.updated, report.skipped) == (0, 2, 1)
        assert sorted(n for n, _ in rows_of(project, "a.mp4")) == [0, 5, 10, 15, 20, 25]
        after = dict(zip(project.catalog.detections().frame_number.tolist(),
                         project.catalog.detections().id, strict=False))
        assert after[10] == before[10]
        assert project.add_images(clips / "cam1", frames="rate:2").skipped == 3
        assert project.add_images(clips / "cam1", frames="motion:4").updated == 2
        assert len(rows_of(project, "a.mp4")) == 4
        with pytest.raises(InputError, match="expected 'rate:1'"):
            project.add_images(clips / "cam1", frames="often")


def test_embeddings_are_those_of_the_frames_themselves(tmp_path, clips) -> None:
    from ecotone.backends.base import open_backend
    from ecotone.media.video import load_frame
    from ecotone.store.vectors import read_embeddings

    with Project.init(tmp_path / "p") as project:
        project.add_images(clips)
        report = project.embed("handcrafted")
        assert report.done == len(project.catalog.detections()) - 2
        detections = project.catalog.detections()
        values, present = read_embeddings(
            project.catalog, project.vectors, "handcrafted", detections.id)
        rows = [r for r in range(len(detections)) if detections.frame_number[r] == 20
                and detections.media_id[r] == detections.media_id[0]]
        backend = open_backend("handcrafted")
        own = backend.preprocessing.apply(load_frame(clips / "cam1" / "20240501_070000.AVI", 20))
        assert present[rows].all()
        got = np.asarray(values[rows[0]], dtype=float)
        expected = backend.encode(own[None])[0]
        np.testing.assert_allclose(got, expected, atol=2e-2)
        # The cut video stays on record though its frames were read.
        assert {Path(f.path).name for f in project.catalog.failures()} == {
            "noise.mov", "empty.mp4", "cut.avi"}


def test_without_pyav_videos_are_left_out_with_a_word(tmp_path, clips, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with Project.init(tmp_path / "p") as project:
        report = project.add_images(clips)
        assert report.added == 1
        assert any("5 videos are left out" in p and "ecotone[video]" in p for p in report.problems)


def test_a_video_taken_away_fails_alone(tmp_path, clips) -> None:
    with Project.init(tmp_path / "p") as project:
        project.add_images(clips / "cam1")
        (clips / "cam1" / "a.mp4").unlink()
        report = project.embed("handcrafted")
        assert report.done == 4 and len(report.failed) == 1 and "missing" in report.failed[0]
        shutil.copy(clips / "cam1" / "20240501_070000.AVI", clips / "cam1" / "a.mp4")
        assert project.embed("handcrafted").done == 3
        assert not project.catalog.failures()


def test_megadetector_json_comes_in_and_goes_out_with_its_frames(tmp_path, clips) -> None:
    import json

    from ecotone.store.vectors import read_scores
    from tests.export.test_megadetector import validated

    box = [0.1, 0.2, 0.3, 0.4]
    found = [
        {"category": "1", "conf": 0.9, "bbox": box, "frame_number": 12,
         "classifications": [["0", 0.8]]},
        {"category": "1", "conf": 0.7, "bbox": box, "frame_number": 17,
         "classifications": [["1", 0.6]]},
        {"category": "1", "conf": 0.6, "bbox": [0.0, 0.0, 1.0, 1.0], "frame_number": 5},
        {"category": "2", "conf": 0.5, "bbox": [0.0, 0.0, 1.0, 1.0], "frame_number": 6},
        {"category": "1", "conf": 0.01, "bbox": box, "frame_number": 1},
    ]
    content = {
        "info": {"format_version": "1.5", "detector": "md"},
        "detection_categories": {"1": "animal", "2": "person"},
        "classification_categories": {"0": "red deer", "1": "grey fox"},
        "images": [
            {"file": "cam1/a.mp4", "frame_rate": 10.0, "frames_processed": [0, 1, 5, 6, 12, 17],
             "detections": found},
            {"file": "cam1/20240501_070000.AVI", "frame_rate": 10.0, "frames_processed": [0, 10],
             "detections": []},
            {"file": "cam2/noise.mov", "frame_rate": -1.0, "detections": None,
             "failure": "video access failure"},
        ],
    }
    path = tmp_path / "md.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with Project.init(tmp_path / "p") as project:
        project.add_images(clips)
        project.add_scores(path)
        assert sorted(rows_of(project, "a.mp4"))[0] == (5, [0, 0, 1, 1])
        assert sorted(n for n, _ in rows_of(project, "a.mp4")) == [5, 6, 12, 17]
        detections = project.catalog.detections()
        scores = read_scores(project.catalog, project.vectors, "md", detections.id)
        said = {int(n): row for n, row in zip(detections.frame_number, scores.values.toarray(),
                                              strict=True) if n in (12, 17)}
        assert said[12].argmax() != said[17].argmax()
        again = project.add_detections(path)
        assert again.added == again.updated == 0
        # Frames are chosen anew only where no detector has seen them.
        assert project.add_images(clips, frames="rate:3").updated == 1  # the one that is cut off

        project.export(tmp_path / "out.json", format="megadetector")
        assert validated(tmp_path / "out.json")["errors"] == []
        out = {i["file"]: i for i in json.loads((tmp_path / "out.json").read_text())["images"]}
        video = out["cam1/a.mp4"]
        assert (video["frame_rate"], video["frames_processed"]) == (10.0, [0, 1, 5, 6, 12, 17])
        assert sorted((d["frame_number"], d["category"], d["conf"], d["bbox"])
                      for d in video["detections"]) == sorted(
            (d["frame_number"], d["category"], d["conf"], d["bbox"]) for d in found[:4])
        assert out["cam1/20240501_070000.AVI"]["detections"] == []
        assert out["cam1/20240501_070000.AVI"]["frames_processed"] == [0, 10]
        assert out["cam2/noise.mov"]["detections"] is None
        assert "frame_number" not in out["cam1/c.jpg"]["detections"][0]

        other = tmp_path / "other"
        (tmp_path / "out.json").rename(other.with_suffix(".json"))
        with Project.init(other) as second:
            second.add_images(clips)
            second.add_detections(other.with_suffix(".json"))
            one, two = project.catalog.detections(), second.catalog.detections()
            assert sorted(one.shot) == sorted(two.shot)


def test_bars_are_what_they_say() -> None:
    assert not np.array_equal(bars(1), bars(2))


def fused_project(tmp_path: Path) -> Project:
    """Eight videos of two species (by colour) at four places, half of them labelled as a whole; the
    first has both species, and a frame without colour."""
    import csv

    folder = tmp_path / "herd"
    colours = {"red deer": (150, 70, 40), "grey fox": (60, 70, 160)}
    rng = np.random.default_rng(0)
    labels = []
    for place in range(4):
        for k, (name, colour) in enumerate(colours.items()):
            shown = []
            for _ in range(40):
                picture = rng.integers(0, 30, (96, 128, 3)) + np.array(colour)
                shown.append(np.clip(picture, 0, 255).astype(np.uint8))
            file = f"cam{place}/{k}.mp4"
            make_video(folder / file, pictures=shown,
                       created=f"2024-05-0{place + 1}T0{k + 5}:00:00Z")
            if place < 3:
                labels.append((file, name))
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([("filePath", "vernacularName"), *labels])
    project = Project.init(tmp_path / "herd-project")
    project.add_images(folder)
    project.add_labels(table)
    project.embed("handcrafted")
    return project


def test_a_fusion_pools_the_frames_of_a_video_and_exports_one_answer(tmp_path: Path) -> None:
    import csv

    from ecotone.project.gathering import gather
    from ecotone.store.vectors import read_posteriors

    with fused_project(tmp_path) as project:
        # The label of a video is that of all its frames, and they are never split.
        labels = project.catalog.current_labels()
        assert len(labels) == 6 * 4
        groups = gather(project).groups
        media = project.catalog.detections().media_id
        assert all(len(set(groups[media == m])) == 1 for m in set(media))

        result = project.fuse(use_context=False)
        assert any("decided together" in note for note in result.notes)
        found = read_posteriors(project.catalog, project.vectors, result.run)
        medium_of = dict(zip(project.catalog.detections().id, media, strict=True))
        for m in set(media):
            rows = [r for r, i in enumerate(found.id) if medium_of[i] == m]
            assert np.ptp(found.values[rows], axis=0).max() < 1e-2  # one answer a video
        raw = read_posteriors(project.catalog, project.vectors, f"{result.run}-fused")
        spread = np.ptp(raw.values[:4], axis=0).max()
        assert spread > 0 and np.ptp(found.values[:4], axis=0).max() < spread
        k = found.values[0].argmax()
        assert found.values[:4, k].argmax() == raw.values[:4, k].argmax()  # its best frame

        project.export(tmp_path / "out.csv")
        with (tmp_path / "out.csv").open() as handle:
            rows = list(csv.DictReader(handle))
        assert [r["frameNumber"] for r in rows[:4]] == ["0", "10", "20", "30"]
        assert rows[0]["frameRate"] == "10"
        assert [r["timestamp"][-2:] for r in rows[:4]] == ["00", "01", "02", "03"]

        study = project.study(people=False)
        observations = list(study.observations)
        assert len(observations) == 8  # one a video and species
        assert {o["count"] for o in observations} == {"1"}
        assert all("frameNumber:" in o["observationTags"] for o in observations)
        assert {m["fileMediatype"] for m in study.media} == {"video/mp4"}
        from ecotone.project.suggesting import suggest

        asked = suggest(project, 10, gain=False)
        videos = [q.detection_id.rpartition(":")[0] for q in asked.questions]
        assert len(videos) == len(set(videos)) <= 2


def test_a_package_with_videos_is_valid_camtrap_dp(tmp_path: Path, official: Path) -> None:
    with fused_project(tmp_path) as project:
        project.fuse(use_context=False)
        (tmp_path / "places.csv").write_text(
            "deploymentID,latitude,longitude\n"
            + "".join(f"cam{n},50.{n},4.{n}\n" for n in range(4)), encoding="utf-8")
        project.add_deployments(tmp_path / "places.csv")
        project.export(tmp_path / "package", format="camtrapdp", time_zone="UTC", events=True)
    assert table_errors(tmp_path / "package", official) == []
    assert profile_errors(tmp_path / "package", official) == []


def test_predict_gives_one_row_a_video_by_its_best_frame(tmp_path: Path, make_picture) -> None:
    from ecotone.bundle.predict import predict_folder

    with fused_project(tmp_path) as project:
        project.fuse(use_context=False)
        model = project.models / "latest"
    folder = tmp_path / "herd" / "cam3"
    make_picture(folder / "p.jpg", (150, 70, 40))
    (folder / "noise.mp4").write_bytes(b"nothing" * 50)
    cut(folder / "0.mp4", folder / "short.mp4", 0.6)
    rows = {r["filePath"]: r for r in predict_folder(folder, model)}
    assert set(rows) == {"0.mp4", "1.mp4", "noise.mp4", "p.jpg", "short.mp4"}
    assert (rows["0.mp4"]["localClass"], rows["1.mp4"]["localClass"]) == ("red deer", "grey fox")
    assert rows["p.jpg"]["frameNumber"] == "" and rows["p.jpg"]["localClass"]
    assert "not a video" in rows["noise.mp4"]["error"]
    every = [r for r in predict_folder(folder, model, frames="rate:2", every_frame=True)
             if r["filePath"] == "0.mp4"]
    assert [r["frameNumber"] for r in every] == ["0", "5", "10", "15", "20", "25", "30", "35"]
    best = max((r for r in predict_folder(folder, model, every_frame=True)
                if r["filePath"] == "0.mp4"), key=lambda r: r["classificationProbability"])
    assert best["frameNumber"] == rows["0.mp4"]["frameNumber"]
