"""The order of the rooms: imports point down, arrays stay arrays, only the command line prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ecotone

SOURCE = Path(ecotone.__file__).parent
LAYERS = (
    ("types", "errors", "config", "study"),
    ("taxonomy", "media"),
    ("fusion", "hierarchy", "evaluation", "confidence", "labelling", "context", "discovery", "reid",
     "detection", "simulate.worlds"),
    ("ingest", "store", "backends", "engine", "export", "bundle", "report", "simulate", "training"),
    ("project",),
    ("review", "serve"),
    ("cli", "__main__"),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
ARRAYS_ONLY = ("fusion", "hierarchy", "evaluation", "confidence", "labelling", "context",
               "discovery", "reid", "detection", "simulate.worlds")
NOT_FOR_ARRAYS = {"pathlib", "csv", "json", "sqlite3", "shutil", "tempfile", "PIL", "onnxruntime"}
SLOW = ("sklearn", "scipy.optimize", "PIL", "onnxruntime", "rich", "jinja2", "pyarrow", "sqlite3",
        "starlette", "pydantic")


def modules() -> list[str]:
    files = sorted(SOURCE.rglob("*.py"))
    return [path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".") for path in files]


def tree_of(module: str) -> ast.Module:
    path = SOURCE / (module.replace(".", "/") + ".py")
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def room_of(module: str) -> str:
    """The room of a module path below ecotone: the longest prefix that LAYERS names."""
    parts = module.split(".")
    for length in (2, 1):
        if ".".join(parts[:length]) in RANK:
            return ".".join(parts[:length])
    return parts[0]


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = node.module or ""
            yield node.lineno, base
            if base.startswith("ecotone"):
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def test_every_room_has_a_layer():
    rooms = {room_of(m) for m in modules() if m != "__init__"}
    assert rooms <= set(RANK), f"no layer for {sorted(rooms - set(RANK))}"


@pytest.mark.parametrize("module", [m for m in modules() if m != "__init__"])
def test_imports_point_down(module):
    own = RANK[room_of(module)]
    for line, name in imports_of(tree_of(module)):
        if not name.startswith("ecotone."):
            continue
        target = room_of(name.removeprefix("ecotone."))
        if target in RANK:
            assert RANK[target] <= own, f"{module}, line {line}: imports {name} from above"


@pytest.mark.parametrize("module", [m for m in modules() if room_of(m) in ARRAYS_ONLY])
def test_numeric_rooms_take_and_return_arrays(module):
    tree = tree_of(module)
    used = {name.split(".")[0] for _, name in imports_of(tree)} & NOT_FOR_ARRAYS
    assert not used, f"{module} imports {sorted(used)}"
    calls = {n.func.id for n in ast.walk(tree)
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert "open" not in calls


@pytest.mark.parametrize("module", [m for m in modules() if room_of(m) not in ("cli", "__main__")])
def test_only_the_command_line_prints(module):
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{module}, line {node.lineno}: prints"


@pytest.mark.parametrize("module", modules())
def test_files_and_functions_stay_short(module):
    tree = tree_of(module)
    lines = (SOURCE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{module} has {lines} lines"
    assert ast.get_docstring(tree), f"{module} does not say what it is"


def test_layers_test_can_fail():
    bad = ast.parse("def f():\n    from ecotone.project.fusing import fuse\n")
    names = [name for _, name in imports_of(bad)]
    assert RANK[room_of(names[0].removeprefix("ecotone."))] > RANK["fusion"]


def test_importing_ecotone_and_its_command_line_loads_nothing_slow():
    code = "import sys, ecotone, ecotone.cli; print(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name for name in SLOW if name in out.stdout.split()]
    assert not loaded, f"loaded at import: {loaded}"
