"""What `ecotone refine` is asked for: the project's settings and the call's, checked first."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ecotone.config import METHODS
from ecotone.errors import InputError
from ecotone.hierarchy.ensemble import EnsembleThresholds
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.ingest.geofence_file import read_geofence, read_geofence_rules
from ecotone.ingest.text import some
from ecotone.project.adding_deployments import REGION
from ecotone.project.occurring import find_list
from ecotone.taxonomy.geofence import Geofence, check_region

RELEASE = "geofence_release.json"


@dataclass(frozen=True, eq=False)
class RefineSettings:
    """Checked settings. species: as `occurring.find_list` gives it. kept: all of it as plain
    values, for the run record."""

    method: str
    alpha: float
    five: FiveStageSettings
    thresholds: EnsembleThresholds
    geofence: Geofence | None
    country: str
    admin1_region: str
    species: str | Path
    embedding_model: str | None
    score_models: Sequence[str] | None
    seed: int
    kept: dict[str, Any] = field(default_factory=dict)


def settings_of(
    project: Any,
    method: str | None = None,
    alpha: float | None = None,
    species: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    trusted_score: float | None = None,
    embedding_model: str | None = None,
    score_models: Sequence[str] | None = None,
    seed: int | None = None,
    **where: Any,
) -> RefineSettings:
    """Settings of the project, where the call does not say otherwise.

    where: country, admin1_region, geofence, geofence_fixes. Raises InputError, saying what was
    expected, for a value that is not possible.
    """
    config = project.config
    method = method or config.refine_method
    if method not in METHODS:
        raise InputError(f"method {method!r}: expected one of {', '.join(METHODS)}.")
    alpha = config.refine_alpha if alpha is None else float(alpha)
    if not 0.0 < alpha < 1.0:
        raise InputError(f"alpha is {alpha:g}, expected a number between 0 and 1, as 0.05.")
    listed = find_list(config.species_list if species is None else species, project.path,
                       species is None)
    fence, place = _place(project, **where)
    limits = thresholds_of({**config.ensemble, **(thresholds or {})})
    five = _five_stage(config, trusted_score)
    kept = {
        **config.as_dict(), **place, "refine_method": method, "refine_alpha": alpha,
        "species_list": str(listed), "five_stage": five.as_dict(),
        "ensemble": {f.name: getattr(limits, f.name) for f in fields(limits)},
        "trusted_score": five.trusted_score,
    }
    return RefineSettings(
        method, alpha, five, limits, fence, place["country"], place["admin1_region"], listed,
        embedding_model, score_models, config.random_state if seed is None else seed, kept,
    )


def _place(
    project: Any,
    country: str | None = None,
    admin1_region: str | None = None,
    geofence: str | Path | None = None,
    geofence_fixes: str | Path | None = None,
) -> tuple[Geofence | None, dict[str, str]]:
    """The geofence, and where it is asked for, as plain values; the country that instances share
    where nobody names one."""
    config = project.config
    given = _file(project, geofence, config.geofence)
    fixes = _file(project, geofence_fixes, config.geofence_fixes)
    if given and country is None and admin1_region is None and not config.country:
        country, admin1_region = project.catalog.note(REGION) or ("", "")
    country = config.country if country is None else country
    admin1_region = config.admin1_region if admin1_region is None else admin1_region
    country, admin1_region = check_region(country, admin1_region) or ("", admin1_region)
    return _fence(given, fixes, country, admin1_region), {
        "country": country, "admin1_region": admin1_region, "geofence": str(given or ""),
        "geofence_fixes": str(fixes or ""),
    }


def thresholds_of(values: Mapping[str, Any]) -> EnsembleThresholds:
    """Thresholds of SpeciesNet's decision. Raises InputError for an unknown name or a text."""
    names = [f.name for f in fields(EnsembleThresholds)]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise InputError(f"ensemble: unknown threshold {name!r}; did you mean {near!r}?")
    return EnsembleThresholds(**values)


def _five_stage(config: Any, trusted_score: float | None) -> FiveStageSettings:
    values = {"trusted_score": config.trusted_score, **config.five_stage}
    if trusted_score is not None:
        values["trusted_score"] = float(trusted_score)
    return FiveStageSettings.from_dict(values)


def _file(project: Any, given: str | Path | None, configured: str) -> Path | None:
    """The file of the call, else that of the settings, which lies relative to the project."""
    path = Path(given) if given else project.path / configured if configured else None
    if path is not None and not path.is_file():
        raise InputError(f"{path}: no such file; correct the path, or leave it out.")
    return path


def _fence(
    path: Path | None, fixes: Path | None, country: str, admin1_region: str
) -> Geofence | None:
    if admin1_region and not country:
        raise InputError(f"region {admin1_region!r} without a country; give --country USA too.")
    if path is None:
        if fixes is not None or country:
            what = f"country {country!r}" if country else str(fixes)
            raise InputError(
                f"{what} needs SpeciesNet's geofence, from the folder of its model: "
                f"--geofence {RELEASE} (or geofence = \"...\" in ecotone.toml)"
            )
        return None
    if not country:
        raise InputError(f"{path} without a country changes nothing; say where: --country KEN")
    rules = read_geofence_rules(path)
    known = sorted({c for kinds in rules.values() for places in kinds.values() for c in places})
    if country not in known:
        near = difflib.get_close_matches(country, known, n=3, cutoff=0.5) or known[:3]
        raise InputError(
            f"country {country!r} is in none of the rules of {path.name}; expected a code of ISO "
            f"3166 alpha-3, such as {some(near)}."
        )
    return read_geofence(path, fixes)
