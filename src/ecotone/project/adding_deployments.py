"""`ecotone add deployments`: coordinates, times and names of places into the catalogue."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecotone.ingest.deployments_table import DeploymentRow, middle, read_deployments
from ecotone.ingest.instances import read_instances
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.text import some
from ecotone.project.adding import AddReport, Progress, need_media, sayer
from ecotone.project.times import renew_events
from ecotone.store.tables import DeploymentFacts, DeploymentTable

REGION = "region"  # the note in the catalogue that holds country and state of instances


def add_deployments(
    project: Any, file: Path, progress: Progress | None = None
) -> AddReport:
    """Add where and when cameras stood, from a csv; see `ecotone.ingest.deployments_table`.

    A row means the deployment of its id, else the one whose folder or place has that name. Rows
    that fit none are kept under their own id, for pictures that come later.
    Raises FormatError when the file is no table of deployments.
    """
    say = sayer(progress)
    say(0, None, f"reading {file.name}")
    read = read_deployments(file)
    catalog = project.catalog
    table = catalog.deployments()
    names = _names(table)
    facts: dict[str, DeploymentFacts] = {}
    lost, twice = [], []
    for row in read.rows:
        place = _place_of(row, names)
        if not place and len(table):
            lost.append(row.id)
        target = place or row.id
        if target in facts:
            twice.append(f"row {row.line} ({target})")
            continue
        facts[target] = DeploymentFacts(
            target, row.name if row.name != target else "", row.latitude, row.longitude, row.start,
            row.end, row.time_zone,
        )
    problems = list(read.problems)
    if lost:
        problems.append(
            f"{file.name}: {len(lost):,} deployments have no picture here, kept for later: "
            f"{some(lost)}"
        )
    if twice:
        problems.append(f"{file.name}: rows that mean a deployment of another row, left out: "
                        + some(twice))
    return _store(project, list(facts.values()), problems)


def _store(project: Any, facts: list[DeploymentFacts], problems: list[str]) -> AddReport:
    catalog = project.catalog
    before = set(catalog.deployments().id)
    with catalog.transaction():
        changed = catalog.set_deployment_facts(facts)
        if any(fact.time_zone for fact in facts):
            renew_events(catalog, project.config.event_gap, project.config.time_zone)
    added = sum(fact.id not in before for fact in facts)
    return AddReport(added, changed - added, len(facts) - changed, problems)


def _names(table: DeploymentTable) -> dict[str, str]:
    """Names by which a deployment may be meant, each of one deployment alone."""
    found: dict[str, set[str]] = defaultdict(set)
    for identity, place in zip(table.id, table.location_name, strict=True):
        parts = identity.split("/")
        for name in (identity, place, parts[-1], parts[0]):
            if name:
                found[_key(name)].add(identity)
    out = {name: ids.pop() for name, ids in found.items() if len(ids) == 1}
    return {**out, **{i: i for i in table.id}}


def _place_of(row: DeploymentRow, names: Mapping[str, str]) -> str:
    for name in (row.id, row.name):
        found = names.get(name) or names.get(_key(name), "")
        if name and found:
            return found
    return ""


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold() or name


def add_instances(
    project: Any, file: Path, progress: Progress | None = None
) -> AddReport:
    """Add the coordinates of deployments from a SpeciesNet instances.json, and its country.

    Of different places in one deployment the one that most of its pictures name is taken. A country
    (and state) that all instances share is what `refine` takes where it is told no other.
    Raises FormatError when the file is none, ProjectError without pictures.
    """
    say = sayer(progress)
    say(0, None, f"reading {file.name}")
    found = read_instances(file)
    _keep_region(project, {(i.country, i.admin1_region) for i in found.rows})
    instances = [i for i in found.rows if i.latitude is not None]
    problems = list(found.problems)
    media = need_media(project.catalog)
    matches = MediaIndex(media.path, media.file_path).find([i.file for i in instances], file.parent)
    problems += matches.problems(file.name, "instances")
    if not instances:
        problems.append(f"{file.name}: no instance has latitude and longitude")
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for instance, row in zip(instances, matches.rows, strict=True):
        if row >= 0 and media.deployment_id[row]:
            places[media.deployment_id[row]].append((instance.latitude, instance.longitude))
    several = [d for d, found in places.items() if len(set(found)) > 1]
    if several:
        problems.append(f"{file.name}: {len(several):,} deployments with pictures of several "
                        f"places, the most frequent is taken: {some(several)}")
    return _store(project, list(_facts(places)), problems)


def _keep_region(project: Any, regions: set[tuple[str, str]]) -> None:
    countries = {country for country, _ in regions}
    if len(countries) == 1 and countries != {""}:
        state = next(iter(regions))[1] if len(regions) == 1 else ""
        project.catalog.set_note(REGION, [countries.pop(), state])


def _facts(places: Mapping[str, list[tuple[float, float]]]) -> Iterable[DeploymentFacts]:
    for deployment, found in places.items():
        latitude, longitude = middle(found)
        yield DeploymentFacts(deployment, latitude=latitude, longitude=longitude)
