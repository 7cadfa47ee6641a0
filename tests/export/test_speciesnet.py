"""SpeciesNet json in both forms, read again here and by megadetector-utils."""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.export.speciesnet import write_speciesnet
from ecotone.ingest.results import FoundBox, ImageResult
from ecotone.ingest.results_file import read_results
from tests.export.results import BOX, DEER, FILES, FOX, Decision, boxes, scores
from tests.export.test_megadetector import validated


def write(folder, images, **options):
    path = Path(folder) / "predictions.json"
    written = write_speciesnet(images, path, **{"model_version": "4.0.2a", **options})
    return written, json.loads(path.read_text(encoding="utf-8"))


def undecided(image: ImageResult) -> ImageResult:
    found = image.boxes and tuple(b._replace(decision=None) for b in image.boxes)
    return image._replace(boxes=found, decision=None, model_version="")


@st.composite
def pictures(draw, legacy: bool):
    """Pictures that all were seen by a detector, the first with a box."""
    out = []
    for n, file in enumerate(draw(FILES)):
        found = draw(st.lists(boxes(4), min_size=1 if not n else 0, max_size=3))
        whole = draw(scores(4)) if legacy else ()
        if legacy:
            found = [b._replace(scores=()) for b in found]
        place = draw(st.fixed_dictionaries({}, optional={
            "country": st.sampled_from(["KEN", "USA"]), "admin1_region": st.just("CA"),
            "latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180),
            "failures": st.just(("GEOLOCATION",))}))
        out.append(ImageResult(file.strip(), tuple(found), whole, **place))
    return out


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["20261015", "legacy"]).flatmap(
    lambda g: st.tuples(st.just(g), pictures(g == "legacy"))))
def test_read_again_it_is_the_same(case):
    generation, images = case
    with tempfile.TemporaryDirectory() as folder:
        written, _ = write(folder, images, generation=generation)
        results = read_results(written.path)
        assert written.warnings == []
        again, _ = write(folder, results.images, generation=generation)
        assert read_results(again.path).images == results.images
    assert results.kind == f"SpeciesNet {generation}" and results.problems == []
    assert results.classifier == ("speciesnet 4.0.2a" if images else "speciesnet")
    assert [undecided(i) for i in results.images] == images
    for image in results.images:
        for box in (*(image.boxes or ()), image):
            best = box.scores[0] if box.scores else None
            assert (box.decision and box.decision[:2]) == best


def test_the_form_of_5_0_6(tmp_path):
    made = Decision(FOX, 0.61, "classifier+geofence+rollup_to_species")
    weak = FoundBox((0.5, 0.5, 0.1, 0.1), "human", 0.05)
    written, data = write(tmp_path, [
        ImageResult("a\\1.jpg", (BOX._replace(decision=made), weak), country="KEN", latitude=-1.5,
                    longitude=36.8),
        ImageResult("2.jpg", None, (("Wild Boar", 0.6),)), ImageResult("3.jpg", ()),
        ImageResult("4.jpg", None, (), "SpeciesNet failed on it: classifier, detector"),
        ImageResult("5.jpg", None, (), "truncated", model_version="4.0.1a")])
    assert data["info"] == {"format_version": "20261015"}
    one, two, three, four, five = data["predictions"]
    assert one == {
        "filepath": "a/1.jpg", "country": "KEN", "latitude": -1.5, "longitude": 36.8,
        "detections": [
            {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4],
             "raw_classifications": {"classes": [DEER, FOX], "scores": [0.7, 0.2]},
             "processed_classification": {"class": FOX, "score": 0.61, "source": made.source}},
            {"category": "2", "label": "human", "conf": 0.05, "bbox": [0.5, 0.5, 0.1, 0.1]}],
        "model_version": "4.0.2a"}
    assert two["detections"] == [{
        "category": "0", "label": "whole_image_classification", "conf": 1.0,
        "bbox": [0.0, 0.0, 1.0, 1.0],
        "raw_classifications": {"classes": [";;;;;;Wild Boar"], "scores": [0.6]},
        "processed_classification": {"class": ";;;;;;Wild Boar", "score": 0.6,
                                     "source": "classifier"}}]
    assert three == {"filepath": "3.jpg", "detections": [], "model_version": "4.0.2a"}
    assert four["failures"] == five["failures"] == ["CLASSIFIER", "DETECTOR"]
    assert "detections" not in four and five["model_version"] == "4.0.1a"
    assert written.counts == {"images": 5, "detections": 2, "classifications": 2, "failures": 2}


