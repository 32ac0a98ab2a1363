"""The proxy as an ASGI application: built from settings, opened and closed by the server's lifespan."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import structlog

import config
from config.settings import Settings
from ledger.database import DatabaseUnavailable, close_pool, open_pool
from ledger.keys import KeyHasher
from proxy.deferred.deferrals import Deferrals
from proxy.deferred.holds import WorkHolds
from proxy.endpoints.azure import as_openai
from proxy.house import House
from proxy.identity.api_keys import ApiKeys
from proxy.identity.changes import listen
from proxy.identity.directory import Directory
from proxy.identity.ephemeral import Seal
from proxy.identity.identities import Identities, trust_of
from proxy.identity.known import KnownCallers
from proxy.identity.people import People
from proxy.journey import DEPLOYMENT, travel
from proxy.measures import Measures
from proxy.meter.tokenizer import Tokenizers
from proxy.ownership.register import Register
from proxy.pages import Pages, starting
from proxy.pipeline import RedisPipeline, RedisUnavailable
from proxy.pricing import PriceBook
from proxy.quota.allowance import Allowance
from proxy.quota.census import Census
from proxy.quota.clock import RedisClock
from proxy.quota.epochs import Epochs
from proxy.quota.gate import Gate
from proxy.quota.roll import Roll
from proxy.quota.scripts import Scripts
from proxy.quota.sums import LedgerSums
from proxy.realtime.attendants import Attendants
from proxy.realtime.door import attend
from proxy.record.recovery import Recovery
from proxy.record.replay import Replay
from proxy.record.settler import Settler
from proxy.record.spool import Spool
from proxy.relay.asgi import Receive, Scope, Send
from proxy.relay.cors import Cors
from proxy.retaking import Retaking
from proxy.running import CLIENT_STALL_SECONDS, Running
from proxy.storage.counting import Counting
from proxy.upstream.route import Route

_ENCODINGS: Final = Path(config.__file__).parent / "encodings"
_SETTLE_SECONDS: Final = 10.0
"""How long the last settlements may take to be confirmed when the process stops."""
_SPOOL_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5
_PAGES: Final = ("/healthz", "/readyz", "/metrics")
_WRONG_METHOD: Final = {"type": "invalid_request_error", "param": None, "code": "method_not_supported"}
_LAST_WORDS_SECONDS: Final = 1.5
"""Of the time that is left when the process stops, what a session needs to close both its sides."""

_log = structlog.get_logger(__name__)


def create_app(settings: Settings, *, client_stall_seconds: float = CLIENT_STALL_SECONDS) -> "Proxy":
    """The application. Nothing is opened before the server's start-up event."""
    return Proxy(settings, client_stall_seconds)


