"""What the ledger knows of a scope's period: the source that lost counters are rebuilt from, and compared with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from ledger.database import Connection, Pool, reading
from ledger.periods import Period
from ledger.usage_record import UsageRecord
from proxy.quota.amounts import NOTHING, Amounts
from proxy.quota.limits import BUCKET_MS, MARKS, SLOTS, Holder, Scope

_MINUTE: Final = timedelta(milliseconds=BUCKET_MS * SLOTS)

_AMOUNTS: Final = """
    count(*) filter (where strpos(request_id, '.') = 0) as requests,
    coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens,
    coalesce(sum(price_nano) filter (where currency = $4), 0)::bigint as money,
    coalesce(sum(request_bytes + response_bytes), 0)::bigint as traffic
"""
_OF_PERIOD: Final = "from usage where organization_id = $1 and occurred_at >= $2 and occurred_at < $3"
_OF_ONE: Final = f"{_OF_PERIOD} and {{column}} = $5 and split_part(request_id, '.', 1) <> all($6::text[])"
_BUCKET: Final = f"floor(extract(epoch from occurred_at) * 1000 / {BUCKET_MS})::bigint"
_BY_SCOPE: Final = f"""
    select project_id, key_id, member_id, grouping(project_id, key_id, member_id) as without, {_AMOUNTS}
      {_OF_PERIOD} and coalesce(place, 0) <= $5
     group by grouping sets ((), (project_id), (key_id), (member_id))
"""
_WITHOUT: Final[dict[int, Holder]] = {7: "organization", 3: "project", 5: "key", 6: "member"}
"""What is left of a group by the bits of the columns that it is without."""


class Used(NamedTuple):
    """In the period, and of the last minute by its buckets: when an admission was, in units of BUCKET_MS."""

    period: Amounts
    minute: Sequence[tuple[int, Amounts]]


class LedgerSums:
    """Sums of usage rows. `timeout` in seconds bounds each look. Raises DatabaseUnavailable when Postgres is
    out of reach."""

    def __init__(self, pool: Pool, timeout: float = 5.0) -> None:
        self._pool = pool
        self._timeout = timeout

    async def used(
        self,
        organization_id: str,
        scope: Scope,
        period: Period,
        currency: str,
        left_out: Sequence[str],
        now: datetime,
    ) -> Used:
        """By all requests but those left out."""
        whose = scope.id.partition(":")[2], list(left_out)
        of_one = _OF_ONE.format(column=f"{scope.holder}_id")
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            row = await connection.fetchrow(
                f"select {_AMOUNTS} {of_one}",
                *(organization_id, period.start, period.end, currency, *whose),
                timeout=self._timeout,
            )
            # Who begins a month now was in the last one a minute ago.
            buckets = await connection.fetch(
                f"select {_BUCKET} as bucket, {_AMOUNTS} {of_one} group by 1 order by 1",
                *(organization_id, now - _MINUTE, period.end, currency, *whose),
                timeout=self._timeout,
            )
        assert row is not None  # an aggregate always has its row
        return Used(_amounts(row), [(each["bucket"], _amounts(each)) for each in buckets])


def _amounts(row: asyncpg.Record) -> Amounts:
    return Amounts(row["requests"], row["tokens"], row["money"], row["traffic"])


async def used_by_scope(
    connection: Connection, organization_id: str, period: Period, currency: str, place: int, timeout: float
) -> dict[str, Amounts]:
    """By the scope's id, what was settled up to that place in the organization's stream."""
    rows = await connection.fetch(
        _BY_SCOPE, organization_id, period.start, period.end, currency, place, timeout=timeout
    )
    found = {f"o:{organization_id}": NOTHING}
    for row in rows:
        holder = _WITHOUT[row["without"]]
        identifier = organization_id if holder == "organization" else row[f"{holder}_id"]
        if identifier is not None:
            found[f"{MARKS[holder]}:{identifier}"] = _amounts(row)
    return found


def used_by(record: UsageRecord, currency: str) -> tuple[Amounts, tuple[str, ...]]:
    """What one record adds to these sums, and the scopes that it adds it to."""
    amounts = Amounts(
        0 if "." in record.request_id else 1,
        record.usage.total_tokens,
        record.price_nano if record.currency == currency else 0,
        record.request_bytes + record.response_bytes,
    )
    ids = {"o": record.organization_id, "p": record.project_id, "k": record.key_id, "m": record.member_id}
    return amounts, tuple(f"{mark}:{identifier}" for mark, identifier in ids.items() if identifier)
