"""The page in words: what it gained, how sure it is, what to do next. For ecologists first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.evaluation.metrics import measure
from ecotone.report import svg
from ecotone.report.calibration import bins_of
from ecotone.report.classes import ClassRow
from ecotone.report.confusion import Mixup
from ecotone.report.curve import Gain, gains_of
from ecotone.report.data import HeldOut, ReportData
from ecotone.report.svg import number

FEW = 5  # labels of a class below which more of them help most
MANY = 6  # names listed in one sentence
ASK = "ecotone suggest -n 50 -o suggestions.csv"


@dataclass(frozen=True)
class Tile:
    """One figure: the number large, what it is, and how sure the number itself is."""

    value: str
    name: str
    note: str = ""


@dataclass(frozen=True)
class Step:
    """Something to do: why, and the command for it, if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Story:
    """headline: one sentence. lead: two or three more. tiles: figures. steps: what to do next."""

    headline: str
    lead: tuple[str, ...]
    tiles: tuple[Tile, ...]
    steps: tuple[Step, ...]


def tell(data: ReportData, rows: Sequence[ClassRow], mixups: Sequence[Mixup]) -> Story:
    """The story of a project as far as it has come."""
    gains = gains_of(data.evaluation)
    scores = _scores(data)
    return Story(
        _headline(data, gains, scores), tuple(_lead(data, gains, scores)),
        tuple(_tiles(data, gains, scores)), tuple(_steps(data, rows, mixups)),
    )


def _scores(data: ReportData) -> dict[str, float]:
    if data.held_out is None or not len(data.held_out):
        return {}
    return measure(data.held_out.truth, data.held_out.proba, data.held_out.weight)


def _headline(data: ReportData, gains: Sequence[Gain], scores: dict[str, float]) -> str:
    if gains:
        last, best = gains[-1], max(gains, key=lambda g: g.mean)
        if last.mean < 0.03 and best.mean > 0.05:
            return (f"With {best.labels} labels ecotone names {svg.percent(best.ours)} of unseen "
                    f"pictures right, where your labels alone reach {svg.percent(best.base)}; with "
                    f"{last.labels} labels {_both(last)}.")
        if abs(last.mean) < 0.005:
            return (f"With {last.labels} labels ecotone names {svg.percent(last.ours)} of unseen "
                    "pictures right, as many as your labels alone would.")
        return (f"With {last.labels} labels ecotone names {svg.percent(last.ours)} of unseen "
                f"pictures right; your labels alone would reach {svg.percent(last.base)}.")
    if scores:
        if data.held_out is not None and data.held_out.weight is not None:
            return (f"Ecotone names about {svg.percent(scores['accuracy'])} of the pictures right, "
                    "by labels that it had not seen.")
        return (f"Of your labelled pictures ecotone names {svg.percent(scores['accuracy'])} right "
                "without having seen their labels.")
    if data.run is not None and data.counts is not None:
        return (f"Every one of {data.counts.detections:,} detections has a name now; how often it "
                "is right cannot be told yet.")
    if data.refinement is not None and data.refinement.counts.get("changed"):
        changed, every = (data.refinement.counts[k] for k in ("changed", "detections"))
        return (f"{changed:,} of {every:,} detections have a finer label now than the global model "
                "gave them.")
    if data.counts is not None and data.counts.pictures:
        told = number(data.counts.pictures, "picture is", "pictures are")
        return f"{told} in the project; nothing has been named yet."
    return "The project is empty."


def _both(gain: Gain) -> str:
    ours, base = svg.percent(gain.ours), svg.percent(gain.base)
    return f"both reach {ours}" if ours == base else f"it is {ours} against {base}"


