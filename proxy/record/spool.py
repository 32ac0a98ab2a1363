"""The disk spool: what Redis has not confirmed, kept in a file of this process until it has.

One file a process, append-only, readable by its owner alone. A lock on it tells that its process lives; the files of
the dead are taken over by whoever finds them.
"""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from proxy.record.frames import Frame, framed, frames

_SUFFIX: Final = ".spool"
_PER_READ: Final = 500

_log = structlog.get_logger(__name__)


class Spool:
    """`most` bytes are what it may come to before `full` tells so; beyond, it still takes what it is given.

    All file work is done in threads, one step at a time. Writes that come meanwhile leave together.
    """

    def __init__(self, directory: Path, most: int) -> None:
        """Raises OSError where no file can be made there."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self._path, self._descriptor = _made(directory)
        self._most = most
        self._size = 0
        self._turn = asyncio.Lock()
        self._queue: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.filled = asyncio.Event()
        """Set while there is something in it."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether no more should be begun that may have to be written here."""
        return self._size >= self._most

    async def write(self, payloads: Sequence[bytes]) -> None:
        """Returns once they are on the disk. Raises OSError; they may be tried again then."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((b"".join(map(framed, payloads)), done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())
        await done

    async def read(self, start: int) -> list[Frame]:
        """The next frames from the offset `start` on."""
        async with self._turn:
            return await asyncio.to_thread(_next_frames, self._descriptor, start)

    async def empty(self, end: int) -> bool:
        """Forgets everything if there is nothing after `end`."""
        async with self._turn:
            if end != self._size:
                return False
            await asyncio.to_thread(_cut, self._descriptor, 0)
            self._grew_to(0)
            return True

    async def close(self, patience: float) -> None:
        """Waits for what is being written. A file with something in it stays, for whoever comes next."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer], timeout=patience)
        if self._size == 0 and not self._queue:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    async def _write_all(self) -> None:
        while self._queue:
            async with self._turn:
                batch, self._queue = self._queue, []
                data = b"".join(each for each, _ in batch)
                error: OSError | None = None
                try:
                    await asyncio.to_thread(_append, self._descriptor, self._size, data)
                except OSError as failure:
                    _log.error("the spool can't be written", reason=str(failure))
                    error = failure
                if error is None:
                    self._grew_to(self._size + len(data))
            for _, done in batch:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _grew_to(self, size: int) -> None:
        if size >= self._most > self._size:
            _log.error("the spool is full: nothing more is admitted until Redis takes it", bytes=size)
        self._size = size
        if size:
            self.filled.set()
        else:
            self.filled.clear()


class Orphan:
    """The file of a process that has died, open and locked."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def frames(self, start: int) -> list[Frame]:
        return _next_frames(self._file.fileno(), start)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


@contextmanager
def orphans(directory: Path) -> Iterator[list[Orphan]]:
    """Those files whose process lives no more; nobody else has them inside the block."""
    found: list[Orphan] = []
    try:
        for path in sorted(directory.glob(f"*{_SUFFIX}")) if directory.is_dir() else ():
            with suppress(FileNotFoundError, BlockingIOError):
                file = path.open("rb")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.close()
                    raise
                found.append(Orphan(path, file))
        yield found
    finally:
        for orphan in found:
            orphan._file.close()


def _made(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # whoever looks for files of the dead was faster, and removes it
            os.close(descriptor)
        else:
            _keep_name(directory)
            return path, descriptor


def _keep_name(directory: Path) -> None:
    """Makes the file's name as durable as what will be in it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(descriptor: int, end: int, data: bytes) -> None:
    try:
        at = end
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, at)
            at, view = at + written, view[written:]
        os.fsync(descriptor)
    except OSError:
        # What is half there would stand before whatever comes next.
        with suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def _cut(descriptor: int, end: int) -> None:
    os.ftruncate(descriptor, end)
    os.fsync(descriptor)


def _next_frames(descriptor: int, start: int) -> list[Frame]:
    found: list[Frame] = []
    with os.fdopen(os.dup(descriptor), "rb") as file:
        for frame in frames(file, start):
            found.append(frame)
            if len(found) == _PER_READ:
                break
    return found
