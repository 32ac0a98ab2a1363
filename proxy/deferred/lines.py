"""A file of lines that comes in any pieces: no more than one line of it is kept. Pure."""

from typing import Final

_LONGEST: Final = 32 * 1024 * 1024


class LineTooLongError(Exception):
    """No line of a file that is worked on is that long."""


class Lines:
    """Lines that say nothing are left out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Those that end in `data`. Raises LineTooLongError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise LineTooLongError
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """The last one, where no line feed ended it."""
        last, self._rest = self._rest, b""
        return [last] if last.strip() else []
