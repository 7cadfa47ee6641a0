"""The label lists of real models and the local names of real projects."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from ecotone.taxonomy.relations import relate
from ecotone.taxonomy.tree import Taxonomy


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def imagenet(shared_data: Path) -> list[str]:
    return lines(shared_data / "models" / "imagenet_labels.txt")


@pytest.fixture(scope="module")
def speciesnet(shared_data: Path) -> list[str]:
    folder = shared_data / "formats" / "speciesnet"
    return lines(next(folder.glob("*.labels.txt")))


def names(path: Path, column: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return sorted({row[column] for row in csv.DictReader(file)})


EXPECTED = {
    "mantled howler": "howler monkey, howler",
    "patas monkey": "patas, hussar monkey, Erythrocebus patas",
    "white-headed capuchin": "capuchin, ringtail, Cebus capucinus",
    "common squirrel monkey": "squirrel monkey, Saimiri sciureus",
    "pygmy marmoset": "marmoset",
    "silvery marmoset": "marmoset",
    "Nilgiri langur": "langur",
    "Japanese macaque": "macaque",
}


def test_monkeys_against_imagenet(shared_data: Path, imagenet: list[str]) -> None:
    local = names(shared_data / "monkeys" / "labels.csv", "vernacularName")
    found = relate(local, imagenet)
    kind = dict(zip(local, found.kind, strict=True))
    for name, label in EXPECTED.items():
        assert found.links(name, 1)[0][0] == label
        assert kind[name] == ("split" if "marmoset" in name else "exact")
    for name in ("bald uakari", "black-headed night monkey"):
        assert kind[name] == "relative" and found.links(name, 1)[0][1] < 0.2
        assert found.weight[local.index(name)].sum() < 0.65
        assert any(name in note for note in found.notes)
    scientific = names(shared_data / "monkeys" / "labels.csv", "scientificName")
    strong = {label for k in range(10) for label, w in relate(scientific, imagenet).links(k, 1)
              if w > 0.5}
    assert strong == set(EXPECTED.values())


def test_camera_trap_names_against_imagenet(shared_data: Path, imagenet: list[str]) -> None:
    local = names(shared_data / "camera_traps" / "labels.csv", "vernacularName")
    found = relate(local, imagenet)
    assert "unknown" not in found.kind
    kind = dict(zip(local, found.kind, strict=True))
    assert kind["domestic_dog"] == "merged"
    dogs = found.weight[local.index("domestic_dog")]
    assert 110 <= ((dogs > 0.004) & (dogs < 0.007)).sum() <= 125
    assert all(kind[n] == "relative" for n in ("deer", "ocelot", "Virginia Opossum"))
    assert {n for n, _ in found.links("Chicken", 2)} == {"cock", "hen"}


@pytest.mark.parametrize("given_tree", [False, True])
def test_camera_trap_names_against_speciesnet(
    shared_data: Path, speciesnet: list[str], given_tree: bool
) -> None:
    tree = None
    if given_tree:
        file = shared_data / "formats" / "speciesnet" / "taxonomy_release.txt"
        tree = Taxonomy.from_speciesnet(lines(file))
    local = names(shared_data / "camera_traps" / "labels.csv", "vernacularName")
    found = relate(local, speciesnet, tree)
    assert not set(found.kind) & {"unknown", "relative"}
    french = names(shared_data / "ain" / "classifications.csv", "observed")
    assert not set(relate(french, speciesnet, tree).kind) & {"unknown", "relative"}


def test_names_are_linked_through_the_taxonomy(shared_data: Path) -> None:
    file = shared_data / "formats" / "speciesnet" / "taxonomy_release.txt"
    tree = Taxonomy.from_speciesnet(lines(file))
    labels = ["mantled howler monkey", "spotted paca", "some furniture"]
    for local, label in (("Alouatta palliata", labels[0]), ("Cuniculus paca", labels[1])):
        assert relate([local], labels, tree).links(0, 1)[0][0] == label


def test_birds(shared_data: Path) -> None:
    birds = lines(shared_data / "models" / "inat_bird_labels.txt")
    found = relate(["bird", "Common Blackbird", "Turdus merula", "fox", "hummingbird"], birds)
    assert (found.weight[0] > 0).sum() >= 955
    assert found.links(1, 1)[0][0].startswith("Turdus merula")
    assert found.links(2, 1)[0][0].startswith("Turdus merula")
    assert found.weight[3].sum() < 0.1
    hummingbirds = [s for s, name in enumerate(birds) if "ummingbird" in name]
    assert 0.4 < found.weight[4, hummingbirds].sum() <= 0.7


def test_time(speciesnet: list[str]) -> None:
    local = [line.split(";")[-1] for line in speciesnet[:30]]
    local += [f"nonsense {i}" for i in range(30)]
    start = time.process_time()
    relate(local, speciesnet)
    assert time.process_time() - start < 4
    many = [line.replace(";", f"{i};", 5) if i else line for i in range(8) for line in speciesnet]
    start = time.process_time()
    relate(local, many)
    assert time.process_time() - start < 20
