"""What the ledger knows of a scope's period: the source that lost counters are rebuilt from."""

from typing import Final

from ledger.database import Pool, reading
from ledger.periods import Period
from proxy.quota.amounts import Amounts
from proxy.quota.limits import Scope

_QUERY: Final = """
    select count(*) filter (where strpos(request_id, '.') = 0) as requests,
            coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens,
           coalesce(sum(price_nano) filter (where currency = $4), 0)::bigint as money,
           coalesce(sum(request_bytes + response_bytes), 0)::bigint as traffic
      from usage
     where organization_id = $1 and {column} = $5 and occurred_at >= $2 and occurred_at < $3
"""


class LedgerSums:
    """Sums of usage rows. `timeout` in seconds bounds each look. Raises DatabaseUnavailable when Postgres is
    out of reach."""

    def __init__(self, pool: Pool, timeout: float = 5.0) -> None:
        self._pool = pool
        self._timeout = timeout

    async def used(self, organization_id: str, scope: Scope, period: Period, currency: str) -> Amounts:
        identifier = scope.id.partition(":")[2]
        query = _QUERY.format(column=f"{scope.holder}_id")
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            row = await connection.fetchrow(
                query, organization_id, period.start, period.end, currency, identifier, timeout=self._timeout
            )
        assert row is not None  # an aggregate always has its row
        return Amounts(row["requests"], row["tokens"], row["money"], row["traffic"])
