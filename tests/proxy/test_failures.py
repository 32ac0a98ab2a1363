"""What is around the proxy fails: Redis and Postgres frozen, stopped, killed, emptied; an upstream that lies; clients
that stall, leave and smuggle. Nothing is charged twice or lost, and nobody waits for ever."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from redis.asyncio import Redis

from ledger.limits import Limits
from proxy.app import create_app
from runtime import ports
from runtime.child import Child
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from runtime.realtime import RealtimeProtocol
from runtime.serve import serve
from tests.system import System, Tenant, prepare, system, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
HOLD_SECONDS = 3
DATABASE = "test_failures"


@dataclass
class Plane:
    """A data plane on engines of its own, which a test may stop."""

    system: System
    postgres: Postgres
    valkey: Valkey
    children: dict[str, Child]
    home: Path

    def start(self, name: str) -> None:
        server = self.postgres if name == "postgres" else self.valkey
        self.children[name] = Child(server.program())
        self.children[name].wait_ready()

    def stop(self, name: str) -> None:
        self.children.pop(name).stop()

    def kill(self, name: str) -> None:
        child = self.children.pop(name)
        child.signal(signal.SIGKILL)
        child.wait(10)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """All processes of the engine stand still inside the block."""
        ours = [self.children[name].pid, *_children_of(self.children[name].pid)]
        for pid in ours:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in ours:
                os.kill(pid, signal.SIGCONT)

    def forget(self, name: str) -> None:
        """All data of the engine, which does not run."""
        for path in (self.home / name).iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        client = Redis.from_url(self.system.redis_url)
        yield client
        await client.aclose()

    async def settled(self, tenant: Tenant, count: int) -> list[dict[str, Any]]:
        """The tenant's rows, once all is at rest, after a look that the counters say the same."""
        await self.system.quiet()
        rows = await self.system.records(tenant, count)
        counters = await self.system.counters(tenant)
        assert counters["r"] == count
        assert counters["t"] == sum(row["input_tokens"] + row["output_tokens"] for row in rows)
        assert counters["m"] == sum(row["price_nano"] for row in rows)
        assert (counters.get("hr", 0), counters.get("ht", 0), counters.get("hm", 0)) == (0, 0, 0)
        return rows


def _children_of(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(after_name[1]) == parent:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    home = Path(tempfile.mkdtemp(prefix="tk-"))
    home.chmod(0o711)
    postgres, valkey = Postgres(home), Valkey(home)
    postgres.prepare()
    valkey.prepare()
    with system(postgres.url(DATABASE), valkey.url(), TOLLKEEPER_HOLD_TTL_SECONDS=str(HOLD_SECONDS)) as made:
        plane = Plane(made, postgres, valkey, {}, home)
        try:
            for name in ("postgres", "valkey"):
                plane.start(name)
            asyncio.run(postgres.create_database(DATABASE))
            asyncio.run(prepare(made.database_url))
            made.start("upstream", "proxy", "drain")
            yield plane
        finally:
            try:
                made.stop()
            finally:
                for name in list(plane.children):
                    plane.stop(name)
                postgres.release()
                valkey.release()
                shutil.rmtree(home, ignore_errors=True)


def chat(model: str = "gpt-4o-mini+tokens=5", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 400} | members


async def tenant_of(plane: Plane, **limits: int) -> Tenant:
    """A tenant, once the proxy has recovered from the test before."""
    await until_ready(plane.system.proxy_url)
    return await plane.system.tenant(
        limits=Limits(**limits), unpriced_models="allow", price_per_request="0.01"
    )


async def until_ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:

        async def ready() -> bool | None:
            try:
                answer = await client.get("/readyz")
                return True if answer.status_code == 200 and answer.json()["reasons"] == [] else None
            except httpx.HTTPError:
                return None

        await until(ready, "the proxy to be ready")


async def good_again(client: httpx.AsyncClient) -> int:
    """Calls until one passes; how many were refused before."""
    refused = 0

    async def passes() -> bool | None:
        nonlocal refused
        answer = await client.post(CHAT, json=chat())
        if answer.status_code == 200:
            return True
        assert answer.status_code == 503, answer.text
        refused += 1
        return None

    await until(passes, "calls to pass again")
    return refused


def is_unavailable(answer: httpx.Response, code: str) -> None:
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("server_error", code)
    assert answer.headers["retry-after"] == "1"


async def test_while_redis_is_frozen_calls_are_refused_and_nothing_of_them_stays(plane: Plane) -> None:
    tenant = await tenant_of(plane, requests_per_month=100)
    async with plane.system.client(tenant) as client:
        assert (await client.post(CHAT, json=chat())).status_code == 200
        with plane.frozen("valkey"):
            # Those that are on their way when it freezes, and those that come after.
            for answer in await asyncio.gather(*(client.post(CHAT, json=chat()) for _ in range(10))):
                is_unavailable(answer, "limits_unavailable")
            for _ in range(10):
                is_unavailable(await client.post(CHAT, json=chat()), "limits_unavailable")
            page = (await client.get("/metrics")).text
            # What was never sent to Redis need not be taken back, so an outage gathers nothing.
            # The ten, and the first call's own settlement where it was still on its way.
            assert _metric(page, "tollkeeper_unconfirmed_settlements") <= 11
        await good_again(client)
    rows = await plane.settled(tenant, 2)
    assert {row["outcome"] for row in rows} == {"completed"}


def _metric(page: str, name: str) -> float:
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(name))


