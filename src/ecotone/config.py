"""The settings of a project: one frozen dataclass, read from `ecotone.toml`."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "ecotone.toml"
METHODS = ("climb", "five-stage")  # of `ecotone refine`

TEMPLATE = """\
# Settings of this ecotone project. Every line is optional; what stands here is the default.
name = {name}

# classes = ["red deer", "grey fox", "deer spp."]   # local classes; default: every label in use
# detection_threshold = 0.2     # boxes below are dropped; default: what the detector's file says
# event_gap = 60.0              # seconds between two pictures of one event (burst)
# time_zone = ""                # of the cameras' clocks, e.g. "Europe/Brussels" or "+01:00"
# embedding_model = ""          # which embeddings to learn on; default: the newest
# score_models = []             # which global models to use; default: all
# use_detector = true           # the detector's categories count as one more global model
# use_context = true            # place, time and neighbours count where that is better out of fold
# group_by = "auto"             # "deployment" or "event": never on both sides of a split
# random_state = 0
# video_frames = "rate:1"       # of a video: frames a second, "motion:16" in all, or "all"
# batch_size = 0                # pictures given to a model at once; 0: by the free memory
# read_timeout = 60.0           # seconds until a picture that does not answer counts as failed
# workers = 0                   # threads that read pictures; 0: one a core
# engine = "threads"            # or "daft", "ray": where models run (docs/scaling.md)
# engine_workers = 0            # processes of daft or ray; 0: one a core
# engine_address = ""           # of a Ray cluster: "auto", "ray://head:10001"
# engine_output = ""            # folder (relative to the project) or URL of shards
# evaluation_counts = [10, 20, 50, 100, 250, 1000]
# evaluation_seeds = 5
# blur_people = true            # in the report
# refine_method = "climb"       # or "five-stage": how `ecotone refine` goes down the tree
# refine_alpha = 0.05           # of `climb`: share of answers that may be wrong
# trusted_score = 0.8           # a global model's own species from this score on are examples
# species_list = ""             # what occurs here: a csv, a datapackage.json, or "labels"
# country = ""                  # for SpeciesNet's geofence, three letters: "KEN"
# admin1_region = ""            # state of the USA, two letters
# geofence = ""                 # SpeciesNet's geofence_release.json
# geofence_fixes = ""           # and corrections to it, a csv
# five_stage = {{}}               # stages and thresholds of "five-stage": {{ crops = 5 }}
# ensemble = {{}}                 # thresholds of SpeciesNet's decision: {{ roll_up = 0.5 }}
"""


@dataclass(frozen=True)
class Config:
    """What a user may set; every field has a default.

    classes: local classes; empty means every label in use. detection_threshold: boxes below it are
    dropped; None means what the detector's file recommends. event_gap: seconds. time_zone: of the
    deployments that name none themselves; empty means unknown. embedding_model and score_models:
    names as in `ecotone status`; empty means the newest and all of them. species_list, geofence and
    geofence_fixes: files, relative to the project. video_frames: see `media.sampling`.
    five_stage: as `FiveStageSettings`; ensemble: as
    `EnsembleThresholds`; both are looked at when they are used.
    """

    name: str = ""
    classes: tuple[str, ...] = ()
    detection_threshold: float | None = None
    event_gap: float = 60.0
    time_zone: str = ""
    embedding_model: str = ""
    score_models: tuple[str, ...] = ()
    use_detector: bool = True
    use_context: bool = True
    group_by: str = "auto"
    random_state: int = 0
    video_frames: str = "rate:1"
    batch_size: int = 0
    workers: int = 0
    read_timeout: float = 60.0
    engine: str = "threads"
    engine_workers: int = 0
    engine_address: str = ""
    engine_output: str = ""
    evaluation_counts: tuple[int, ...] = (10, 20, 50, 100, 250, 1000)
    evaluation_seeds: int = 5
    blur_people: bool = True
    refine_method: str = "climb"
    refine_alpha: float = 0.05
    trusted_score: float = 0.8
    species_list: str = ""
    country: str = ""
    admin1_region: str = ""
    geofence: str = ""
    geofence_fixes: str = ""
    five_stage: Mapping[str, Any] = field(default_factory=dict)
    ensemble: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_range("detection_threshold", self.detection_threshold, 0.0, 1.0)
        _check_range("event_gap", self.event_gap, 0.0, float("inf"))
        _check_range("batch_size", self.batch_size, 0, 4096)
        _check_range("workers", self.workers, 0, 1024)
        _check_range("read_timeout", self.read_timeout, 0.01, 86400.0)
        _check_range("engine_workers", self.engine_workers, 0, 100_000)
        if self.engine not in ("threads", "daft", "ray"):
            raise InputError(f"engine is {self.engine!r}, expected 'threads', 'daft' or 'ray'.")
        _check_range("evaluation_seeds", self.evaluation_seeds, 1, 1000)
        _check_range("random_state", self.random_state, 0, 2**32 - 1)
        for count in self.evaluation_counts:
            _check_range("evaluation_counts", count, 1, 10**9)
        if self.group_by not in ("auto", "deployment", "event"):
            raise InputError(
                f"group_by is {self.group_by!r}, expected 'auto', 'deployment' or 'event'."
            )
        if self.refine_method not in METHODS:
            raise InputError(
                f"refine_method is {self.refine_method!r}, expected 'climb' or 'five-stage'."
            )
        _check_range("trusted_score", self.trusted_score, 0.0, 1.0)
        if not 0.0 < self.refine_alpha < 1.0:
            raise InputError(
                f"refine_alpha is {self.refine_alpha}, expected a number between 0 and 1, as 0.05."
            )

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, for a run record."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InputError(f"{name} is {value}, expected a number from {low} to {high}.")


def read_config(path: Path) -> Config:
    """The settings in a toml file.

    Raises FormatError when the file is no toml or a value has the wrong kind, InputError when a
    key is unknown (with the nearest name) or a value is out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a valid toml file ({error}).") from error
    return config_from(values, str(path))


