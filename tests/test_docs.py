"""What the documentation says is true: its commands and its Python run, its names exist."""

from __future__ import annotations

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import click
import pytest

from ecotone import cli

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = {"README.md": REPOSITORY / "README.md", **{
    path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}}
BLOCK = re.compile(r"<!-- run: ([\w-]+) -->\n```\w+\n(.*?)```", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """The blocks of a page that are marked to be run, by name."""
    return dict(BLOCK.findall(PAGES[page].read_text(encoding="utf-8")))


def command_lines(text: str) -> list[list[str]]:
    """The words after `ecotone` of every line of a shell block."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert all(words[0] == "ecotone" for words in lines if words)
    return [words[1:] for words in lines if words]


@pytest.fixture
def workplace(tmp_path, monkeypatch, pictures, labels_csv, scores_csv, onnx_model,
              detections_json, taxonomy_csv):
    """A folder with what the examples name: PHOTOS, NEW_PHOTOS, labels.csv, model.onnx ..."""
    more = "".join(f"cam1/{name}_1.jpg,{name.replace('_', ' ')}\n"
                   for name in ("red_deer", "grey_fox", "wild_boar"))
    (tmp_path / "more_labels.csv").write_text("filePath,vernacularName\n" + more, "utf-8")
    (tmp_path / "who.csv").write_text("filePath,vernacularName,individualID,viewpoint\n" + "".join(
        f"{camera}/red_deer_{n}.jpg,red deer,{'Ada' if camera == 'cam1' else 'Bea'},left\n"
        for camera in ("cam1", "cam2") for n in (0, 1)), "utf-8")
    (tmp_path / "deployments.csv").write_text(
        "deploymentID,latitude,longitude,deploymentStart,deploymentEnd\n"
        "cam1,50.70,4.01,2024-05-01T00:00:00,2024-07-01T00:00:00\n"
        "cam2,50.71,4.02,2024-05-01T00:00:00,2024-07-01T00:00:00\n", "utf-8")
    pictures.rename(tmp_path / "PHOTOS")
    shutil.copytree(tmp_path / "PHOTOS" / "cam2", tmp_path / "NEW_PHOTOS")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOTONE_PROJECT", raising=False)
    return tmp_path


def run_all(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in command_lines(text):
        code = cli.run(words)
        err = capsys.readouterr().err
        assert code == 0, f"ecotone {' '.join(words)}: {err}"


def test_the_one_line_of_the_readme_runs(workplace, capsys):
    run_all(blocks("README.md")["quick"], capsys)
    page = (workplace / "my-reserve/reports/report.html").read_text(encoding="utf-8")
    assert "red deer" in page


def test_the_steps_of_the_readme_run(workplace, capsys):
    run_all(blocks("README.md")["steps"], capsys)
    rows = (workplace / "observations.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 24
    assert len((workplace / "new.csv").read_text(encoding="utf-8").splitlines()) == 1 + 12


def test_the_tutorial_runs(workplace, capsys):
    parts = blocks("tutorial.md")
    assert len(parts) >= 5
    for name, text in parts.items():
        if name == "answers":
            fill_in(workplace / "suggestions.csv")
        run_all(text, capsys)
    assert (workplace / "new.csv").is_file() and (workplace / "all.csv").is_file()


def fill_in(path: Path) -> None:
    """What a person does with a csv of questions; the names are those of the pictures' files."""
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    place = head.split(",").index("label")
    filled = []
    for row in rows:
        cells = row.split(",")
        cells[place] = Path(cells[0]).stem.rsplit("_", 1)[0].replace("_", " ")
        filled.append(",".join(cells))
    path.write_text("\n".join([head, *filled]) + "\n", encoding="utf-8")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(blocks("README.md")["python"], "README.md", "exec"), names)
    assert names["fused"].shape == names["alone"].shape
    assert capsys.readouterr().out


def test_every_command_is_documented():
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES.values())
    context = click.Context(cli.cli)
    words = [[name] for name in cli.COMMANDS]
    group = cli.cli.get_command(context, "add")
    words += [["add", name] for name in group.list_commands(context)]
    missing = [" ".join(w) for w in words if f"ecotone {' '.join(w)}" not in text]
    assert not missing, f"no page shows: {missing}"


def test_a_decision_has_a_number_of_its_own():
    numbers = [path.name[:4] for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("page", PAGES)
def test_every_extra_that_is_named_exists(page):
    extras = re.findall(r"^([\w-]+) = \[", (REPOSITORY / "pyproject.toml").read_text("utf-8"), re.M)
    text = PAGES[page].read_text(encoding="utf-8")
    named = re.findall(r"pip install \"(?:\.|ecotone)\[([\w,]+)\]", text)
    missing = {name for names in named for name in names.split(",")} - set(extras)
    assert not missing, f"{page}: no extra {missing}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = PAGES[page]
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{page}: {target} is missing"


@pytest.mark.parametrize("page", PAGES)
def test_names_of_our_code_exist(page):
    text = PAGES[page].read_text(encoding="utf-8")
    for path in re.findall(r"`ecotone/([\w/]+\.py)`", text):
        assert (REPOSITORY / "src" / "ecotone" / path).is_file(), f"{page}: {path}"
    for dotted in re.findall(r"`(ecotone(?:\.\w+)+)`", text):
        assert dotted == "ecotone.toml" or found(dotted), f"{page}: {dotted} does not exist"


def found(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return all(hasattr(thing, part) for part in parts[length:])
    return False
