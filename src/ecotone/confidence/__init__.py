"""Confidence that means something: sets with coverage, what needs no eye, shares, label errors."""

from ecotone.confidence.accept import AcceptRow, AcceptRule
from ecotone.confidence.cross_fit import cross_fit_sets
from ecotone.confidence.label_errors import LabelErrors, find_label_errors
from ecotone.confidence.prevalence import Prevalence, adjust_posteriors, estimate_prevalence
from ecotone.confidence.risk import RiskCurve, risk_coverage, threshold_for_risk, top_class
from ecotone.confidence.sets import ConformalSets, SetReport, set_report

__all__ = [
    "AcceptRow", "AcceptRule", "ConformalSets", "LabelErrors", "Prevalence", "RiskCurve",
    "SetReport", "adjust_posteriors", "cross_fit_sets", "estimate_prevalence", "find_label_errors",
    "risk_coverage", "set_report", "threshold_for_risk", "top_class",
]
