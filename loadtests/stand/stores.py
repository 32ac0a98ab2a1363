"""Postgres and Redis for a measurement: those that are named, or the embedded ones with an empty data directory."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from loadtests.stand.errors import StandError
from loadtests.stand.ports import free_ports
from runtime.child import Child, Program
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey


@dataclass(frozen=True)
class Stores:
    """`postgres` and `redis` are process ids, 0 where the server is not ours. `folder` is removed at the end."""

    database_url: str
    redis_url: str
    folder: Path
    postgres: int
    redis: int
    durable: bool
    """Whether Redis syncs each write to the disk before it answers."""

    @property
    def redis_port(self) -> int:
        """On this machine. Raises StandError for one that only a socket reaches."""
        port = urlsplit(self.redis_url).port
        if port is None:
            raise StandError("REDIS_URL must name a port of this machine, for peers to reach it")
        return port


@contextmanager
def stores(*, durable: bool, postgres_options: Sequence[str] = ()) -> Iterator[Stores]:
    """Servers that run; the options are the embedded Postgres'. To be called by the main thread: they end with it."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tk-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        postgres = redis = 0
        if not database_url:
            engine = Postgres(folder)
            engine.prepare()
            stack.callback(engine.release)
            program = engine.program()
            postgres = _started(stack, replace(program, argv=[*program.argv, *postgres_options]))
            asyncio.run(engine.create_database())
            database_url = engine.url()
        if not redis_url:
            valkey = Valkey(folder)
            valkey.prepare()
            stack.callback(valkey.release)
            (port,) = free_ports(1)
            redis = _started(stack, _on_a_port(valkey.program(), port, durable=durable))
            redis_url = f"redis://127.0.0.1:{port}/0"
        yield Stores(database_url, redis_url, folder, postgres, redis, durable)


def _on_a_port(program: Program, port: int, *, durable: bool) -> Program:
    """Peers know no Unix sockets; and without its file, Redis is as fast as its scripts."""
    options = ["--port", str(port), "--bind", "127.0.0.1"]
    if not durable:
        options += ["--appendonly", "no"]
    return replace(program, argv=[*program.argv, *options])


def _started(stack: ExitStack, program: Program) -> int:
    child = Child(program)
    stack.callback(child.stop)
    child.wait_ready()
    return child.pid
