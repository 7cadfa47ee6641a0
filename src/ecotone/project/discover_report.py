"""What the report shows of the newest discovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ecotone.project.discovered import Proposal, discovery_record, proposals_of
from ecotone.project.shots import Shots
from ecotone.report.data import Picture
from ecotone.report.discovery import DiscoveryData, KnownBefore, ProposalCard, RepeatLine
from ecotone.store.discoveries import DiscoveryTable
from ecotone.types import Detections

Progress = Callable[[int, "int | None", str], None]
CARDS, PICTURES = 8, 8  # proposals shown, pictures of each
ODD, REPEATS = 8, 4  # pictures


def collect_discovery(
    project: Any, media: Any, detections: Detections, record: Mapping[str, Any],
    progress: Progress | None = None,
) -> DiscoveryData | None:
    """The newest discovery; None when there is none. record: of the newest fusion, {} for none."""
    run = project.catalog.newest_discovery()
    if not run:
        return None
    found = discovery_record(project, run)
    table = project.catalog.discovery(run)
    proposals = proposals_of(project, run, table)
    odd = _odd(project, table)
    repeats = found.get("repeats", ())
    shown = [i for p in proposals[:CARDS] for i in p.typical[:PICTURES]]
    shown += [i for i, _ in odd] + [r["example"] for r in repeats[:REPEATS]]
    album = _Album(Shots(project, media, detections, list(dict.fromkeys(shown))), len(shown),
                   progress)
    return DiscoveryData(
        run=run, created=str(found.get("created", "")), detections=len(table),
        false_alarm=float(found["settings"]["false_alarm"]), novel=int(table.novel.sum()),
        clusters=int(found["clusters"]), share=_three(found.get("share")),
        n_classes=_three(found.get("n_classes")),
        proposals=tuple(_card(p, found, album) for p in proposals[:CARDS]),
        more_proposals=max(0, len(proposals) - CARDS),
        odd=tuple(p for p in (album.picture(i, novelty=v) for i, v in odd) if p),
        repeats=tuple(
            RepeatLine(r["place"], r["pictures"], r["occasions"], r["why"],
                       album.picture(r["example"]) if n < REPEATS else None)
            for n, r in enumerate(repeats)),
        known=known_before(record.get("known_classes") or {}),
        notes=tuple(found.get("notes", ())),
    )


class _Album:
    """Pictures of detections, with progress."""

    def __init__(self, shots: Shots, total: int, progress: Progress | None) -> None:
        self._shots, self._total, self._progress, self._done = shots, total, progress, 0

    def picture(self, name: str, novelty: float = 0.0) -> Picture | None:
        """One picture, None when the detection is gone."""
        fields = self._shots.of(name)
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total, "pictures of what is new")
        return Picture(prediction="", probability=novelty, **fields) if fields else None


def _card(p: Proposal, found: Mapping[str, Any], album: _Album) -> ProposalCard:
    pictures = tuple(q for q in (album.picture(i) for i in p.typical[:PICTURES]) if q)
    return ProposalCard(p.number, p.detections, p.bursts, p.sites, p.name, p.note, pictures)


def _odd(project: Any, table: DiscoveryTable) -> list[tuple[str, float]]:
    """The most novel flagged detections in no proposal, one a picture, that nobody labelled."""
    labels = project.catalog.current_labels()
    rows = np.flatnonzero(table.novel & (table.proposal == 0))
    rows = rows[np.lexsort((table.detection_id[rows], -table.novelty[rows]))]
    out, seen = [], set()
    for row in rows:
        name = str(table.detection_id[row])
        medium = name.rpartition(":")[0]
        if name not in labels and medium not in seen:
            seen.add(medium)
            out.append((name, float(table.novelty[row])))
        if len(out) == ODD:
            break
    return out


def _three(values: Any) -> Any:
    return None if values is None else tuple(values)


def known_before(known: Mapping[str, Any]) -> KnownBefore | None:
    """Known classes before and after, as the page shows them; None where no class is new."""
    if not known:
        return None
    w = known["worst"]
    fell = (f"{w['name']}, {w['before']:.0%} to {w['after']:.0%} of {w['labels']} labels"
            if w["after"] < w["before"] else "")
    return KnownBefore(tuple(known["new_classes"]), known["labels"], known["before"],
                       known["after"], known["low"], known["high"], fell)
