"""Checksums of files and folders: what tells a damaged file from a whole one.

BLAKE2b (RFC 7693) of 128 bits: as quick as the disk, and a changed byte never goes unnoticed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ecotone.errors import ProjectError

SIZE = 16  # bytes
_BLOCK = 1 << 20
# Files that were found whole in this process, as they were then: nobody reads them twice for it.
_WHOLE: set[tuple[str, int, int, str]] = set()


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and checksum of a file, or of all files below a folder with their names.

    Raises OSError when it is missing or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=SIZE)
    if not path.is_dir():
        return _read(path, digest), digest.hexdigest()
    size = 0
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"\n{file.relative_to(path).as_posix()}\n".encode())
        size += _read(file, digest)
    return size, digest.hexdigest()


def _read(path: Path, digest: hashlib.blake2b) -> int:
    size = 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size


def text_sum(text: str) -> str:
    """A checksum of 64 bits of a short text: 16 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def find_damage(path: Path, size: int, digest: str, quick: bool = False) -> str:
    """What is wrong with a file or folder of a known size and checksum; "" when it is whole.

    size, digest: as `measure` gave them; digest "" when they were never taken. quick: do not read.
    """
    try:
        if not path.exists():
            return "the file is missing"
        if not digest:
            return ""
        if quick or path.is_file():
            found = path.stat().st_size if path.is_file() else size
            if found != size:
                return f"{found:,} bytes, expected {size:,}"
            if quick:
                return ""
        return "" if measure(path)[1] == digest else "its bytes were changed"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def ensure_whole(path: Path, size: int, digest: str, mend: str) -> None:
    """Raise ProjectError when a file or folder is missing or not what was written; each is read
    once in a process as long as it stays as it is."""
    try:
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size, digest)
    except OSError:
        key = ("", 0, 0, "")
    if key in _WHOLE:
        return
    if wrong := find_damage(path, size, digest):
        raise ProjectError(f"{path}: missing or damaged ({wrong}); {mend}")
    _WHOLE.add(key)
