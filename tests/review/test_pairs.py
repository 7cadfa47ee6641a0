"""Two individuals side by side: which pairs are asked, and what people said of them."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.project import Project
from ecotone.store import individuals as store


@pytest.fixture
def matched(reserve):
    """The project after a run that found candidates for two animals."""
    with Project(reserve) as project:
        ids = project.catalog.detections().id
        run = project.catalog.start_run("individuals match")
        rows = [[("Zuri", 0.52, ids[5]), ("Tano", 0.2, ids[6])], [("Zuri", 0.9, ids[0])]]
        with project.catalog.transaction() as connection:
            store.insert_rows(connection, run, store.IdentificationTable(
                np.array([ids[0], ids[5]], dtype=object), np.array(["Zuri", "Zuri"], dtype=object),
                np.array(["cannot tell", "known"], dtype=object), np.array([0.52, 0.9]),
                np.array([0.6, 0.9]), store.candidates_json(rows)))
        project.catalog.finish_run(run)
    return ids


def test_pairs_come_once_the_least_certain_first(matched, client):
    found = client.get("/api/pairs").json()
    assert found["total"] == 2
    first = found["pairs"][0]
    assert (first["a"]["id"], first["b"]["id"]) == (matched[0], matched[5])
    assert first["individual"] == "Zuri" and first["said"] is None
    queues = {q["queue"]: q["left"] for q in client.get("/api/state").json()["queues"]}
    assert queues["matches"] == 2


def test_a_decided_pair_leaves_and_comes_back(matched, client):
    client.decide(kind="match", id=matched[5], other=matched[0], word="same")
    assert client.get("/api/pairs").json()["total"] == 1
    (told,) = client.get("/api/pairs", params={"decided": True}).json()["pairs"]
    assert told["said"]["decision"] == "same" and told["said"]["author"] == "Ana"
    answer = client.decide(kind="undo").json()
    assert set(answer["target"]["detections"]) == {matched[0], matched[5]}
    assert client.get("/api/pairs").json()["total"] == 2


def test_a_pair_that_nobody_can_tell_is_not_asked_about_again(matched, client):
    client.decide(kind="match", id=matched[5], other=matched[0], word="cannot tell")
    assert client.get("/api/pairs").json()["total"] == 1
    (told,) = client.get("/api/pairs", params={"decided": True}).json()["pairs"]
    assert told["said"]["decision"] == "cannot tell" and told["said"]["author"] == "Ana"
    assert client.decide(kind="undo").json()["stored"]
    assert client.get("/api/pairs").json()["total"] == 2
    assert client.decide(kind="match", id=matched[5], other=matched[0]).status_code == 422


def test_without_matches_there_is_no_such_queue(client):
    assert client.get("/api/pairs").json() == {"total": 0, "pairs": [], "mark": 0}
    assert "matches" not in {q["queue"] for q in client.get("/api/state").json()["queues"]}


def test_a_word_that_contradicts_the_others_is_told_and_not_stored(client, ids):
    a, b, c = ids[:3]
    client.decide(kind="match", id=a, other=b, word="same")
    client.decide(kind="match", id=b, other=c, word="same")
    answer = client.decide(kind="match", id=c, other=a, word="different")
    assert answer.status_code == 422 and "\n" not in answer.json()["error"]
    client.decide(kind="undo")
    assert client.decide(kind="match", id=c, other=a, word="different").status_code == 200


def test_another_word_on_a_pair_is_a_conflict_and_both_stay_on_record(matched, client):
    pair = {"kind": "match", "id": matched[5], "other": matched[0]}
    mark = client.get("/api/pairs").json()["mark"]
    first = client.decide("Ana", word="same", **pair).json()["pair"]["said"]
    assert first["decision"] == "same" and first["others"] == []
    answer = client.decide("Ben", word="different", **pair)  # Ben's page does not show Ana's word
    assert answer.status_code == 409
    (theirs,) = answer.json()["conflicts"]
    assert (theirs["label"], theirs["author"]) == ("same", "Ana")
    with Project(client.project) as project:
        said = [d.decision for d in store.read_decisions(project.catalog.connection)]
    assert said == ["same"]
    heard = client.get("/api/changes", params={"mark": mark}).json()["matches"]
    assert [p["said"]["author"] for p in heard["pairs"]] == ["Ana"]
    assert client.decide("Ben", word="same", **pair).status_code == 200  # agreement is none
    client.decide("Ben", kind="undo")
    seen = heard["pairs"][0]["said"]["number"]
    answer = client.decide("Ben", word="different", seen=seen, **pair)  # after Ana's word was shown
    assert answer.status_code == 200
    said = answer.json()["pair"]["said"]
    assert (said["decision"], said["author"]) == ("different", "Ben")
    assert [(w["decision"], w["author"]) for w in said["others"]] == [("same", "Ana")]
    found = client.get("/api/pairs").json()
    assert found["total"] == 2 and found["pairs"][-1]["said"]["others"]  # to be looked at again


def test_undo_lets_the_others_word_count_whatever_came_first(matched, client):
    def counts():
        with Project(client.project) as project:
            return [d.decision for d in store.read_decisions(project.catalog.connection)]

    pair = {"kind": "match", "id": matched[5], "other": matched[0]}
    client.decide("Ana", word="same", **pair)
    client.decide("Ben", word="different", force=True, **pair)
    client.decide("Ana", kind="undo")
    assert counts() == ["different"]
    client.decide("Ana", kind="redo")
    assert counts() == ["different"]
    client.decide("Ben", kind="undo")
    assert counts() == ["same"]
    client.decide("Ben", word="cannot tell", force=True, **pair)
    assert counts() == []
    client.decide("Ben", kind="undo")
    assert counts() == ["same"]


def test_a_word_of_an_import_is_told_as_well(matched, client):
    with Project(client.project) as project, project.catalog.transaction() as connection:
        store.insert_decisions(connection, [store.PairDecision(
            matched[0], matched[5], "different", "", "words.csv")], "2020-01-01T00:00:00")
    pair = {"kind": "match", "id": matched[5], "other": matched[0]}
    answer = client.decide(word="same", **pair)
    assert answer.status_code == 409 and answer.json()["conflicts"][0]["author"] == "words.csv"
    assert client.decide(word="same", seen=0, **pair).status_code == 200
