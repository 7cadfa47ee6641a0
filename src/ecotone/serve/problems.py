"""Refusals: a status, one word for machines, one line for people (RFC 9457, problem+json)."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """A request that gets no answer, and why.

    status: of HTTP. reason: one word for programs and metrics. detail: one line for people.
    retry: seconds after which asking again makes sense, 0 = never.
    """

    def __init__(
        self, status: int, reason: str, detail: str, retry: float = 0,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, " ".join(detail.split())
        self.headers = dict(headers or {})
        if retry:
            self.headers["Retry-After"] = str(max(1, round(retry)))

    def response(self) -> Response:
        """As the answer of the server."""
        body = {
            "type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status,
            "reason": self.reason, "detail": self.detail,
        }
        text = json.dumps(body, ensure_ascii=False)
        # A lone surrogate from a request's text cannot be UTF-8.
        return Response(text.encode("utf-8", "replace"), self.status, self.headers, MEDIA_TYPE)