class Proxy:
    """One proxy process. Owns the house, its connections and its background tasks."""

    def __init__(self, settings: Settings, client_stall_seconds: float) -> None:
        self._settings = settings
        self._client_stall_seconds = client_stall_seconds
        self._cors = Cors(settings.door.cors_origins) if settings.door.cors_origins else None
        self._house: House | None = None
        self._pages: Pages | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"].startswith("/openai/"):
            scope = _as_openai(scope)
        if scope["type"] == "http":
            if self._cors is not None:
                if await self._cors.answered(scope, send):
                    return
                self._cors.allow(scope)
            path = scope["path"]
            if self._house is not None and path.startswith("/v1"):
                await travel(self._house, scope, receive, send)
            elif self._pages is not None:
                await self._pages.show(scope["method"], path, send)
            else:
                await starting(send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket" and self._house is not None:
            await attend(self._house, scope, receive, send)

    def stop(self) -> None:
        """The server is told to stop: the calls that are attended to come to their end while requests still run."""
        if self._house is not None:
            self._house.attendants.stopping.set()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await self._open(stack)
            except Exception as error:  # noqa: BLE001 - the server is told, whatever it is
                _log.exception("the proxy could not start")
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        database_url, redis_url = settings.stores.database_url, settings.stores.redis_url
        secret = settings.secrets.key_secret
        assert database_url is not None
        assert redis_url is not None
        assert secret is not None
        pool = await open_pool(database_url.get_secret_value(), name="tollkeeper proxy")
        stack.push_async_callback(close_pool, pool)
        hold = timedelta(seconds=settings.server.hold_ttl_seconds)
        roll = Roll(pool, hold)
        timeout = settings.stores.redis_timeout_ms / 1000
        redis = RedisPipeline(redis_url.get_secret_value(), timeout=timeout)
        stack.push_async_callback(redis.close)
        scripts = Scripts(redis)
        spool = _open_spool(settings)
        stack.push_async_callback(_leave, roll, spool)
        if spool is not None:
            stack.push_async_callback(spool.close, _SPOOL_SECONDS)
        clock = RedisClock()
        allowance = Allowance(
            settings.server.bounded_percent,
            settings.server.bounded_requests_per_minute,
            lambda: census.processes,
        )
        census = Census(redis, allowance.heard)
        stack.push_async_callback(census.leave)
        settler = Settler(redis, scripts, spool, allowance.ended)
        stack.push_async_callback(settler.close, _SETTLE_SECONDS)
        prices = PriceBook(pool, _now)
        deferrals = Deferrals(redis, settler, prices.quote)
        stack.push_async_callback(deferrals.close, timeout)
        ttl_ms = hold // timedelta(milliseconds=1)
        hasher = KeyHasher(secret.get_secret_value().encode())
        running = Running(redis, scripts, ttl_ms, self._client_stall_seconds)
        measures = Measures(lambda: len(running), lambda: settler.unconfirmed)
        measures.watch_proxies(lambda: census.processes, lambda: allowance.granted)
        measures.watch_spool(lambda: 0 if spool is None else spool.size, lambda: settler.full)
        route = Route(settings.upstream.all, settings.outbound, measures)
        stack.push_async_callback(route.close)
        directory = Directory(pool, hasher, _now)
        trust = trust_of(settings, _now)
        if trust is not None:
            stack.push_async_callback(trust.close)
        attendants = Attendants(redis, clock, route, ttl_ms)
        last_turn_seconds = max(0.0, settings.server.shutdown_grace_seconds - _LAST_WORDS_SECONDS)
        stack.push_async_callback(attendants.close, last_turn_seconds)
        recovery = Recovery(
            *(Replay(redis, scripts, pool), pool, settings.spool_dir, spool, _now),
            settled=settler.confirmed.add_all,
            unfinished=lambda: settler.unfinished,
            cleared=allowance.cleared,
        )
        epochs = Epochs(
            redis, roll, Retaking(running, WorkHolds(redis, scripts, pool), settler, recovery), ttl_ms
        )
        house = House(
            identities=Identities(
                ApiKeys(directory.find, _now),
                None if trust is None else People(trust.verify, directory.find_person),
                KnownCallers(directory.find_again, _now),
            ),
            prices=prices,
            tokenizers=await asyncio.to_thread(Tokenizers.load, _ENCODINGS),
            gate=Gate(
                *(redis, scripts, clock, LedgerSums(pool).used),
                ttl_ms=ttl_ms,
                patience=timeout,
                full=lambda: settler.full or not roll.entered,
                allowance=allowance,
                begin=settler.begin,
                count=Counting(redis, pool, _now).count,
                opened=epochs.opened,
            ),
            clock=clock,
            settler=settler,
            deferrals=deferrals,
            register=Register(redis, pool),
            running=running,
            attendants=attendants,
            route=route,
            measures=measures,
            seal=Seal(secret.get_secret_value().encode(), _now),
            max_body_bytes=settings.server.max_body_bytes,
            allowed=settings.door.allowed,
            max_upload_bytes=settings.server.max_upload_bytes,
            last_turn_seconds=last_turn_seconds,
        )
        for each in settings.door.allowed:
            _log.warning(
                "calls of this endpoint pass unmetered and unowned", endpoint=f"{each.method} {each.path}"
            )
        await _try_to_connect(redis)
        await _try_to_read(house.prices)
        await epochs.begin()
        changed = asyncio.Event()

        def forget(organization_id: str) -> None:
            house.identities.forget(organization_id)
            changed.set()

        for work in (
            recovery.run,
            census.run,
            roll.run,
            epochs.run,
            settler.confirmed.run,
            partial(listen, redis.subscriber, forget),
            partial(house.prices.keep_fresh, changed),
            running.watch,
            attendants.watch,
            *(() if trust is None else (trust.keep_fresh,)),
        ):
            stack.push_async_callback(_end, asyncio.create_task(_unceasing(work)))
        self._house, self._pages = house, Pages(house, lambda: redis.available)


def _as_openai(scope: Scope) -> Scope:
    """A call by Azure's path, as if it had come by OpenAI's."""
    place = as_openai(scope["raw_path"], scope["query_string"])
    if place is None:
        return scope
    return {
        **scope,
        "path": unquote(place.path.decode("ascii")),
        "raw_path": place.path,
        "query_string": place.query,
        DEPLOYMENT: place.deployment,
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _open_spool(settings: Settings) -> Spool | None:
    try:
        return Spool(settings.spool_dir, settings.server.spool_max_bytes)
    except OSError as error:
        _log.error(
            "there is no spool: what Redis has not confirmed dies with this process", reason=str(error)
        )
        return None


async def _leave(roll: Roll, spool: Spool | None) -> None:
    """What is left on the disk is waited for, as if this process had died."""
    if spool is None or spool.size == 0:
        await roll.leave()


async def _try_to_connect(redis: RedisPipeline) -> None:
    try:
        await redis.connect()
    except RedisUnavailable as error:
        _log.warning("redis is not reachable yet", reason=str(error)[:200])


async def _try_to_read(prices: PriceBook) -> None:
    try:
        await prices.read()
    except DatabaseUnavailable as error:
        _log.warning("postgres is not reachable yet", reason=str(error)[:200])


async def _unceasing(work: Callable[[], Awaitable[None]]) -> None:
    """Begins `work` again if it fails: without the watch, say, every running request would lose its hold."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - logged, and tried again
            _log.exception("work in the background failed and begins again")
        await asyncio.sleep(_AGAIN_SECONDS)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task], timeout=2)
