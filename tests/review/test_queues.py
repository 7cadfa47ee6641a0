"""Queues: what is in them, in which order, through which filters."""

from __future__ import annotations

import time

import numpy as np
import pytest


def classes(client, found):
    return [client.card(i)["top"][0]["label"] for i in found["ids"]]


def test_the_next_ones_are_spread_over_bursts(client, ids):
    found = client.queue(queue="next")
    assert sorted(found["ids"]) == sorted(ids) and found["total"] == 24
    events = [client.card(i)["event"] for i in found["ids"]]
    distinct = len(set(events))
    assert len(set(events[:distinct])) == distinct


def test_changed_are_those_whose_global_answer_stands_for_another_class(client):
    end, found = time.monotonic() + 60, {"total": 0}
    while not found["total"] and time.monotonic() < end:  # scores are read beside
        found = client.queue(queue="changed")
    assert found["total"] == 16 and "red deer" not in classes(client, found)


def test_filters_of_class_site_and_time(client, ids):
    deer = client.queue(queue="all", name="red deer")
    assert deer["total"] == 8 and set(classes(client, deer)) == {"red deer"}
    assert client.queue(queue="all", name="red deer", site="cam2")["total"] == 4
    times = [client.card(i)["time"] for i in ids]
    wanted = [t for t in times if "2024-05-02" <= t < "2024-05-05"]
    found = client.queue(queue="all", start="2024-05-02", end="2024-05-05")
    assert found["total"] == len(wanted) > 0
    client.say(deer["ids"][0], "wild boar")
    assert client.queue(queue="all", name="red deer")["total"] == 7
    assert client.queue(queue="all", name="wild boar", show="labelled")["ids"] == [deer["ids"][0]]


def test_more_like_this_is_by_embedding(client, ids):
    found = client.queue(queue="similar", of=ids[0])
    kind = client.card(ids[0])["top"][0]["label"]
    assert classes(client, found)[:8] == [kind] * 8
    assert "alike" in found["reasons"][found["ids"][0]]


def test_pages_go_on_where_the_last_ended(client, ids):
    parts = [client.queue(queue="all", skip=skip, n=5) for skip in (0, 10, 20)]
    assert [p["ids"] for p in parts] == [ids, ids[10:], ids[20:]]
    assert [len(p["cards"]) for p in parts] == [5, 5, 4]


@pytest.mark.parametrize("wrong", [
    {"queue": "none"}, {"queue": "all", "site": "nowhere"}, {"queue": "all", "show": "some"},
    {"queue": "similar"}, {"queue": "similar", "of": "nothing:1"},
])
def test_a_wrong_question_gets_one_line(client, wrong):
    answer = client.get("/api/queue", params=wrong)
    assert answer.status_code == 422 and "\n" not in answer.json()["error"]


def test_the_questions_of_suggest_come_first(reserve, client, ids):
    from ecotone.project import Project
    from ecotone.store.suggestions import NewSuggestion

    asked = [ids[5], ids[2]]
    with Project(reserve) as project:
        project.catalog.add_suggestions("run-1", [
            NewSuggestion(asked[0], 1, "uncertain", "grey fox"),
            NewSuggestion(asked[1], 2, "typical of a group nobody labelled")])
    found = client.queue(queue="next")
    assert found["ids"][:2] == asked and sorted(found["ids"]) == sorted(ids)
    assert client.say(asked[0], "grey fox", queue="next").status_code == 200
    with Project(reserve) as project:
        assert project.catalog.newest_suggestions().answer.tolist() == ["grey fox", ""]
        assert project.catalog.chosen_media() == {asked[0].rpartition(":")[0]}
    assert client.decide(kind="undo").status_code == 200
    with Project(reserve) as project:  # what was taken back is no answer
        assert not project.catalog.newest_suggestions().answered.any()
        assert not project.catalog.chosen_media()


@pytest.fixture
def discovered(reserve):
    """The project after a `discover` that flagged three detections and made two groups."""
    from ecotone.project import Project
    from ecotone.store.discoveries import DiscoveryTable

    with Project(reserve) as project:
        ids = project.catalog.detections().id
        n = len(ids)
        novelty, proposal, member = np.full(n, 0.1), np.zeros(n, dtype=int), np.zeros(n)
        novelty[[3, 5, 7]] = 0.7, 0.9, 0.8
        proposal[[3, 5]], proposal[7] = 1, 2
        member[[3, 5, 7]] = 0.6, 0.9, 0.5
        run = project.catalog.start_run("discover")
        project.catalog.add_discovery(run, DiscoveryTable(
            ids, novelty, novelty > 0.5, proposal - 1, proposal, member, np.zeros(n, dtype=int)))
        project.catalog.finish_run(run)
    return ids


def test_novel_ones_and_groups_appear_after_discover(discovered, client):
    end = time.monotonic() + 60
    queues: dict = {}
    while "novel" not in queues and time.monotonic() < end:
        queues = {q["queue"]: q for q in client.get("/api/state").json()["queues"]}
    assert queues["novel"]["left"] == 3 and "repeats" not in queues
    assert queues["clusters"]["groups"] == [
        {"group": "1", "left": 2, "name": ""}, {"group": "2", "left": 1, "name": ""}]
    assert client.queue(queue="novel")["ids"] == [discovered[i] for i in (5, 7, 3)]
    group = client.queue(queue="clusters", group="1")["ids"]
    assert group == [discovered[5], discovered[3]]
    client.decide(kind="label", items=[{"id": i, "label": "aardvark"} for i in group])
    assert client.queue(queue="clusters")["ids"] == [discovered[7]]
    assert client.get("/api/queue", params={"queue": "clusters", "group": "9"}).status_code == 422
