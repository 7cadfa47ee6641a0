"""The networks that a project trained: where they lie, what they are called, what they have seen.

A network that learned from people's labels knows them by heart: its own scores on those detections
prove nothing. So a fusion takes scores and embeddings of a project's own networks only where every
label was kept from the network that speaks for it (`cross_fit`), or where they are named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import ProjectError

FOLDER = "networks"  # below the project's models
MODEL, CARD = "model.onnx", "card.json"
TASK = "soft labels"  # what the card of a network of species says
FOLDS = "+folds"  # ends the name of cross-fitted scores
CROSS_FIT = "cross_fit.npz"  # beside the model: what was said of labels by networks without them
CURRENT = "current_network"  # the note that names the network whose scores fusion takes


@dataclass(frozen=True)
class NetworkInfo:
    """A trained network. card: its training card, {} while it is not finished. taken: whether
    fusion takes it; lost: it would, but its cross-fitted scores are gone."""

    name: str
    folder: Path
    card: dict[str, Any] = field(default_factory=dict)
    taken: bool = False
    lost: bool = False

    @property
    def finished(self) -> bool:
        """Whether there is a model to use."""
        return bool(self.card) and (self.folder / MODEL).is_file()

    def line(self) -> str:
        """What there is to say of it in one line."""
        if not self.finished:
            return f"{self.name} (not finished; run ecotone train again to go on)"
        right = (self.card.get("best") or {}).get("accuracy")
        kind = (self.card.get("validation") or {}).get("kind", "")
        said = [f"{right:.1%} right of {kind}"] if isinstance(right, (int, float)) else []
        kept = self.card.get("round") or {}
        if self.taken:
            said.append(f"fusion takes its {kept.get('used', 'scores')}")
        elif self.lost:
            said.append(f"fusion does without it: {CROSS_FIT} is missing")
        elif kept:
            said.append("kept, then replaced" if kept.get("accepted") else "not kept for fusion")
        classes = self.card.get("classes") or ()
        return ", ".join([f"{self.name}: {len(classes)} classes", *said])


def networks(project: Any) -> list[NetworkInfo]:
    """All networks of a project, by name."""
    root = project.models / FOLDER
    current = project.catalog.note(CURRENT) or {}
    there = bool(current) and (project.path / current["folds"]).is_file()
    found = []
    for folder in sorted(p for p in root.glob("*") if p.is_dir()):
        card = _card(folder / CARD)
        if card or (folder / "last.pt").is_file():
            mine = folder.name + FOLDS == current.get("name", "")
            found.append(NetworkInfo(folder.name, folder, card, mine and there, mine and not there))
    return found


def _card(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def find_network(project: Any, model: str) -> tuple[str, str]:
    """What `--model` means: the file or name to open, and the name its results are kept under.

    A trained network is meant by its name, its folder, or its model.onnx; its results have its
    name. Everything else is as `backends.open_backend` and `backends.model_name` take it.
    Raises ProjectError when the network is not finished, BackendError when it is damaged.
    """
    from ecotone.backends.base import model_name
    from ecotone.bundle.network import check_network

    text = str(model).strip()
    root = project.models / FOLDER
    path = Path(text)
    plain = text not in ("", ".", "..") and path.name == text
    for folder in (path, path.parent if path.name == MODEL else None,
                   root / text if plain else None):
        if folder is None or not folder.is_dir() or folder.resolve().parent != root.resolve():
            continue
        file = folder / MODEL
        if not file.is_file():
            raise ProjectError(f"{folder}: this network is not finished; run ecotone train again.")
        check_network(folder)
        return str(file), folder.resolve().name
    folder = path.parent if path.name == MODEL else path  # one that lies elsewhere
    if (folder / MODEL).is_file() and _card(folder / CARD).get("task") == TASK:
        check_network(folder)
        return str(folder / MODEL), folder.resolve().name
    return text, model_name(text)


def note_key(name: str) -> str:
    """The catalogue's note on results of one of the project's own networks."""
    return f"network {name}"


def note_network(catalog: Any, name: str, **values: Any) -> None:
    """Write down that scores and embeddings called `name` are of a network that has seen labels.

    values: accepted: whether a fusion may take them unasked, and of what is accepted, scores and
    embeddings: whether these are to be taken; folds: the file of the `CrossFit`.
    """
    catalog.set_note(note_key(name), {"accepted": False, **values})


def network_note(catalog: Any, name: str) -> dict[str, Any]:
    """What is known of results of that name; {} when they are of no network trained here."""
    return catalog.note(note_key(name)) or {}


def unasked(
    project: Any, names: list[str], embeddings: bool = False, networks: bool = False
) -> list[str]:
    """The names of scores, or of embeddings, that are taken without being asked for, in order.

    networks: with those of the network that a round kept, which fusion alone can judge, as long as
    its cross-fitted scores are there; else those of no network trained here.
    """
    kind = "embeddings" if embeddings else "scores"

    def good(name: str) -> bool:
        note = network_note(project.catalog, name)
        if not note:
            return True
        return bool(networks and note["accepted"] and note[kind]
                    and (project.path / note["folds"]).is_file())

    return [name for name in names if good(name)]


def lost_network(project: Any) -> list[str]:
    """A line where the newest fusion takes a network whose cross-fitted scores are gone, so that
    the next one does without it."""
    current = project.catalog.note(CURRENT) or {}
    if not current or (project.path / current["folds"]).is_file():
        return []
    return [f"{current['folds']} is missing, so fusion does without {current['name']}; to make it "
            "again: ecotone train --rounds 1"]


__all__ = ["CROSS_FIT", "CURRENT", "FOLDER", "FOLDS", "MODEL", "NetworkInfo", "find_network",
           "lost_network", "network_note", "networks", "note_key", "note_network", "unasked"]
