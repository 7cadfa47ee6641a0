"""Bodies of requests, read up to a limit and within a time: raw pictures, multipart, json."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError
from starlette.requests import Request

from ecotone.serve.form import Form
from ecotone.serve.limits import Limits
from ecotone.serve.problems import Refusal
from ecotone.serve.schemas import BOX, Boxes, PictureBatch

WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])
FORM, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True, eq=False)
class Item:
    """A picture to classify. boxes: (n, 4)."""

    id: str
    data: bytes
    boxes: np.ndarray


class GoneError(Exception):
    """The client has hung up."""


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


async def read(
    request: Request, limits: Limits, deadline: float, take: Callable[[bytes], None]
) -> None:
    """Give the body to `take`, piece by piece.

    Raises Refusal 413 or 408, GoneError when the client hangs up, and what `take` raises.
    """
    size, last, more = 0, time.monotonic(), True

    async def pieces() -> None:
        nonlocal size, last, more
        while more:
            message = await request.receive()
            if message["type"] != "http.request":
                raise GoneError
            piece, last = message.get("body", b""), time.monotonic()
            size += len(piece)
            if size > limits.max_bytes:
                raise _too_long(limits)
            more = message.get("more_body", False)
            if piece:
                take(piece)

    # One task and one clock for a body: a timer for every piece costs as much as the piece.
    reading = asyncio.ensure_future(pieces())
    try:
        while not reading.done():
            left = min(last + limits.stall, deadline) - time.monotonic()
            if left <= 0:
                raise Refusal(408, "slow-body", "The body came too slowly.",
                              headers={"Connection": "close"})
            await asyncio.wait({reading}, timeout=left)
        reading.result()
    finally:
        reading.cancel()


async def whole(request: Request, limits: Limits, deadline: float) -> bytes:
    """The body, see `read`."""
    pieces: list[bytes] = []
    await read(request, limits, deadline, pieces.append)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def form_items(
    request: Request, limits: Limits, deadline: float, field: str, most: int
) -> list[Item]:
    """The files of a multipart form that are named `field`; with one, a text `box` may stand.

    Raises Refusal 413, 422.
    """
    form = Form(request.headers.get("content-type", ""), most)
    await read(request, limits, deadline, form.write)
    items, boxes = [], WHOLE
    for part in form.finish():
        if part.name == field and part.file is not None:
            items.append(Item(part.file or str(len(items)), part.data, WHOLE))
        elif part.name == "box" and part.file is None and most == 1:
            boxes = read_box(part.data.decode("utf-8", "replace"))
        else:
            raise Refusal(422, "form", f"multipart/form-data: unexpected field "
                                       f"{part.name[:60]!r}; files are named {field!r}.")
        part.pieces.clear()
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