def _lead(data: ReportData, gains: Sequence[Gain], scores: dict[str, float]) -> list[str]:
    lead = []
    if gains:
        last, best = gains[-1], max(gains, key=lambda g: g.mean)
        lead.append(_certainty(last))
        if not last.crossed and best.mean > last.mean + max(0.01, last.deviation):
            lead.append(f"It was largest with {best.labels} labels: "
                        f"{svg.points(best.mean, 0)} points.")
    if scores and data.held_out is not None:
        lead.append(_sureness(data.held_out.truth, data.held_out.proba))
    if data.classes and data.label_counts is not None:
        never = int((data.label_counts == 0).sum())
        if never:
            lead.append(f"{number(never, 'class has', 'classes have')} not a single label and "
                        f"{'is' if never == 1 else 'are'} named from the global model and the look "
                        "of the pictures only.")
    return lead


def _certainty(gain: Gain) -> str:
    if gain.crossed and gain.rows:
        low, high = svg.wilson(gain.ours * gain.rows, gain.rows)
        return (f"That is a gain of {svg.points(gain.mean)} points, measured on {gain.rows:.0f} "
                f"labels, each hidden in turn: one label more or less is {100 / gain.rows:.0f} "
                f"points, and the {svg.percent(gain.ours)} could be anything from "
                f"{svg.percent(low)} to {svg.percent(high)}.")
    if gain.splits == 1:
        return (f"With {gain.labels} labels the gain is {svg.points(gain.mean)} points, measured "
                "on one random split only; more splits would say how sure that is.")
    return (f"With {gain.labels} labels the gain is {svg.points(gain.mean)} points on average over "
            f"{gain.splits} random splits (give or take {100 * gain.deviation:.1f}; it was ahead "
            f"in {gain.won} of {gain.splits}, {svg.points(gain.worst)} in the worst).")


def _sureness(truth: np.ndarray, proba: np.ndarray) -> str:
    top = bins_of(truth, proba)
    sure, right = proba.max(axis=1), proba.argmax(axis=1) == truth
    gap = float(sure.mean() - right.mean())
    error = 1.96 * float(np.sqrt(np.mean((sure - right) ** 2) / len(truth)))
    return (f"{_verdict(gap, error, len(truth))}: where it is surest "
            f"({svg.percent(float(top.confidence[-1]))} on average) it is right "
            f"{svg.percent(float(top.accuracy[-1]))} of the time.")


def _verdict(gap: float, error: float, rows: int) -> str:
    """In words, the mean certainty less the share right, and its 95 % error."""
    if abs(gap) < max(0.03, error):
        if error < 0.06:
            return "On the whole its probabilities can be taken at face value"
        return f"As far as {rows} labels can tell, its probabilities can be taken at face value"
    if gap < 0:
        return "It is right more often than it says"
    return f"It is {'somewhat' if gap < 0.1 else 'clearly'} surer than it should be"


def _tiles(data: ReportData, gains: Sequence[Gain], scores: dict[str, float]) -> list[Tile]:
    tiles = []
    if scores and data.held_out is not None:
        tiles.append(_accuracy_tile(data.held_out, scores["accuracy"]))
        tiles.append(Tile(svg.percent(scores["per_class_accuracy"]), "right on an average class",
                          "every class counts the same, rare or common"))
    if gains:
        last = gains[-1]
        note = f"measured on {last.rows:.0f} labels only" if last.crossed else \
            f"± {100 * last.deviation:.1f} over {last.splits} splits, {last.labels} labels"
        tiles.append(Tile(svg.points(last.mean), "points over your labels alone", note))
    if scores and data.held_out is not None:
        rough = "rough with so few labels" if len(data.held_out) < 100 else "0 is perfect"
        tiles.append(Tile(f"{100 * scores['ece']:.1f}", "points off in its own certainty",
                          f"expected calibration error; {rough}"))
    if data.counts is not None and data.counts.pictures and len(tiles) < 4:
        note = f"in {data.counts.pictures:,} pictures"
        tiles.append(Tile(f"{data.counts.detections:,}", "detections", note))
    if data.counts is not None and len(tiles) < 4:
        tiles.append(Tile(f"{data.counts.labelled:,}", "labelled by people",
                          f"{len(data.classes)} local classes" if data.classes else ""))
    return tiles


