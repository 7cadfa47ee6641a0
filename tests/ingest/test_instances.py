from __future__ import annotations

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.instances import Instance, read_instances
from tests.ingest import write_json


def parse(tmp_path, *instances):
    return read_instances(write_json(tmp_path, {"instances": list(instances)}, "instances.json"))


def test_places_of_files(tmp_path):
    found = parse(
        tmp_path, {"filepath": "a.jpg", "country": "usa", "admin1_region": "ca",
                   "latitude": 41.46, "longitude": -73.84},
        {"filepath": "b.jpg"}, {"filepath": "a.jpg", "country": "KEN"})
    assert found.rows[0] == Instance("a.jpg", "USA", "CA", 41.46, -73.84)
    assert found.rows[1] == Instance("b.jpg") and not found.problems
    assert found.by_file()["a.jpg"].country == "KEN" and len(found.by_file()) == 2


@pytest.mark.parametrize(("entry", "what"), [
    ({"filepath": "a.jpg", "country": "KE"}, "country is no code of three letters"),
    ({"filepath": "a.jpg", "latitude": 91, "longitude": 0}, "latitude is no number of degrees"),
    ({"filepath": "a.jpg", "latitude": "x", "longitude": 0}, "latitude is no number"),
    ({"country": "KEN"}, "no 'filepath'"), (7, "an entry is no object"),
])
def test_what_is_wrong_is_told_and_the_rest_read(tmp_path, entry, what):
    found = parse(tmp_path, {"filepath": "good.jpg"}, entry)
    (problem,) = found.problems
    assert what in problem and "instances.json" in problem
    assert found.rows[0].file == "good.jpg"
    assert all(row.country == "" and row.latitude is None for row in found.rows)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match="expected SpeciesNet's input"):
        read_instances(write_json(tmp_path, {"predictions": []}))
    with pytest.raises(FormatError, match="none of its instances"):
        parse(tmp_path, {"country": "KEN"})
    with pytest.raises(FormatError, match="'instances' is dict"):
        read_instances(write_json(tmp_path, {"instances": {}}))


def test_the_real_files(shared_data):
    folder = shared_data / "formats/speciesnet"
    found = read_instances(folder / "instances.json")
    assert len(found.rows) == 16 and not found.problems
    assert found.by_file()["test_data/african_elephants.jpg"].country == "KEN"
    assert found.by_file()["test_data/blank.jpg"].latitude == 41.46
