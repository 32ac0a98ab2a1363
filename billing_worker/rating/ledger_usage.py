"""The ledger as the source of usage for rating: sums where they are kept, single rows where a span cuts an hour."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import asyncpg

from billing_worker.rating.usage import HourTokens, UsageEntry, UsageSum
from ledger import rollups
from ledger.database import Connection
from ledger.periods import Period
from ledger.usage import TOKENS, Usage
from ledger.usage_filter import Filter

_SECONDS: Final = 60.0
"""Bounds each question; a year of a busy organization's sums is some hundred thousand rows."""
_AT_ONCE: Final = 1_000

_AMOUNTS: Final = (
    *(*TOKENS, "price_nano", "price_nano_tokens", "request_bytes", "response_bytes"),
    *("records", "duration_ms"),
)


class LedgerUsage:
    """A UsageSource. The connection must be in a transaction that reads repeatably, and is used by nobody else
    meanwhile. Raises asyncpg's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        values: list[Any] = []
        wanted = Filter(period.start, period.end, organization_id)
        keys = ("project_id", "model", "currency")
        usage = rollups.source(wanted, values, (*keys, "stream", *_AMOUNTS, "quantities"))
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
        usage = rollups.source(wanted, values, ("input_tokens", "output_tokens"), grain="hour")
        rows = await self._connection.fetch(
            "select greatest(date_trunc('hour', at, 'UTC'), $1::timestamptz) as start,"
            f" sum(input_tokens + output_tokens)::bigint as tokens from ({usage}) as used group by 1 order by 1",
            *values,
            timeout=_SECONDS,
        )
        return [HourTokens(row["start"], row["tokens"]) for row in rows]

    async def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        values: list[Any] = []
        condition = Filter(period.start, period.end, organization_id).condition(values)
        cursor = self._connection.cursor(
            f'select * from usage where {condition} order by occurred_at, request_id collate "C"',
            *values,
            prefetch=_AT_ONCE,
            timeout=_SECONDS,
        )
        async for row in cursor:
            yield UsageEntry(
                occurred_at=row["occurred_at"],
                request_id=row["request_id"],
                provider_cost_nano_usd=row["cost_nano_usd"],
                usd_per_eur=row["usd_per_eur"],
                sum=_sum(row, 1, row["duration_ms"] if row["stream"] else 0),
            )


def _sum(row: asyncpg.Record, requests: int, stream_ms: int) -> UsageSum:
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
