"""The report: arrays to figures, and one html page that opens offline."""

from ecotone.report.data import (
    Counts,
    Failure,
    Gallery,
    GlobalMap,
    HeldOut,
    Picture,
    ReportData,
    Run,
)
from ecotone.report.page import render

__all__ = [
    "Counts", "Failure", "Gallery", "GlobalMap", "HeldOut", "Picture", "ReportData", "Run",
    "render",
]
