"""The OpenAPI document of a server, exact to the last refusal, and the same as a page."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ecotone import __version__
from ecotone.serve import schemas
from ecotone.serve.limits import Limits
from ecotone.serve.metrics import Metrics
from ecotone.serve.picture import MEDIA_TYPES
from ecotone.serve.problems import MEDIA_TYPE

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "docs.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"
MODELS = (
    schemas.PictureBatch, schemas.PictureAnswer, schemas.BatchAnswer, schemas.ModelAnswer,
    schemas.Health, schemas.Problem,
)  # fmt: skip
WHY = {
    401: "no token, or another one",
    408: "the body came too slowly",
    413: "too many bytes or pixels",
    415: "a Content-Type (or Content-Encoding) that is not taken",
    422: "a picture that cannot be read, or a request that is not as described",
    429: "the queue is full",
    500: "an error of the server",
    503: "starting, stopping, overloaded, or the model failed",
}
RETRY = {"Retry-After": {
    "description": "Seconds after which to ask again.", "required": True,
    "schema": {"type": "integer", "minimum": 1},
}}  # fmt: skip
TOP = {
    "name": "top", "in": "query", "required": False,
    "description": "Give only the so many most probable classes; default: all.",
    "schema": {"type": "integer", "minimum": 1, "maximum": schemas.MOST_TOP},
}
BOX = {
    "name": "box", "in": "query", "required": False,
    "description": "x,y,width,height in 0..1 of the part to classify; default: the whole picture.",
    "schema": {"type": "string", "pattern": schemas.BOX}, "example": "0.25,0.25,0.5,0.5",
}
BINARY = {"type": "string", "format": "binary"}
FILES = {"contentType": ", ".join(MEDIA_TYPES)}


def openapi(limits: Limits, token: bool) -> dict[str, Any]:
    """The document (OpenAPI 3.1) of a server with these limits; token: whether it asks for one."""
    _, made = models_json_schema(
        [(m, "validation") for m in MODELS], ref_template="#/components/schemas/{model}")
    parts = made["$defs"]
    parts["PictureBatch"]["properties"]["pictures"]["maxItems"] = limits.max_pictures
    for choice in parts["PictureInput"]["properties"]["boxes"]["anyOf"]:
        if choice["type"] == "array":
            choice["maxItems"] = limits.max_boxes
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "ecotone serve", "version": __version__,
            "description": "Calibrated probabilities of a local model for pictures. No address is "
                           "fetched and no file of the server is read.",
        },
        "paths": _paths(limits, token),
        "components": {"schemas": parts},
    }  # fmt: skip
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def page(document: dict[str, Any]) -> str:
    """The document as one html page that needs nothing else."""
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup, escape

    def code(text: str) -> Markup:
        """Names between backticks are shown as names."""
        return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))

    pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    pages.filters["code"] = code
    return pages.get_template("docs.html").render(document=document, style=STYLE)


def _paths(limits: Limits, token: bool) -> dict[str, Any]:
    metrics = {"description": "Metrics, as Prometheus reads them.", "content": {
        Metrics.media_type.split(";")[0]: {"schema": {"type": "string"}}}}
    document = {"description": "This document.", "content": {
        "application/json": {"schema": {"type": "object"}}}}
    html = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    reading = (408, 413, 415, 422, 429, 503)
    return {
        "/v1/predict": _post(
            "predict", "Classify one picture", [TOP, BOX], _one(limits),
            schemas.PictureAnswer, reading, token),
        "/v1/predict/batch": _post(
            "predictBatch", "Classify several pictures; what cannot be read is told in its place",
            [TOP], _several(limits), schemas.BatchAnswer, reading, token),
        "/v1/model": _get("model", "The model: classes, preprocessing, training card",
                          _answer(schemas.ModelAnswer), (422, 503), token),
        "/health/live": _get("live", "The process answers", _answer(schemas.Health), (422,)),
        "/health/ready": _get("ready", "Pictures are taken", _answer(schemas.Health), (422, 503)),
        "/metrics": _get("metrics", "For Prometheus", metrics, (), token),
        "/openapi.json": _get("openapi", "OpenAPI", document, (422,)),
        "/docs": _get("docs", "This description as a page", html, ()),
        "/": _get("front", "The same page", html, ()),
    }


def _one(limits: Limits) -> dict[str, Any]:
    return {
        "required": True, "content": {kind: {"schema": BINARY} for kind in MEDIA_TYPES},
        "description": f"The bytes of a picture file (at most {limits.max_bytes:,}, and "
                       f"{limits.max_pixels:,} pixels). With several frames, the first is taken. "
                       "A multipart/form-data with the one file `picture`, and `box` where wanted, "
                       "is taken as well.",
    }  # fmt: skip


def _several(limits: Limits) -> dict[str, Any]:
    many = {"type": "array", "items": BINARY, "minItems": 1, "maxItems": limits.max_pictures}
    form = {"type": "object", "required": ["pictures"], "additionalProperties": False,
            "properties": {"pictures": many}}
    batch = {"$ref": "#/components/schemas/PictureBatch"}
    return {
        "required": True,
        "content": {"application/json": {"schema": batch}, "multipart/form-data": {
            "schema": form, "encoding": {"pictures": FILES}}},
        "description": f"At most {limits.max_pictures} pictures and {limits.max_bytes:,} bytes: "
                       "files named `pictures`, or json with base64 and boxes.",
    }


def _post(
    name: str, summary: str, parameters: list[dict[str, Any]], body: dict[str, Any],
    answer: type[BaseModel], refusals: tuple[int, ...], token: bool,
) -> dict[str, Any]:  # fmt: skip
    operation = _operation(name, summary, _answer(answer), refusals, token)
    return {"post": {**operation, "parameters": parameters, "requestBody": body}}


def _get(
    name: str, summary: str, answer: dict[str, Any], refusals: tuple[int, ...], token: bool = False
) -> dict[str, Any]:
    return {"get": _operation(name, summary, answer, refusals, token)}


def _operation(
    name: str, summary: str, answer: dict[str, Any], refusals: tuple[int, ...], token: bool
) -> dict[str, Any]:
    statuses = sorted({*refusals, 500, *((401,) if token else ())})
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {str(s): {"description": WHY[s].capitalize() + ".", "content": problem}
                 for s in statuses}  # fmt: skip
    for status in ("429", "503"):
        if status in responses:
            responses[status]["headers"] = RETRY
    more = {"security": [{"token": []}]} if token else {}
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **responses},
            **more}


def _answer(model: type[BaseModel]) -> dict[str, Any]:
    words = re.sub(r"\s+", " ", model.__doc__ or "")
    return {"description": words, "content": {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