def _accuracy_tile(held: HeldOut, accuracy: float) -> Tile:
    m, worth = len(held), held.effective
    low, high = svg.wilson(accuracy * worth, worth)
    interval = f"95 % interval {svg.percent(low)} to {svg.percent(high)}"
    if held.weight is None:
        return Tile(svg.percent(accuracy), "right on labels it had not seen",
                    f"{interval}, {m} labels")
    plain = float((held.predicted == held.truth).mean())
    return Tile(svg.percent(accuracy), "right, by labels it had not seen",
                f"{interval}; {svg.percent(plain)} on the {m} labels as they are, of which "
                f"{held.chosen} were chosen and are harder")


def _steps(data: ReportData, rows: Sequence[ClassRow], mixups: Sequence[Mixup]) -> list[Step]:
    if data.counts is None or not data.counts.pictures:
        return [Step("Add the pictures: a folder, with its sub-folders as places.",
                     "ecotone add images PHOTOS")]
    steps = []
    if not data.counts.labelled:
        steps.append(Step("Label a few pictures of each species and add them; ten to twenty in "
                          "all already help.", "ecotone add labels labels.csv"))
    if data.run is None:
        steps.append(Step("Name all pictures: map the global model's names to yours and train the "
                          "local model.", "ecotone fuse"))
        return steps
    steps += _label_more(rows, mixups)
    if not data.run.score_models:
        steps.append(Step("Bring in a global model: so far only your labels speak.",
                          "ecotone classify --model model.onnx --classes labels.txt"))
    if not data.evaluation and data.counts.labelled >= 10:
        steps.append(Step("Measure the gain on your own labels.", "ecotone evaluate"))
    broken = len({f.file for f in data.failures})
    if broken:
        steps.append(Step(
            f"{number(broken, 'picture', 'pictures')} could not be read (listed "
            "below). Copy what is damaged anew from the card, if you can, and add the folder "
            "again.", "ecotone add images PHOTOS"))
    steps.append(Step("Use the local model on new pictures, without this project.",
                      "ecotone predict NEW_PHOTOS --model models/latest -o out.csv"))
    return steps


def _label_more(rows: Sequence[ClassRow], mixups: Sequence[Mixup]) -> list[Step]:
    steps = []
    guessed = [r for r in rows if r.labels == 0 and r.kind in ("", "relative", "unknown")]
    if guessed:
        one = len(guessed) == 1
        steps.append(Step(
            f"Label a few of {_listed([svg.isolate(r.name) for r in guessed])} first: "
            f"{'it has' if one else 'they have'} no label, and no global model has "
            f"{'its name' if one else 'their names'}. What is called so below is a guess"
            f"{'.' if one else ' and may be the other one.'}", ASK))
    few = [r for r in rows if r.labels is not None and r.labels < FEW and r not in guessed]
    if few:
        wanted = sorted(few, key=lambda r: -(r.found or 0.0))
        steps.append(Step(
            f"Label more of {_listed([svg.isolate(r.name) for r in wanted])}: "
            f"{'it has' if len(few) == 1 else 'they have'} fewer than {FEW} labels each. The least "
            "certain pictures below teach it most.", ASK))
    if mixups and mixups[0].count >= 2:
        m = mixups[0]
        truth, taken = svg.isolate(m.truth), svg.isolate(m.taken)
        steps.append(Step(
            f"Look at {truth} and {taken}: {m.count} of {m.rows} labelled {truth} were taken "
            f"for {taken}. A few more labels of both tell them apart, unless the pictures do "
            "not."))
    return steps


def _listed(names: Sequence[str]) -> str:
    shown = list(names) if len(names) <= MANY + 1 else list(names[:MANY])
    more = len(names) - len(shown)
    if more:
        return ", ".join(shown) + f" and {more} others"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
