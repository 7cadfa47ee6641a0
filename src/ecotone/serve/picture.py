"""What is known of a picture before it is decoded: its format and size, by its header."""

from __future__ import annotations

import io
import warnings

from ecotone.errors import MediaError

# format of Pillow -> media type; what the readers of folders take too
TYPES = {
    "JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp",
    "TIFF": "image/tiff", "GIF": "image/gif", "BMP": "image/bmp",
}  # fmt: skip
FORMATS = tuple(name for name in TYPES if name != "MPO")  # an MPO opens as JPEG
MEDIA_TYPES = tuple(dict.fromkeys(TYPES.values()))


class TooLargeError(MediaError):
    """A picture of more pixels than the server decodes."""


def check_picture(data: bytes, max_pixels: int) -> None:
    """Refuse by the header what must not be decoded; no pixel is decoded here.

    Raises TooLargeError above `max_pixels`, MediaError when it is no picture of a known format.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit is above or below ours
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise TooLargeError(f"picture: too many pixels; at most {max_pixels:,}.") from None
    # Damaged headers make the readers of the many formats fail in any way there is.
    except Exception as error:
        raise MediaError(_reason(data, error)) from None
    if width * height > max_pixels:
        raise TooLargeError(
            f"picture: {width:,} x {height:,} pixels, more than the {max_pixels:,} that this "
            "server decodes."
        )


def _reason(data: bytes, error: Exception) -> str:
    """The line that `ecotone predict` writes for the same bytes."""
    known = ", ".join(name for name in FORMATS)
    if not data:
        return "picture: empty (0 bytes)"
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"picture: none of {known} ({len(data):,} bytes)"
    return f"picture: damaged ({type(error).__name__}: {error})"