def config_from(values: dict[str, Any], where: str = "settings") -> Config:
    """A Config from plain values; `where` names their source in error messages."""
    known = {f.name: {} if f.default is MISSING else f.default for f in fields(Config)}
    clean: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise InputError(f"{where}: unknown setting {key!r}; did you mean {near!r}?")
        clean[key] = _convert(key, value, known[key], where)
    try:
        return Config(**clean)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _convert(key: str, value: Any, default: Any, where: str) -> Any:
    if isinstance(default, tuple):
        kind: type = int if default else str
        if isinstance(value, list) and all(_is(v, kind) for v in value):
            return tuple(value)
        raise FormatError(f"{where}: {key} = {value!r}, expected a list of {_WORDS[kind]}.")
    kind = float if default is None else type(default)
    if not _is(value, kind):
        raise FormatError(f"{where}: {key} = {value!r}, expected {_ONE[kind]}.")
    return float(value) if kind is float else value


_WORDS = {int: "whole numbers", str: "texts"}
_ONE = {int: "a whole number", str: "a text", float: "a number", bool: "true or false",
        dict: "a table"}


def _is(value: Any, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else kind)


def write_setting(path: Path, key: str, value: float) -> None:
    """Set one number in a toml file; its other lines and all comments stay as they are.

    Raises InputError when the file cannot be written.
    """
    text = path.read_text(encoding="utf-8-sig")
    line = f"{key} = {value!r}"
    rest_of = rf"{re.escape(key)}[ \t]*=[^#\n]*?(?=[ \t]*(?:#|$))"
    plain = re.compile("^" + rest_of, re.MULTILINE)
    commented = re.compile("^#[ \t]*" + rest_of, re.MULTILINE)
    pattern = plain if plain.search(text) else commented
    if pattern.search(text):
        text = pattern.sub(line, text, count=1)
    else:  # before the first table, in which it would be another setting
        head, table, rest = re.split(r"(^\[|\Z)", text, maxsplit=1, flags=re.MULTILINE)
        text = f"{head.rstrip()}\n{line}\n{table}{rest}"
    config_from(tomllib.loads(text), str(path))
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}).") from error


def default_text(name: str) -> str:
    """The text of a new project's `ecotone.toml`."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return TEMPLATE.format(name=f'"{escaped}"')
