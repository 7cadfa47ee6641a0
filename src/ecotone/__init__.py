"""Ecotone: a global wildlife model and a few local labels become local probabilities."""

__version__ = "0.1.0"
