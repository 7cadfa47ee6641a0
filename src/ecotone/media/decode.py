"""Read a picture as upright 8-bit RGB, or say in one line why it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.errors import EcotoneError, MediaError
from ecotone.media.location import is_url, location, read_bytes
from ecotone.media.patience import read_file
from ecotone.media.video import FrameOf, is_video, load_frame

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION = 0x0112  # EXIF tag
Size = tuple[int, int]  # width, height
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def load_picture(
    path: str | Path | FrameOf | bytes, size: Size | Callable[[int, int], Size | None] | None = None
) -> Image.Image:
    """The picture at `path` as a Pillow RGB image, upright by its EXIF orientation.

    path: on this machine, or a URL (s3, gs, az, http, ...; see `media.location`); or the bytes of a
    picture file.
    size: (width, height) in pixels that the caller needs at least, or a function that gives them
    from the full upright width and height. A JPEG far larger is decoded at a half, a quarter or an
    eighth, never under twice `size`: 2.5 times faster, and hardly different after resizing. None
    decodes in full. Of a picture with several frames, the first, and of a video too, unless a
    `FrameOf` says which.

    Raises MediaError with the reason: missing, empty, truncated, no picture, or too large.
    """
    from PIL import Image

    if isinstance(path, FrameOf):
        return load_frame(path.path, path.number, size)
    if not isinstance(path, bytes) and is_video(path):
        return load_frame(path, 0, size)
    source = BytesIO(path) if isinstance(path, bytes) else _source(path)
    try:
        with Image.open(_opened(source)) as picture:
            turn = _orientation(picture)
            need = size(*_turned(picture.size, turn)) if callable(size) else size
            if need is not None:
                width, height = _turned(need, turn)
                picture.draft(None, (2 * width, 2 * height))
            picture.load()
            return _upright(_to_rgb(picture), turn)
    except EcotoneError:
        raise
    # Damaged bytes make the decoders of the many formats fail in any way there is.
    except Exception as error:
        raise MediaError(_reason(path, source, error)) from error


def _source(path: str | Path) -> Path | BytesIO:
    """What to open: the file, or the bytes of a URL."""
    if not is_url(path):
        return Path(location(path))
    try:
        return BytesIO(read_bytes(location(path)))
    except Exception as error:  # object storages fail in any way there is
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise MediaError(f"{location(path)}: cannot be read ({why})") from error


def _opened(source: Path | BytesIO) -> Path | BytesIO:
    """The bytes of a file as they are at one moment, or the file itself where it is too large."""
    if isinstance(source, BytesIO):
        return source
    content = read_file(source)
    return source if content is None else BytesIO(content)


def _turned(size: Size, turn: int) -> Size:
    """The size after turning upright; its own inverse."""
    return (size[1], size[0]) if turn in (5, 6, 7, 8) else size


def _orientation(picture: Image.Image) -> int:
    try:
        turn = int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing about the pixels, which may be fine
        return 1
    return turn if 1 <= turn <= 8 else 1


def _upright(picture: Image.Image, turn: int) -> Image.Image:
    from PIL.Image import Transpose

    steps = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(steps[turn]) if turn in steps else picture


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB: CMYK by its colour profile, 16 bits scaled to 8, transparency on white."""
    from PIL import Image

    if picture.mode == "RGB":
        return picture.copy()  # outlives the file that it was read from
    if picture.mode == "CMYK":
        return _cmyk_to_rgb(picture)
    if picture.mode in SIXTEEN_BIT:
        return _sixteen_to_eight(picture).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def _cmyk_to_rgb(picture: Image.Image) -> Image.Image:
    import io

    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            return picture.convert("RGB")  # a broken profile: the plain formula is near enough
    return picture.convert("RGB")


def _sixteen_to_eight(picture: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(picture).astype(np.int64)
    if values.size and values.max() > 255:
        values = values >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _reason(path: str | Path | bytes, source: Path | BytesIO, error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, BytesIO):
        path = "picture" if isinstance(path, bytes) else location(path)
        size = source.getbuffer().nbytes
    else:
        path = source
        try:
            if not path.exists():
                return f"{path}: the file is missing"
            if path.is_dir():
                return f"{path}: a folder, not a picture"
            size = path.stat().st_size
        except OSError as problem:
            return f"{path}: cannot be read ({problem.strerror or problem})"
    if size == 0:
        return f"{path}: the file is empty (0 bytes)"
    if isinstance(error, PermissionError):
        return f"{path}: no permission to read the file"
    if isinstance(error, UnidentifiedImageError):
        return f"{path}: not a picture in a format that can be read ({size:,} bytes)"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"{path}: too large to decode safely ({error})"
    if "truncated" in str(error).lower():
        return f"{path}: the file is truncated ({size:,} bytes; the picture is cut off)"
    return f"{path}: damaged ({type(error).__name__}: {error})"
