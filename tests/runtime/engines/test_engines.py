"""The embedded engines on data directories of their own: kept, recovered, never shared."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import redis

from runtime.child import Child
from runtime.engines.lock import Lock, LockedError
from runtime.engines.postgres import Postgres
from runtime.engines.sockets import PATH_LIMIT
from runtime.engines.tenant import EngineError
from runtime.engines.valkey import Valkey


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Long, and below a directory that others may not enter: root's engines have to cope with that."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    path = private / ("long" * 20)
    path.mkdir(mode=0o700)
    return path


@contextmanager
def running(server: Postgres | Valkey) -> Iterator[Child]:
    server.prepare()
    child = Child(server.program())
    try:
        child.wait_ready()
        yield child
    finally:
        assert child.stop() in (0, -signal.SIGKILL)
        server.release()


async def execute(server: Postgres, statement: str) -> object:
    connection = await asyncpg.connect(server.url("postgres"), timeout=10)
    try:
        return await connection.fetchval(statement, timeout=10)
    finally:
        await connection.close(timeout=10)


def client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_postgres_keeps_what_it_acknowledged(data_dir: Path, end: signal.Signals) -> None:
    server = Postgres(data_dir)
    with running(server) as child:
        await execute(server, "create table kept as select 42 as answer")
        child.signal(end)
        child.wait(20)
    with running(server):
        assert await execute(server, "select answer from kept") == 42


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_valkey_keeps_what_it_acknowledged(data_dir: Path, end: signal.Signals) -> None:
    server = Valkey(data_dir)
    with running(server) as child:
        with client(server) as connection:
            for number in range(1000):
                connection.xadd("stream", {"number": number})
            child.signal(end)
        child.wait(20)
    with running(server), client(server) as connection:
        assert connection.xlen("stream") == 1000


async def test_postgres_starts_although_a_stale_pid_file_names_a_living_process(data_dir: Path) -> None:
    server = Postgres(data_dir)
    with running(server) as child:
        child.signal(signal.SIGKILL)
        child.wait(20)
    # Postgres gives way to a process of its own user only, and its parent is none.
    with running(Valkey(data_dir)) as stranger:
        pid_file = data_dir / "postgres" / "18" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        with running(server):
            assert await execute(server, "select 1") == 1


async def test_an_interrupted_first_start_is_made_again(data_dir: Path) -> None:
    partial = data_dir / "postgres" / "18.partial"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    server = Postgres(data_dir)
    with running(server):
        assert await execute(server, "select 1") == 1
    assert not partial.exists()


async def test_postgres_has_checksums_utf8_and_no_network(data_dir: Path) -> None:
    server = Postgres(data_dir)
    with running(server):
        assert await execute(server, "show data_checksums") == "on"
        assert await execute(server, "show fsync") == "on"
        assert await execute(server, "show listen_addresses") == ""
        assert await execute(server, "show server_encoding") == "UTF8"
        assert await execute(server, "select lower('É')") == "é"


def test_valkey_syncs_refuses_to_evict_and_has_no_network(data_dir: Path) -> None:
    server = Valkey(data_dir)
    with running(server), client(server) as connection:
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "port": "0"}
        assert {name: connection.config_get(name)[name] for name in wanted} == wanted


async def test_databases_are_made_once(data_dir: Path) -> None:
    server = Postgres(data_dir)
    with running(server):
        await server.create_database()
        await server.create_database()
        assert await execute(server, "select count(*) from pg_database where datname = 'tollkeeper'") == 1


@pytest.mark.parametrize("engine", [Postgres, Valkey])
def test_sockets_are_private_and_their_paths_short_enough(
    data_dir: Path, engine: type[Postgres] | type[Valkey]
) -> None:
    server = engine(data_dir)
    with running(server) as child:
        inodes = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()}
        sockets = [Path(path) for path in inodes if _belongs(path, child)]
        assert sockets
        assert all(len(bytes(path)) <= PATH_LIMIT for path in sockets)
        assert all(path.parent.stat().st_mode & 0o077 == 0 for path in sockets)
        directories = {path.parent for path in sockets}
    assert not any(directory.exists() for directory in directories)


def _belongs(path: str, child: Child) -> bool:
    return any(
        argument in (path, f"unix_socket_directories={Path(path).parent}") for argument in child.program.argv
    )


def test_a_second_server_on_the_same_data_is_refused(data_dir: Path) -> None:
    lock = Lock(data_dir / "valkey.lock")
    with pytest.raises(LockedError, match=r"in use by another tollkeeper"):
        Lock(data_dir / "valkey.lock", seconds=0)
    lock.release()
    Lock(data_dir / "valkey.lock", seconds=0).release()


def test_the_lock_outlives_its_taker_in_the_server_that_inherited_it(data_dir: Path) -> None:
    server = Valkey(data_dir)
    server.prepare()
    child = Child(server.program())
    child.wait_ready()
    server.release()
    with pytest.raises(LockedError):
        Lock(data_dir / "valkey.lock", seconds=0)
    child.stop()
    server.prepare()
    server.release()


async def test_orphaned_backends_keep_a_second_postgres_out(data_dir: Path) -> None:
    server = Postgres(data_dir)
    with running(server) as child:
        connection = await asyncpg.connect(server.url("postgres"), timeout=10)
        backend = await connection.fetchval("select pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        child.signal(signal.SIGKILL)
        child.wait(20)
        connection.terminate()
    try:
        with pytest.raises(LockedError):
            Lock(data_dir / "postgres.lock", seconds=0)
    finally:
        os.kill(backend, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{backend}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with running(server):
        assert await execute(server, "select 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the engines as another user")
def test_root_does_not_run_the_engines_as_root(data_dir: Path) -> None:
    server = Valkey(data_dir)
    with running(server) as child:
        status = Path(f"/proc/{child.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    capabilities = next(line for line in status.splitlines() if line.startswith("CapPrm:")).split()[1]
    assert "0" not in uids
    assert int(capabilities, 16) in (0, 1 << 1, 1 << 2)
    assert (data_dir.stat().st_mode & 0o777, data_dir.parent.stat().st_mode & 0o777) == (0o700, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a directory of another user")
def test_a_socket_directory_of_somebody_else_is_refused(
    data_dir: Path,
) -> None:
    server = Valkey(data_dir)
    server.prepare()
    sockets = Path(server.program().argv[server.program().argv.index("--unixsocket") + 1]).parent
    server.release()
    sockets.mkdir()
    os.chown(sockets, 12345, 12345)
    try:
        with pytest.raises(EngineError, match="belongs to another user"):
            server.prepare()
    finally:
        sockets.rmdir()
