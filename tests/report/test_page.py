from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.report import Counts, Gallery, GlobalMap, HeldOut, Picture, ReportData, Run, render
from tests.report.conftest import CLASSES, held_out

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checker(HTMLParser):
    """Every opened element is closed in order; collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)


def read(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def words(page):
    return " ".join(" ".join(read(page).text).split())


def test_a_whole_report_has_every_part(whole):
    page = render(whole)
    text = words(page)
    for part in ("What to do next", "Against your labels alone", "What it mixes up most",
                 "Class by class", "The map as a table", "Surest", "file is missing",
                 "two taxa have this name", "cam2/broken.jpg", "truncated", "run-1", "random_state",
                 "70 % from “ red deer of the world ”", "points over your labels alone"):
        assert part in text, part
    assert len(page) < 2_000_000
    assert page == render(whole), "the same data make the same page"


def test_the_page_loads_nothing_and_runs_nothing(whole):
    checker = read(render(whole))
    assert "script" not in checker.seen and "link" not in checker.seen
    for name, value in checker.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("data:image/jpeg;base64,", "#")), value


def test_figures_have_titles_and_tables_heads(whole):
    page = render(whole)
    checker = read(page)
    pictures = re.findall(r'<svg [^>]*role="img" aria-labelledby="([^"]+)"', page)
    ids = {value for name, value in checker.attributes if name == "id"}
    assert len(pictures) >= 5
    assert all(part in ids for names in pictures for part in names.split())
    assert all(alt for name, alt in checker.attributes if name == "alt")
    assert checker.seen.count("table") <= checker.seen.count("thead")


def test_names_are_text_never_markup(whole):
    bad = '<script>alert("x")</script>&\'"'
    names = (bad, *CLASSES[1:])
    picture = Picture(bad, bad, 0.5, ((bad, 0.3),), bad, 0.2, label=bad, problem=bad)
    data = dataclasses.replace(
        whole, title=bad, classes=names, unresolved=(bad,), notes=(bad,),
        maps=(GlobalMap(bad, {bad: bad}, {bad: ((bad, 0.9),)}),),
        galleries=(Gallery("x", "t", "w", (picture,)),),
        run=dataclasses.replace(whole.run, settings={bad: bad}, chosen=bad),
    )
    page = render(data)
    assert "<script" not in page
    assert bad in " ".join(read(page).text)


@pytest.mark.parametrize(("data", "said"), [
    (ReportData("t"), ["The project is empty", "ecotone add images"]),
    (ReportData("t", counts=Counts(5, 5)), ["5 pictures are in the project", "ecotone fuse",
                                            "ecotone add labels"]),
    (ReportData("t", counts=Counts(5, 5, 3), classes=("a",), label_counts=[3]),
     ["No learning curve yet", "Not known yet", "No map", "No pictures to show"]),
    (ReportData("t", counts=Counts(5, 5, 0), classes=("a", "b"), run=Run("r"),
                found=np.array([3.0, 2.0]), label_counts=[0, 0]),
     ["how often it is right cannot be told yet", "No global model took part",
      "2 classes have not a single label"]),
    (ReportData("t", counts=Counts(1, 1, 1), classes=("a",), run=Run("r"), label_counts=[1],
                held_out=HeldOut([0], [[1.0]])),
     ["Of your labelled pictures ecotone names 100 % right"]),
])
def test_what_is_missing_is_said_with_what_to_do(data, said):
    text = words(render(data))
    for part in said:
        assert part in text, part


@pytest.mark.parametrize("part", [
    "counts", "run", "label_counts", "found", "held_out", "evaluation", "maps", "galleries",
    "failures", "unresolved",
])
def test_every_part_may_be_missing(whole, part):
    empty = () if isinstance(getattr(whole, part), tuple) else None
    read(render(dataclasses.replace(whole, **{part: empty})))


def test_the_headline_tells_the_gain(whole):
    h1 = re.search("<h1>(.*?)</h1>", render(whole)).group(1).replace("\u00a0", " ")
    assert re.search(r"With 10 labels ecotone names \d+ %", h1) and "your labels alone" in h1
    steps = words(render(whole))
    assert "Label more of hare and blank" in steps.replace("blank and hare", "hare and blank")


def test_sixty_long_and_foreign_names_make_a_page(whole):
    names = tuple(f"{'very ' * 12}long name {i}" if i % 3 else f"ثعلب {i}" for i in range(60))
    links = {n: ((";".join(["id", "mammalia", "", "", "", "", f"beast {n}"]), 0.8),) for n in names}
    data = dataclasses.replace(
        whole, classes=names, label_counts=np.arange(60), found=np.arange(60.0),
        held_out=held_out(500, 60), maps=(GlobalMap("m", dict.fromkeys(names, "split"), links),),
    )
    page = render(data)
    read(page)
    assert "rarer classes" in page and "the 24 most frequent of 60 classes" in page
    assert len(page) < 2_000_000


def test_shapes_are_checked():
    with pytest.raises(InputError, match="one number a class"):
        ReportData("t", classes=("a", "b"), found=np.zeros(3))
    with pytest.raises(InputError, match="3 columns, there are 2 classes"):
        ReportData("t", classes=("a", "b"), held_out=HeldOut([0], np.ones((1, 3)) / 3))
    with pytest.raises(InputError, match="outside 0..1"):
        HeldOut([2], [[0.5, 0.5]])


def story_of(data):
    from ecotone.report.classes import class_rows
    from ecotone.report.story import tell

    return tell(data, class_rows(data), [])


def test_few_labels_are_not_made_more_of_than_they_are(whole):
    crossed = tuple({**r, "split": "cross-validation", "test_rows": 20} for r in whole.evaluation)
    story = story_of(dataclasses.replace(whole, evaluation=crossed))
    assert "one label more or less is 5 points" in " ".join(story.lead)
    assert "measured on 20 labels only" in [t.note for t in story.tiles]
    assert "random splits" in " ".join(story_of(whole).lead)


@pytest.mark.parametrize(("sure", "right", "rows", "said"), [
    (0.9, 0.5, 400, "clearly surer than it should be"),
    (0.9, 0.85, 4000, "somewhat surer than it should be"),
    (0.8, 0.95, 400, "right more often than it says"),
    (0.8, 0.79, 4000, "On the whole its probabilities can be taken at face value"),
    (0.8, 0.75, 12, "As far as 12 labels can tell"),
])
def test_how_sure_it_is_in_words(whole, sure, right, rows, said):
    proba = np.full((rows, 6), (1 - sure) / 5)
    proba[:, 0] = sure
    held = HeldOut(np.where(np.arange(rows) < right * rows, 0, 1), proba)
    assert said in " ".join(story_of(dataclasses.replace(whole, held_out=held)).lead)


def test_classes_without_label_and_name_come_first(whole):
    kinds = {**whole.maps[0].kinds, "hare": "unknown", "blank": "relative"}
    data = dataclasses.replace(
        whole, label_counts=np.array([30, 25, 20, 12, 0, 0]),
        maps=(dataclasses.replace(whole.maps[0], kinds=kinds),))
    first = story_of(data).steps[0].text
    assert first.startswith("Label a few of hare and blank first") and "may be the other" in first
