"""Geofence files: the release's json, the csv of corrections, and what people make of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.geofence_file import (
    is_geofence,
    read_fixes,
    read_geofence,
    read_geofence_rules,
)
from ecotone.taxonomy.geofence_fixes import Fix, apply_fixes, check_fixes, propagate
from ecotone.taxonomy.rollup import label_map, taxon_key
from tests.hierarchy.speciesnet_labels import CERVIDAE, FOX, RED_DEER, ROE, RULES, SIKA, TAXONOMY

HEADER = "species,rule,country_code,admin1_region_code\n"


def release(folder: Path, content=RULES) -> Path:
    path = folder / "geofence_release.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def fixes(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "fixes.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_release_is_read(tmp_path):
    path = release(tmp_path)
    assert read_geofence_rules(path) == RULES
    fence = read_geofence(path)
    assert fence.blocks(FOX, "NZL") and not fence.blocks(FOX, "DEU") and fence.notes == ()


def test_corrections_are_read(tmp_path):
    text = (
        "# Deer, of which we know more\n\n" + HEADER +
        "mammalia;artiodactyla;cervidae;Cervus;elaphus,Allow,gbr,\n"
        " # not the fox, \"they\" say, and others, and more\n,,,\n"
        "mammalia;artiodactyla;cervidae;;,block,USA,ny\n"
    )
    expected = [Fix(taxon_key(RED_DEER), "allow", "GBR", "", 4),
                Fix(taxon_key(CERVIDAE), "block", "USA", "NY", 7)]
    assert read_fixes(fixes(tmp_path, text)) == expected
    assert read_fixes(fixes(tmp_path, text.replace("\n", "\r\n"), "utf-8-sig")) == expected
    tabs = text.replace(",", "\t")
    assert read_fixes(fixes(tmp_path, tabs, "utf-16")) == expected
    quoted = "\n".join(
        '"' + '";"'.join(row.split(",")) + '"' for row in text.split("\n") if "species" in row
        or "allow" in row.lower() or "block" in row
    )
    assert [f[:4] for f in read_fixes(fixes(tmp_path, quoted))] == [f[:4] for f in expected]


def test_corrections_change_the_rules(tmp_path):
    path = fixes(tmp_path, HEADER + f"{taxon_key(CERVIDAE)},block,DEU,\n"
                 f"{taxon_key(ROE)},allow,FRA,\n")
    fence = read_geofence(release(tmp_path), path)
    assert fence.blocks(CERVIDAE, "DEU") and not fence.blocks(SIKA, "JPN")
    assert fence.blocks(ROE, "DEU") and not fence.blocks(ROE, "FRA")
    assert fence.notes[0].startswith("fixes.csv, row 3, mammalia;artiodactyla;cervidae;capreolus")
    carried = read_geofence(release(tmp_path), path, TAXONOMY)
    assert carried.blocks(RED_DEER, "DEU") and not fence.blocks(RED_DEER, "DEU")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"instances": []}, "SpeciesNet's input .* expected a geofence"),
        ([1], "looks like a list of int, expected a geofence"),
        ({}, "expected a geofence"),
        ({**RULES, "deer": {}}, "geofence_release.json: geofence: taxon 'deer'"),
        ({**RULES, "aves;;;;": {"allow": {"KE": []}}}, "aves;;;;, allow: country 'KE'"),
    ],
)
def test_another_json_is_refused(tmp_path, content, message):
    with pytest.raises(FormatError, match=message):
        read_geofence_rules(release(tmp_path, content))


def test_only_geofences_look_like_one():
    assert is_geofence(RULES)
    for other in ({}, [], {"predictions": []}, {"a;b;c;d;e": []}, {"a;b;c;d;e": {"x": 1}}, None):
        assert not is_geofence(other)


ROW = taxon_key(RED_DEER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "holds no row, expected the columns species, rule"),
        ("taxon,rule\n", "row 1: found 'taxon,rule', expected the columns species,rule"),
        (f"{ROW},allow,DEU,\n", "row 1: found 'mammalia"),
        (HEADER + f"{ROW},allow,DEU\n", "row 2: 3 fields, expected 4"),
        (HEADER + f"{ROW},allow,DEU,,\n", "row 2: 5 fields, expected 4"),
        (HEADER + f"#\n{ROW},allow,Germany,\n", "row 3, country 'Germany'"),
        (HEADER + f"{ROW},permit,DEU,\n", "row 2, rule 'permit'"),
        (HEADER + f"{ROW},allow,DEU,\n" * 2, r"row 3, .* is there twice \(row 2\)"),
        (HEADER + f"{ROW},allow,DEU,\n{taxon_key(CERVIDAE)},block,DEU,\n",
         r"row 2, .* allowed in DEU, .* \(row 3\)"),
    ],
)
def test_corrections_that_cannot_be_read_name_the_row(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_fixes(fixes(tmp_path, text))


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "formats" / "speciesnet"


def test_the_real_corrections(real):
    rows = read_fixes(real / "geofence_fixes.csv")
    lines = (real / "taxonomy_release.txt").read_text(encoding="utf-8").splitlines()
    text = (real / "geofence_fixes.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == sum(bool(line) and not line.startswith("#") for line in text) - 1
    assert rows[0] == Fix("mammalia;carnivora;ursidae;ursus;americanus", "allow", "USA", "NJ", 4)
    check_fixes(rows, [taxon_key(text) for text in lines])
    notes: list[str] = []
    fixed = apply_fixes({}, rows, notes=notes)
    assert set(fixed) == {row.taxon for row in rows}
    carried = propagate(fixed, lines)
    hippo = next(t for t in fixed if t.endswith("hippopotamidae;;"))
    below = [t for t in label_map(lines) if t.startswith(hippo.rstrip(";") + ";") and t != hippo]
    assert below and all(
        carried[t]["block"].items() >= fixed[hippo]["block"].items() for t in below
    )
