"""The page: figures, tables and words of a ReportData, put into one html file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from ecotone.evaluation.baselines import LOCAL_ONLY
from ecotone.evaluation.metrics import confusion
from ecotone.report import acceptance, discovery, individuals, networks, overview, svg
from ecotone.report.calibration import Bins, bins_of, reliability_chart
from ecotone.report.classes import DETECTOR, class_rows, dumbbells, found_bar, recall_bar
from ecotone.report.confusion import Matrix, Mixup, confusion_chart, matrix_of, mixups_of
from ecotone.report.curve import gains_of, line_chart, ours_of, series_of
from ecotone.report.data import GlobalMap, Picture, ReportData
from ecotone.report.flow import MOST_LOCAL, flow_chart
from ecotone.report.names import kind_words, short_name
from ecotone.report.refinement import view_of
from ecotone.report.story import tell

METRICS = (
    ("accuracy", "All pictures", "share of held-out pictures named right"),
    ("per_class_accuracy", "Average class", "mean over classes of the share named right"),
)
MOST_CANDIDATES = 6
MOST_ROWS = 400  # of a table of classes
GROUP_WORDS = {
    "head": "common classes", "middle": "middling classes", "tail": "rare classes",
    "no label": "classes without a label", "exact": "global model knows the name",
    "merged": "global model has several names", "split": "shares its global name",
    "genus": "global model knows the genus", "relative": "global model knows a relative",
    "special": "blank, human, vehicle", "unknown": "global model has no name",
}


@dataclass(frozen=True, eq=False)
class Checked:
    """What held-out labels show: the matrix, mix-ups, bins and their figures."""

    matrix: Matrix
    chart: str
    mixups: list[Mixup]
    bins: Bins
    reliability: str


def render(data: ReportData) -> str:
    """The whole page as html: no scripts, nothing loaded from elsewhere, readable without colour.

    Parts that are missing from `data` are named, with what to do about them.
    """
    rows = class_rows(data)
    checked = _checked(data)
    return _environment().get_template("report.html.j2").render(
        data=data,
        style=_style(),
        story=tell(data, rows, checked.mixups if checked else []),
        rows=rows[:MOST_ROWS],
        more_rows=max(0, len(rows) - MOST_ROWS),
        candidates=_candidates(data),
        checked=checked,
        curves=_curves(data),
        gains=gains_of(data.evaluation),
        groups=_groups(data),
        maps=[_map(m, _by_importance(data)) for m in data.maps],
        settings=_settings(data),
        split=str(data.evaluation[0].get("split", "")) if data.evaluation else "",
        most_found=max((r.found or 0.0 for r in rows), default=0.0),
        most_local=MOST_LOCAL,
        refinement=view_of(data.refinement) if data.refinement else None,
        who_chart=individuals.curve_chart(data.individuals) if data.individuals else "",
        network_chart=networks.training_chart(data.networks) if data.networks else "",
        acceptance=acceptance.view_of(data.acceptance) if data.acceptance else None,
        overview=overview.view_of(data.overview) if data.overview else None,
        found_new=None if data.discovery is None else (
            discovery.lead_of(data.discovery), discovery.tiles_of(data.discovery)),
    )


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("ecotone.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters.update(
        percent=svg.percent, short=short_name, kind=kind_words, figure=Markup,
        jpeg=lambda data: "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii"),
        unbroken=lambda text: text.replace(" %", "\u00a0%"),
        points=svg.points, decimal=overview.decimal, rate=overview.rate,
        frame=_frame, fills=_fills, thousands=lambda value: f"{value:,.0f}",
    )
    environment.globals.update(
        odd_frame=_frame_of,
        recall_bar=lambda row: Markup(recall_bar(row)),
        found_bar=lambda row, most: Markup(found_bar(row, most)),
    )
    return environment


def _frame(gallery: Any) -> float:
    """Width by height of the frames of a gallery."""
    return _frame_of(gallery.pictures)


def _frame_of(pictures: Sequence[Picture]) -> float:
    """Width by height of the frames of pictures: 4/3 where most are wide, else 1."""
    shapes = [p.size[0] / p.size[1] for p in pictures if p.size[1]]
    return 4 / 3 if shapes and float(np.median(shapes)) > 1.15 else 1.0


def _fills(picture: Picture, frame: float) -> bool:
    """Whether little is cut off when a picture fills its frame."""
    return bool(picture.size[1]) and abs(picture.size[0] / picture.size[1] / frame - 1) < 0.15


def _style() -> Any:
    from markupsafe import Markup

    file = resources.files("ecotone.report").joinpath("templates/report.css")
    return Markup(file.read_text(encoding="utf-8"))


def _checked(data: ReportData) -> Checked | None:
    held = data.held_out
    if held is None or not len(held):
        return None
    counts = confusion(held.truth, held.predicted, len(data.classes))
    matrix, bins = matrix_of(counts, data.classes), bins_of(held.truth, held.proba)
    return Checked(matrix, confusion_chart(matrix), mixups_of(counts, data.classes), bins,
                   reliability_chart(bins, held.proba.max(axis=1)))


def _curves(data: ReportData) -> list[dict[str, Any]]:
    result = []
    for metric, title, text in METRICS:
        series = series_of(data.evaluation, metric)
        if series:
            result.append({
                "title": title, "text": text, "series": series,
                "chart": line_chart(series, f"{title} by number of labels"),
                "labels": sorted({int(c) for s in series for c in s.labels}),
                "at": [dict(zip(s.labels.tolist(), zip(s.mean, s.deviation, strict=True),
                                strict=True)) for s in series],
            })
    return result


def _groups(data: ReportData) -> dict[str, Any] | None:
    """Groups of classes at the smallest number of labels that was measured, where most is won."""
    ours = ours_of(data.evaluation)
    counts = sorted({int(r["n_labels"]) for r in data.evaluation if r.get("groups")})
    if not ours or not counts:
        return None
    here = [r for r in data.evaluation if int(r["n_labels"]) == counts[0]]
    mine, base = _group_means(here, ours), _group_means(here, LOCAL_ONLY)
    rows = [
        (GROUP_WORDS.get(name, name), base[name][0], mine[name][0],
         f"{mine[name][1]:.0f} classes, {mine[name][2]:.0f} pictures")
        for name in mine if name in base
    ]
    if not rows:
        return None
    title = f"By group of classes, with {counts[0]} labels"
    return {"labels": counts[0], "rows": rows, "chart": dumbbells(rows, title)}


def _group_means(records: Sequence[Mapping[str, Any]], method: str) -> dict[str, list[float]]:
    found: dict[str, list[list[float]]] = {}
    for record in records:
        if record["method"] == method:
            for name, v in record.get("groups", {}).items():
                found.setdefault(name, []).append(
                    [v["per_class_accuracy"], v.get("classes", 0), v.get("rows", 0)])
    return {name: np.mean(values, axis=0).tolist() for name, values in found.items()}


def _by_importance(data: ReportData) -> list[str]:
    """Local classes, those with most detections and labels first."""
    k = len(data.classes)
    weight = np.zeros(k)
    for values in (data.found, data.label_counts):
        if values is not None:
            weight += values / max(float(np.sum(values)), 1e-9)
    return [data.classes[i] for i in np.argsort(-weight, kind="stable")]


def _map(mapping: GlobalMap, classes: Sequence[str]) -> dict[str, Any]:
    names = [c for c in classes if c in mapping.kinds or c in mapping.links]
    names += [c for c in mapping.links if c not in names]
    linked = [
        {"name": c, "kind": mapping.kinds.get(c, ""),
         "links": [(g, w) for g, w in mapping.links.get(c, ()) if w >= 0.01][:4]}
        for c in names
    ]
    return {"model": mapping.model, "plain": mapping.model == DETECTOR,
            "chart": "" if mapping.model == DETECTOR else flow_chart(mapping, names),
            "rows": linked[:MOST_ROWS], "classes": len(names)}


def _candidates(data: ReportData) -> dict[str, list[Mapping[str, Any]]]:
    """The candidates of the run, the heaviest first: those that count, and the others."""
    if data.run is None:
        return {"used": [], "others": []}
    ranked = sorted(data.run.candidates, key=_rank)
    used = [c for c in ranked if max(c.get("weight") or 0, c.get("local_weight") or 0) >= 0.005]
    used = used[:MOST_CANDIDATES]
    return {"used": used, "others": [c for c in ranked if c not in used]}


def _rank(candidate: Mapping[str, Any]) -> tuple[float, float]:
    loss = candidate.get("loss")
    return -float(candidate.get("weight") or 0.0), float("inf") if loss is None else float(loss)


def _settings(data: ReportData) -> list[tuple[str, str]]:
    if data.run is None:
        return []
    return [
        (str(name), value if isinstance(value, str)
         else json.dumps(value, ensure_ascii=False, default=str))
        for name, value in sorted(data.run.settings.items())
    ]
