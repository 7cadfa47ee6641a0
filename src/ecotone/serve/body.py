"""Bodies of requests, read up to a limit and within a time: raw pictures, multipart, json."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ecotone.serve.limits import Limits
from ecotone.serve.problems import Refusal
from ecotone.serve.schemas import BOX, Boxes, PictureBatch

WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])
FORM, JSON = "multipart/form-data", "application/json"
FIELD_BYTES = 1000  # of the field `box`


@dataclass(frozen=True, eq=False)
class Item:
    """A picture to classify. boxes: (n, 4)."""

    id: str
    data: bytes
    boxes: np.ndarray


class GoneError(Exception):
    """The client has hung up."""


class _Parser(MultiPartParser):
    """Keeps files in memory, whose size is bounded; nothing is written to a disk."""

    spool_max_size = 2**40


def media_type(request: Request, allowed: tuple[str, ...]) -> str:
    """The media type of a body without its parameters. Raises Refusal 415 for another one."""
    given = request.headers.get("content-type", "")
    found = given.split(";")[0].strip().lower()
    if found not in allowed:
        said = f"Content-Type {found!r}" if found else "No Content-Type"
        raise Refusal(415, "media-type", f"{said}: expected one of {', '.join(allowed)}.",
                      headers={"Accept": ", ".join(allowed)})
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "media-type", "Content-Encoding: send the body as it is, uncompressed.")
    return found


def check_length(request: Request, limits: Limits) -> None:
    """Raise Refusal 413 when the body is said to be too long, before a byte of it is read."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:19]) > limits.max_bytes:
        raise _too_long(limits)


async def chunks(request: Request, limits: Limits, deadline: float) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises Refusal 413 or 408, GoneError when the client hangs up."""
    size, more = 0, True
    while more:
        wait = min(limits.stall, deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(request.receive(), max(wait, 0.0))
        except asyncio.TimeoutError:
            raise Refusal(
                408, "slow-body", "The body came too slowly.", headers={"Connection": "close"}
            ) from None
        if message["type"] != "http.request":
            raise GoneError
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.max_bytes:
            raise _too_long(limits)
        more = message.get("more_body", False)
        yield piece


async def whole(request: Request, limits: Limits, deadline: float) -> bytes:
    """The body, see `chunks`."""
    return b"".join([piece async for piece in chunks(request, limits, deadline)])


async def form_items(
    request: Request, limits: Limits, deadline: float, field: str, most: int
) -> list[Item]:
    """The files of a multipart form that are named `field`; with one, a text `box` may stand.

    Raises Refusal 413, 422.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if not options.get(b"boundary"):
        raise Refusal(422, "form", "multipart/form-data without a boundary.")
    source = chunks(request, limits, deadline)
    parser = _Parser(request.headers, source, max_files=most, max_fields=1,
                     max_part_size=FIELD_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise _too_many(most) from None
        raise Refusal(422, "form", f"multipart/form-data: {error.message}") from None
    # The parser of the form raises what it likes on damaged bytes.
    except (ValueError, LookupError, AttributeError) as error:
        raise Refusal(422, "form", f"multipart/form-data: damaged ({error}).") from None
    items, boxes = [], WHOLE
    try:
        for name, value in form.multi_items():
            if name == field and not isinstance(value, str):
                items.append(Item(value.filename or str(len(items)), await value.read(), WHOLE))
            elif name == "box" and isinstance(value, str) and most == 1:
                boxes = read_box(value)
            else:
                raise Refusal(422, "form", f"multipart/form-data: unexpected field {name[:60]!r}; "
                                           f"files are named {field!r}.")
    finally:
        await form.close()
    if not items:
        raise Refusal(422, "form", f"multipart/form-data: no file named {field!r} in it.")
    return [replace(item, boxes=boxes) for item in items]


def json_items(body: bytes, limits: Limits) -> list[Item]:
    """The pictures of a json batch. Raises Refusal 422."""
    try:
        asked = PictureBatch.model_validate_json(body)
    except ValidationError as error:
        raise Refusal(422, "json", _first(error)) from None
    except (ValueError, RecursionError) as error:
        raise Refusal(422, "json", f"The body is no json ({error}).") from None
    if len(asked.pictures) > limits.max_pictures:
        raise _too_many(limits.max_pictures)
    items = []
    for number, picture in enumerate(asked.pictures):
        try:
            data = base64.b64decode(picture.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(422, "base64", f"pictures.{number}.data: no base64 ({error}).") from None
        items.append(Item(picture.id or str(number), data, as_array(picture.boxes)))
    return items


def read_box(text: str) -> np.ndarray:
    """One box (1, 4) from "x,y,width,height". Raises Refusal 422."""
    if not re.fullmatch(BOX, text):
        raise Refusal(422, "boxes", f"box {text[:60]!r}: expected x,y,width,height, each 0..1.")
    return np.array([[float(part) for part in text.split(",")]])


def as_array(boxes: Boxes | None) -> np.ndarray:
    """Boxes as (n, 4), the whole picture without any."""
    return np.array(boxes, dtype=np.float64) if boxes else WHOLE


def _first(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in told["loc"])
    return f"{where}: {told['msg']}" if where else told["msg"]


def _too_long(limits: Limits) -> Refusal:
    return Refusal(413, "too-many-bytes",
                   f"The body is longer than the {limits.max_bytes:,} bytes that are taken.")


def _too_many(most: int) -> Refusal:
    return Refusal(422, "too-many-pictures", f"More than {most} pictures in one request.")


