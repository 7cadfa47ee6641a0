"""The decision against SpeciesNet's own code on many random cases; needs that package."""

from __future__ import annotations

import copy
import random
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble import SpeciesNetEnsemble
from ecotone.hierarchy.ensemble_pictures import combine
from ecotone.taxonomy.geofence_fixes import apply_fixes, propagate
from ecotone.taxonomy.rollup import LEVELS, ancestor_at, label_map, taxon_key
from tests.hierarchy.speciesnet_labels import SPECIAL, SPECIES, TAXONOMY

CASES = 1500
COUNTRIES, STATES = ("DEU", "USA", "AUS"), ("CA", "HI", "TX")
EDGES = (0.0, 0.2, 0.4, 0.5, 0.65, 0.7, 0.8, 0.99, 1.0)


@pytest.fixture(scope="module")
def original() -> SimpleNamespace:
    """The modules of the package that decide."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from speciesnet import ensemble, geofence_utils, taxonomy_utils
            from speciesnet.ensemble_prediction_combiner import combine_predictions
        except ImportError as error:
            pytest.skip(f"the speciesnet package is not installed ({error})")
    return SimpleNamespace(ensemble=ensemble, fence=geofence_utils, taxonomy=taxonomy_utils,
                           combine=combine_predictions)


@pytest.fixture(scope="module")
def release(original) -> SimpleNamespace:
    """Rules of the geofence's release; its module needs more packages than the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from speciesnet.scripts import build_geofence_release
        except ImportError as error:
            pytest.skip(f"what speciesnet's release script needs is not installed ({error})")
    return build_geofence_release


