"""Where the engines' sockets live: beside the data, or in a short place where that path is too long."""

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path

from runtime.engines.tenant import EngineError, own_directory

# sockaddr_un holds 108 bytes with the closing zero.
PATH_LIMIT = 107
LONGEST_NAME = ".s.PGSQL.5432"


def socket_directory(data_dir: Path, home: Path) -> Path:
    """A private directory short enough for a socket, the same at every start, of the same owner as `home`.

    Raises EngineError, also if somebody else was there first: the temporary directory is open to all.
    """
    directory = data_dir / "sockets"
    if _too_long(directory):
        name = hashlib.sha256(bytes(data_dir)).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"tollkeeper-{name}"
        if _too_long(directory):
            raise EngineError(f"{directory} is too long a path for a socket; set TMPDIR to a shorter one")
    if directory.is_symlink():
        raise EngineError(f"{directory} is a link; sockets need a directory of our own")
    own_directory(directory)
    if directory.stat().st_uid != home.stat().st_uid:
        raise EngineError(f"{directory} belongs to another user; remove it, or set TMPDIR to a place of ours")
    return directory


def leave(directory: Path) -> None:
    """Removes the directory, unless a socket of the other engine is still in it."""
    with suppress(OSError):
        directory.rmdir()


def _too_long(directory: Path) -> bool:
    return len(bytes(directory / LONGEST_NAME)) > PATH_LIMIT
