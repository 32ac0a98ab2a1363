"""Calls whose work goes on: held until it is seen finished, then charged once.

The hold of the call stays for as long as such work may take, and the ledger is told of it. Whoever sees it finished
first, a call that looks at it or the collector, settles that hold. If nobody does, the sweep charges all that was held.
"""

import asyncio
from collections.abc import Coroutine

import structlog

from proxy.deferred.work import Quoting, Use, Work, read
from proxy.identity.principal import Principal
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys
from proxy.record import form
from proxy.record.settler import Settler
from proxy.unpriced import note_records

_log = structlog.get_logger(__name__)


class Deferrals:
    """Owns the tasks that its calls begin; none is waited for by a request."""

    def __init__(self, redis: RedisPipeline, settler: Settler, quoting: Quoting) -> None:
        self._redis = redis
        self._settler = settler
        self._quoting = quoting
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Work) -> None:
        """The hold of its call stands for the work from now on."""
        self._settler.let_stand(work)

    def finish(self, principal: Principal, work_id: str, use: Use) -> None:
        """The work was seen finished by a call of the principal's."""
        self._own(self._finish(principal, work_id, use))

    async def close(self, patience: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)

    def _own(self, step: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, principal: Principal, work_id: str, use: Use) -> None:
        partition = principal.partition
        try:
            payload = await self._redis.send("GET", keys.work(partition, work_id))
            if payload is None:
                return
            work = read(payload)
            if work.made.record.organization_id != principal.organization_id:
                return
            if await self._redis.send("TYPE", keys.hold(partition, work.hold.request_id)) != b"hash":
                return  # settled, or Redis lost it: then the collector settles
            seconds, _ = await self._redis.send("TIME")
        except (RedisUnavailable, RedisReplyError, form.UnreadableRecord) as error:
            # The next look at it tries again, or the collector finds it.
            _log.warning("work that has finished is not settled yet", reason=type(error).__name__)
            return
        records, used = work.finished([use], self._quoting, int(seconds) * 1000)
        note_records(records, work.quoted(self._quoting))
        self._settler.settle_work(work.hold, used, [form.write(record) for record in records])
