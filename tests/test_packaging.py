"""What pyproject.toml declares: all that is imported, in ranges, no licence by surprise."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = {  # where a package is imported by another name
    "PIL": "pillow", "sklearn": "scikit-learn", "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu", "umap": "umap-learn", "google": "protobuf", "ai_edge_litert":
    "ai-edge-litert", "open_clip": "open-clip-torch", "axe_playwright_python":
    "axe-playwright-python", "pytorch_metric_learning": "pytorch-metric-learning",
    "prometheus_client": "prometheus-client", "python_multipart": "python-multipart",
}  # fmt: skip
BY_OTHERS = {  # what is sure to come along
    "jsonschema": "frictionless", "markupsafe": "jinja2", "safetensors": "timm",
}  # fmt: skip
HOSTS = {"AddaxAI", "onnx2torch"}  # what runs our file in AddaxAI, and is there then


def names_of(requirements: list[str]) -> set[str]:
    """The packages of a list of requirements, those of our own extras among them."""
    found = set()
    for requirement in requirements:
        name, inner = re.match(r"([\w.-]+)(?:\[([\w,]+)\])?", requirement).groups()
        if name == "ecotone":
            for extra in inner.split(","):
                found |= names_of(EXTRAS[extra])
        else:
            found.add(name)
    return found


def imported(folder: Path, top_level_only: bool = False) -> dict[str, Path]:
    """Package, and one file that imports it; of tests what is imported without importorskip."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        nodes = tree.body if top_level_only else list(ast.walk(tree))
        for node in nodes:
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            for module in modules:
                top = module.split(".")[0]
                if top not in sys.stdlib_module_names and top != "ecotone":
                    found.setdefault(PACKAGES.get(top, top), path)
    return found


def ours(name: str) -> bool:
    """Whether a test imports a module of the tests themselves, or of the benchmarks."""
    return name in ("tests", "benchmarks") or any(
        (REPOSITORY / folder / place).exists()
        for folder in ("tests", "benchmarks") for place in (f"{name}.py", name))


def test_what_the_package_imports_is_declared():
    declared = names_of(PROJECT["dependencies"])
    for extra in EXTRAS.values():
        declared |= names_of(extra)
    missing = {name: path for name, path in imported(REPOSITORY / "src").items()
               if BY_OTHERS.get(name, name) not in declared | HOSTS}
    assert not missing


def test_what_tests_import_first_thing_is_declared():
    declared = names_of(PROJECT["dependencies"]) | names_of(EXTRAS["test"])
    for name, path in imported(REPOSITORY / "tests", top_level_only=True).items():
        local = (path.parent / f"{name}.py").is_file() or ours(name)
        text = path.read_text("utf-8")
        skipped = re.search(rf'importorskip\("{re.escape(name)}', text)
        assert local or skipped or BY_OTHERS.get(name, name) in declared, f"{path}: imports {name}"


@pytest.mark.parametrize("extra", ["core", *EXTRAS])
def test_every_package_has_a_lowest_and_a_highest_version(extra):
    for requirement in PROJECT["dependencies"] if extra == "core" else EXTRAS[extra]:
        if not requirement.startswith("ecotone["):
            assert ">=" in requirement and ("<" in requirement or "fsspec" in requirement)


def test_all_holds_no_copyleft_and_no_network():
    assert not names_of(EXTRAS["all"]) & {"av", "torch", "speciesnet", "megadetector", "ray"}