async def streaming(
    plane: Plane, tenant: Tenant, trouble: Callable[[], Awaitable[None]], *, tokens: int, pace: int
) -> bytes:
    """A paced stream; `trouble` comes once it flows."""
    client = await WireClient.post(
        plane.system.proxy_url,
        CHAT,
        tenant.key,
        chat(f"gpt-4o-mini+pace={pace};tokens={tokens}", stream=True),
        connection="close",
    )
    for _ in range(5):
        await client.read_until(b"\n\n")
    await trouble()
    rest = await client.read_all()
    client.leave()
    return rest


async def ended_well(plane: Plane, tenant: Tenant, rest: bytes, tokens: int) -> None:
    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    [row] = await plane.settled(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("completed", "provider", tokens)


async def test_a_stream_outlives_a_redis_that_is_frozen_for_longer_than_a_hold_lives(plane: Plane) -> None:
    tenant = await tenant_of(plane, tokens_per_month=10_000)

    async def trouble() -> None:
        with plane.frozen("valkey"):
            await asyncio.sleep(HOLD_SECONDS * 1.5)

    rest = await streaming(plane, tenant, trouble, tokens=160, pace=50)
    await ended_well(plane, tenant, rest, 160)


async def test_what_ends_while_redis_is_away_for_long_is_settled_by_what_was_used(plane: Plane) -> None:
    tenant = await tenant_of(plane, tokens_per_month=10_000)

    async def trouble() -> None:
        with plane.frozen("valkey"):
            await asyncio.sleep(HOLD_SECONDS * 1.5)

    rest = await streaming(plane, tenant, trouble, tokens=40, pace=20)
    await ended_well(plane, tenant, rest, 40)


async def test_a_stream_outlives_a_redis_that_is_killed_and_started_again(plane: Plane) -> None:
    tenant = await tenant_of(plane, tokens_per_month=10_000, concurrent_requests=1)

    async def trouble() -> None:
        plane.kill("valkey")
        await asyncio.sleep(0.3)
        await asyncio.to_thread(lambda: None)
        plane.start("valkey")

    rest = await streaming(plane, tenant, trouble, tokens=60, pace=40)
    await ended_well(plane, tenant, rest, 60)
    async with plane.system.client(tenant) as client:
        await good_again(client)


async def test_a_stream_outlives_a_redis_that_lost_everything(plane: Plane) -> None:
    tenant = await tenant_of(plane, requests_per_month=2)

    async def trouble() -> None:
        async with plane.redis() as client:
            await client.flushall()

    rest = await streaming(plane, tenant, trouble, tokens=60, pace=40)
    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    [row] = await plane.system.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("completed", "provider", 60)


async def test_records_that_redis_lost_before_anybody_read_them_are_made_again(plane: Plane) -> None:
    tenant = await tenant_of(plane, requests_per_month=100)
    plane.system.stop("drain")
    async with plane.system.client(tenant) as client:
        answers = [await client.post(CHAT, json=chat()) for _ in range(4)]
        begun = {"model": "gpt-4o-mini+finish=600000", "input": "Hello", "background": True}
        work = await client.post("/v1/responses", json=begun)
    assert [answer.status_code for answer in (*answers, work)] == [200] * 5
    plane.kill("valkey")
    plane.forget("valkey")
    plane.start("valkey")
    plane.system.start("drain")
    rows = await plane.system.records(tenant, 4)
    assert {row["outcome"] for row in rows} == {"completed"}
    query = "select id from deferred_call where organization_id = $1"

    async def known() -> list[dict[str, Any]] | None:
        return await plane.system.fetch(query, tenant.organization_id) or None

    assert await until(known, "the work that goes on") == [{"id": work.json()["id"]}]


async def test_counters_that_redis_lost_come_back_before_the_next_admission(plane: Plane) -> None:
    tenant = await tenant_of(plane, requests_per_month=3)
    async with plane.system.client(tenant) as client:
        for _ in range(2):
            assert (await client.post(CHAT, json=chat())).status_code == 200
        await plane.settled(tenant, 2)
        async with plane.redis() as redis:
            await redis.flushall()
        answers = await asyncio.gather(*(client.post(CHAT, json=chat()) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 429: 9}
    await plane.settled(tenant, 3)


async def test_connections_to_redis_that_break_at_any_moment_lose_and_double_nothing(plane: Plane) -> None:
    tenant = await tenant_of(plane, tokens_per_month=10**6)
    busy = True

    async def break_them() -> None:
        async with plane.redis() as redis:
            while busy:
                await redis.client_kill_filter(_type="normal", skipme=True)
                await asyncio.sleep(0.05)

    async with plane.system.client(tenant) as client:
        statuses = Counter([(await client.post(CHAT, json=chat())).status_code])
        breaking = asyncio.create_task(break_them())
        for _ in range(15):
            answers = await asyncio.gather(*(client.post(CHAT, json=chat()) for _ in range(20)))
            statuses.update(answer.status_code for answer in answers)
    busy = False
    await breaking
    assert set(statuses) == {200, 503}
    await plane.settled(tenant, statuses[200])


@pytest.mark.parametrize("frozen", [False, True])
async def test_without_postgres_known_keys_go_on_and_records_wait(plane: Plane, frozen: bool) -> None:
    tenant, stranger = await tenant_of(plane, requests_per_minute=1000), await tenant_of(plane)
    async with plane.system.client(tenant) as client, plane.system.client(stranger) as other:
        assert (await client.post(CHAT, json=chat())).status_code == 200

        async def without() -> None:
            # Longer than what was looked up counts as fresh.
            end = asyncio.get_running_loop().time() + 6
            calls = 0
            while asyncio.get_running_loop().time() < end:
                assert (await client.post(CHAT, json=chat())).status_code == 200
                calls += 1
                await asyncio.sleep(0.5)
            # A stuck look-up holds up one call, not each.
            assert calls >= 7
            is_unavailable(await other.post(CHAT, json=chat()), "key_check_unavailable")
            assert (await client.get("/readyz")).status_code == 200
            made.append(calls)

        made: list[int] = []
        if frozen:
            with plane.frozen("postgres"):
                await without()
        else:
            plane.stop("postgres")
            try:
                await without()
            finally:
                plane.start("postgres")
        await plane.settled(tenant, 1 + made[0])
        await good_again(other)


@asynccontextmanager
async def proxy_here(plane: Plane, **options: Any) -> AsyncIterator[str]:
    """A proxy beside the plane's own, in this process, with options that no setting has. Its URL."""
    listener = ports.listen("127.0.0.1", 0)
    running = asyncio.create_task(
        serve(
            create_app(plane.system.settings, **options),
            listener,
            grace_seconds=1,
            date_header=False,
            websockets=RealtimeProtocol,
        )
    )
    url = f"http://127.0.0.1:{ports.number(listener)}"
    await until_ready(url)
    yield url
    os.kill(os.getpid(), signal.SIGTERM)  # `serve` has taken it over
    await running


async def narrow(url: str) -> WireClient:
    """A client that takes next to nothing into its buffers."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    host, _, port = url.removeprefix("http://").partition(":")
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return WireClient(*await asyncio.open_connection(sock=sock, limit=1024))


def written(tenant: Tenant, name: str, body: dict[str, Any]) -> bytes:
    content = orjson.dumps(body)
    return (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\nx-client-request-id: {name}\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    ).encode() + content


async def test_a_client_that_takes_nothing_is_ended_and_its_upstream_is_not_read_on(plane: Plane) -> None:
    tenant = await tenant_of(plane)
    async with proxy_here(plane, client_stall_seconds=1.0) as url:
        client = await narrow(url)
        body = chat("gpt-4o-mini+tokens=150000;chunks_per_write=500", stream=True, max_tokens=150_000)
        client.writer.write(written(tenant, "stalled", body))
        [row] = await plane.settled(tenant, 1)
        client.leave(abruptly=True)
    assert row["outcome"] == "client_gone"
    assert 0 < row["output_tokens"] < 100_000
    [seen] = (await plane.system.books(client_request_id="stalled"))["requests"]
    assert seen["ended"] == "disconnected"


async def test_a_client_that_does_not_even_take_the_head_of_its_next_answer_is_ended(plane: Plane) -> None:
    tenant = await tenant_of(plane)
    async with proxy_here(plane, client_stall_seconds=1.0) as url:
        client = await narrow(url)
        large = chat("gpt-4o-mini+tokens=199000", max_tokens=199_000)
        client.writer.write(written(tenant, "large", large) + written(tenant, "next", chat(stream=True)))
        rows = await plane.settled(tenant, 2)
        client.leave(abruptly=True)
    assert {row["outcome"] for row in rows} == {"completed"}


async def test_who_leaves_while_a_long_prompt_is_counted_is_neither_forwarded_nor_charged(
    plane: Plane,
) -> None:
    tenant = await tenant_of(plane)
    text = "words that follow each other " * 1000
    body = chat(messages=[{"role": "user", "content": f"{number} {text}"} for number in range(300)])
    leaver = await WireClient.connect(plane.system.proxy_url)
    leaver.writer.transport.set_write_buffer_limits(0)
    leaver.writer.write(written(tenant, "counted", body))
    await leaver.writer.drain()
    await asyncio.sleep(0.05)
    leaver.leave()
    async with plane.system.client(tenant) as client:
        # It takes as long to count and began later, so the other's count is over too.
        assert (await client.post(CHAT, json=body)).status_code == 200
    await plane.system.quiet()
    assert (await plane.system.books(client_request_id="counted"))["requests"] == []
    paid = await plane.system.fetch(
        "select outcome from usage where organization_id = $1 and (input_tokens > 0 or cost_nano_usd > 0)",
        tenant.organization_id,
    )
    assert [row["outcome"] for row in paid] == ["completed"]


async def test_an_answer_whose_price_cannot_be_worked_out_still_ends_and_is_settled_once(
    plane: Plane,
) -> None:
    rules = [{"model": "*", "rate": "10000"}]
    tenant = await plane.system.tenant(price_rules=rules)
    content = orjson.dumps({"usage": {"prompt_tokens": 10**12, "completion_tokens": 10**12}})

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    plane.system.stop("upstream")
    port = int(plane.system.upstream_url.rpartition(":")[2])
    liar = await asyncio.start_server(lie, "127.0.0.1", port)
    try:
        async with asyncio.timeout(10), plane.system.client(tenant) as client:
            answer = await client.post(CHAT, json=chat("gpt-4o-mini"))
            assert (answer.status_code, answer.content) == (200, content)
        [row] = await plane.settled(tenant, 1)
    finally:
        liar.close()
        await liar.wait_closed()
        plane.system.start("upstream")
    assert (row["outcome"], row["usage_source"]) == ("expired", "hold")


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        b"content-length: 2\r\ncontent-length: 60\r\n",
        b"content-length: 2, 60\r\n",
        b"content-length: +2\r\n",
        b"content-length: -2\r\n",
        b"content-length: 0x2\r\n",
        b"content-length : 2\r\n",
        b"transfer-encoding: identity, chunked, identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"x-folded: one\r\n two\r\ncontent-length: 2\r\n",
        b"x-bare: one\ncontent-length: 2\r\n",
        b"x-nul: o\0ne\r\ncontent-length: 2\r\n",
        b"x-return: one\rtwo: three\r\ncontent-length: 2\r\n",
        b" leading: one\r\ncontent-length: 2\r\n",
        b"(name): one\r\ncontent-length: 2\r\n",
    ],
)
async def test_a_request_whose_end_is_doubtful_is_refused_and_nothing_behind_it_is_forwarded(
    house: System, head: bytes
) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    first = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
        + tenant.key.encode()
        + b"\r\n"
    )
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(first + head + b"\r\n{}" + written(tenant, tenant.organization_id, chat()))
    client.writer.write_eof()
    answer = await client.read_all()
    client.leave()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert (await house.books(client_request_id=tenant.organization_id))["requests"] == []
