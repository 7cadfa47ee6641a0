"""Multipart forms, taken apart while they come; files stay in memory, whose size is bounded.

Source: RFC 7578; the syntax is read by python-multipart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ecotone.serve.problems import Refusal

FIELD_BYTES = 1000  # of a field that is no file
MOST_FIELDS = 1


@dataclass(eq=False)
class Part:
    """A field of a form. file: its name, None for a field that is no file."""

    name: str = ""
    file: str | None = None
    pieces: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """Its content."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class Form:
    """The fields of a form in their order. most: files that it may have.

    Raises Refusal 422 as soon as it is known to be wrong.
    """

    def __init__(self, content_type: str, most: int) -> None:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise Refusal(422, "form", "multipart/form-data without a boundary.")
        self.parts: list[Part] = []
        self._most, self._files, self._whole = most, 0, False
        self._header, self._value, self._disposition = b"", b"", b""
        calls = {
            "on_part_begin": self._begin, "on_header_field": self._header_field,
            "on_header_value": self._header_value, "on_header_end": self._header_end,
            "on_headers_finished": self._headers, "on_part_data": self._data, "on_end": self._end,
        }  # fmt: skip
        try:
            self._parser = MultipartParser(options[b"boundary"], calls)
        except FormParserError as error:
            raise _damaged(error) from None

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _damaged(error) from None

    def finish(self) -> list[Part]:
        """The parts, after the last byte."""
        if not self._whole:
            raise Refusal(422, "form", "multipart/form-data: it ends before its last boundary.")
        return self.parts

    def _begin(self) -> None:
        self.parts.append(Part())
        self._header, self._value, self._disposition = b"", b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise Refusal(422, "form", "multipart/form-data: a part without a name.")
        part = self.parts[-1]
        part.name = _text(options[b"name"])
        if b"filename" in options:
            part.file = _text(options[b"filename"])
            self._files += 1
        if self._files > self._most:
            raise Refusal(422, "too-many-pictures",
                          f"More than {self._most} pictures in one request.")
        if len(self.parts) - self._files > MOST_FIELDS:
            raise Refusal(422, "form", "multipart/form-data: too many fields that are no files.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.pieces.append(data[start:end])
        if part.file is None and sum(map(len, part.pieces)) > FIELD_BYTES:
            raise Refusal(422, "form", f"multipart/form-data: field {part.name[:60]!r} has more "
                                       f"than {FIELD_BYTES} bytes.")

    def _end(self) -> None:
        self._whole = True


def _damaged(error: Exception) -> Refusal:
    return Refusal(422, "form", f"multipart/form-data: damaged ({error}).")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