def test_the_form_before_it_has_the_best_box(tmp_path):
    second = BOX._replace(confidence=0.95, scores=((FOX, 0.8),),
                          decision=Decision(FOX, 0.9, "classifier"))
    written, data = write(tmp_path, [ImageResult("1.jpg", (BOX, second)), ImageResult("2.jpg", ()),
                                     ImageResult("3.jpg", (BOX,))], generation="legacy")
    one, two, three = data["predictions"]
    assert "info" not in data and two == {
        "filepath": "2.jpg", "detections": [], "model_version": "4.0.2a"}
    assert one["classifications"] == {"classes": [FOX], "scores": [0.8]}
    assert (one["prediction"], one["prediction_score"], one["prediction_source"]) == (
        FOX, 0.9, "classifier")
    assert all(set(d) == {"category", "label", "conf", "bbox"} for d in one["detections"])
    assert three["prediction"] == DEER and three["prediction_score"] == 0.7
    assert written.warnings == ["predictions.json: scores of more than one box, of which this form "
                                "takes the best (1: 1.jpg)"]


def test_classes_get_their_lines(tmp_path):
    image = ImageResult("1.jpg", (BOX._replace(scores=(("deer", 0.6), ("a;b", 0.4))),))
    _, data = write(tmp_path, [image], descriptions={"deer": DEER}, top=2)
    raw = data["predictions"][0]["detections"][0]["raw_classifications"]
    assert raw["classes"] == [DEER, ";;;;;;a b"]


def test_what_cannot_be_written_is_told(tmp_path):
    written, _ = write(tmp_path, [
        ImageResult("1.jpg", (BOX._replace(frame_number=2),)),
        ImageResult("2.jpg", (), (), decision=Decision(DEER, math.nan, ""))])
    assert "frames of a video" in written.warnings[0]
    assert "a decision on a picture without scores" in written.warnings[1]


@pytest.mark.parametrize(("options", "what"), [
    ({"generation": "1999"}, "generation is '1999'"), ({"top": 0}, "top is 0"),
])
def test_other_forms_are_refused(tmp_path, options, what):
    with pytest.raises(InputError, match=what):
        write(tmp_path, [], **options)


def test_wrong_pictures_are_refused(tmp_path):
    for image, what in ((ImageResult("", ()), "a picture without a name"),
                        (ImageResult("1.jpg", (BOX._replace(confidence=2.0),)), "1.jpg, conf")):
        with pytest.raises(InputError, match=what):
            write(tmp_path, [image])
    assert not list(tmp_path.iterdir())


def test_megadetector_utils_reads_it(shared_data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from megadetector.utils.wi_taxonomy_utils import (
            generate_md_results_from_predictions_json as convert,
        )
    folder = shared_data / "formats"
    for name in ("speciesnet/output_ensemble.json", "speciesnet/file.json",
                 "zamba_ena24/md_annotations.json"):
        images = read_results(folder / name).images
        written, _ = write(tmp_path, images)
        convert(str(written.path), str(tmp_path / "md.json"))
        told = validated(tmp_path / "md.json")
        assert told["errors"] == [] and told["warnings"] == []
        found = read_results(tmp_path / "md.json").images
        assert [len(i.boxes or ()) for i in found] == [len(i.boxes or ()) for i in images]


def test_the_real_files_come_back(shared_data, tmp_path):
    folder = shared_data / "formats/speciesnet"
    for name in ("output_ensemble.json", "output_classifier.json", "output_detector.json"):
        first = read_results(folder / name)
        once, _ = write(tmp_path, first.images, generation="legacy", model_version="x")
        again = read_results(once.path)
        assert [len(i.scores) for i in again.images] == [len(i.scores) for i in first.images]
        for new, old in zip(again.images, first.images, strict=True):
            assert new.decision is None or old.decision is None or (
                new.decision.label == old.decision.label)
            assert [n for n, _ in new.scores] == [n for n, _ in old.scores]
            assert (new.boxes is None) == (old.boxes is None)
