"""A folder of results, on a disk or in an object storage, whose files are whole or not there.

On a disk a file is written beside, synced and renamed; in an object storage an upload is atomic.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from ecotone.errors import InputError
from ecotone.media.location import again, filesystem, is_url, join, location


class Output:
    """A folder or URL that files are written to; picklable, for workers."""

    def __init__(self, place: str | Path) -> None:
        where = location(place)
        self.remote = is_url(where)
        self.place = where.rstrip("/") if self.remote else str(Path(where).resolve())

    def where(self, name: str) -> str:
        """The path or URL of a file in it."""
        return join(self.place, name)

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in place of one of that name.

        Raises InputError when it cannot be written.
        """
        try:
            if self.remote:
                again(lambda: self._upload(name, data))
            else:
                self._rename(Path(self.where(name)), data)
        except OSError as error:
            raise InputError(
                f"{self.where(name)}: cannot be written ({error.strerror or error}); see to space "
                "and permissions and run again."
            ) from error

    def read(self, name: str) -> bytes:
        """A file of it. Raises OSError, FileNotFoundError when there is none."""
        if not self.remote:
            return Path(self.where(name)).read_bytes()
        storage, path = filesystem(self.where(name))

        def read() -> bytes:
            with storage.open_input_stream(path) as stream:
                return stream.read()

        return again(read)

    def names(self, folder: str) -> list[str]:
        """The files in a folder of it, sorted; none where there is no such folder."""
        if not self.remote:
            path = Path(self.where(folder))
            return sorted(p.name for p in path.iterdir()) if path.is_dir() else []
        from pyarrow.fs import FileSelector, FileType

        storage, path = filesystem(self.where(folder))
        try:
            found = again(lambda: storage.get_file_info(FileSelector(path, allow_not_found=True)))
        except OSError as error:
            raise InputError(f"{self.where(folder)}: cannot be listed ({error}).") from error
        return sorted(i.base_name for i in found if i.type == FileType.File)

    def _upload(self, name: str, data: bytes) -> None:
        storage, path = filesystem(self.where(name))
        with storage.open_output_stream(path) as stream:
            stream.write(data)

    @staticmethod
    def _rename(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if os.name == "posix":  # the rename itself must reach the disk too
            descriptor = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


__all__ = ["Output"]
