"""The queue in Postgres, which pgqueuer keeps: this is all that knows of it.

An entry is a job and a time. It is handed to one worker, again to another where the first one dies (its heartbeat is
missing then), and again after a pause where the work asks for it. Of one job, one entry is worked on at a time.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import orjson
from pgqueuer import AsyncpgDriver, Queries, QueueManager, RetryRequested
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.domain.settings import DBSettings
from pgqueuer.models import Job as Entry
from pgqueuer.types import Channel

from billing_worker.alone import Session

_CHANNEL: Final = "ch_pgqueuer"
NAMES: Final[Mapping[str, str | bool | None]] = {
    "db_schema": None,
    "durability": "durable",
    "widen_id": True,
    "prefix": "",
    "channel": _CHANNEL,
    "function": "fn_pgqueuer_changed",
    "statistics_table": "pgqueuer_statistics",
    "queue_status_type": "pgqueuer_status",
    "queue_table": "pgqueuer",
    "queue_table_log": "pgqueuer_log",
    "trigger": "tg_pgqueuer_changed",
    "schedules_table": "pgqueuer_schedules",
}
"""As our migrations made them. Given here, because pgqueuer else takes them from variables such as CHANNEL."""

_AGAIN = timedelta(seconds=5)
_AT_ONCE = 8
"""Jobs that one worker works on side by side."""

log = logging.getLogger(__name__)

Handle = Callable[[str, datetime, int], Awaitable[timedelta | None]]
"""Works on an entry: job, time, ticket. Gives after what pause it is to be handed out again; None: it is done."""


def queries(driver: AsyncpgDriver) -> Queries:
    names = DBSettings.model_validate(NAMES)
    return Queries(
        driver,
        qbe=QueryBuilderEnvironment(settings=names),
        qbq=QueryQueueBuilder(settings=names),
        qbs=QuerySchedulerBuilder(settings=names),
    )


class Queue:
    """On one connection of its own, without our codecs. Every statement raises what asyncpg does."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", heartbeat: timedelta) -> None:
        self._driver = AsyncpgDriver(connection)
        self._queries = queries(self._driver)
        self._manager = QueueManager(self._queries, channel=Channel(_CHANNEL))
        self._heartbeat = heartbeat

    @property
    def session(self) -> Session:
        """The same session, for statements beside the queue's."""
        return self._driver

    async def enqueue(self, job: str, at: datetime, key: str) -> bool:
        """False where an entry with this key waits or is worked on."""
        (ticket,) = await self._queries.enqueue(
            job, orjson.dumps({"at": at}), dedupe_key=key, on_conflict="skip"
        )
        return ticket is not None

    async def serve(self, jobs: Iterable[str], handle: Handle) -> None:
        """Hands out entries of these jobs until `stop`, and then waits for those that are worked on."""

        async def work_on(entry: Entry) -> None:
            at = datetime.fromisoformat(orjson.loads(entry.payload or b"")["at"])
            try:
                pause = await handle(str(entry.entrypoint), at, int(entry.id))
            except Exception as error:  # noqa: BLE001 - an entry is given up by `handle` alone, never for want of a store
                log.warning("an entry of the job %s goes back to the queue: %r", entry.entrypoint, error)
                pause = _AGAIN
            if pause is not None:
                raise RetryRequested(delay=pause)

        for job in jobs:
            self._manager.entrypoint(job, concurrency_limit=1)(work_on)
        await self._manager.run(
            batch_size=_AT_ONCE // 2,
            max_concurrent_tasks=_AT_ONCE,
            # What the heartbeat says of a dead worker is looked at as often as it comes.
            dequeue_timeout=self._heartbeat / 2,
            heartbeat_timeout=self._heartbeat,
            log_aggregation_interval=timedelta(),
        )

    def stop(self) -> None:
        self._manager.shutdown.set()
