from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest

from ecotone.store.studies import next_study
from ecotone.store.tables import DeploymentFacts, KeptStudy, NewLabel


def kept(number=1, content="abc", **summary):
    return KeptStudy(number, "camtrapdp", f"sources/{number}-camtrapdp", "/x", content, "", summary)


def test_a_study_comes_back_with_its_deployments_and_pictures(catalog):
    rows = {"d1": {"deploymentID": "d1", "latitude": "50.10"}, "d2": {"deploymentID": "d2"}}
    catalog.add_study(kept(name="forêt"), rows.items())
    assert catalog.add_study_media(1, {"x": "m0", "y": "m1"}) == 2
    assert catalog.add_study_media(1, {"x": "m0", "y": "m2"}) == 1
    (study,) = catalog.studies()
    assert (study.kind, study.folder, study.summary) == (
        "camtrapdp", "sources/1-camtrapdp", {"name": "forêt"})
    assert study.created and catalog.counts()["studies"] == 1
    assert catalog.study_deployments(1) == rows
    assert catalog.study_media(1) == {"x": "m0", "y": "m2"} and catalog.study_media(2) == {}
    catalog.set_study_summary(1, {"name": "b"})
    assert catalog.studies()[0].summary == {"name": "b"}


def test_numbers_of_studies_are_never_given_twice(catalog):
    with catalog.transaction() as connection:
        assert next_study(connection) == 1
    catalog.add_study(kept(), [])
    with pytest.raises(RuntimeError), catalog.transaction() as connection:
        assert next_study(connection) == 2
        catalog.add_study(kept(2), [])
        raise RuntimeError
    assert next_study(catalog.connection) == 2 and len(catalog.studies()) == 1
    with pytest.raises(sqlite3.IntegrityError):
        catalog.add_study_media(7, {"x": "m0"})


def test_facts_of_deployments_are_added_and_never_emptied(catalog):
    facts = [DeploymentFacts("a", "Hill", 50.5, 4.25, "2024-01-01T00:00:00", "", "+01:00"),
             DeploymentFacts("z", latitude=0.0, longitude=-1.0)]
    assert catalog.set_deployment_facts(facts) == 2
    assert catalog.set_deployment_facts(facts) == 0
    assert catalog.set_deployment_facts([DeploymentFacts("a", end="2024-02-01T00:00:00")]) == 1
    table = catalog.deployments()
    assert table.id.tolist() == ["a", "b", "z"] and table.media.tolist() == [2, 3, 0]
    assert table.location_name[0] == "Hill" and table.time_zone.tolist() == ["+01:00", "", ""]
    assert (table.start[0], table.end[0]) == ("2024-01-01T00:00:00", "2024-02-01T00:00:00")
    np.testing.assert_array_equal(table.latitude, [50.5, np.nan, 0.0])


def test_a_deployment_of_which_something_is_known_outlives_its_pictures(catalog):
    catalog.set_deployment_facts([DeploymentFacts("a", "Hill")])
    catalog.set_deployments({m: "c" for m in catalog.media().id})
    assert catalog.deployments().id.tolist() == ["a", "c"]


def test_labels_keep_who_said_what_else(catalog):
    catalog.add_labels([
        NewLabel("m0", "fox", author="Ann", observation_id="o1",
                 attributes=json.dumps({"count": "2"})),
        NewLabel("m1", "deer"),
    ], author="Kim", source="file")
    table = catalog.labels()
    assert table.author.tolist() == ["Ann", "Kim"]
    assert table.observation_id.tolist() == ["o1", ""]
    assert [json.loads(a) for a in table.attributes] == [{"count": "2"}, {}]
