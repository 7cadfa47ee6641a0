"""The folder of a local model as files: which there are, whether they are whole, where they lie."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecotone.errors import BackendError, ProjectError
from ecotone.export.atomic import replaced

FORMAT = 1
HEAD, MODEL = "head.onnx", "model.onnx"
CLASSES, TAXONOMY = "classes.txt", "taxonomy.csv"
PREPROCESSING, CALIBRATION = "preprocessing.json", "calibration.json"
CARD, CARD_TEXT, MANIFEST = "card.json", "CARD.md", "manifest.json"
NEEDED = (MANIFEST, HEAD, CLASSES, PREPROCESSING, CALIBRATION, CARD)
LATEST = "latest"
UNFINISHED = ".ecotone-unfinished-"
STALE = 3600.0  # seconds
MEND = "copy the whole folder again, or make it again: ecotone fuse."


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well.

    A folder of that name is replaced as a whole; whoever reads sees the old or the new one.
    Raises ProjectError when the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_old(folder.parent)
        work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be written ({error.strerror}).") from error
    try:
        yield work
        work.chmod(0o755)  # mkdtemp's folders are for one user alone
        for path in (*work.rglob("*"), work):
            _sync(path)
        _swap(work, folder)
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _swap(work: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(work, folder)
        return
    old = folder.with_name(f"{UNFINISHED}{folder.name}-{os.getpid()}")
    os.rename(folder, old)
    try:
        os.rename(work, folder)
    except OSError:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _clear_old(parent: Path) -> None:
    """Remove what runs that were killed left behind; younger ones may still be at work."""
    for left in parent.glob(f"{UNFINISHED}*"):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)


def _sync(path: Path) -> None:
    # Windows can sync no folders; the rename is then as safe as it gets.
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read: indented, UTF-8."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_manifest(folder: Path, names: Iterable[str] | None = None) -> None:
    """Write down size and SHA-256 of the files of a folder, at once and last of all.

    names: of those that are there; default all files, below the folder too.
    """
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    chosen = sorted(found) if names is None else [n for n in names if (folder / n).is_file()]
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": _digest(folder / name)}
        for name in chosen if name != MANIFEST
    }
    with replaced(folder / MANIFEST) as file:
        file.write(json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n")


def check_files(folder: Path) -> None:
    """Raise BackendError naming the first file of a bundle that is missing, cut off or changed."""
    for name in NEEDED:
        if not (folder / name).is_file():
            raise BackendError(f"{folder / name}: this file of the model is missing; {MEND}")
    check_manifest(folder)


def check_manifest(folder: Path, mend: str = MEND) -> None:
    """Raise BackendError naming the first file that is not as the folder's manifest says."""
    if wrong := next(damaged_files(folder, mend), ""):
        raise BackendError(wrong)


def damaged_files(folder: Path, mend: str = MEND) -> Iterator[str]:
    """A line on each file that is not as the folder's manifest says."""
    try:
        manifest = read_json(folder / MANIFEST, mend)
    except BackendError as error:
        yield str(error)
        return
    stated, kind = manifest.get("files"), manifest.get("format")
    if not isinstance(stated, dict) or not isinstance(kind, int):
        yield f'{folder / MANIFEST}: damaged (no "format" and "files"); {mend}'
        return
    if kind > FORMAT:
        yield (f"{folder}: made by a newer ecotone (format {kind}, known {FORMAT}); "
               "update: pip install --upgrade ecotone")
        return
    for name, entry in stated.items():
        if wrong := _wrong(folder / name, entry):
            yield f"{folder / name}: {wrong}; {mend}"


def _wrong(path: Path, stated: Any) -> str:
    """What is wrong with a file, "" for nothing."""
    if not isinstance(stated, dict):
        return "damaged (the manifest does not say how it was)"
    try:
        size = path.stat().st_size
        if size != stated.get("bytes"):
            return f"damaged ({size:,} bytes, expected {stated.get('bytes')})"
        same = _digest(path) == stated.get("sha256")
        return "" if same else "damaged (its bytes were changed)"
    except FileNotFoundError:
        return "this file of the model is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: Path, mend: str = MEND) -> dict[str, Any]:
    """The JSON object in a file of a bundle. Raises BackendError naming the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendError(f"{path}: damaged ({error}); {mend}") from None
    if not isinstance(value, dict):
        raise BackendError(f"{path}: damaged (no JSON object); {mend}")
    return value


def find_folder(path: str | Path) -> Path:
    """The folder of a local model that a path means: the folder, a link or a file that names one.

    Raises BackendError when it is none, saying what was looked for.
    """
    path = Path(path)
    folder = path
    if path.is_file():
        folder = _named_in(path)
    if not folder.is_dir():
        hint = "see the folder models/ of a project, for example my-reserve/models/latest."
        raise BackendError(f"{path}: no such folder of a local model; {hint}")
    folder = folder.resolve()
    if not (folder / MANIFEST).exists() and not (folder / HEAD).exists():
        for inner in (LATEST, f"models/{LATEST}"):
            if (folder / inner).exists():
                raise BackendError(f"{path}: not a local model; did you mean {path / inner}?")
        raise BackendError(
            f"{path}: not the folder of a local model ({HEAD} and {MANIFEST} are missing)."
        )
    return folder


def _named_in(path: Path) -> Path:
    """The folder that a small text file names, where links are not allowed."""
    if path.name in (HEAD, MODEL):
        return path.parent
    with path.open("rb") as handle:
        name = handle.read(4096).decode("utf-8", errors="replace").strip()
    if not name or "\n" in name or "\0" in name or not (path.parent / name).is_dir():
        raise BackendError(f"{path}: a file that names no folder of a local model beside it.")
    return path.parent / name


def point_latest(folder: str | Path) -> Path:
    """Make `latest` beside a bundle point to it, at once; a text file where links are refused.

    Raises ProjectError when `latest` is a real folder.
    """
    folder = Path(folder)
    latest = folder.with_name(LATEST)
    if latest.is_dir() and not latest.is_symlink():
        raise ProjectError(f"{latest}: is a folder of its own; rename it.")
    temporary = folder.with_name(f".{LATEST}-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(folder.name, target_is_directory=True)
    except (OSError, NotImplementedError):
        temporary.write_text(folder.name + "\n", encoding="utf-8")
    os.replace(temporary, latest)
    return latest
