"""The json of the page: queues, cards, decisions, and what others see of them."""

from __future__ import annotations

import csv

import pytest

from ecotone.project import Project
from tests.review.conftest import WRITE


def test_the_page_and_its_files_are_there(client):
    page = client.get("/")
    assert page.status_code == 200 and "reserve" in page.text and "<script>" not in page.text
    for file in ("main.js", "page.css", "icon.svg"):
        assert client.get(f"/static/{file}").status_code == 200
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404


def test_a_card_says_what_is_known(client, ids):
    card = client.card(ids[0])
    assert card["site"] == "cam1" and card["time"].startswith("2024-05-01T06:30")
    assert card["top"][0]["p"] == pytest.approx(0.8) and card["label"] is None
    assert card["bbox"] == [0, 0, 1, 1] and not card["human"]


def test_a_decision_is_in_the_catalogue_before_the_answer(client, ids, reserve):
    answer = client.say(ids[0], "red deer")
    assert answer.status_code == 200 and answer.json()["stored"]
    with Project(reserve) as project:
        labels = project.catalog.labels()
        assert project.catalog.current_labels() == {ids[0]: "red deer"}
    assert (labels.author[0], labels.source[0]) == ("Ana", "review") and labels.created[0]
    assert client.card(ids[0])["label"]["label"] == "red deer"


def test_the_same_key_stores_once(client, ids, reserve):
    body = {"key": "one-key-one-decision", "author": "Ana", "kind": "label",
            "items": [{"id": ids[0], "label": "red deer"}]}
    first, again = (client.request("POST", "/api/decide", json=body, headers=WRITE).json()
                    for _ in range(2))
    assert first["decision"] == again["decision"]
    with Project(reserve) as project:
        assert len(project.catalog.labels()) == 1


def test_many_at_once_are_one_decision_and_one_undo(client, ids):
    items = [{"id": i, "label": "wild boar"} for i in ids[:5]]
    assert client.decide(kind="label", items=items).json()["decision"]["count"] == 5
    left = client.queue(queue="next")["total"]
    assert left == len(ids) - 5
    assert client.decide(kind="undo").json()["target"]["count"] == 5
    assert client.queue(queue="next")["total"] == len(ids)
    assert client.decide(kind="redo").json()["stored"]
    assert client.queue(queue="next")["total"] == left


def test_undo_is_each_persons_own_and_brings_back_what_counted(client, ids):
    number = client.say(ids[0], "red deer", "Ana").json()["cards"][0]["label"]["number"]
    client.say(ids[0], "wild boar", "Ben", seen=number)
    assert client.decide("Cleo", kind="undo").json()["nothing"]
    client.decide("Ben", kind="undo")
    assert client.card(ids[0])["label"]["label"] == "red deer"
    client.decide("Ana", kind="undo")
    assert client.card(ids[0])["label"] is None
    assert client.decide("Ana", kind="undo").json()["nothing"]


def test_a_conflict_is_told_and_not_overwritten(client, ids):
    client.say(ids[0], "red deer", "Ana")
    answer = client.say(ids[0], "wild boar", "Ben")
    assert answer.status_code == 409
    (told,) = answer.json()["conflicts"]
    assert (told["label"], told["author"], told["detection"]) == ("red deer", "Ana", ids[0])
    assert client.card(ids[0])["label"]["label"] == "red deer"
    assert client.say(ids[0], "red deer", "Ben").status_code == 200  # no conflict: the same
    client.decide("Ben", kind="undo")
    assert client.say(ids[0], "wild boar", "Ben", force=True).status_code == 200
    card = client.card(ids[0])
    assert card["label"]["author"] == "Ben" and card["others"][0]["label"] == "red deer"
    assert client.queue(queue="people")["ids"] == [ids[0]]


def test_people_see_each_others_work(client, ids):
    start = client.queue(queue="next")
    client.say(ids[3], "grey fox", "Ben")
    told = client.get("/api/changes", params={
        "version": start["version"], "epoch": start["epoch"], "author": "Ben"}).json()
    assert [c["id"] for c in told["cards"]] == [ids[3]] and not told["all"]
    assert told["undo"] and not told["redo"]
    again = client.get("/api/changes", params={
        "version": told["version"], "epoch": told["epoch"]}).json()
    assert not again["cards"]


def test_what_another_process_adds_is_seen(client, ids, reserve, tmp_path):
    start = client.queue(queue="next")
    path = tmp_path / "more.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([["filePath", "label"], ["cam1/red_deer_0.jpg", "red deer"]])
    with Project(reserve) as project:
        project.add_labels(path)
    told = client.get("/api/changes", params={
        "version": start["version"], "epoch": start["epoch"]}).json()
    assert [c["label"]["label"] for c in told["cards"]] == ["red deer"]


def test_a_new_class_is_a_class_from_then_on(client, ids):
    client.decide(kind="label", items=[{"id": ids[0], "label": "حيوان جديد طويل الاسم"}])
    state = client.get("/api/state").json()
    assert {"label": "حيوان جديد طويل الاسم", "labelled": 1} in state["classes"]
    found = client.get("/api/names", params={"q": "حيو"}).json()["names"]
    assert found[0]["label"] == "حيوان جديد طويل الاسم" and found[0]["local"]


