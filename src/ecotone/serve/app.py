"""The application: routes, answers and refusals."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ecotone import __version__
from ecotone.errors import EcotoneError
from ecotone.serve import body, documents
from ecotone.serve.body import FORM, JSON, GoneError, Item
from ecotone.serve.gate import Gate
from ecotone.serve.picture import MEDIA_TYPES, TooLargeError
from ecotone.serve.pipeline import Pipeline, Ticket
from ecotone.serve.problems import Refusal
from ecotone.serve.schemas import MOST_TOP

log = logging.getLogger("ecotone.serve")
CLIENT_GONE = 499  # nobody reads it; it counts in the metrics


class Api:
    """The routes of one server."""

    def __init__(self, pipeline: Pipeline, token: str = "") -> None:
        self.pipeline, self.limits = pipeline, pipeline.limits
        self.document = documents.openapi(self.limits, bool(token))
        self._openapi = json.dumps(self.document).encode()
        self._page = documents.page(self.document).encode()

    async def predict(self, request: Request) -> Response:
        """One picture: its body, or the only file of a form."""
        asked = _query(request, ("top", "box"))
        top = _top(asked)
        kind = body.media_type(request, (*MEDIA_TYPES, FORM))
        deadline = time.monotonic() + self.limits.timeout
        body.check_length(request, self.limits)
        boxes = body.read_box(asked["box"]) if "box" in asked else body.WHOLE
        with self.pipeline.place() as place:
            if kind == FORM:
                [item] = await body.form_items(request, self.limits, deadline, "picture", 1)
                data, boxes = item.data, boxes if "box" in asked else item.boxes
            else:
                data = await body.whole(request, self.limits, deadline)
            ticket = place.submit(data, boxes, deadline)
        results = await self._answers(request, [ticket], deadline)
        if isinstance(results[0], EcotoneError):
            large = isinstance(results[0], TooLargeError)
            raise Refusal(413 if large else 422, "too-many-pixels" if large else "picture",
                          str(results[0]))
        self.pipeline.metrics.pictures.inc()
        answer = self._prediction(boxes[0], results[0][0], top)
        return _json({"model": self.pipeline.model.name, **answer})

    async def batch(self, request: Request) -> Response:
        """Several pictures: a form with files, or json with base64."""
        top = _top(_query(request, ("top",)))
        kind = body.media_type(request, (FORM, JSON))
        deadline = time.monotonic() + self.limits.timeout
        body.check_length(request, self.limits)
        with self.pipeline.place() as place:
            if kind == FORM:
                items = await body.form_items(
                    request, self.limits, deadline, "pictures", self.limits.max_pictures)
            else:
                data = await body.whole(request, self.limits, deadline)
                items = body.json_items(data, self.limits)
                del data
            rows = sum(len(item.boxes) for item in items)
            if rows > self.limits.queue:
                raise Refusal(422, "too-many-boxes", f"{rows} boxes in one request, more than the "
                                                     f"queue's {self.limits.queue} places.")
            place.grow(rows)
            tickets = [place.submit(i.data, i.boxes, deadline) for i in items]
        items = [replace(item, data=b"") for item in items]
        results = await self._answers(request, tickets, deadline)
        answers = [self._item(i, r, top) for i, r in zip(items, results, strict=True)]
        return _json({"model": self.pipeline.model.name, "pictures": answers})

    async def model(self, request: Request) -> Response:
        """The model that is served."""
        _query(request, ())
        model = self.pipeline.model
        if model is None:
            raise self.pipeline.refusal() or Refusal(503, "starting", "No model yet.", 2)
        limits = {k: v for k, v in asdict(self.limits).items() if k.startswith("max_")}
        names = zip(model.classes, model.scientific_names, strict=True)
        return _json({
            "model": model.name, "version": __version__,
            "classes": [{"label": c, "scientificName": s} for c, s in names],
            "limits": {**limits, "max_boxes": self.limits.max_boxes, "queue": self.limits.queue},
            **_plain(model.about()),
        })

    async def live(self, request: Request) -> Response:
        """The process answers."""
        _query(request, ())
        return _json({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """Pictures are taken."""
        _query(request, ())
        refusal = self.pipeline.refusal()
        if refusal is not None:
            raise refusal
        return _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """What Prometheus reads; it may send parameters of its own."""
        metrics = self.pipeline.metrics
        return Response(metrics.text(), media_type=metrics.media_type)

    async def openapi(self, request: Request) -> Response:
        """The description of this server."""
        _query(request, ())
        return Response(self._openapi, media_type=JSON)

    async def docs(self, request: Request) -> Response:
        """The same for people."""
        return Response(self._page, media_type="text/html; charset=utf-8",
                        headers={"content-security-policy": documents.POLICY})

    async def _answers(
        self, request: Request, tickets: Sequence[Ticket], deadline: float
    ) -> list[np.ndarray | EcotoneError]:
        """The probabilities of each picture, or why it could not be read.

        Raises Refusal when the server is at fault, GoneError when the client hangs up.
        """
        waiting = asyncio.gather(
            *(asyncio.wrap_future(t.answer) for t in tickets), return_exceptions=True)
        gone = asyncio.ensure_future(_hang_up(request))
        try:
            await asyncio.wait({waiting, gone}, timeout=max(0.0, deadline - time.monotonic()),
                               return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                if gone.done():
                    raise GoneError
                raise Refusal(503, "timeout", "No answer in time; the server is busy.", 1)
            found = waiting.result()
        finally:
            gone.cancel()
            self.pipeline.drop([t for t in tickets if not t.answer.done()])
            if not waiting.done():
                waiting.cancel()
        for result in found:
            if isinstance(result, BaseException) and not isinstance(result, EcotoneError):
                raise result
        return found

    def _item(self, item: Item, found: np.ndarray | EcotoneError, top: int) -> dict[str, Any]:
        if isinstance(found, EcotoneError):
            reason = "too-many-pixels" if isinstance(found, TooLargeError) else "picture"
            self.pipeline.metrics.rejected.labels(reason).inc()
            return {"id": item.id, "predictions": [], "error": " ".join(str(found).split())}
        self.pipeline.metrics.pictures.inc()
        made = [self._prediction(b, r, top) for b, r in zip(item.boxes, found, strict=True)]
        return {"id": item.id, "predictions": made, "error": None}

    def _prediction(self, box: np.ndarray, row: np.ndarray, top: int) -> dict[str, Any]:
        model = self.pipeline.model
        order = np.argsort(-row, kind="stable")
        classes = [
            {"label": model.classes[k], "scientificName": model.scientific_names[k],
             "probability": min(1.0, max(0.0, float(row[k])))} for k in order[: top or None]
        ]  # fmt: skip
        return {"bbox": [float(v) for v in box], **classes[0], "classes": classes}


def make_app(pipeline: Pipeline, token: str = "") -> Gate:
    """The application of a pipeline (ASGI). token: what requests must bear, "" for none."""
    api = Api(pipeline, token)
    routes = [
        Route("/v1/predict", api.predict, methods=["POST"]),
        Route("/v1/predict/batch", api.batch, methods=["POST"]),
        Route("/v1/model", api.model), Route("/health/live", api.live),
        Route("/health/ready", api.ready), Route("/metrics", api.metrics),
        Route("/openapi.json", api.openapi), Route("/docs", api.docs), Route("/", api.docs),
    ]  # fmt: skip
    handlers = {Refusal: _refused, GoneError: _gone, HTTPException: _http, Exception: _broken}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.api = api
    paths = frozenset(route.path for route in routes)
    return Gate(app, pipeline.metrics, paths, token)


async def _refused(request: Request, error: Refusal) -> Response:
    request.scope["ecotone.reason"] = error.reason
    return error.response()


async def _gone(request: Request, error: GoneError) -> Response:
    request.scope["ecotone.reason"] = "client-gone"
    return Response(status_code=CLIENT_GONE)


async def _http(request: Request, error: HTTPException) -> Response:
    reason = {404: "no-such-path", 405: "method"}.get(error.status_code, "http")
    detail = {404: "No such path; /docs lists them.", 405: "This path does not take that method."}
    text = detail.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    return await _refused(request, Refusal(error.status_code, reason, text, headers=headers))


async def _broken(request: Request, error: Exception) -> Response:
    log.error("unexpected %s: %s", type(error).__name__, " ".join(str(error).split()))
    return await _refused(request, Refusal(500, "unexpected", "An error of the server; its log "
                                                              "says more."))


async def _hang_up(request: Request) -> None:
    """Ends when the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """The parameters of a request. Raises Refusal 422 for unknown and repeated ones."""
    pairs = request.query_params.multi_items()
    for name, _ in pairs:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else (
                f"known: {', '.join(known)}." if known else "this path takes none.")
            raise Refusal(422, "parameter", f"Unknown parameter {name[:60]!r}; {hint}")
    if len(dict(pairs)) < len(pairs):
        raise Refusal(422, "parameter", f"Parameter {pairs[-1][0]!r} is given more than once.")
    return dict(pairs)


def _top(asked: dict[str, str]) -> int:
    """How many classes are wanted, 0 = all."""
    text = asked.get("top")
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_TOP):
        raise Refusal(422, "parameter", f"top {text[:60]!r}: expected a whole number from 1 to "
                                        f"{MOST_TOP:,}.")
    return int(text)


def _plain(value: Any) -> Any:
    """json has no NaN; what is none of its numbers becomes null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _json(value: Any) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(text.encode("utf-8", "replace"), media_type=JSON)
