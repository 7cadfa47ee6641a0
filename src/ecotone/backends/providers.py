"""Which hardware runs an ONNX network: the execution providers of ONNX Runtime by plain names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from ecotone.errors import InputError

CPU = "CPUExecutionProvider"
DEVICES = {
    "cuda": "CUDAExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cpu": CPU,
}
# TensorRT builds an engine for minutes before its first batch: only where it is asked for.
ASKED_ONLY = ("tensorrt", "cpu")
BELOW = {"tensorrt": ("cuda",)}  # what takes the operations that a provider has not
NUMBERED = ("cuda", "tensorrt", "migraphx", "rocm", "directml")  # take a device_id
Provider = tuple[str, dict[str, Any]]


def choose_providers(device: str, available: Sequence[str]) -> tuple[list[Provider], str]:
    """Providers to try, best first and the processor last; and a note where what was asked for is
    not in the installed onnxruntime.

    device: "" takes what there is; a name of `DEVICES`, or the provider's own; "cuda:1" the second
    card. Raises InputError on an unknown name.
    """
    name, number = _parse(device)
    if name == "cpu":
        return [(CPU, {})], ""
    unasked = [n for n in DEVICES if n not in ASKED_ONLY]
    wanted = [name, *BELOW.get(name, ())] if name else unasked
    there = [n for n in wanted if DEVICES[n] in available]
    chosen = [(DEVICES[n], {"device_id": number} if number and n in NUMBERED else {})
              for n in there]
    note = ""
    if name and name not in there:
        has = ", ".join(n for n, p in DEVICES.items() if p in available)
        note = (f"the installed onnxruntime has no {name} (it has: {has}); "
                f"{there[0] if there else 'the processor'} does the work")
    return [*chosen, (CPU, {})], note


def device_of(providers: Sequence[str]) -> str:
    """The plain name of the first provider that a session has."""
    names = {provider: name for name, provider in DEVICES.items()}
    return names.get(providers[0], providers[0]) if providers else "cpu"


def _parse(device: str) -> tuple[str, int]:
    """Name and number of a device."""
    text, _, number = device.strip().partition(":")
    names = {provider.lower(): name for name, provider in DEVICES.items()}
    name = names.get(text.lower(), text.lower())
    if name and name not in DEVICES:
        near = get_close_matches(name, DEVICES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(DEVICES)}."
        raise InputError(f"device {device!r} is unknown to ONNX Runtime; {hint}")
    if number and not number.isdecimal():
        raise InputError(f"device {device!r}: expected a number after the colon, as in cuda:0.")
    return name, int(number or 0)


__all__ = ["CPU", "DEVICES", "choose_providers", "device_of"]
