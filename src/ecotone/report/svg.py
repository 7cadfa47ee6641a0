"""Small parts that all figures are made of: text that fits, scales, elements.

Figures are strings of SVG. Colours are CSS classes of the page, so that light and dark both work.
"""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Sequence
from html import escape
from typing import Any

FIRST_STRONG, POP = "\u2068", "\u2069"  # keep a right-to-left name from turning its neighbours
NARROW, WIDE = "iljtfr.,:;'|!()[] ", "mwMW@%"


def text_width(text: str, size: float = 12.0) -> float:
    """About how wide a text is in a sans-serif face of `size` pixels."""
    width = 0.0
    for char in text:
        if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
            continue
        if unicodedata.east_asian_width(char) in "WF":
            width += 1.0
        elif char in NARROW:
            width += 0.34
        elif char in WIDE:
            width += 0.92
        else:
            width += 0.7 if char.isupper() else 0.585
    return width * size


def shorten(text: str, width: float, size: float = 12.0) -> str:
    """The text, or its beginning with an ellipsis, no wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    kept = ""
    for char in text:
        if text_width(kept + char + "…", size) > width:
            break
        kept += char
    return kept.rstrip(" ,;") + "…"


def isolate(text: str) -> str:
    """The text; one with right-to-left letters between marks that keep the direction to itself."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return f"{FIRST_STRONG}{text}{POP}"
    return text


def element(tag: str, content: str = "", **attributes: Any) -> str:
    """An SVG element. Names: `_` becomes `-`, a last `_` is dropped; None leaves one out."""
    parts = [tag]
    for name, value in attributes.items():
        if value is None:
            continue
        shown = f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        parts.append(f'{name.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    head = " ".join(parts)
    return f"<{head}>{content}</{tag}>" if content else f"<{head}/>"


def label(
    x: float, y: float, text: str, class_: str = "tick", anchor: str = "start",
    width: float | None = None, size: float = 12.0, **attributes: Any,
) -> str:
    """A line of text; when it must be cut to `width`, the whole of it is in its title."""
    shown = text if width is None else shorten(text, width, size)
    title = element("title", escape(text)) if shown != text else ""
    return element(
        "text", escape(isolate(shown)) + title, x=float(x), y=float(y), class_=class_,
        text_anchor=anchor, **attributes,
    )


def figure(width: float, height: float, title: str, text: str, body: Sequence[str]) -> str:
    """An SVG figure that scales with its column and tells screen readers what it shows."""
    content = f"{title}/{text}".encode("utf-8", "replace")
    mark = f"figure-{zlib.crc32(content):08x}"  # the same in every run
    head = element("title", escape(title), id=f"{mark}-title")
    head += element("desc", escape(text), id=f"{mark}-text")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px" role="img" '
        f'aria-labelledby="{mark}-title {mark}-text">{head}{"".join(body)}</svg>'
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most about `most`."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    for factor in (1, 2, 2.5, 5, 10):
        if span / (step * factor) <= most:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, in their order, at least `gap` apart and within low..high."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    last = low - gap
    for i in order:
        last = placed[i] = max(wanted[i], last + gap)
    limit = high
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed


def wilson(right: float, rows: float, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share `right` of `rows`; (0, 1) without rows.

    Source: Wilson 1927, score interval.
    """
    if rows <= 0:
        return 0.0, 1.0
    share, z2 = right / rows, z * z
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = z / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def number(n: int, one: str, many: str = "") -> str:
    """A number with its noun, "1 site" or "1,200 sites"; many: default `one` with an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def points(difference: float, digits: int = 1) -> str:
    """A difference of shares in percentage points with its sign, "+3.2" or "−0.4"."""
    shown = f"{100.0 * difference:+.{digits}f}"
    return shown.replace("-", "−") if float(shown) else shown.replace("-", "+")


def percent(share: float, digits: int = 0) -> str:
    """A share as "72 %"; "100 %" and "0 %" only when it is so."""
    if share is None or not math.isfinite(share):
        return "–"
    value = 100.0 * share
    shown = f"{value:.{digits}f}"
    if float(shown) == 100.0 and share < 1.0:
        return ">99 %" if digits == 0 else f"{100 - 10 ** -digits:.{digits}f} %"
    if float(shown) == 0.0 and share > 0.0:
        return "<1 %" if digits == 0 else f"{10 ** -digits:.{digits}f} %"
    return f"{shown} %"


def ribbon(x0: float, x1: float, y0: float, y1: float, thick: float) -> str:
    """The path of a band that flows from (x0, y0) to (x1, y1), its upper edge; for a `path`'s d."""
    middle = (x0 + x1) / 2
    return (
        f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        f"V{y1 + thick:.1f}C{middle:.1f} {y1 + thick:.1f} {middle:.1f} {y0 + thick:.1f} "
        f"{x0:.1f} {y0 + thick:.1f}Z"
    )
