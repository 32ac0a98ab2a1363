"""One server on one data directory, whatever was killed."""

import fcntl
import os
import time
from pathlib import Path

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1


class LockedError(RuntimeError):
    """Another process uses the directory; the message is one line."""


class Lock:
    """A lock on a file, held by every process that has `descriptor` open.

    A server inherits the descriptor and hands it on to its own children, so the lock is free only when the
    last of them is gone, also if the supervisor was killed. Waits, because a server whose supervisor was
    killed needs a moment to end. Raises LockedError.
    """

    def __init__(self, path: Path, *, seconds: float = WAIT_SECONDS) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        while not self._taken():
            if time.monotonic() >= deadline:
                os.close(self.descriptor)
                raise LockedError(f"{path.parent} is in use by another tollkeeper ({path.name} is locked)")
            time.sleep(POLL_SECONDS)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        os.close(self.descriptor)
