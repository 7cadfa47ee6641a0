"""Where a file lies: a path on this machine, or a URL of an object storage or a web server.

s3, gs (gcs) and az (abfs) are read with pyarrow, http and https with the standard library, every
other scheme with fsspec. `Path("s3://b/x")` makes "s3:/b/x" of a URL; that is understood too.
"""

from __future__ import annotations

import io
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote, urlsplit

from ecotone.errors import InputError, MissingExtraError

T = TypeVar("T")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])")  # one letter is a drive of Windows
WEB = ("http", "https")
AZURE = ("az", "abfs", "abfss")
ATTEMPTS, WAIT = 3, 0.2  # tries of a read, seconds before the second one (doubled each time)
CONNECT, REQUEST = 10.0, 60.0  # seconds until a server must answer


def location(path: str | os.PathLike[str]) -> str:
    """A path as it is, a URL in its usual form; `file:` URLs become paths of this machine."""
    text = os.fspath(path)
    found = _URL.match(text)
    if not found:
        return text
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme == "file":
        rest = unquote(rest.removeprefix("localhost/"))
        return rest if re.match(r"[A-Za-z]:/", rest) else f"/{rest}"
    return f"{scheme}://{rest}"


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a location is not on this machine's disks."""
    return bool(_URL.match(location(path)))


def join(root: str, file_path: str) -> str:
    """The location of a posix path below a root, folder or URL."""
    if is_url(root):
        return f"{location(root).rstrip('/')}/{file_path}"
    return os.path.join(root, file_path if os.sep == "/" else file_path.replace("/", os.sep))


def read_bytes(url: str) -> bytes:
    """All bytes behind a URL, tried again when the network fails.

    Raises OSError (FileNotFoundError when there is nothing), InputError for an unknown scheme,
    MissingExtraError.
    """
    url = location(url)
    if urlsplit(url).scheme in WEB:
        return again(lambda: _web(url))
    storage, path = filesystem(url)

    def read() -> bytes:
        with storage.open_input_stream(path) as stream:
            return stream.read()

    return again(read)


def open_seekable(url: str) -> BinaryIO:
    """A URL's content as a file to seek in; of an object storage only what is read is fetched."""
    url = location(url)
    if urlsplit(url).scheme in WEB:
        return io.BytesIO(read_bytes(url))
    storage, path = filesystem(url)
    return io.BufferedReader(again(lambda: storage.open_input_file(path)), 1 << 16)


def again(action: Callable[[], T]) -> T:
    """What an action gives, tried again where another try may help."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except OSError:  # urllib's errors and time-outs are such
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(WAIT * 2**attempt)
    raise AssertionError("unreachable")


def _web(url: str) -> bytes:
    request = urllib.request.Request(
        quote(url, safe=":/?#[]@!$&'()*+,;=%"), headers={"User-Agent": "ecotone"}
    )
    try:
        with urllib.request.urlopen(request, timeout=REQUEST) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(f"the server has no such file ({error.code})") from error
        if error.code in (401, 403):
            raise PermissionError(f"the server refuses it ({error.code})") from error
        raise OSError(f"the server answers {error.code}") from error
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from error


def filesystem(url: str) -> tuple[Any, str]:
    """The pyarrow file system of a URL and the path in it.

    S3: credentials, region and AWS_ENDPOINT_URL from the environment, AWS_NO_SIGN_REQUEST=true for
    public buckets. Azure: AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY.
    Raises InputError for an unknown scheme, MissingExtraError without pyarrow or fsspec.
    """
    parts = urlsplit(location(url))
    if not parts.scheme or parts.scheme in WEB:
        raise InputError(f"{url}: files cannot be listed or written there; use s3, gs, az or disk.")
    # Not parts.path: "#" and "?" are ordinary letters of an object's name.
    path = location(url).partition("://")[2]
    return _storage(parts.scheme, parts.netloc), path


@lru_cache(maxsize=64)
def _storage(scheme: str, bucket: str) -> Any:
    try:
        from pyarrow import fs
    except ImportError:
        raise MissingExtraError(f"{scheme}:// locations", "scale") from None
    try:
        if scheme == "s3":
            return _s3(fs, bucket)
        if scheme in ("gs", "gcs"):
            anonymous = os.environ.get("GOOGLE_NO_SIGN_REQUEST", "").lower() in ("1", "true")
            return fs.GcsFileSystem(
                anonymous=anonymous, retry_time_limit=timedelta(seconds=REQUEST)
            )
        if scheme in AZURE:
            return _azure(fs, bucket)
    except OSError as error:
        raise InputError(f"{scheme}://{bucket}: cannot be reached ({error}).") from error
    return _fsspec(fs, scheme)


def _s3(fs: Any, bucket: str) -> Any:
    environment = os.environ
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        region = "us-east-1" if endpoint else fs.resolve_s3_region(bucket)
    more = {"endpoint_override": endpoint} if endpoint else {}
    if environment.get("AWS_NO_SIGN_REQUEST", "").lower() in ("1", "true", "yes"):
        more["anonymous"] = True
    return fs.S3FileSystem(region=region, connect_timeout=CONNECT, request_timeout=REQUEST, **more)


def _azure(fs: Any, bucket: str) -> Any:
    environment = os.environ
    account = environment.get("AZURE_STORAGE_ACCOUNT") or bucket.partition("@")[2].split(".")[0]
    if not account:
        raise InputError(f"az://{bucket}: set AZURE_STORAGE_ACCOUNT (and AZURE_STORAGE_KEY).")
    return fs.AzureFileSystem(account_name=account,
                              account_key=environment.get("AZURE_STORAGE_KEY") or None)


def _fsspec(fs: Any, scheme: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError(f"{scheme}:// locations", "scale") from None
    try:
        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme)))
    except (ValueError, ImportError) as error:
        raise InputError(f"{scheme}:// locations cannot be read: {error}") from error


__all__ = ["again", "filesystem", "is_url", "join", "location", "open_seekable", "read_bytes"]
