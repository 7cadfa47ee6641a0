"""The trained networks of a project, for its report."""

from __future__ import annotations

import json
from typing import Any

from ecotone.project.networks import NetworkInfo, networks
from ecotone.report.networks import NetworksData, RoundRow

ROUND = "round.json"


def collect_networks(project: Any) -> NetworksData | None:
    """The newest finished network with its curve, and all rounds; None without any network."""
    found = [n for n in networks(project) if n.finished]
    if not found:
        return None
    found.sort(key=lambda n: (str(n.card.get("created", "")), n.name))
    newest = found[-1]
    card = newest.card
    return NetworksData(
        newest.name, str(card.get("backbone") or ""), len(card.get("classes") or ()),
        str((card.get("validation") or {}).get("kind") or ""), tuple(card.get("curve") or ()),
        {k: v for k, v in (card.get("best") or {}).items() if isinstance(v, (int, float))},
        tuple(n.name for n in found[:-1]),
        tuple(row for row in map(_round, found) if row is not None))


def _round(network: NetworkInfo) -> RoundRow | None:
    try:
        told = json.loads((network.folder / ROUND).read_text(encoding="utf-8"))
        return RoundRow(network.name, bool(told["accepted"]), str(told["used"]),
                        int(told["labels"]), told["before"], told["after"], float(told["error"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # trained without a round


__all__ = ["collect_networks"]