@pytest.mark.parametrize("special", ["blank", "human", "unknown"])
def test_special_answers_have_their_class(client, ids, special):
    client.decide(kind="label", items=[{"id": ids[0], "special": special}])
    card = client.card(ids[0])
    assert card["label"]["label"] == special and card["human"] == (special == "human")


@pytest.mark.parametrize("body", [
    {"kind": "label", "items": []},
    {"kind": "label", "items": [{"id": "nowhere:0", "label": "deer"}]},
    {"kind": "label", "items": [{"id": "FIRST", "label": " "}]},
    {"kind": "label", "items": [{"id": "FIRST", "label": "a\u0000b"}]},
    {"kind": "label", "items": [{"id": "FIRST", "label": "x" * 201}]},
    {"kind": "box", "id": "FIRST", "bbox": [0.5, 0.5, 0.6, 0.1]},
    {"kind": "box", "id": "FIRST", "bbox": [0.5, 0.5]},
    {"kind": "match", "id": "FIRST", "other": "FIRST", "same": True},
    {"kind": "delete"},
])
def test_what_cannot_be_is_refused_and_stores_nothing(client, ids, reserve, body):
    text = {**body, "id": body.get("id", "").replace("FIRST", ids[0]),
            "other": body.get("other", "").replace("FIRST", ids[0]),
            "items": [{**i, "id": i["id"].replace("FIRST", ids[0])} for i in body.get("items", ())]}
    answer = client.decide(**text)
    assert answer.status_code == 422
    with Project(reserve) as project:
        assert project.catalog.counts()["decisions"] == 0 == len(project.catalog.labels())


def test_the_state_says_what_is_left_and_how_good_it_is(client, ids):
    client.say(ids[0], "red deer")
    state = client.get("/api/state").json()
    assert (state["detections"], state["labelled"]) == (24, 1)
    assert {q["queue"]: q["left"] for q in state["queues"]}["next"] == 23
    assert state["history"] == [] and state["gain"]["gain"] is None
    assert state["learning"]["state"] == "idle"


def test_detail_has_boxes_burst_and_sites(client, ids):
    found = client.get("/api/detail", params={"id": ids[0]}).json()
    assert found["card"]["id"] == ids[0] and len(found["boxes"]) == 1
    assert ids[0] in [c["id"] for shot in found["burst"] for c in shot["cards"]]
    sites = client.get("/api/sites").json()["sites"]
    assert [(s["site"], s["latitude"], s["pictures"]) for s in sites] == [
        ("cam1", None, 12), ("cam2", None, 12)]
    assert client.get("/api/detail", params={"id": "no:1"}).status_code == 422


def test_a_fixed_box_takes_the_place_of_the_machines(client, ids, reserve):
    client.say(ids[0], "red deer", "Ben")
    answer = client.decide(kind="box", id=ids[0], bbox=[0.25, 0.25, 0.5, 0.5]).json()
    made = answer["made"]
    assert made != ids[0] and client.card(made)["bbox"] == [0.25, 0.25, 0.5, 0.5]
    assert client.card(made)["label"]["author"] == "Ben" and client.card(made)["top"]
    assert not client.card(ids[0])["used"] and ids[0] not in client.queue(queue="all")["ids"]
    assert client.queue(queue="similar", of=made)["total"] == 23  # by the box before
    with Project(reserve) as project:
        from ecotone.store.vectors import embedding_models

        assert embedding_models(project.catalog) == {"colour": 23}  # the new box waits for `embed`
    client.decide(kind="undo")
    assert client.card(ids[0])["used"] and client.card(ids[0])["label"]["label"] == "red deer"
    assert made not in client.queue(queue="all")["ids"]
    client.decide(kind="redo")
    assert made in client.queue(queue="all")["ids"]


def test_an_added_box_leaves_the_others(client, ids):
    made = client.decide(kind="box", id=ids[0], bbox=[0.1, 0.1, 0.2, 0.2], add=True).json()["made"]
    assert {ids[0], made} <= set(client.queue(queue="all")["ids"])


def test_pairs_are_stored_and_taken_back(client, ids, reserve):
    from ecotone.store.individuals import read_decisions

    def said():
        with Project(reserve) as project:
            return [(d.first, d.second, d.decision, d.author)
                    for d in read_decisions(project.catalog.connection)]

    pair = (min(ids[:2]), max(ids[:2]))
    assert client.decide(kind="match", id=ids[1], other=ids[0], word="same").json()["stored"]
    assert said() == [(*pair, "same", "Ana")]
    client.decide("Ben", kind="match", id=ids[0], other=ids[1], word="different", force=True)
    assert said() == [(*pair, "different", "Ben")]
    client.decide("Ben", kind="undo")
    assert [row[2] for row in said()] == ["same"]
    client.decide("Ana", kind="undo")
    assert said() == []
    client.decide("Ana", kind="redo")
    assert [row[2] for row in said()] == ["same"]


def test_labels_of_another_process_are_not_lost_between_own_decisions(client, ids, reserve):
    """They came after the last look and before a decision of this page."""
    from ecotone.project import deciding

    client.get("/api/changes")
    with Project(reserve) as project:
        said = [deciding.Said(ids[5], "wild boar")]
        deciding.label(project.catalog, "key-of-elsewhere", "Cleo", said)
    client.say(ids[0], "red deer")
    client.get("/api/changes")
    assert client.card(ids[5])["label"]["author"] == "Cleo"
