"""The collector: looks at work that goes on at the providers, and settles what has ended, also if nobody asks for it.

Looking again is harmless: the settlement script does each once, and remembers it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson
import structlog

from config.settings import Settings
from ledger import deferred_calls
from ledger.database import Pool, reading
from ledger.deferred_calls import Due
from ledger.usage_record import UsageRecord
from proxy.deferred.kinds import KINDS
from proxy.deferred.outcome import UntoldError, uses_of
from proxy.deferred.work import Work, read
from proxy.endpoints.catalogue import find
from proxy.measures import Measures
from proxy.meter.jobs import read_job
from proxy.ownership.finds import Finds
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.pricing import PriceBook
from proxy.quota import keys, settlement
from proxy.quota.amounts import Amounts
from proxy.quota.clock import milliseconds
from proxy.quota.scripts import source
from proxy.record import form
from proxy.record.settler import REMEMBER_WORK_SECONDS
from proxy.unpriced import note_records
from proxy.upstream.download import Download, DownloadError
from proxy.upstream.route import Route

_AT_ONCE: Final = 8
_PER_PASS: Final = 500
_LOOK_SECONDS: Final = 300.0
"""How long one look may take, with the reading of an output file."""
_LARGEST_OBJECT: Final = 16 * 1024 * 1024
_REDIS_SECONDS: Final = 3.0
_LATEST: Final = timedelta(minutes=10)
_GONE: Final = frozenset({404, 410})

_log = structlog.get_logger(__name__)


class Collector:
    """Does one pass at a time. Work is looked at again after `soonest`, or after a quarter of its age."""

    def __init__(self, redis: RedisPipeline, route: Route, soonest: timedelta) -> None:
        self._redis = redis
        self._route = route
        self._soonest = soonest
        self._settle = redis.script(source("settle"))
        self._renew = redis.script(source("renew"))

    async def collect(self, pool: Pool, at: datetime) -> int:
        """Looks at all that is due at `at`; gives how many that were.

        Raises DatabaseUnavailable, and LookupError while no prices are known.
        """
        prices = PriceBook(pool, lambda: at)
        async with reading(pool) as connection:
            due = await deferred_calls.due(connection, at, _PER_PASS)
        if not due:
            return 0
        await prices.read()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def turn(call: Due) -> None:
            async with turns:
                await self._look(pool, prices, call, at)

        async with asyncio.TaskGroup() as looks:
            for call in due:
                looks.create_task(turn(call))
        return len(due)

    async def _look(self, pool: Pool, prices: PriceBook, call: Due, at: datetime) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                work = read(call.work)
                try:
                    ended = await self._ended(work, prices, at)
                except UntoldError:
                    ended = work.lost(milliseconds(at))
                if ended is not None:
                    await self._settle_by(work, *ended)
                    return
                await self._keep(work)
        except (DownloadError, RedisUnavailable, RedisReplyError, OSError, TimeoutError, ValueError) as error:
            _log.warning("work could not be looked at", request_id=call.request_id, reason=repr(error)[:200])
        async with reading(pool) as connection:
            again = min(max((at - call.begun_at) / 4, self._soonest), _LATEST)
            await deferred_calls.look_again(connection, call.request_id, at + again)

    async def _ended(
        self, work: Work, prices: PriceBook, at: datetime
    ) -> tuple[list[UsageRecord], Amounts] | None:
        """What comes of it; None while it goes on, or its provider can't say. Raises UntoldError."""
        now_ms = milliseconds(at)
        is_late = now_ms - work.at_ms > KINDS[work.kind].life * 1000
        download = self._get(work, work.path)
        try:
            status = await download.begun()
            told: Any = orjson.loads(await download.whole(_LARGEST_OBJECT)) if status == 200 else None
        finally:
            download.close()
        job = read_job(told)
        if status in _GONE or (is_late and (job is None or not job.ended)):
            raise UntoldError
        if job is None or not job.ended:
            return None
        uses = await uses_of(work, job, told, partial(self._get, work))
        finds = Finds(find("GET", work.path).endpoint)
        finds.in_body(told)
        records, used = work.finished(uses, prices.quote, now_ms, finds.objects)
        note_records(records, work.quoted(prices.quote))
        return records, used

    def _get(self, work: Work, path: str) -> Download:
        return Download(partial(self._route.get, path, work.made.record.upstream))

    async def _settle_by(self, work: Work, records: list[UsageRecord], used: Amounts) -> None:
        first, *more = [form.write(record) for record in records]
        names, arguments = settlement.settle(
            work.hold, used, first, more=more, remember_seconds=REMEMBER_WORK_SECONDS
        )
        await self._redis.send_script(self._settle, names, arguments)

    async def _keep(self, work: Work) -> None:
        """Its hold lives on: where nobody has looked for too long, all of it is charged."""
        life_ms, hold = KINDS[work.kind].life * 1000, work.hold
        renewal = settlement.renew(hold.partition, hold.request_id, life_ms, work.most_output)
        await self._redis.send_script(self._renew, *renewal)
        await self._redis.execute("PEXPIRE", keys.work(hold.partition, work.id), life_ms)


@asynccontextmanager
async def collecting(settings: Settings) -> AsyncIterator[Collector]:
    """A collector on connections of its own."""
    assert settings.stores.redis_url is not None
    async with AsyncExitStack() as stack:
        url = settings.stores.redis_url.get_secret_value()
        redis = await stack.enter_async_context(RedisPipeline.opened(url, timeout=_REDIS_SECONDS))
        route = Route(settings.upstream.all, settings.outbound, Measures(lambda: 0, lambda: 0))
        stack.push_async_callback(route.close)
        yield Collector(redis, route, timedelta(seconds=settings.server.collect_seconds))
