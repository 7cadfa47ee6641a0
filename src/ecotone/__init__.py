"""Ecotone: a global wildlife model and a few local labels become local probabilities.

Public names are imported on first use, so that `import ecotone` stays fast.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "AcceptRule": "ecotone.confidence.accept",
    "Clusterer": "ecotone.discovery.clusterer",
    "ConformalSets": "ecotone.confidence.sets",
    "ContextClassifier": "ecotone.context.classifier",
    "FusionClassifier": "ecotone.fusion.classifier",
    "evaluate_reid": "ecotone.reid.evaluate",
    "FiveStage": "ecotone.hierarchy.five_stage",
    "FiveStageSettings": "ecotone.hierarchy.five_stage_settings",
    "HierarchicalClassifier": "ecotone.hierarchy.classifier",
    "LocalModel": "ecotone.fusion.local_model",
    "Mapping": "ecotone.fusion.mapping",
    "NoveltyDetector": "ecotone.discovery.novelty",
    "ReIdentifier": "ecotone.reid.identifier",
    "ScoreReport": "ecotone.fusion.calibration",
    "Selection": "ecotone.fusion.selection",
    "Project": "ecotone.project",
    "SpeciesNetEnsemble": "ecotone.hierarchy.ensemble",
    "Taxonomy": "ecotone.taxonomy.tree",
    "Detections": "ecotone.types",
    "GlobalScores": "ecotone.types",
    "Posteriors": "ecotone.types",
    "SubCenterArcFace": "ecotone.reid.arcface",
    "dynamic_margins": "ecotone.reid.margins",
    "EcotoneError": "ecotone.errors",
    "estimate_prevalence": "ecotone.confidence.prevalence",
    "expected_gain": "ecotone.labelling.gain",
    "find_label_errors": "ecotone.confidence.label_errors",
    "hunt": "ecotone.labelling.hunting",
    "label_weights": "ecotone.labelling.representation",
    "propose_classes": "ecotone.discovery.proposals",
    "risk_coverage": "ecotone.confidence.risk",
    "suggest": "ecotone.labelling.suggesting",
}

__all__ = sorted([*_PUBLIC, "__version__"])


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ecotone' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
