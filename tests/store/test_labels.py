from __future__ import annotations

import sqlite3

import pytest

from ecotone.store.tables import Box, NewLabel


def add(catalog, *labels, **where):
    return catalog.add_labels([NewLabel(*label) for label in labels], **where)


@pytest.mark.parametrize("statement", [
    "UPDATE label SET label = 'x'", "DELETE FROM label", "DELETE FROM label WHERE n = 1",
    "INSERT OR REPLACE INTO label (n, batch, media_id, label, created) "
    "VALUES (1, 1, 'm0', 'x', '')",
    "REPLACE INTO label (n, batch, media_id, label, created) VALUES (1, 1, 'm0', 'x', '')",
    "INSERT INTO label (n, batch, media_id, label, created) VALUES (1, 1, 'm0', 'x', '') "
    "ON CONFLICT (n) DO UPDATE SET label = 'x'",
])
def test_the_database_itself_refuses_to_change_a_label(catalog, statement):
    add(catalog, ("m0", "deer"))
    # A plain connection: what any other program would open, without our settings.
    other = sqlite3.connect(catalog.path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()
    assert catalog.labels().label.tolist() == ["deer"]


def test_the_newest_label_counts_and_the_old_one_stays(catalog):
    add(catalog, ("m0", "deer"), author="Kim", source="a.csv")
    add(catalog, ("m0", "fox"), author="Lee", source="b.csv")
    assert catalog.current_labels() == {"m0:0": "fox"}
    table = catalog.labels()
    assert table.label.tolist() == ["deer", "fox"] and table.author.tolist() == ["Kim", "Lee"]
    assert table.batch.tolist() == [1, 2]


def test_a_label_of_the_picture_goes_to_its_animals(catalog):
    catalog.replace_boxes({"m0": [
        Box((0.1, 0.1, 0.2, 0.2), "animal", 0.9), Box((0.5, 0.1, 0.2, 0.2), "animal", 0.8),
        Box((0.7, 0.5, 0.2, 0.2), "human", 0.8)]}, "md")
    add(catalog, ("m0", "red deer"))
    assert catalog.current_labels() == {"m0:1": "red deer", "m0:2": "red deer"}
    add(catalog, ("m0", "Empty"))  # the detector was wrong
    assert catalog.current_labels() == dict.fromkeys(("m0:1", "m0:2", "m0:3"), "Empty")


def test_two_labels_of_one_import_go_by_category(catalog):
    catalog.replace_boxes({"m0": [
        Box((0.1, 0.1, 0.2, 0.2), "human", 0.9), Box((0.5, 0.1, 0.2, 0.2), "vehicle", 0.8)]}, "md")
    add(catalog, ("m0", "humain"), ("m0", "vehicule"))
    assert catalog.current_labels() == {"m0:1": "humain", "m0:2": "vehicule"}
    assert catalog.ambiguous_labels() == []


def test_two_labels_that_nothing_tells_apart_are_ambiguous(catalog):
    catalog.replace_boxes({"m1": [
        Box((0.1, 0.1, 0.2, 0.2), "animal", 0.9), Box((0.5, 0.1, 0.2, 0.2), "human", 0.8)]}, "md")
    add(catalog, ("m0", "deer"), ("m0", "fox"), ("m1", "deer"), ("m1", "fox"), ("m1", "person"),
        ("m2", "deer"), ("m2", "empty"))
    assert catalog.current_labels() == {"m1:2": "person"}
    assert dict(catalog.ambiguous_labels()) == {
        "m0": ("deer", "fox"), "m1": ("deer", "fox", "person"), "m2": ("deer", "empty")}
    add(catalog, ("m0", "fox"))  # a later import settles it
    assert catalog.current_labels() == {"m0:0": "fox", "m1:2": "person"}


def test_a_label_of_one_box_counts_for_that_box_while_it_is_the_newest(catalog):
    catalog.replace_boxes({"m0": [
        Box((0.1, 0.1, 0.2, 0.2), "animal", 0.9), Box((0.5, 0.1, 0.2, 0.2), "animal", 0.8)]}, "md")
    add(catalog, ("m0", "deer"))
    add(catalog, ("m0", "boar", "", "", "m0:2"))
    assert catalog.current_labels() == {"m0:1": "deer", "m0:2": "boar"}
    add(catalog, ("m0", "fox"))
    assert catalog.current_labels() == {"m0:1": "fox", "m0:2": "fox"}


def test_both_names_of_a_class_are_kept(catalog):
    add(catalog, ("m0", "red deer", "", "red deer"), ("m1", "red deer", "Cervus elaphus", ""),
        ("m2", "Vulpes vulpes", "Vulpes vulpes"), ("m3", "thing"))
    assert catalog.label_names() == {
        "red deer": ("Cervus elaphus", "red deer"), "Vulpes vulpes": ("Vulpes vulpes", ""),
        "thing": ("", "")}
