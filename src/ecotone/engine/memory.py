"""How much memory is free, on this machine and on a graphics card, and when it has run out."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path

SHARED = ("cpu", "coreml", "openvino")  # devices that take the machine's own memory
NVIDIA = ("cuda", "tensorrt")
EXHAUSTED = re.compile(
    r"out of memory|out_of_memory|outofmemory|not enough memory|cannot allocate|bad.?alloc"
    r"|failed to allocate|alloc_failed|cudaErrorMemoryAllocation|CUDA (?:failure|error) 2\b",
    re.IGNORECASE,
)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that memory has run out."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, MemoryError) or EXHAUSTED.search(text):
            return True
        error = error.__cause__ or error.__context__
    return False


def free_memory(device: str = "cpu") -> int | None:
    """Bytes that are free for a device ("cpu", "cuda:1" ...), None where that cannot be told."""
    name, _, number = device.partition(":")
    if name in NVIDIA:
        return _nvidia(int(number) if number.isdecimal() else 0)
    return _host() if name in SHARED else None


def most_used() -> int:
    """The most memory in bytes that this process has had so far, 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _host() -> int | None:
    found = [n for n in (_available(), _group()) if n is not None]
    if found:
        return min(found)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _available() -> int | None:
    """What Linux can give without swapping."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container's limit leaves; its file cache counts as free."""
    for limit, used, stat, cache in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat",
         "total_inactive_file"),
    ):
        try:
            most, now = (int((root / name).read_text()) for name in (limit, used))
            lines = (root / stat).read_text().splitlines()
        except (OSError, ValueError):  # no container, or "max"
            continue
        kept = [int(line.split()[1]) for line in lines if line.split()[0] == cache]
        return max(0, most - now + sum(kept))
    return None


def _nvidia(number: int) -> int | None:
    """Free bytes of a card, asked of NVIDIA's management library, which its driver brings."""

    class Memory(ctypes.Structure):
        _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]

    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if len(shown) > number and shown[number].strip().isdecimal():
        number = int(shown[number])
    try:
        library = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
        card, memory = ctypes.c_void_p(), Memory()
        if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByIndex_v2(
                ctypes.c_uint(number), ctypes.byref(card)):
            return None
        failed = library.nvmlDeviceGetMemoryInfo(card, ctypes.byref(memory))
    except (OSError, AttributeError):
        return None
    return None if failed else int(memory.free)


__all__ = ["free_memory", "most_used", "out_of_memory"]
