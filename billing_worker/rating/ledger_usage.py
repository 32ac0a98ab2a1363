"""The ledger as the source of usage for rating: sums where they are kept, single rows where a span cuts an hour."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg

from billing_worker.rating.usage import HourTokens, UsageEntry, UsageSum
from ledger import rollups
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.periods import Period
from ledger.usage import TOKENS, Usage
from ledger.usage_filter import Filter

_SECONDS: Final = 60.0
"""Bounds each question; a year of a busy organization's sums is some hundred thousand rows."""
_AT_ONCE: Final = 1_000
Row: TypeAlias = asyncpg.Record | Mapping[str, Any]

_AMOUNTS: Final = (
    *(*TOKENS, "price_nano", "price_nano_tokens", "request_bytes", "response_bytes"),
    *("records", "duration_ms"),
)


class LedgerUsage:
    """A UsageSource. The connection must be in a transaction that reads repeatably, and is used by nobody else
    meanwhile. Raises asyncpg's errors, and ArchiveUnavailable."""

    def __init__(self, connection: Connection, archive: ArchivedUsage = NOWHERE) -> None:
        self._connection = connection
        self._archive = archive

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        values: list[Any] = []
        wanted = Filter(period.start, period.end, organization_id)
        keys = ("project_id", "model", "currency")
        cut = await self._archive.cut(self._connection, wanted)
        usage = rollups.source(wanted, values, (*keys, "stream", *_AMOUNTS, "quantities"), besides=cut)
        amounts = ", ".join(f"sum({name})::bigint as {name}" for name in _AMOUNTS if name != "duration_ms")
        rows = await self._connection.fetch(
            f"select {', '.join(keys)}, {amounts},"
            " coalesce(sum(duration_ms) filter (where stream), 0)::bigint as stream_ms,"
            " coalesce(usage_quantities_sum(quantities) filter (where quantities <> '{}'), '{}') as quantities"
            f" from ({usage}) as used group by {', '.join(keys)}",
            *values,
            timeout=_SECONDS,
        )
        return [_sum(row, row["records"], row["stream_ms"]) for row in rows]

    async def tokens_by_hour(self, organization_id: str, period: Period) -> Sequence[HourTokens]:
        values: list[Any] = [period.start]
        wanted = Filter(period.start, period.end, organization_id)
        cut = await self._archive.cut(self._connection, wanted, "hour")
        usage = rollups.source(wanted, values, ("input_tokens", "output_tokens"), grain="hour", besides=cut)
        rows = await self._connection.fetch(
            "select greatest(date_trunc('hour', at, 'UTC'), $1::timestamptz) as start,"
            f" sum(input_tokens + output_tokens)::bigint as tokens from ({usage}) as used group by 1 order by 1",
            *values,
            timeout=_SECONDS,
        )
        return [HourTokens(row["start"], row["tokens"]) for row in rows]

    async def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        wanted = Filter(period.start, period.end, organization_id)
        archived = self._archive.oldest(self._connection, wanted)
        waiting = await anext(archived, None)
        async for row in self._rows(wanted):
            while waiting is not None and _place(waiting) < _place(row):
                yield _entry(waiting)
                waiting = await anext(archived, None)
            yield _entry(row)
        while waiting is not None:
            yield _entry(waiting)
            waiting = await anext(archived, None)

    async def _rows(self, wanted: Filter) -> AsyncIterator[asyncpg.Record]:
        values: list[Any] = []
        cursor = self._connection.cursor(
            f'select * from usage where {wanted.condition(values)} order by occurred_at, request_id collate "C"',
            *values,
            prefetch=_AT_ONCE,
            timeout=_SECONDS,
        )
        async for row in cursor:
            yield row


def _place(row: Row) -> tuple[datetime, str]:
    return row["occurred_at"], row["request_id"]


def _entry(row: Row) -> UsageEntry:
    return UsageEntry(
        occurred_at=row["occurred_at"],
        request_id=row["request_id"],
        provider_cost_nano_usd=row["cost_nano_usd"],
        usd_per_eur=row["usd_per_eur"],
        sum=_sum(row, 1, row["duration_ms"] if row["stream"] else 0),
    )


def _sum(row: Row, requests: int, stream_ms: int) -> UsageSum:
    return UsageSum(
        project_id=row["project_id"] or None,
        model=row["model"],
        currency=row["currency"],
        requests=requests,
        usage=Usage(**{name: row[name] for name in TOKENS}, quantities=row["quantities"]),
        price_nano=row["price_nano"],
        price_nano_tokens=row["price_nano_tokens"],
        request_bytes=row["request_bytes"],
        response_bytes=row["response_bytes"],
        stream_ms=stream_ms,
    )
