"""Where archived files lie: a directory, or a bucket of an S3-compatible store.

pyarrow, which reaches both, takes 60 MB: it is imported by those alone who have a file to write or read.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import S3FileSystem

_CONNECT_SECONDS: Final = 5
_REQUEST_SECONDS: Final = 30
_ATTEMPTS: Final = 4


class ArchiveUnavailable(Exception):
    """Archived files can't be reached, or are damaged. Says which, and names no secret."""


class Store(Protocol):
    """Blocking; raises OSError. Names are relative, with `/`."""

    def writing(self, name: str) -> "AbstractContextManager[BinaryIO]":
        """A file to be written, whole only where the block has ended well; one that is there already is replaced."""
        ...

    def read(self, name: str) -> "NativeFile":
        """The file, to be closed by the caller."""
        ...


def open_store(url: str) -> Store:
    """`url` as config/urls.py has checked it."""
    return Bucket(url) if url.startswith("s3://") else Directory(Path(url))


class Directory:
    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)

    def read(self, name: str) -> "NativeFile":
        import pyarrow

        return pyarrow.OSFile(str(self._root / name), "rb")


class Bucket:
    def __init__(self, url: str) -> None:
        # Many compatible stores refuse the checksums that Amazon's client sends behind a body unless it is told not to;
        # what is written is read again and compared before anything is dropped.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        parts = urlsplit(url)
        self._prefix = f"{parts.hostname}{parts.path}".rstrip("/")
        self._files = _s3(parts)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        with self._files.open_output_stream(f"{self._prefix}/{name}") as out:
            yield out

    def read(self, name: str) -> "NativeFile":
        return self._files.open_input_file(f"{self._prefix}/{name}")


def _s3(url: SplitResult) -> "S3FileSystem":
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    told = parse_qs(url.query)
    endpoint = urlsplit(told["endpoint"][0]) if "endpoint" in told else None
    return S3FileSystem(
        # Without keys, those that the machine itself has.
        access_key=None if url.username is None else unquote(url.username),
        secret_key=None if url.password is None else unquote(url.password),
        region=told.get("region", [None])[0],
        endpoint_override=None if endpoint is None else endpoint.netloc,
        scheme="https" if endpoint is None else endpoint.scheme,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def _sync(folder: Path) -> None:
    """So that the name outlives a crash as the file does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
