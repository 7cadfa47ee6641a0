"""A local model or a trained network as a model folder of AddaxAI.

AddaxAI 7 takes a folder with the network, manifest.json, inference.py and taxonomy.csv in
~/AddaxAI/models/cls; AddaxAI 5 and 6 one with the network, variables.json and taxon-mapping.csv in
AddaxAI_files/models/cls, and a script of its model type. The folder here holds all of it.
Source: PetervanLunteren/AddaxAI: DEVELOPERS.md, backend/templates/inference_template.py,
backend/app/ml/schemas/model_manifest.py, classification_utils/inference_lib.py.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ecotone.bundle import files
from ecotone.bundle.folder import Bundle
from ecotone.bundle.graph import PROBABILITY
from ecotone.bundle.network import SCORES, NetworkModel, open_model
from ecotone.bundle.onnx_proto import external_files, load_model
from ecotone.errors import InputError
from ecotone.export.addaxai_inference import SETTINGS
from ecotone.export.written import Written
from ecotone.taxonomy.names import parse_label

TYPE = "ecotone"  # the model type of AddaxAI 5 and 6
ENVIRONMENT = "pytorch"  # the one of AddaxAI's that has onnx2torch
RANKS = ("class", "order", "family", "genus", "species")
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WEBSITE = "https://github.com/PetervanLunteren/AddaxAI"


def write_addaxai(
    model: str | Path,
    path: str | Path,
    *,
    name: str = "",
    developer: str = "",
    description: str = "",
    licence: str = "",
    threshold: float = 0.2,
    classification_threshold: float = 0.5,
) -> Written:
    """Write a local model or a trained network as a folder for AddaxAI, all of it or nothing.

    model: as `bundle.network.open_model` takes it; the encoder of a local model must be an ONNX
    network, joined with the head. path: the folder to write; its name is the id that AddaxAI knows
    the model by. name: what people see. threshold, classification_threshold: what AddaxAI 5 and 6
    begin with.

    Raises BackendError when the local model is damaged, InputError when its encoder is another, or
    the folder's name cannot be an id or is of another folder, ProjectError when the disk refuses.
    """
    path = Path(path)
    _check_path(path)
    bundle = open_model(model)
    _check(bundle)
    classes = class_names(bundle.classes)
    rows = [taxon(bundle, label, new) for label, new in zip(bundle.classes, classes, strict=True)]
    about = {
        "friendly_name": name or path.name,
        "description": description or str(bundle.card.get("intended_use") or ""),
        "developer": developer or "not stated",
        "license": licence or str(bundle.info.get("licence") or "not stated"),
    }
    with files.new_folder(path) as work:
        _network(work, bundle, classes)
        _scripts(work)
        _for_7(work, path.name, about, rows)
        _for_6(work, about, classes, rows, threshold, classification_threshold)
        (work / "README.md").write_text(readme(path.name, about, len(classes)), encoding="utf-8")
    return Written(path, {"classes": len(classes)}, _warnings(rows))


def _check_path(path: Path) -> None:
    if not NAMES.fullmatch(path.name):
        raise InputError(
            f"{path}: {path.name!r} cannot be the name of a model of AddaxAI; use letters, digits, "
            '".", "-" and "_", such as MY-RESERVE-v1.'
        )
    if path.exists() and not _is_ours(path):
        raise InputError(f"{path}: exists and is no model folder written here; give a new name.")


def _is_ours(path: Path) -> bool:
    return path.is_dir() and ((path / SETTINGS).is_file() or not any(path.iterdir()))


def _check(bundle: Bundle | NetworkModel) -> None:
    if isinstance(bundle, Bundle) and bundle.info.get("file") != files.MODEL:
        found = bundle.info.get("note") or bundle.info.get("spec") or "no encoder"
        raise InputError(
            f"{bundle.folder}: AddaxAI runs local models whose encoder is an ONNX network joined "
            f"with the head ({files.MODEL}); this one has: {found}. Fuse with an .onnx model."
        )


def class_names(classes: Sequence[str]) -> list[str]:
    """The classes as AddaxAI compares them: in lower case, each once."""
    out: list[str] = []
    for label in classes:
        text = " ".join(label.lower().split()) or "unnamed"
        tries = [text, *(f"{text} {number}" for number in range(2, len(classes) + 2))]
        out.append(next(t for t in tries if t not in out))
    return out


def taxon(bundle: Bundle | NetworkModel, label: str, name: str) -> dict[str, str]:
    """model_class and ranks of a class in lower case; species is the epithet alone."""
    known = next((row for row in bundle.taxonomy if row.get("label") == label), {})
    row = {rank: known.get(rank, "").strip().lower() for rank in RANKS}
    words = (row["species"] or known.get("scientificName", "").strip().lower()).split()
    if len(words) > 1:
        row["genus"] = row["genus"] or words[0]
        words = words[1:2]
    row["species"] = words[0] if words and row["genus"] and words[0] != row["genus"] else ""
    return {"model_class": name, **row}


def _warnings(rows: Sequence[Mapping[str, str]]) -> list[str]:
    bare = [row["model_class"] for row in rows if not _has_place(row)]
    if not bare:
        return []
    shown = ", ".join(bare[:3]) + (f" and {len(bare) - 3:,} more" if len(bare) > 3 else "")
    return [
        f"{len(bare):,} classes without a taxonomic class ({shown}): AddaxAI shows them outside "
        "its tree, and AddaxAI 6 offers no fallback to higher taxa; add a taxonomy (ecotone add "
        "taxonomy) and fuse again"
    ]


def _has_place(row: Mapping[str, str]) -> bool:
    """Whether a class has a place in a tree: a taxonomic class, or it is no animal."""
    return bool(row["class"] or parse_label(row["model_class"]).special)


def _network(work: Path, bundle: Bundle | NetworkModel, classes: Sequence[str]) -> None:
    """The network with its weights, and how it is used."""
    own = bundle.info["file"]
    network = load_model(bundle.folder / own)
    shutil.copyfile(bundle.folder / own, work / files.MODEL)
    for file in external_files(network):
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.folder / file, work / file)
    output = SCORES if isinstance(bundle, NetworkModel) else PROBABILITY
    outputs = [o.name for o in network.graph.output]
    dims = network.graph.input[0].type.tensor_type.shape.dim
    files.write_json(work / SETTINGS, {
        "classes": list(classes), "preprocessing": bundle.info["preprocessing"],
        "output": output, "position": outputs.index(output),  # among the outputs
        "batch": int(dims[0].dim_value) or None if dims else None,  # None: any number of rows
    })


def _scripts(work: Path) -> None:
    here = Path(__file__).parent
    shutil.copyfile(here / "addaxai_inference.py", work / "inference.py")
    old = work / "model_types" / TYPE
    old.mkdir(parents=True)
    shutil.copyfile(here / "addaxai_classify.py", old / "classify_detections.py")


def _for_7(
    work: Path, identity: str, about: Mapping[str, str], rows: Sequence[Mapping[str, str]]
) -> None:
    files.write_json(work / "manifest.json", {
        "model_id": identity, **about, "emoji": "\N{HERB}", "env": ENVIRONMENT,
        "model_fname": files.MODEL, "local_only": True, "citation": "",
        "description_short": f"Local model, {len(rows)} classes", "info_url": WEBSITE,
        "min_app_version": "7.0.1",
    })
    table = [{**row, "variant": ""} for row in rows]
    _write_csv(work / "taxonomy.csv", ("model_class", *RANKS, "variant"), table)


def _for_6(
    work: Path, about: Mapping[str, str], classes: Sequence[str],
    rows: Sequence[Mapping[str, str]], threshold: float, sure: float,
) -> None:
    detect, classify = f"{threshold:.2f}", f"{sure:.2f}"
    variables = {
        "model_fname": files.MODEL, "description": about["description"],
        "developer": about["developer"], "env": ENVIRONMENT, "type": TYPE,
        "download_info": [["", ""]], "citation": "", "license": about["license"],
        "total_download_size": "", "info_url": WEBSITE, "all_classes": list(classes),
        "selected_classes": list(classes), "var_cls_detec_thresh": detect,
        "var_cls_detec_thresh_default": detect, "var_cls_class_thresh": classify,
        "var_cls_class_thresh_default": classify, "var_smooth_cls_animal": False,
        "min_version": "5.0", "var_tax_levels_idx": 0, "var_tax_fallback": False,
        "var_tax_fallback_default": False,
    }
    text = json.dumps(variables, indent=4, ensure_ascii=True)  # read in the system's encoding
    (work / "variables.json").write_text(text + "\n", encoding="ascii")
    if all(map(_has_place, rows)):
        levels = tuple(f"level_{rank}" for rank in RANKS)
        table = [_levels(row) for row in rows]
        _write_csv(work / "taxon-mapping.csv", ("model_class", *levels), table)


def _levels(row: Mapping[str, str]) -> dict[str, str]:
    """Ranks with the whole name at each, since a fallback shows nothing else; what is no animal
    stays what it is at every level."""
    full = {f"level_{rank}": row[rank] for rank in RANKS}
    if not row["class"]:
        full = dict.fromkeys(full, row["model_class"])
    if row["species"]:
        full["level_species"] = f"{row['genus']} {row['species']}"
    return {"model_class": row["model_class"], **full}


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def readme(identity: str, about: Mapping[str, str], classes: int) -> str:
    """Where the folder goes."""
    return f"""# {about['friendly_name']}

A local model of {classes} classes, made with ecotone. Licence of the network: {about['license']}.

AddaxAI 7: in the models page choose "Add custom model" and this folder, type classification,
environment "{ENVIRONMENT}"; or copy the folder to `AddaxAI/models/cls/{identity}` in your home
folder and start AddaxAI again.

AddaxAI 5 and 6: copy the folder to `AddaxAI_files/models/cls/{identity}`, and the folder
`model_types/{TYPE}` in it to `AddaxAI_files/AddaxAI/classification_utils/model_types/{TYPE}`.

The environment "{ENVIRONMENT}" of AddaxAI runs the model through onnx2torch; where onnxruntime is
installed, that is used instead.
"""


__all__ = ["write_addaxai"]