def some_rules(draw: random.Random, taxa: list[str], kinds=("allow", "block")) -> dict:
    def where() -> dict:
        return {
            country: draw.sample(STATES, draw.randint(0, 2)) if country == "USA" else []
            for country in draw.sample(COUNTRIES, draw.randint(0, 3))
        }

    chosen = draw.sample(taxa, max(1, len(taxa) // 2))
    return {taxon: {kind: where() for kind in kinds if draw.random() < 0.6} for taxon in chosen}


def some_scores(draw: random.Random, labels: list[str]) -> tuple[list[str], list[float]]:
    k = draw.choice((1, 2, 5, 5, 5, 7))
    near = draw.choice(labels).split(";")[2]
    family = [label for label in labels if label.split(";")[2] == near]
    classes = [
        draw.choice(SPECIAL if draw.random() < 0.25 else family if draw.random() < 0.8 else labels)
        for _ in range(k)
    ]
    first = draw.choice(EDGES) if draw.random() < 0.4 else draw.random()
    rest = [(1 - first) * draw.random() / k for _ in range(k - 1)]
    digits = draw.choice((2, 4, 17))
    return classes, sorted((round(s, digits) for s in (first, *rest)), reverse=True)


def some_box(draw: random.Random) -> dict:
    label = draw.choice(("animal", "human", "vehicle"))
    sure = draw.choice(EDGES) if draw.random() < 0.4 else draw.random()
    left = [round(draw.random() / 2, 4) for _ in range(4)]
    return {"category": str(("animal", "human", "vehicle").index(label) + 1), "label": label,
            "conf": sure, "bbox": left}


def ask(original, classes, scores, box, place, labels, rules) -> tuple:
    found = original.combine(
        classifications_list=[{"classes": classes[:5], "scores": scores[:5]}], detections=[box],
        country=place[0], admin1_region=place[1], taxonomy_map=labels, geofence_map=rules,
        enable_geofence=True, geofence_fn=original.fence.geofence_animal_classification,
        roll_up_fn=original.fence.roll_up_labels_to_first_matching_level,
    )[0]
    return found["class"], found["score"], found["source"]


def compare(original, labels: dict, lines: list[str], seed: int, cases: int) -> None:
    draw = random.Random(seed)
    rules = some_rules(draw, sorted(labels))
    ours = SpeciesNetEnsemble(labels, rules)
    for _ in range(cases):
        classes, scores = some_scores(draw, lines)
        if draw.random() < 0.2:
            draw.shuffle(scores)  # the order given counts, sorted or not
        box, place = some_box(draw), (draw.choice((None, *COUNTRIES)), draw.choice((None, *STATES)))
        expected = ask(original, classes, scores, box, place, labels, rules)
        found = ours.decide(classes, scores, box["label"], box["conf"], *place)
        assert tuple(found) == expected, (classes, scores, box, place)


def test_one_box_on_a_small_taxonomy(original):
    for seed in range(6):
        compare(original, dict(label_map(TAXONOMY)), list(SPECIES), seed, CASES // 6)


def test_one_box_on_the_real_taxonomy(original, shared_data: Path):
    folder = shared_data / "formats" / "speciesnet"
    names = ("taxonomy_release.txt", "always_crop_99710272_22x8_v12_epoch_00148.labels.txt")
    maps = {}
    for name in names:
        theirs = original.ensemble._load_taxonomy_from_file(folder / name)
        maps[name] = {taxon: str.__str__(label) for taxon, label in theirs.items()}
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        assert dict(label_map(lines)) == maps[name]
    for name in names:
        compare(original, maps[name], lines, 11, CASES // 2)


def test_ancestors(original):
    labels = dict(label_map(TAXONOMY))
    for label in (*TAXONOMY, *SPECIAL):
        assert taxon_key(label) == original.taxonomy.get_full_class_string(label)
        for level in LEVELS:
            theirs = original.taxonomy.get_ancestor_at_level(label, level, labels)
            assert ancestor_at(label, level, labels) == theirs


def test_pictures(original):
    draw = random.Random(3)
    lines, labels = list(SPECIES), dict(label_map(TAXONOMY))
    rules = some_rules(draw, sorted(labels))
    theirs = object.__new__(original.ensemble.SpeciesNetEnsemble)
    theirs.model_info, theirs.enable_geofence = SimpleNamespace(version="x"), True
    theirs.taxonomy_map, theirs.geofence_map = labels, rules
    theirs.prediction_combiner = original.combine
    ours = SpeciesNetEnsemble(labels, rules)
    files = [f"{i}.jpg" for i in range(400)]
    said, seen, places = {}, {}, {}
    for file in files:
        boxes = [some_box(draw) for _ in range(draw.randint(0, 4))]
        scored = [dict(box) for box in boxes]
        if draw.random() < 0.3:
            whole = {"category": "0", "label": "whole_image_classification", "conf": 1.0}
            scored = [whole | {"bbox": [0.0, 0.0, 1.0, 1.0]}]
        for box in scored:
            if box["category"] == "0" or draw.random() < 0.7:
                classes, scores = some_scores(draw, lines)
                box["raw_classifications"] = {"classes": classes, "scores": scores}
        for results, boxes_, part in ((said, scored, "CLASSIFIER"), (seen, boxes, "DETECTOR")):
            if draw.random() < 0.85:
                failed = draw.random() < 0.1
                results[file] = {"failures": [part]} if failed else {"detections": boxes_}
        if draw.random() < 0.8:
            places[file] = draw.choice(({}, {"country": "DEU", "latitude": 1.5},
                                        {"country": "USA", "admin1_region": "CA"}))
    for reported in (1, 2, None):
        given = copy.deepcopy((files, said, seen, places))
        expected = theirs.combine(*given, max_classifications_per_detection=reported)
        found = combine(ours, files, said, seen, places, reported=reported, model_version="x")
        assert found == expected


def test_rules_of_a_release(release):
    draw = random.Random(5)
    taxa = sorted({taxon_key(label) for label in TAXONOMY} - {";;;;"})
    carried = 0
    for _ in range(80):
        rules = some_rules(draw, taxa, ("allow",) if draw.random() < 0.5 else ("allow", "block"))
        rules = {taxon: kinds for taxon, kinds in rules.items() if kinds}
        release._read_label_list = lambda path: {taxon_key(label) for label in TAXONOMY}
        try:
            expected = release.propagate_rules(copy.deepcopy(rules), "")
        except KeyError:
            continue  # a higher taxon has blocks alone and stands before one that is allowed
        assert propagate(rules, TAXONOMY) == expected
        carried += 1
    assert carried > 20


def test_corrections_of_a_release(release, tmp_path):
    draw = random.Random(9)
    taxa = sorted({taxon_key(label) for label in TAXONOMY} - {";;;;"})
    lines = tmp_path / "taxonomy.txt"
    lines.write_text("\n".join(label for label in TAXONOMY).lower(), encoding="utf-8")
    stood = 0
    for _ in range(60):
        rules = some_rules(draw, taxa)
        rows = [
            (draw.choice(taxa), draw.choice(("allow", "block")), country,
             draw.choice(("", *STATES)) if country == "USA" else "")
            for country in draw.choices(COUNTRIES, k=draw.randint(1, 6))
        ]
        path = tmp_path / "fixes.csv"
        text = "\n".join(",".join(row) for row in rows)
        path.write_text(f"species,rule,country_code,admin1_region_code\n# some\n{text}\n")
        try:
            expected = release.fix_geofence_base(copy.deepcopy(rules), path, lines)
        except AssertionError:
            with pytest.raises(InputError):
                apply_fixes(rules, rows)
            continue
        assert apply_fixes(rules, rows) == expected
        stood += 1
    assert 10 < stood < 60
