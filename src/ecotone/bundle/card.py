"""The training card: what a local model was made from, how good it is, and what it cannot do.

Source: the headings follow Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from ecotone.bundle.card_text import listed

FEW_LABELS, FEW_GROUPS = 10, 5
TOO_LONG = ("out_of_fold", "mapping")  # parts of a run record that do not belong on a card
LIBRARIES = ("numpy", "scipy", "scikit-learn", "onnxruntime")
USE = (
    "To name animals on pictures like those it was made from: the same area, the same kind of "
    "cameras and the same classes. It gives probabilities; look at the pictures where they are low."
)


def make_card(
    classes: Sequence[str],
    calibration: Mapping[str, Any],
    backbone: Mapping[str, Any],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """The card of a local model as plain values for JSON.

    given: a run record or part of one: run, created, counts, label_counts, selection, preferred,
    scores, seed, settings, score_models, mapping, notes, unresolved. Other values in it are kept.
    """
    counted = given.get("label_counts") or {}
    labels = {c: int(counted.get(c, 0)) for c in classes}
    mapping = given.get("mapping") or {}
    card = {
        "name": given.get("run", ""),
        "created": given.get("created") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "intended_use": USE,
        "classes": list(classes),
        "label_counts": labels,
        "kinds": {name: dict(m.get("kind", {})) for name, m in mapping.items()},
        "calibration": dict(calibration),
        "backbone": dict(backbone),
        "versions": {**versions(), **dict(given.get("versions") or {})},
    }
    rest = {k: v for k, v in given.items() if k not in card and k not in (*TOO_LONG, "run")}
    card.update(rest)
    card["limits"] = limits(card, labels)
    return card


def limits(card: Mapping[str, Any], labels: Mapping[str, int]) -> list[str]:
    """What the data say against relying on the model, a sentence each."""
    lines = [
        f"It knows {len(labels)} class{'es' if len(labels) > 1 else ''} and gives one of them to "
        "whatever it sees, also to what is none of them."
    ]
    none = [c for c, n in labels.items() if n == 0]
    few = [c for c, n in labels.items() if 0 < n < FEW_LABELS]
    total = sum(labels.values())
    if none:
        how = "the global model's map" if card.get("score_models") else "nothing but the others"
        lines.append(f"Without a single label, learned from {how}: {listed(none)}.")
    if few:
        lines.append(f"Fewer than {FEW_LABELS} labels: {listed(few)}.")
    most = max(labels, key=lambda c: labels[c], default="")
    if total >= FEW_LABELS and len(labels) > 1 and labels[most] > total / 2:
        lines.append(f"{labels[most] / total:.0%} of the {total:,} labels are {most}.")
    if not card.get("scores"):
        lines.append("How good it is was not measured: too few labels to hold some out.")
    groups = (card.get("counts") or {}).get("groups")
    if groups is not None and groups < FEW_GROUPS:
        lines.append(
            f"Its pictures come from only {groups} place{'s' if groups > 1 else ''} or event"
            f"{'s' if groups > 1 else ''}; others may do worse."
        )
    if card.get("preferred") == "fused":
        lines.append(
            "On held-out labels the global model and this one together did better than this one "
            "alone; the scores are those of both together."
        )
    return lines


def licence_of(info: Mapping[str, Any], inside: Mapping[str, str]) -> str:
    """The licence of the backbone: as given, as its file states it, or that it is not known."""
    if str(info.get("spec", "")) == "handcrafted":
        return "no trained weights; a part of ecotone (Apache-2.0)"
    for values in (info, inside):
        for key in ("license", "licence", "License", "LICENSE"):
            if values.get(key):
                return str(values[key])
    return "not stated in the model file; ask its makers before you pass this folder on"


def versions() -> dict[str, str]:
    """Versions of ecotone, Python and the libraries that figures depend on."""
    from ecotone import __version__

    found = {"ecotone": __version__, "python": platform.python_version()}
    return {**found, **{name: metadata.version(name) for name in LIBRARIES}}
