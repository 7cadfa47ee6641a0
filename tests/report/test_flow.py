from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ecotone.report.data import GlobalMap
from ecotone.report.flow import MOST_LOCAL, flow_chart, links_of, untangle
from ecotone.report.names import closest_kind, short_name

MAP = GlobalMap(
    "world", {"mantled howler": "relative", "bald uakari": "unknown"},
    {"mantled howler": (("howler monkey, howler", 0.72), ("titi, titi monkey", 0.02)),
     "bald uakari": (("titi, titi monkey", 0.4), ("howler monkey, howler", 0.06))},
)


def test_weak_links_are_left_to_the_table():
    links = links_of(MAP, ["mantled howler", "bald uakari", "unmapped"])
    assert {(x.source, x.target) for x in links} == {
        ("howler monkey, howler", "mantled howler"), ("titi, titi monkey", "bald uakari"),
        ("howler monkey, howler", "bald uakari")}


def test_links_are_untangled():
    targets = [f"t{i}" for i in range(6)]
    crossed = GlobalMap("m", {}, {t: ((f"s{5 - i}", 0.9),) for i, t in enumerate(targets)})
    sources, ordered = untangle(links_of(crossed, targets))
    assert [s[1] for s in sources] == [str(5 - int(t[1])) for t in ordered]


def test_the_flow_names_both_sides_and_tells_the_weights():
    out = flow_chart(MAP, ["mantled howler", "bald uakari"])
    root = ElementTree.fromstring(out)
    texts = {e.text for e in root.iter() if e.tag.endswith("text")}
    assert {"mantled howler", "bald uakari", "howler monkey, howler"} <= texts
    assert "mantled howler: 72 % from howler monkey, howler" in out
    ribbons = [e for e in root.iter() if (e.get("class") or "").startswith("ribbon")]
    assert sorted(e.get("class") for e in ribbons) == ["ribbon near", "ribbon new", "ribbon new"]


def test_many_classes_are_bounded_and_none_give_no_figure():
    big = GlobalMap("m", {}, {f"c{i}": ((f"g{i}", 0.8),) for i in range(200)})
    assert len({x.target for x in links_of(big, list(big.links))}) == MOST_LOCAL
    assert flow_chart(GlobalMap("m"), ["a"]) == ""
    assert flow_chart(GlobalMap("m", {}, {"a": (("g", 0.01),)}), ["a"]) == ""


@pytest.mark.parametrize(("label", "shown"), [
    ("uuid;mammalia;carnivora;felidae;puma;concolor;cougar", "cougar"),
    ("uuid;mammalia;carnivora;felidae;puma;concolor;", "Puma concolor"),
    ("uuid;mammalia;carnivora;felidae;;;", "Felidae"),
    ("uuid;;;;;;blank", "blank"),
    ("howler monkey, howler", "howler monkey, howler"),
    ("a;b", "a;b"),
])
def test_short_names(label, shown):
    assert short_name(label) == shown


def test_the_closest_of_several_relations():
    assert closest_kind(["unknown", "relative", "exact"]) == "exact"
    assert closest_kind([]) == ""
